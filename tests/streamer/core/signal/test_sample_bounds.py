# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples that no electrode can give are missing: no filter, no frame and no alarm sees them."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devices.replay.synthetic import Synthetic
from streamer.core.events import Alarm, AlarmKind, Beat, SamplesLost
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.signal.sample_bounds import SampleBounds
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.core.vitals.vitals import Vitals

WILD = st.one_of(
    st.sampled_from([1e38, -1e38, 3.4e38, 1e30, np.inf, -np.inf, np.nan, 300.0, -300.0, 1001.0, 0.0]),
    st.floats(width=32, allow_nan=True),
)


def beating(seconds: float, rate_hz: float = 500.0) -> np.ndarray:
    return Synthetic(f"?rate={rate_hz:g}").lead_mv(0, round(seconds * rate_hz)).astype(np.float32)


def frames_of(network: Network, x: np.ndarray, rate_hz: float = 500.0, cut: int = 10**9) -> list[Frame]:
    pipeline = Pipeline(StreamInfo("test:", rate_hz), network)
    frames = [f for i in range(0, len(x), cut) for f in pipeline.push(Chunk(i, x[i : i + cut]))]
    return frames + pipeline.finish()


def told_of(network: Network, x: np.ndarray, cut: int = 50) -> list[object]:
    info = StreamInfo("test:", 500.0)
    pipeline, vitals = Pipeline(info, network), Vitals(250.0, info)
    told: list[object] = []
    for i in range(0, len(x), cut):
        chunk = Chunk(i, x[i : i + cut])
        vitals.chunk(chunk)
        told += [event for frame in pipeline.push(chunk) for event in vitals.push(frame)]
    return told


@pytest.mark.parametrize("kind", ["identity", "mixing", "with scale", "shipped"])
@settings(max_examples=40, deadline=None)
@given(
    wild=st.lists(st.tuples(st.integers(0, 1499), WILD), max_size=40),
    stretch=st.one_of(st.none(), st.tuples(st.integers(0, 1000), st.integers(1, 499), WILD, WILD)),
)
def test_a_frame_marked_valid_is_finite_always(networks, kind, wild, stretch):
    x = beating(3.0)
    for at, value in wild:
        x[at] = value
    if stretch is not None:
        at, n, one, other = stretch
        x[at : at + n] = np.where(np.arange(n) % 2, np.float32(one), np.float32(other))
    for frame in frames_of(networks[kind], x):
        assert np.isfinite(frame.leads_mv[:, frame.valid]).all()
        assert np.isfinite(frame.measured_mv[frame.valid]).all()
        assert not np.isfinite(frame.leads_mv[:, ~frame.valid]).any()
        if networks[kind].spec.has_scale:
            assert np.isfinite(frame.scale_mv[:, frame.valid]).all()


@settings(max_examples=30, deadline=None)
@given(at=st.integers(1000, 3000), value=WILD.filter(lambda v: not abs(v) < 21))
def test_one_wild_sample_is_a_missing_one(networks, at, value):
    x = beating(10.0)
    wild, holed = x.copy(), x.copy()
    wild[at], holed[at] = value, np.nan
    one, other = (frames_of(networks["mixing"], each) for each in (wild, holed))
    assert [f.leads_mv.tobytes() for f in one] == [f.leads_mv.tobytes() for f in other]


@settings(max_examples=30, deadline=None)
@given(
    cuts=st.integers(1, 40),
    wild=st.lists(st.tuples(st.integers(0, 299), WILD), max_size=60),
    gap=st.integers(0, 3000),
)
@example(cuts=20, wild=[(100, 300.0)], gap=0)  # the first sample of a chunk
@example(cuts=20, wild=[(100, 300.0)], gap=74)
def test_any_chunking_judges_samples_alike(cuts, wild, gap):
    x = beating(0.6)
    for at, value in wild:
        x[at] = value
    whole, cut = SampleBounds(500.0), SampleBounds(500.0)
    for first in (0, 300 + gap):
        of_whole = whole.usable(first, x)
        pieces = [cut.usable(first + i, x[i : i + cuts]) for i in range(0, 300, cuts)]
        assert np.array_equal(of_whole, np.concatenate(pieces))


@pytest.mark.parametrize("offset_mv", [-300.0, -187.5, 300.0, 400.0])
def test_an_offset_that_real_electrodes_have_is_used(networks, offset_mv):
    frames = frames_of(networks["identity"], beating(3.0) + np.float32(offset_mv))
    assert all(frame.valid.all() for frame in frames)


@pytest.mark.parametrize("step_mv", [25.0, 190.0, -300.0])
def test_an_electrode_that_is_moved_costs_one_sample(step_mv):
    x = beating(4.0)
    x[1000:] += np.float32(step_mv)
    assert np.flatnonzero(~SampleBounds(500.0).usable(0, x)).tolist() == [1000]


@pytest.mark.parametrize("value", [300.0, 1e30, np.inf])
def test_a_wild_sample_raises_no_alarm_and_costs_no_beat(networks, value):
    x = beating(20.0)
    spiked = x.copy()
    spiked[5003] = value
    told, usual = told_of(networks["identity"], spiked), told_of(networks["identity"], x)
    assert not [e for e in told if isinstance(e, Alarm)]
    found, all_of_them = ([e.at_s for e in t if isinstance(e, Beat)] for t in (told, usual))
    assert found == pytest.approx(all_of_them, abs=0.01)


def test_a_stretch_of_wild_samples_is_told_once(networks):
    x = beating(20.0)
    x[3000:4000] = np.where(np.arange(1000) % 2, np.float32(1e38), np.float32(-1e38))
    x[8000] = 5000.0
    told = [e for e in told_of(networks["identity"], x) if isinstance(e, SamplesLost)]
    assert [e.at_s for e in told] == [6.0, 16.0]
    rate = (AlarmKind.LOW_RATE, AlarmKind.HIGH_RATE, AlarmKind.ASYSTOLE)
    assert not [e for e in told_of(networks["identity"], x) if isinstance(e, Alarm) and e.alarm in rate]


def test_wild_samples_are_counted_as_lost(networks):
    x = beating(4.0)
    x[[500, 700, 900]] = [2000.0, np.inf, 300.0]
    pipeline = Pipeline(StreamInfo("test:", 500.0), networks["identity"])
    pipeline.push(Chunk(0, x))
    assert pipeline.lost == 3
