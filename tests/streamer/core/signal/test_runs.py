"""Runs of True in a mask."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.signal.runs import true_runs


@given(st.lists(st.booleans(), max_size=40))
def test_runs_are_apart_in_order_and_hold_every_true_and_no_false(mask: list[bool]) -> None:
    runs = true_runs(np.array(mask, np.bool_))
    assert [i for first, stop in runs for i in range(first, stop)] == [i for i, x in enumerate(mask) if x]
    assert all(first < stop for first, stop in runs)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(runs))
