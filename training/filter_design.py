# SPDX-License-Identifier: GPL-3.0-or-later
"""Designs the filters that a model is trained with; their coefficients travel in its metadata."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import signal

from streamer.core.signal.filters import Filters

INPUT_HIGH_PASS_HZ = 0.5
INPUT_LOW_PASS_HZ = 40.0
BAND_EDGES_HZ = (5.0, 15.0)


def design(rate_hz: float, cut_offs_hz: Sequence[float] = BAND_EDGES_HZ) -> Filters:
    """The input band, its split and the clinical frame at a model's rate (Butterworth all)."""
    low_hz, mid_hz = cut_offs_hz

    def butter(order: int, edge_hz: float, kind: str) -> np.ndarray:
        sos: np.ndarray = signal.butter(order, edge_hz, kind, fs=rate_hz, output="sos")
        return sos

    return Filters(
        input=np.vstack((butter(1, INPUT_HIGH_PASS_HZ, "highpass"), butter(4, INPUT_LOW_PASS_HZ, "lowpass"))),
        low=butter(2, low_hz, "lowpass"),
        mid=butter(2, mid_hz, "lowpass"),
        clinical=np.vstack((butter(1, 0.5, "highpass"), butter(2, 40.0, "lowpass"))),
    )
