# SPDX-License-Identifier: GPL-3.0-or-later
"""In words, how far the leads lie from the truth if fewer bands make them; no Qt."""

from __future__ import annotations

import math

import numpy as np

from gui.signal.history import History
from streamer.core.leads import LEADS
from streamer.core.network.parts import BANDS
from streamer.core.stream import Samples

OVER_S = 10.0
"""The newest so many seconds are summed up."""


def uncertainties(history: History, edge_s: float) -> dict[str, str]:
    """For each reconstructed lead, half the width of its 90 % band by the slowest band alone, and so on to
    those that make it.
    """
    traces = history.traces
    if traces is None or not history.parts or not math.isfinite(edge_s):
        return {}
    stop = min(math.floor(edge_s * traces.rate_hz) + 1, traces.stop)
    start = max(traces.start, stop - round(OVER_S * traces.rate_hz))
    buffers = {**history.parts, BANDS[len(history.parts)]: traces}
    widths = {name: _mean(buffer.view(start, stop).half_width_mv) for name, buffer in buffers.items()}
    return {
        lead: "  ".join(f"{name} ±{width[LEADS.index(lead)]:.2f}" for name, width in widths.items()) + " mV"
        for lead in LEADS
        if lead != "I" and all(np.isfinite(width[LEADS.index(lead)]) for width in widths.values())
    }


def _mean(width_mv: Samples) -> Samples:
    """Of each lead ``(12,)``; NaN of one that has none."""
    there = np.isfinite(width_mv)
    count = np.where(there.any(axis=1), there.sum(axis=1), np.nan)
    mean: Samples = np.where(there, width_mv, 0).sum(axis=1) / count
    return mean
