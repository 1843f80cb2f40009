# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.signal

from streamer.core.signal.diagnostic_band import DiagnosticBand, diagnostic_sos
from streamer.core.stream import Chunk


@pytest.mark.parametrize("rate_hz", [400.0, 500.0, 1000.0, 5000.0])
def test_the_sections_are_scipys(rate_hz: float) -> None:
    sections = np.vstack(
        [
            scipy.signal.butter(1, 0.05, "highpass", fs=rate_hz, output="sos"),
            scipy.signal.butter(2, 150.0, "lowpass", fs=rate_hz, output="sos"),
        ]
    )
    assert np.allclose(diagnostic_sos(rate_hz), sections, atol=1e-12)


def test_the_band_does_not_depend_on_the_chunks() -> None:
    x = np.random.default_rng(0).normal(size=3000).astype(np.float32)
    x[1000:1100] = np.nan
    whole = DiagnosticBand(500.0).push(Chunk(0, x))
    band = DiagnosticBand(500.0)
    edges = [0, 1, 8, 500, 1050, 1051, 2000, 3000]
    pieces = [band.push(Chunk(a, x[a:b])) for a, b in pairwise(edges)]
    assert np.array_equal(np.concatenate(pieces), whole, equal_nan=True)
    assert np.array_equal(np.isnan(whole), np.isnan(x))


def test_an_offset_makes_no_step_at_the_start_or_after_a_long_gap() -> None:
    band = DiagnosticBand(500.0)
    flat = np.full(500, 250.0, np.float32)
    assert np.abs(band.push(Chunk(0, flat))).max() < 1e-3
    assert np.abs(band.push(Chunk(5000, flat - 400))).max() < 1e-3
    assert np.abs(band.push(Chunk(5600, flat))).max() > 100, "over a short gap the state is kept"


def test_a_source_that_is_too_slow_is_refused() -> None:
    with pytest.raises(ValueError, match="150 Hz"):
        DiagnosticBand(250.0)
