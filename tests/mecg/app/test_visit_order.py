# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of a person's visits, and that each counts once."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mecg.app.learning import in_order
from streamer.core.calibration.correction import Origin
from streamer.core.calibration.fit import Moments
from streamer.core.calibration.visits import Visit
from streamer.core.errors import InputError

DATES = st.dates().map(str)
UNKNOWN = DATES.map("calibrated {}".format)


def visit(name: str, date: str, seed: int) -> Visit:
    products = np.random.default_rng(seed).normal(size=(7, 3, 2))
    sums = Moments(np.stack([np.eye(3)] * 7), products, np.ones(7), np.full(7, 100.0), 0.016)
    return Visit(Origin("tiny", "1", name, date), np.zeros((7, 3, 2)), 1.0, sums)


def visits(dates: list[str]) -> list[Visit]:
    return [visit(f"visit {i}", date, i) for i, date in enumerate(dates)]


@given(st.lists(DATES, min_size=1, max_size=6), st.integers(0, 6))
def test_visits_whose_records_state_dates_go_by_date(dates: list[str], kept: int) -> None:
    given_ = visits(dates)
    assert [v.origin.date for v in in_order(given_[:kept], given_[kept:])] == sorted(dates)


@given(st.lists(DATES | UNKNOWN, max_size=5), UNKNOWN, st.integers(0, 6))
def test_one_record_without_a_date_leaves_all_as_they_were_given(
    dates: list[str], unknown: str, kept: int
) -> None:
    """When it was calibrated says nothing of when it was recorded."""
    given_ = visits([*dates[:kept], unknown, *dates[kept:]])
    assert list(in_order(given_[:kept], given_[kept:])) == given_


@given(st.integers(0, 2**32 - 1), st.floats(0.999, 1.001), UNKNOWN | DATES)
def test_a_recording_counts_once_under_any_name_and_in_any_format(
    seed: int, rounded: float, date: str
) -> None:
    one = visit("one", "2026-11-01", seed)
    moments = replace(one.moments, products=rounded * one.moments.products)
    again = replace(one, origin=replace(one.origin, source="another", date=date), moments=moments)
    with pytest.raises(InputError, match=r"another .* is named twice, as one 2026-11-01 too"):
        in_order([one], [again])
