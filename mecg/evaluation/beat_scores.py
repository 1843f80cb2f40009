# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores at the heart beats: ST level, and the amplitude of R and S.

Where a beat's QRS begins and ends is taken once per record from the true twelve leads, and used
for truth and estimate alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.core.leads import LEADS, SEVEN
from streamer.core.vitals.beats import beats_in

AROUND_R_S = 0.060
"""R and S are the maximum and minimum within this of the beat."""
AFTER_J_S = 0.060
ST_LIMIT_MV = 0.1
FEWEST_BEATS = 3


@dataclass(frozen=True, slots=True)
class Beats:
    """Where the beats of a record are, at the model's rate."""

    r: NDArray[np.int64]
    """R peaks of Lead I."""
    onset: int
    """QRS onset relative to R, samples (negative)."""
    offset: int
    """QRS end (the J point) relative to R, samples."""


@dataclass(frozen=True, slots=True)
class BeatValues:
    """What a record's beats measure: ST of each beat, R and S as the median over beats."""

    st_mv: NDArray[np.float64]
    """``(beats, 12)``: level at J + 60 ms against PR."""
    r_mv: NDArray[np.float64]
    """``(12,)``"""
    s_mv: NDArray[np.float64]
    """``(12,)``"""


def find_beats(truth_mv: NDArray[np.float32], rate_hz: float, first: int) -> Beats | None:
    """Beats of a record from index ``first`` on; None if there are fewer than three.

    Parameters
    ----------
    truth_mv : array (12, n)
        In the clinical frame.

    Notes
    -----
    QRS lasts where the root mean square slope over the twelve leads, averaged over beats, exceeds
    15 % of its peak, looked for from 100 ms before R to 120 ms after.
    """
    before, after = round(0.1 * rate_hz), round(0.12 * rate_hz)
    margin = round(0.25 * rate_hz)
    found = beats_in(truth_mv[0], rate_hz)
    r = found[(found >= max(first, margin)) & (found < truth_mv.shape[1] - margin)]
    if len(r) < FEWEST_BEATS:
        return None
    slope = np.sqrt((np.gradient(truth_mv.astype(np.float64), axis=1) ** 2).mean(axis=0))
    mean = slope[r[:, None] + np.arange(-before, after + 1)].mean(axis=0)
    fast = np.flatnonzero(mean > 0.15 * mean.max())
    return Beats(r, int(fast[0]) - before, int(fast[-1]) - before)


def measure(leads_mv: NDArray[np.float32], beats: Beats, rate_hz: float) -> BeatValues:
    """ST, R and S of twelve leads ``(12, n)`` at the given beats."""
    leads = leads_mv.astype(np.float64)

    def level(at: int, width_s: float) -> NDArray[np.float64]:
        half = round(width_s * rate_hz / 2)
        around = beats.r[:, None] + at + np.arange(-half, half + 1)
        return np.asarray(leads[:, around].mean(axis=2).T)

    st = level(beats.offset + round(AFTER_J_S * rate_hz), 0.016)
    pr = level(beats.onset - round(0.012 * rate_hz), 0.016)
    reach = round(AROUND_R_S * rate_hz)
    near = leads[:, beats.r[:, None] + np.arange(-reach, reach + 1)]
    return BeatValues(st - pr, np.median(near.max(axis=2), axis=1), np.median(near.min(axis=2), axis=1))


def st_summary(truth: Sequence[BeatValues], estimate: Sequence[BeatValues]) -> dict[str, Any]:
    """How far ST is off: over the seven leads together, and in each.

    Returns
    -------
    dict
        ``over_0_1_mv``: share of beats off by more; ``median_mv``: median absolute error;
        ``false_elevation``: share of beats called above 0.1 mV out of those that are not, and
        ``false_depression`` likewise; the same for each of the seven leads.
    """
    rows = [LEADS.index(lead) for lead in SEVEN]
    true = np.concatenate([values.st_mv[:, rows] for values in truth])
    ours = np.concatenate([values.st_mv[:, rows] for values in estimate])

    def of(a: NDArray[np.float64], b: NDArray[np.float64]) -> dict[str, float | None]:
        flat, none = b <= ST_LIMIT_MV, b >= -ST_LIMIT_MV
        return {
            "over_0_1_mv": float((np.abs(a - b) > ST_LIMIT_MV).mean()),
            "median_mv": float(np.median(np.abs(a - b))),
            "false_elevation": float((a[flat] > ST_LIMIT_MV).mean()) if flat.any() else None,
            "false_depression": float((a[none] < -ST_LIMIT_MV).mean()) if none.any() else None,
        }

    each = {lead: of(ours[:, i], true[:, i]) for i, lead in enumerate(SEVEN)}
    return of(ours, true) | {"beats": len(true)} | each


def amplitude_summary(truth: Sequence[BeatValues], estimate: Sequence[BeatValues]) -> dict[str, Any]:
    """R and S of V1 to V6 over records: spread (SD, estimate over truth), correlation and bias."""
    result: dict[str, Any] = {}
    for lead in LEADS[6:]:
        row = LEADS.index(lead)
        of_lead: dict[str, float | None] = {}
        for wave in ("r", "s"):
            b = np.array([getattr(values, f"{wave}_mv")[row] for values in truth])
            a = np.array([getattr(values, f"{wave}_mv")[row] for values in estimate])
            spread, true_spread = float(a.std()), float(b.std())
            varied = spread > 0 and true_spread > 0
            of_lead[f"{wave}_spread_ratio"] = spread / true_spread if varied else None
            of_lead[f"{wave}_correlation"] = float(np.corrcoef(a, b)[0, 1]) if varied else None
            of_lead[f"{wave}_bias_mv"] = float((a - b).mean())
        result[lead] = of_lead
    return result
