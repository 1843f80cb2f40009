# SPDX-License-Identifier: GPL-3.0-or-later
"""A gap costs the same from ten seconds to a year, and nothing is different after it."""

import dataclasses
import time
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.replay.synthetic import Synthetic
from streamer.core.events import Alarm, AlarmKind, Event
from streamer.core.network.network import Network
from streamer.core.pipeline import GAP_FRAMES_S, Pipeline
from streamer.core.signal.rate import RateConverter
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.core.vitals.vitals import Vitals

YEAR_S = 366 * 86400
RATES = [100.0, 129.91, 130.0, 200.0, 250.0, 257.3, 360.0, 500.0, 512.0, 1000.0]
KINDS = ["identity", "mixing", "shipped"]
LONG_S = st.one_of(st.floats(2.1, 12), st.floats(12, 3600), st.floats(3600, YEAR_S))


def beating(rate_hz: float, seconds: float, start: int = 0) -> np.ndarray:
    return Synthetic(f"?rate={rate_hz:g}").lead_mv(start, start + round(seconds * rate_hz)).astype(np.float32)


def dense(frames: Sequence[Frame]) -> list[Frame]:
    """The same frames, with NaN of a second each where the index jumps."""
    filled: list[Frame] = []
    for frame in frames:
        while filled and filled[-1].stop < frame.start:
            n = min(round(frame.rate_hz), frame.start - filled[-1].stop)
            nan = np.full((12, n), np.nan, np.float32)
            no = np.zeros(n, np.bool_)
            since_s = (filled[-1].stop - frame.start) / frame.rate_hz
            filled.append(
                dataclasses.replace(
                    frame,
                    start=filled[-1].stop,
                    leads_mv=nan,
                    measured_mv=nan[0],
                    scale_mv=nan,
                    valid=no,
                    settling=no,
                    device_s=frame.device_s + since_s,
                )
            )
        filled.append(frame)
    return filled


def with_gap(
    network: Network, rate_hz: float, gap: int, *, first: int = 0, cut: int = 10**9, before_s: float = 3.0
) -> list[Frame]:
    """Frames of some seconds, a gap, and 4 s."""
    before, after = beating(rate_hz, before_s), beating(rate_hz, 4.0)
    again = first + len(before) + gap
    pipeline = Pipeline(StreamInfo("test:", rate_hz), network)
    frames = []
    for start, x in ((first, before), (again, after)):
        for i in range(0, len(x), cut):
            at_s = (start + i) / rate_hz
            frames += pipeline.push(Chunk(start + i, x[i : i + cut], at_s, at_s + 0.1))
    return frames + pipeline.finish()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(rate_hz=st.sampled_from(RATES), gap_s=LONG_S, first=st.integers(0, 10**7))
def test_indices_and_stamps_are_exact_after_any_gap(networks, kind, rate_hz, gap_s, first):
    gap = round(gap_s * rate_hz)
    frames = with_gap(networks[kind], rate_hz, gap, first=first)
    count = RateConverter(rate_hz, networks[kind].spec.rate_hz).count
    again = first + round(3.0 * rate_hz) + gap
    assert frames[0].start == count(first)
    assert frames[-1].stop == count(again + round(4.0 * rate_hz))
    for before, after in pairwise(frames):
        assert after.start >= before.stop
        if after.start > before.stop:
            assert not before.valid.any() and not after.valid.any()
    valid = [frame for frame in frames if frame.valid.any()]
    after_it = next(frame for frame in valid if frame.stop > count(again))
    assert after_it.start + int(np.argmax(after_it.valid)) == count(again)
    for frame in frames:
        assert abs(frame.device_s - frame.start / frame.rate_hz) < 2e-8


@settings(max_examples=20, deadline=None)
@given(rate_hz=st.sampled_from(RATES), gap_s=LONG_S, cut=st.integers(1, 700))
def test_any_chunking_gives_the_same_bits_across_a_long_gap(networks, rate_hz, gap_s, cut):
    gap = round(gap_s * rate_hz)
    whole = with_gap(networks["mixing"], rate_hz, gap)
    some = with_gap(networks["mixing"], rate_hz, gap, cut=cut)
    assert [(f.start, f.stop) for f in whole] == [(f.start, f.stop) for f in some]
    for one, other in zip(whole, some, strict=True):
        assert one.leads_mv.tobytes() == other.leads_mv.tobytes()
        assert one.measured_mv.tobytes() == other.measured_mv.tobytes()
        assert one.settling.tobytes() == other.settling.tobytes()


