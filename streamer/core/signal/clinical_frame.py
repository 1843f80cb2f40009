# SPDX-License-Identifier: MIT
"""The clinical frame: the truth that everything is trained towards and scored against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.core.signal.filters import Filters, forward_backward
from streamer.core.signal.rate import RateConverter


def clinical_frame(
    leads_mv: NDArray[np.float32], source_hz: float, filters: Filters, rate_hz: float
) -> NDArray[np.float32]:
    """Whole leads as a resting cart shows them: wander removed, no phase, ST not bent.

    Parameters
    ----------
    leads_mv : array (leads, n)
        As recorded; a missing sample (NaN) counts as zero.
    source_hz : float
        Their rate.
    filters : Filters
        The model's; `Filters.clinical` is run forward and backward at its rate.
    rate_hz : float
        The model's rate.

    Returns
    -------
    array (leads, m)
        At the model's rate, on the same grid as the frames of `streamer.core.pipeline.Pipeline`.
    """
    return clinical_frame_at_rate(at_rate(leads_mv, source_hz, rate_hz), filters)


def clinical_frame_at_rate(leads_mv: NDArray[np.float64], filters: Filters) -> NDArray[np.float32]:
    """As `clinical_frame`, of leads ``(leads, m)`` that are at the model's rate already."""
    return np.stack([forward_backward(filters.clinical, row) for row in leads_mv]).astype(np.float32)


def at_rate(leads_mv: NDArray[np.float32], source_hz: float, rate_hz: float) -> NDArray[np.float64]:
    """Whole leads ``(leads, n)`` at another rate, ``(leads, m)``; a missing sample counts as zero."""
    whole = np.nan_to_num(leads_mv, nan=0.0).astype(np.float64)
    return np.stack([to_rate(row, source_hz, rate_hz) for row in whole])


def to_rate(x: NDArray[np.float64], source_hz: float, rate_hz: float) -> NDArray[np.float64]:
    """One whole gapless signal ``(n,)`` at another rate, on the absolute grid."""
    converter = RateConverter(source_hz, rate_hz)
    return np.concatenate([run.x for run in converter.push(0, x) + converter.finish()])
