"""The ring of windows and the overlap-add."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.signal import ring_buffer
from streamer.core.signal.overlap_add import OverlapAdd, taper
from streamer.core.signal.ring_buffer import WindowBuffer


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(4, 40),
    begin=st.integers(0, 1000),
    steps=st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=1, max_size=12),
)
def test_the_ring_reads_back_the_newest_samples_and_zeros_for_missing_ones(length, begin, steps):
    ring = WindowBuffer(2, length)
    ring.begin(begin)
    signal, there = [0.0] * (begin + length), [False] * (begin + length)
    signal, there = signal[:begin] or [], there[:begin] or []
    for present, n in steps:
        n = min(n, length)
        if present:
            x = np.arange(len(signal), len(signal) + n, dtype=np.float32) + 1
            ring.write(np.stack((x, -x)), np.zeros(n, bool))
            signal += list(x)
        else:
            ring.skip(n)
            signal += [0.0] * n
        there += [present] * n
    stop = ring.stop
    assert stop == len(signal)
    start = max(stop - length, 0)
    assert (ring.rows(start, stop)[0] == signal[start:]).all()
    assert (ring.rows(start, stop)[1] == [-s for s in signal[start:]]).all()
    assert (ring.valid(start, stop) == there[start:]).all()


LAYOUTS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "a piece of a longer one": lambda x: np.concatenate([x, x], axis=-1)[..., : x.shape[-1]],
    "every other": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "backwards": lambda x: x[..., ::-1].copy()[..., ::-1],
}


@settings(max_examples=100, deadline=None)
@given(
    length=st.integers(1, 20),
    begin=st.integers(0, 1000),
    writes=st.lists(st.tuples(st.sampled_from(sorted(LAYOUTS)), st.integers(0, 50)), min_size=1, max_size=12),
    seed=st.integers(0, 100),
)
def test_writes_of_any_size_and_layout_leave_the_newest_samples_with_their_marks(length, begin, writes, seed):
    """The ring wraps at every place, and a write may be longer than it."""
    rng = np.random.default_rng(seed)
    ring = WindowBuffer(3, length)
    ring.begin(begin)
    signal, settles = np.zeros((3, length), np.float32), np.zeros(length, bool)
    written = 0
    for layout, n in writes:
        x, marks = rng.normal(size=(3, n)).astype(np.float32), rng.random(n) < 0.5
        ring.write(LAYOUTS[layout](x), LAYOUTS[layout](marks))
        written += n
        signal = np.concatenate([signal, x], axis=1)[:, -length:]
        settles = np.concatenate([settles, marks])[-length:]
        stop = begin + written
        assert ring.stop == stop
        for start in range(stop - length, stop + 1):  # every window of the newest, through every wrap
            kept = start - stop + length
            assert (ring.rows(start, stop) == signal[:, kept:]).all()
            assert (ring.settling(start, stop) == settles[kept:]).all()
        assert ring.valid(stop - min(written, length), stop).all()
        assert not ring.valid(stop - length, stop)[: max(0, length - written)].any()


def test_no_layout_is_compiled_for_by_itself():
    """A compilation takes half a second, in the midst of a stream."""
    for layout in LAYOUTS.values():
        for rows, n in ((3, 1), (3, 7), (1, 1)):
            ring = WindowBuffer(rows, 5)
            ring.write(layout(np.ones((rows, n), np.float32)), layout(np.ones(n, bool)))
    assert len(ring_buffer._put.signatures) == 1


def test_a_window_is_a_view_and_not_a_copy():
    ring = WindowBuffer(1, 8)
    ring.begin(0)
    ring.write(np.ones((1, 8), np.float32), np.zeros(8, bool))
    assert ring.rows(2, 8).base is not None


@pytest.mark.parametrize(("start", "stop"), [(0, 9), (-5, 2), (6, 4)])
def test_what_is_not_in_the_ring_cannot_be_read(start, stop):
    ring = WindowBuffer(1, 4)
    ring.begin(0)
    ring.write(np.ones((1, 4), np.float32), np.zeros(4, bool))
    with pytest.raises(IndexError):
        ring.rows(start, stop)


@pytest.mark.parametrize(("hop", "overlap"), [(4, 0), (4, 1), (4, 3), (16, 48), (8, 8), (5, 15)])
def test_weights_of_overlapping_segments_are_never_zero_and_cross_fade(hop, overlap):
    weights = taper(hop + overlap, overlap)
    assert (weights > 0).all()
    total = np.zeros(hop)
    for start in range(0, hop + overlap, hop):
        part = weights[start : start + hop]
        total[: len(part)] += part
    assert np.ptp(total) < 1e-6  # constant overlap-add


@settings(max_examples=40, deadline=None)
@given(hop=st.integers(1, 12), overlap=st.integers(0, 30), segments=st.integers(1, 30))
def test_segments_of_one_signal_stitch_to_that_signal(hop, overlap, segments):
    """From the very first sample on, since it is divided by the weights that really came."""
    x = np.random.default_rng(1).normal(size=(3, hop * segments + overlap)).astype(np.float32)
    stitch = OverlapAdd(3, hop, overlap)
    parts = [stitch.add(x[:, i * hop : i * hop + hop + overlap]) for i in range(segments)]
    assert np.abs(np.concatenate(parts, axis=1) - x[:, : hop * segments]).max() < 1e-5


def test_a_segment_that_nobody_computed_is_nan_where_no_other_covers_it():
    stitch = OverlapAdd(1, 4, 2)
    one = np.ones((1, 6), np.float32)
    assert (stitch.add(one) == 1).all()
    after = stitch.add(None)[0]
    assert np.allclose(after[:2], 1)
    assert np.isnan(after[2:]).all()
    assert np.allclose(stitch.add(one), 1)
