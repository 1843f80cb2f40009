# SPDX-License-Identifier: GPL-3.0-or-later
from math import ceil, isnan

from hypothesis import given
from hypothesis import strategies as st

from streamer.session.histogram import Histogram

durations = st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=300)


@given(durations, st.sampled_from([0.5, 0.9, 0.99, 0.999, 1.0]), st.sampled_from([0.005, 0.01, 0.05]))
def test_a_quantile_is_the_order_statistic_within_the_stated_error(
    values: list[float], q: float, error: float
) -> None:
    histogram = Histogram(error)
    for value in values:
        histogram.add(value)
    truth = sorted(values)[ceil(q * len(values)) - 1]
    assert abs(histogram.quantile(q) - truth) <= truth * error * (1 + 1e-9)
    assert histogram.count == len(values)
    assert histogram.max_ms == max(values)


def test_no_duration_is_out_of_range() -> None:
    histogram = Histogram()
    for value in (-5.0, 0.0, 1e-9, 1e9):
        histogram.add(value)
    assert histogram.count == 4
    assert histogram.max_ms == 1e9
    assert histogram.quantile(0.5) < 2e-3


def test_where_nothing_was_counted_it_says_so() -> None:
    assert isnan(Histogram().quantile(0.5))
    assert Histogram().summary() == {
        "p50": None,
        "p90": None,
        "p99": None,
        "p99_9": None,
        "max": None,
        "count": 0,
    }
