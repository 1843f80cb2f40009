# SPDX-License-Identifier: MIT
"""The rate and the index of samples follow from their times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from streamer.formats.sample_times import grid_of

RATES_HZ = st.sampled_from([100.0, 125.0, 128.0, 200.0, 250.0, 256.0, 300.0, 360.0, 500.0, 512.0, 1000.0])


@given(rate_hz=RATES_HZ, n=st.integers(4, 60), first=st.integers(0, 10**6))
@example(rate_hz=360.0, n=4, first=3)
def test_times_in_microseconds_give_the_rate_that_they_are_of_however_few_they_are(
    rate_hz: float, n: int, first: int
) -> None:
    stamps_s = np.round((first + np.arange(n)) / rate_hz, 6)
    found_hz, index = grid_of(stamps_s, "a table")
    assert found_hz == rate_hz
    assert np.array_equal(index, np.arange(n))


@settings(max_examples=200, deadline=None)
@given(
    rate_hz=st.sampled_from([97, 125, 200, 250, 320, 360, 400, 480, 500, 512, 640, 700, 800, 900, 977, 1000]),
    tick=st.sampled_from([1e-3, 1e-2, 1 / 256, 1 / 512, 1 / 1024]),
    up=st.booleans(),
    phase=st.floats(0.01, 0.99),
    gap=st.sampled_from([0, 0, 20, 300]),
    n=st.sampled_from([1000, 5000]),
)
def test_stamps_in_whole_ticks_leave_no_sample_out(
    rate_hz: int, tick: float, up: bool, phase: float, gap: int, n: int
) -> None:
    """Of a clock as coarse as a sample is long, the steps are of one tick and of two, which is no loss."""
    assume(tick * rate_hz <= 1)  # else several samples have one stamp
    index = np.arange(n) + gap * (np.arange(n) >= n // 2)
    ticks = (index + phase) / rate_hz / tick
    stamps_s = (np.ceil(ticks - 1e-6) if up else np.floor(ticks + 1e-6)) * tick
    found, at = grid_of(stamps_s - stamps_s[0], "it")
    assert found == pytest.approx(rate_hz, rel=2 * (tick * rate_hz + bool(gap)) / n + 1e-6)
    assert np.abs(at - index).max() <= (1 if gap else 0)


@pytest.mark.parametrize("rate_hz", [250, 400])
@pytest.mark.parametrize("lost", [[100], [100, 400], [100, 130, 500], [3, 4, 5, 900], [*range(24, 1000, 25)]])
def test_single_samples_that_are_lost_are_gaps(rate_hz: int, lost: list[int]) -> None:
    index = np.delete(np.arange(1000), lost)
    found, at = grid_of(np.round(index / rate_hz, 3), "it")
    assert found == rate_hz and np.array_equal(at, index)


@pytest.mark.parametrize("rate_hz", [250, 500])
@pytest.mark.parametrize("lost", [[], [100], [100, 103, 500]])
def test_a_stamp_that_is_late_by_half_a_sample_is_no_loss(rate_hz: int, lost: list[int]) -> None:
    """As ``int(seconds * 1000)`` has it, of which some come out a millisecond less."""
    index = np.delete(np.arange(1000), lost)
    late = (index % 37 == 5) * round(500 / rate_hz) / 1000
    found, at = grid_of(np.round(index / rate_hz + late, 3), "it")
    assert found == rate_hz and np.array_equal(at, index)
