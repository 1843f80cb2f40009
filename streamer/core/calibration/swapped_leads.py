# SPDX-License-Identifier: MIT
"""Leads of a reference that lie under each other's labels.

What the generic network misses in one lead it misses in its neighbours too, in a way that is known
(`streamer.core.calibration.fit.Prior.error_covariance`).  With two leads exchanged the errors fit that
worse than with the two put back.  Neighbours whose leads look alike in a person cannot be told apart so: how
many are missed is in docs/calibration.md.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from streamer.core.stream import Samples
from streamer.core.vitals.beats import beats_in
from streamer.core.vitals.polarity import polarity_score

BEFORE_S, AFTER_S = 0.252, 0.452
"""What of a beat tells its polarity, before and after R."""
FEWEST_BEATS = 4
REVERSED = -1.0
"""As in `streamer.core.vitals.quality`: one true record in a hundred scores less."""

Array = NDArray[np.float64]


def exchanged(truth_mv: Samples, generic_mv: Samples, covariance: Array) -> tuple[float, tuple[int, int]]:
    """The two leads that are most likely exchanged, and by how much.

    Parameters
    ----------
    truth_mv, generic_mv : array (leads, n)
        What was measured, and what the network makes of Lead I; both known throughout.
    covariance : array (leads, leads)
        Of generic errors over persons, whatever its unit.

    Returns
    -------
    float
        The mean squared error, in the covariance's metric, over what it is with the two put back:
        larger is more likely exchanged.  The error's own size counts for nothing.
    tuple of int
        The rows of the two.
    """
    truth, generic = truth_mv.astype(np.float64), generic_mv.astype(np.float64)
    metric = np.linalg.inv(covariance)
    own, cross, other = truth @ truth.T, truth @ generic.T, generic @ generic.T
    rows = np.arange(len(truth))

    def squared(order: NDArray[np.int64]) -> float:
        error = own[np.ix_(order, order)] - cross[order] - cross[order].T + other
        return float((metric * error).sum())

    best, pair = np.inf, (0, 1)
    for a, b in combinations(range(len(truth)), 2):
        order = rows.copy()
        order[[a, b]] = b, a
        if (now := squared(order)) < best:
            best, pair = now, (a, b)
    return squared(rows) / max(best, 1e-12), pair


def upside_down(lead_mv: Samples, rate_hz: float) -> bool:
    """Whether a Lead I in the input band stands upside down, as with both arms exchanged."""
    before, after = round(BEFORE_S * rate_hz), round(AFTER_S * rate_hz)
    beats = beats_in(lead_mv, rate_hz)
    beats = beats[(beats >= before) & (beats + after <= len(lead_mv))]
    around = lead_mv[beats[:, None] + np.arange(-before, after)].astype(np.float64)
    around = around[np.isfinite(around).all(axis=1)]
    return len(around) >= FEWEST_BEATS and polarity_score(around.mean(axis=0), rate_hz) < REVERSED
