# SPDX-License-Identifier: MIT
"""A reference whose leads were measured one after another, with one sensor.

No lead is known at the same time as Lead I.  What holds over time is the beat: each lead's mean beat,
found at its own R peaks, is laid under every beat of Lead I, and the network's own estimate of the
leads says how its R peak lies beside that of Lead I.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.core.calibration.fit import Reference, bridged, known_samples, reference_towards
from streamer.core.errors import InputError
from streamer.core.leads import SEVEN
from streamer.core.network.network import Network
from streamer.core.signal.clinical_frame import clinical_frame
from streamer.core.stream import Samples
from streamer.core.vitals.beats import beats_in

BEFORE_S, AFTER_S = 0.25, 0.45
"""What of a beat is compared, around R."""
APART_S = 0.06
"""R peaks of two leads lie no further apart."""
JITTER_S = 0.016
"""A beat's R is found no further from where it is."""
FEWEST_BEATS = 2
BLUR_S = 0.012
"""Slopes are compared so blurred: QRS lasts equally long in all leads, its peaks lie here and there."""
SHAPE, NEARER = 0.2, 0.05
"""What likeness of shape counts beside that of slopes, and what a shift costs.  Chosen on fold 8."""


def sequence_reference(
    network: Network, lead_mv: Samples, strips: Mapping[str, tuple[Samples, float]], rate_hz: float
) -> tuple[Reference, tuple[str, ...]]:
    """Lead I and strips of other leads, as if they had been measured together.

    Parameters
    ----------
    network : Network
        That puts out features.
    lead_mv : array (n,)
        Lead I; NaN where it is not known.
    strips : mapping of str to (array, float)
        By lead, out of `SEVEN`: its samples, mV (NaN as in Lead I), and their rate.
    rate_hz : float
        Of Lead I.

    Returns
    -------
    Reference, and sentences on what could not be used

    Raises
    ------
    InputError
        Where Lead I holds too few beats.
    """
    spec = network.spec
    one = _clinical(network, lead_mv, rate_hz)
    beats = _beats(one, spec.rate_hz)
    if len(beats) < FEWEST_BEATS:
        raise InputError("Lead I of the reference shows too few beats: record it again, sitting still")
    truth = np.full((len(SEVEN), len(one)), np.nan, np.float32)
    generic = reference_towards(network, lead_mv, rate_hz, np.zeros_like(truth))
    estimate = -generic.error_mv.transpose(0, 2, 1).reshape(len(SEVEN), -1)[:, spec.look_ahead :]
    around = [_mean_beat(row, beats, spec.rate_hz) for row in (one, *estimate)]
    guesses = [beat for beat in around[1:] if beat is not None]
    if around[0] is None or len(guesses) < len(SEVEN):
        raise InputError("Lead I of the reference shows too few beats: record it again, sitting still")
    steep = np.sqrt(np.mean([np.gradient(beat) ** 2 for beat in (around[0], *guesses)], axis=0))
    notes = []
    for lead, (strip_mv, strip_hz) in strips.items():
        strip = _clinical(network, strip_mv, strip_hz)
        mean = _mean_beat(strip, _beats(strip, spec.rate_hz), spec.rate_hz)
        row = SEVEN.index(lead)
        if mean is None:
            notes.append(f"{lead}: too few beats in its strip, so it is not used")
            continue
        template = aligned(mean, guesses[row], steep, spec.rate_hz)
        before, after = round(BEFORE_S * spec.rate_hz), round(AFTER_S * spec.rate_hz)
        for r in beats:
            a, b = max(r - before, 0), min(r + after, truth.shape[1])
            truth[row, a:b] = template[a - r + before : b - r + before]
    truth[:, ~np.isfinite(one)] = np.nan
    return reference_towards(network, lead_mv, rate_hz, truth), tuple(notes)


def _clinical(network: Network, lead_mv: Samples, rate_hz: float) -> Samples:
    """In the clinical frame; NaN where it is not known."""
    spec = network.spec
    frame = clinical_frame(bridged(lead_mv[None]), rate_hz, spec.filters, spec.rate_hz)
    frame[~known_samples(lead_mv[None], rate_hz, spec.rate_hz, frame.shape[1])] = np.nan
    return np.asarray(frame[0])


def _beats(lead_mv: Samples, rate_hz: float) -> NDArray[np.int64]:
    """R peaks away from the ends, where the clinical frame holds."""
    found = beats_in(lead_mv, rate_hz)
    kept: NDArray[np.int64] = found[(found > 0.3 * rate_hz) & (found < len(lead_mv) - 0.5 * rate_hz)]
    return kept


def _mean_beat(lead_mv: Samples, beats: NDArray[np.int64], rate_hz: float) -> Samples | None:
    """Its middle beat (the median, so that an ectopic one does not count), wider by `APART_S`."""
    margin = round(APART_S * rate_hz)
    before, after = round(BEFORE_S * rate_hz) + margin, round(AFTER_S * rate_hz) + margin
    kept = beats[(beats >= before) & (beats + after <= len(lead_mv))]
    around = lead_mv[kept[:, None] + np.arange(-before, after)]
    around = around[np.isfinite(around).all(axis=1)]
    if len(around) < FEWEST_BEATS:
        return None
    # Where a beat has no sharp peak, R is found here and there: once more, each where it fits best.
    middle, jitter = np.median(around, axis=0), round(JITTER_S * rate_hz)
    best = [max(range(-jitter, jitter + 1), key=partial(_fit, beat, middle)) for beat in around]
    middle = np.median([np.roll(beat, by) for beat, by in zip(around, best, strict=True)], axis=0)
    return np.asarray(middle, np.float32)


def _fit(beat: Samples, middle: Samples, by: int) -> float:
    return float(np.roll(beat, by) @ middle)


def aligned(mean: Samples, guess: Samples, steep: NDArray[np.floating[Any]], rate_hz: float) -> Samples:
    """The mean beat, shifted to where its slopes lie under those of all leads.

    Those tell the time of QRS whatever a lead's polarity; the lead's own estimate is a guess itself.
    """
    margin = round(APART_S * rate_hz)
    n = len(mean) - 2 * margin
    guess, steep = guess[margin : margin + n], _blurred(steep, rate_hz)[margin : margin + n]
    mine = _blurred(np.abs(np.gradient(mean)), rate_hz)

    def likeness(at: int) -> float:
        # Nearly as alike and nearer is better.
        slopes = _correlation(mine[at : at + n], steep)
        return slopes + SHAPE * _correlation(mean[at : at + n], guess) - NEARER * abs(at - margin) / margin

    best = max(range(2 * margin + 1), key=likeness)
    return mean[best : best + n]


def _blurred(x: NDArray[np.floating[Any]], rate_hz: float) -> NDArray[np.floating[Any]]:
    reach = round(4 * BLUR_S * rate_hz)
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (BLUR_S * rate_hz)) ** 2)
    return np.convolve(np.pad(x, reach, mode="edge"), bell / bell.sum(), mode="valid")


def _correlation(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / max(float(np.sqrt((a @ a) * (b @ b))), 1e-12))