@settings(max_examples=20, deadline=None)
@given(gap_s=st.floats(20, YEAR_S), other_s=st.floats(20, YEAR_S), rate_hz=st.sampled_from([130.0, 500.0]))
def test_what_comes_after_a_long_gap_does_not_depend_on_its_length(networks, gap_s, other_s, rate_hz):
    """The same phase of all grids: a multiple of the hop apart."""
    step = round(rate_hz * 4)
    one = with_gap(networks["mixing"], rate_hz, round(gap_s * rate_hz / step) * step)
    other = with_gap(networks["mixing"], rate_hz, round(other_s * rate_hz / step) * step)
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if not a.valid.all():
            break
        assert a.leads_mv.tobytes() == b.leads_mv.tobytes()


def test_a_gap_of_a_year_has_as_many_frames_as_one_of_ten_seconds(networks):
    frames = [len(with_gap(networks["mixing"], 500.0, round(s * 500))) for s in (12, 3600, YEAR_S)]
    assert max(frames) - min(frames) <= 4
    ten = with_gap(networks["mixing"], 500.0, round((GAP_FRAMES_S - 1) * 500))
    assert all(after.start == before.stop for before, after in pairwise(ten))


def test_a_gap_of_a_year_takes_no_more_memory_than_one_of_ten_seconds(networks):
    def peak(gap_s: float) -> int:
        tracemalloc.start()
        with_gap(networks["identity"], 500.0, round(gap_s * 500))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(YEAR_S) < 1.5 * peak(10) + 200_000


def told(frames: Sequence[Frame], rate_hz: float, chunks: Sequence[Chunk] = ()) -> list[Event]:
    vitals = Vitals(250.0, StreamInfo("test:", rate_hz))
    waiting = list(chunks)
    events = []
    for frame in frames:
        while waiting and waiting[0].start / rate_hz < frame.stop / 250.0:
            vitals.chunk(waiting.pop(0))
        events += vitals.push(frame)
    return events


@settings(max_examples=15, deadline=None)
@given(
    gap_s=st.one_of(st.floats(2.1, 40), st.floats(40, 900)), before_s=st.floats(3, 20), rate_hz=st.just(500.0)
)
def test_vitals_say_of_a_jump_what_they_say_of_as_much_nan(networks, gap_s, before_s, rate_hz):
    frames = with_gap(networks["identity"], rate_hz, round(gap_s * rate_hz), before_s=before_s)
    x = beating(rate_hz, before_s)
    chunks = [Chunk(0, x), Chunk(len(x) + round(gap_s * rate_hz), beating(rate_hz, 4.0))]
    one, other = told(frames, rate_hz, chunks), told(dense(frames), rate_hz, chunks)
    assert [type(event) for event in one] == [type(event) for event in other]
    for a, b in zip(one, other, strict=True):
        assert dataclasses.replace(a, host_s=0.0) == dataclasses.replace(b, host_s=0.0)


@settings(max_examples=15, deadline=None)
@given(gap_s=st.floats(5, YEAR_S), before_s=st.floats(3, 20))
def test_the_signal_is_told_lost_2_s_after_it_was_and_found_when_it_is(networks, gap_s, before_s):
    gap = round(gap_s * 500)
    frames = with_gap(networks["identity"], 500.0, gap, before_s=before_s)
    stop_s = round(before_s * 500) / 500
    lost = [e for e in told(frames, 500.0) if isinstance(e, Alarm) and e.alarm is AlarmKind.SIGNAL_LOST]
    rises, ends = lost
    assert rises.rises and not ends.rises
    assert stop_s + 2.0 <= rises.at_s <= stop_s + 3.2  # a frame of NaN is a second long
    assert stop_s + gap / 500 <= ends.at_s <= stop_s + gap / 500 + 0.2


def test_a_gap_of_a_year_is_as_quick_for_vitals_as_one_of_a_minute(networks):
    def took_s(gap_s: float) -> float:
        frames = with_gap(networks["identity"], 500.0, round(gap_s * 500))
        begun_s = time.perf_counter()
        told(frames, 500.0)
        return time.perf_counter() - begun_s

    took_s(10)
    assert took_s(YEAR_S) < 5 * took_s(60) + 0.2
