# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"  # before anything imports Qt

import numpy as np
import pytest

from streamer.core.stream import Frame

RATE_HZ = 250.0


def make_frame(
    start: int, n: int, *, lost: bool = False, settling: bool = False, rate_hz: float = RATE_HZ
) -> Frame:
    """Twelve leads that tell their lead and their index: lead k at index i is (k + 1) * sin(i / 20) / 10."""
    wave = np.sin(np.arange(start, start + n) / 20)
    leads_mv = (np.arange(1, 13)[:, None] * wave / 10).astype(np.float32)
    if lost:
        leads_mv[:] = np.nan
    return Frame(
        start,
        rate_hz,
        leads_mv,
        leads_mv[0].copy(),
        np.full_like(leads_mv, np.nan),
        np.full(n, not lost),
        np.full(n, settling),
    )


@pytest.fixture
def frame() -> object:
    return make_frame
