# SPDX-License-Identifier: MIT
"""The rate and the index of samples follow from their times."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
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
