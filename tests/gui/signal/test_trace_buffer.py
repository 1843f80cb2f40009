# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gui.signal.trace_buffer import TraceBuffer, envelope
from streamer.core.stream import Frame

MakeFrame = Callable[..., Frame]


def test_what_goes_in_comes_out_at_its_index(frame: MakeFrame) -> None:
    buffer = TraceBuffer(250.0, 4.0)
    assert buffer.empty and np.isnan(buffer.view(0, 10).leads_mv).all()
    for start in range(0, 2500, 37):
        buffer.push(frame(start, 37))
    expected = frame(1800, 200)
    seen = buffer.view(1800, 2000)
    assert seen.start == 1800
    assert np.array_equal(seen.leads_mv, expected.leads_mv)
    assert np.array_equal(seen.measured_mv, expected.measured_mv)


def test_only_the_last_seconds_are_kept(frame: MakeFrame) -> None:
    buffer = TraceBuffer(250.0, 1.0)
    buffer.push(frame(0, 700))
    seen = buffer.view(400, 720).leads_mv[0]
    assert np.flatnonzero(np.isfinite(seen)).tolist() == list(range(50, 300))


def test_a_view_is_a_copy(frame: MakeFrame) -> None:
    buffer = TraceBuffer(250.0, 1.0)
    buffer.push(frame(0, 250))
    seen = buffer.view(0, 250)
    before = seen.leads_mv.copy()
    buffer.push(frame(250, 250))
    assert np.array_equal(seen.leads_mv, before)


@pytest.mark.parametrize("missing", [1, 100, 249, 250, 251, 10_000])
def test_indices_left_out_are_nan_and_not_old_samples(frame: MakeFrame, missing: int) -> None:
    buffer = TraceBuffer(250.0, 1.0)
    buffer.push(frame(0, 250))
    start = 250 + missing
    buffer.push(frame(start, 10))
    seen = buffer.view(start - 240, start + 10).leads_mv[3]
    assert np.isnan(seen[max(0, 240 - missing) : 240]).all()
    assert np.isfinite(seen[240:]).all()
    assert np.isfinite(seen[: max(0, 240 - missing)]).all()
    assert buffer.lost == 0


def test_the_midst_of_a_long_gap_is_lost_though_no_frame_comes(frame: MakeFrame) -> None:
    buffer = TraceBuffer(250.0, 4.0)
    buffer.push(frame(0, 100))
    buffer.push(frame(100, 50, lost=True))
    buffer.push(frame(9_000_150, 50, lost=True))
    buffer.push(frame(9_000_200, 10))
    assert buffer.lost == 9_000_100


def test_lost_samples_are_counted_and_settling_ones_marked(frame: MakeFrame) -> None:
    buffer = TraceBuffer(250.0, 4.0)
    buffer.push(frame(0, 100, settling=True))
    buffer.push(frame(100, 50, lost=True))
    buffer.push(frame(150, 10))
    seen = buffer.view(0, 160)
    assert buffer.lost == 50
    assert np.isnan(seen.leads_mv[:, 100:150]).all()
    assert seen.settling.tolist() == [True] * 100 + [False] * 60


def test_a_stream_that_begins_again_leaves_nothing_of_the_old_one(frame: MakeFrame) -> None:
    buffer = TraceBuffer(250.0, 4.0)
    buffer.push(frame(0, 800))
    buffer.push(frame(0, 10))
    assert buffer.stop == 10
    assert np.isnan(buffer.view(-500, 0).leads_mv).all()
    assert np.isfinite(buffer.view(0, 10).leads_mv).all()


def test_another_rate_is_refused(frame: MakeFrame) -> None:
    with pytest.raises(ValueError, match="100"):
        TraceBuffer(250.0, 1.0).push(frame(0, 10, rate_hz=100.0))


@pytest.mark.parametrize("group", [1, 2])
def test_sparse_samples_are_left_alone(group: int) -> None:
    rows = np.arange(24, dtype=np.float32).reshape(2, 12)
    index, thinned = envelope(rows, group, 5)
    assert index.tolist() == list(range(5, 17))
    assert thinned is rows


@pytest.mark.parametrize("group", [3, 5, 11])
@pytest.mark.parametrize("start", [0, 1, 7])
def test_no_peak_is_lost_by_thinning(group: int, start: int) -> None:
    rows = np.random.default_rng(1).normal(size=(12, 997)).astype(np.float32)
    index, thinned = envelope(rows, group, start)
    assert thinned.shape == (12, len(index))
    assert len(index) <= 2 * (997 / group + 2)
    assert np.array_equal(thinned.max(axis=1), rows.max(axis=1))
    assert np.array_equal(thinned.min(axis=1), rows.min(axis=1))
    assert (np.diff(index) > 0).all()
    for row, thin in zip(rows, thinned, strict=True):
        at = index[thin.argmax()]
        assert abs(at - (start + row.argmax())) <= group / 2


def test_thinning_does_not_depend_on_where_the_screen_begins() -> None:
    """Else the picture would shimmer while it scrolls."""
    rows = np.random.default_rng(1).normal(size=(1, 1000)).astype(np.float32)
    index, thinned = envelope(rows, 5, 0)
    later_index, later = envelope(rows[:, 123:], 5, 123)
    shared = np.isin(index, later_index[2:])
    assert np.array_equal(thinned[:, shared], later[:, 2:])


def test_a_gap_stays_a_gap_when_thinned() -> None:
    rows = np.ones((1, 100), np.float32)
    rows[:, 40:60] = np.nan
    index, thinned = envelope(rows, 5, 0)
    assert np.isnan(thinned[0][(index >= 40) & (index < 60)]).all()
    assert np.isfinite(thinned[0][(index < 40) | (index >= 60)]).all()
