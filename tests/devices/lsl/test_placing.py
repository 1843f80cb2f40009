"""Stamps of every kind, from senders that never wait: every loss is counted, none is invented."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devices.live.feed import Timeouts
from devices.lsl.inlet import LslStream
from streamer.core.errors import Field, InputError
from streamer.core.events import Dropped, Event, Notice, SamplesLost, State, StateChanged
from streamer.core.stream import Chunk
from tests.devices.lsl.fake_lsl import FakeInlet, FakeLsl, Script, Timely, Wavering

pytestmark = pytest.mark.usefixtures("hurry")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seconds", [300.0, pytest.param(3600.0, marks=pytest.mark.long)])
def test_losses_and_crashes_are_accounted_for_to_the_sample(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    lsl = FakeLsl(seconds)
    monkeypatch.setattr("devices.lsl.inlet.load_pylsl", lambda: lsl)
    source = LslStream("fake", clock=lsl.clock, patience=Timeouts(backoff_s=(0.0,)))
    source.open()
    delivered = told = crashes = 0
    stop, shift = 0, None
    off_s = []
    for item in source.items():
        if isinstance(item, Chunk):
            assert item.start >= stop
            stop = item.stop
            delivered += len(item.lead_mv)
            number = int(item.lead_mv[0])
            if shift is None:
                shift = number - item.start
            assert (number - item.start - shift) % 10_000 == 0, "over all gaps and crashes"
            true_s = 1000 + (item.start + shift) / lsl.RATE * (1 + FakeInlet.SLOW)
            off_s.append(item.device_s - true_s)
        elif isinstance(item, SamplesLost):
            told += item.count
        elif isinstance(item, StateChanged) and item.state is State.RECONNECTING:
            crashes += 1
        if lsl.now_s > lsl.last_s - 1:
            source.stop()
    assert stop == delivered + told and told > 0.03 * stop and crashes > seconds / 40
    assert stop == pytest.approx(seconds * lsl.RATE, rel=0.01)
    settled = np.array(off_s[len(off_s) // 10 :])
    assert np.ptp(settled) < 0.002


@pytest.mark.parametrize("waver_s", [0.0, 0.0013, 0.004])
def test_one_lost_sample_is_counted_however_late_it_is_read_and_whatever_the_clocks_do(
    waver_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading stalled for 1.7 s, and the two clocks' comparison changed by most of a sample."""
    lsl = FakeLsl(90.0)
    monkeypatch.setattr("devices.lsl.inlet.load_pylsl", lambda: lsl)
    monkeypatch.setattr(Wavering, "WAVER_S", waver_s)
    monkeypatch.setattr(
        "devices.live.feed._DEPTH", 10**6
    )  # the sender outruns real time, and so who reads it
    monkeypatch.setattr(
        FakeLsl, "StreamInlet", lambda self, found, **how: Wavering(self, how.get("processing_flags", 0))
    )
    source = LslStream("fake", clock=lsl.clock)
    source.open()
    shifts, told, delivered, stop, off_s = set(), 0, 0, 0, []
    for item in source.items():
        if isinstance(item, Chunk):
            shifts |= set(np.unique((item.lead_mv.astype(int) - np.arange(item.start, item.stop)) % 10_000))
            delivered, stop = delivered + len(item.lead_mv), item.stop
            off_s.append(item.device_s - item.start / lsl.RATE)
        else:
            told += item.count if isinstance(item, SamplesLost) else 0
        if lsl.now_s > lsl.last_s - 1:
            source.stop()
    assert len(shifts) == 1, "an index for each of the sender's numbers"
    assert stop == delivered + told and told >= 80 * lsl.RATE // Wavering.EVERY
    assert np.ptp(off_s) < 0.002 + waver_s


def received(
    monkeypatch: pytest.MonkeyPatch, batches: list[tuple[list[float], list[float]]]
) -> tuple[list[Chunk], list[Event]]:
    """What becomes of two good seconds of zeros and then of numbered batches, at 500 Hz."""
    lsl = FakeLsl(1e9)
    monkeypatch.setattr("devices.lsl.inlet.load_pylsl", lambda: lsl)
    monkeypatch.setattr(FakeLsl, "StreamInlet", lambda self, found, **how: Script(self))
    monkeypatch.setattr(Script, "batches", batches)
    monkeypatch.setattr("devices.live.feed._DEPTH", 10**6)  # the sender outruns real time
    source = LslStream("fake", clock=lsl.clock, patience=Timeouts(stale_s=1e6, first_s=1e6))
    lsl.at_end = source.stop
    source.open()
    items = list(source.items())
    chunks = [item for item in items if isinstance(item, Chunk) and item.lead_mv[0] >= 1]
    return chunks, [item for item in items if not isinstance(item, Chunk)]


def pushed(at_s: list[float], sizes: int) -> list[tuple[list[float], list[float]]]:
    """Numbers from 1 on, pulled so many at a time, with these stamps."""
    return [
        ([float(k + 1) for k in range(i, min(i + sizes, len(at_s)))], at_s[i : i + sizes])
        for i in range(0, len(at_s), sizes)
    ]


@pytest.mark.parametrize("sizes", [1, 5])
@pytest.mark.parametrize("stall_s", [0.02, 0.3, 1.7])
def test_a_sender_that_stalls_and_stamps_when_it_sends_loses_nothing(
    stall_s: float, sizes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice: what it makes up for afterwards is no gap, the first time neither."""
    at_s: list[float] = []
    for k in range(3000):
        due_s = 1002 + k / 500
        stalled = [s for s in (1003.0, 1005.0) if s <= due_s < s + stall_s]
        at_s.append(stalled[0] + stall_s + k * 1e-6 if stalled else due_s)
    chunks, events = received(monkeypatch, pushed(at_s, sizes))
    assert not any(isinstance(event, SamplesLost | Dropped) for event in events)
    assert sum(len(chunk.lead_mv) for chunk in chunks) == len(at_s)
    assert chunks[-1].stop - chunks[0].start == len(at_s)
    assert sum("stamps are uneven" in event.text for event in events) == 1


def test_a_short_loss_among_uneven_stamps_is_told_of_beforehand_and_shifts_no_instant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which of 20 ms is loss and which a late stamp cannot be told; a whole second is a loss."""
    rng = np.random.default_rng(3)
    numbers = [k for k in range(8000) if not 2000 <= k < 2010 and not 5000 <= k < 5500]
    at_s = np.maximum.accumulate([1002 + k / 500 + rng.exponential(0.004) for k in numbers])
    chunks, events = received(monkeypatch, pushed(at_s.tolist(), 50))
    assert sum("losses shorter than 0.1 s cannot be told" in event.text for event in events) == 1
    lost = sum(event.count for event in events if isinstance(event, SamplesLost))
    assert abs(lost - 500) <= 15
    assert sum(len(chunk.lead_mv) for chunk in chunks) == len(numbers)
    for chunk in chunks[-100:]:
        number = numbers[int(chunk.lead_mv[0]) - 1]
        assert chunk.device_s == pytest.approx(1002 + number / 500, abs=0.03)


@pytest.mark.parametrize("per_mv", [1.0, 1e3, 1e-3])
@pytest.mark.parametrize("off_s", [0.0, 3.0, 6.0, 20.0])
def test_no_unit_is_found_before_beats_come(off_s: float, per_mv: float) -> None:
    """Electrodes that are not on yet bring a microvolt of noise: in no unit is that an ECG."""
    lsl = FakeLsl(1e9)
    at_s = np.arange(0, 16, 1 / 250)
    beats = 0.9 * np.exp(-(((at_s % 0.8) - 0.4) ** 2) / 0.0008)
    mv = lsl.rng.normal(0, 1e-3, len(at_s)) + np.where(at_s >= off_s, beats, 0.0)
    batches = [
        ((mv[i : i + 25] * per_mv).tolist(), (1000 + at_s[i : i + 25]).tolist())
        for i in range(0, len(mv), 25)
    ]
    xml = FakeLsl.as_xml
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("devices.lsl.inlet.load_pylsl", lambda: lsl)
        patch.setattr(FakeLsl, "as_xml", lambda self: xml(self).replace("<unit>mV</unit>", ""))
        patch.setattr(FakeLsl, "RATE", 250.0)
        patch.setattr(FakeLsl, "StreamInlet", lambda self, found, **how: Timely(self))
        patch.setattr(Script, "batches", batches)
        patch.setattr("devices.lsl.search.SECOND_S", 0.0)
        patch.setattr("devices.lsl.look.RATE_LOOK_S", 3.0)
        source = LslStream("fake", clock=lsl.clock)
        if off_s == 20:
            with pytest.raises(InputError, match="no beats came") as caught:
                source.open()
            assert caught.value.field is Field.UNIT
            return
        source.open()
    assert source._placing is not None
    assert source._placing.reading.mv == pytest.approx(1 / per_mv)


an_irregular_stream = given(
    rate_hz=st.sampled_from([100.0, 128.0, 129.91, 250.0, 256.0, 500.0, 1000.0]),
    share=st.floats(0, 1),
    jitter_s=st.sampled_from([0.0, 0.005]),
    phase=st.floats(0, 1),
    split=st.booleans(),
    seed=st.integers(0, 10**6),
)


@settings(max_examples=20, deadline=None)
@an_irregular_stream
def test_an_irregular_stream_of_any_packets_has_its_true_rate_and_loses_nothing(**stream: Any) -> None:
    has_its_true_rate_and_loses_nothing(**stream, most_packets=4000)


@pytest.mark.long
@settings(max_examples=40, deadline=None)
@an_irregular_stream
def test_so_it_is_through_32_seconds(**stream: Any) -> None:
    has_its_true_rate_and_loses_nothing(**stream, most_packets=math.inf)


def has_its_true_rate_and_loses_nothing(
    rate_hz: float, share: float, jitter_s: float, phase: float, split: bool, seed: int, most_packets: float
) -> None:
    """One stamp a packet, from 1 sample to 1 s; liblsl may hand a packet over in two parts."""
    rng = np.random.default_rng(seed)
    packet = max(1, round(rate_hz**share))
    lsl = FakeLsl(1e9)
    lsl.RATE = 0.0
    batches = []
    seconds = min(32.0, most_packets * packet / rate_hz)
    for first in range(0, round(seconds * rate_hz), packet):
        numbers = np.arange(first, first + packet) % 8000.0
        at_s = 1000 + (first + packet - 1) / rate_hz + rng.uniform(-jitter_s, jitter_s)
        cut = 1 + int(rng.integers(packet - 1)) if split and packet > 1 else packet
        parts = (numbers[:cut], numbers[cut:])
        batches += [(part.tolist(), [at_s] * len(part)) for part in parts if len(part)]
    seen = int(phase * (len(batches[0][0]) - 1))
    batches[0] = (batches[0][0][seen:], batches[0][1][seen:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("devices.lsl.inlet.load_pylsl", lambda: lsl)
        patch.setattr(FakeLsl, "StreamInlet", lambda self, found, **how: Timely(self))
        patch.setattr(Script, "batches", batches)
        patch.setattr("devices.lsl.search.SECOND_S", 0.0)
        patch.setattr("devices.lsl.look.RATE_LOOK_S", 3.0)
        patch.setattr("devices.live.feed._DEPTH", 10**6)  # the sender outruns real time
        source = LslStream("fake", clock=lsl.clock, patience=Timeouts(stale_s=1e6, first_s=1e6))
        lsl.at_end = source.stop
        assert source.open().rate_hz == pytest.approx(rate_hz, rel=2e-3)
        items = list(source.items())
    chunks = [item for item in items if isinstance(item, Chunk)]
    assert [item for item in items if isinstance(item, SamplesLost | Dropped)] == []
    assert [item for item in items if isinstance(item, Notice) and "jumped" in item.text] == []
    numbers = np.concatenate([chunk.lead_mv for chunk in chunks])
    indices = np.concatenate([np.arange(chunk.start, chunk.stop) for chunk in chunks])
    assert np.ptp((numbers - indices) % 8000) == 0, "every sample under its own index"


# ---- whatever a network may bring


STAMPS = st.floats(999, 1010) | st.floats() | st.sampled_from([0.0, -1.0, 1002.0, 1e300, -1e300, math.inf])


@st.composite
def batches(draw: st.DrawFn) -> list[tuple[list[float], list[float]]]:
    drawn = []
    for _ in range(draw(st.integers(1, 50))):
        n = draw(st.integers(1, 6))
        values = draw(st.lists(st.floats(width=32), min_size=n, max_size=n))
        if draw(st.booleans()):
            first = draw(STAMPS)
            stamps = [first + i / 500 for i in range(n)]
        else:
            stamps = draw(st.lists(STAMPS, min_size=n, max_size=n))
        drawn.append((values, stamps))
    return drawn


def fuzz(script: list[tuple[list[float], list[float]]]) -> None:
    lsl = FakeLsl(1e9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("devices.lsl.inlet.load_pylsl", lambda: lsl)
        patch.setattr(FakeLsl, "StreamInlet", lambda self, found, **how: Script(self))
        patch.setattr(Script, "batches", script)
        patch.setattr("devices.lsl.search.SECOND_S", 0.0)
        source = LslStream("fake", clock=lsl.clock, patience=Timeouts(stale_s=1e6, first_s=1e6))
        lsl.at_end = source.stop
        source.open()
        sent = [v for values, _ in script for v in values]
        usable = {np.float32(v).tobytes() for v in sent if abs(v) <= 1e4} | {np.float32(0.5).tobytes()}
        stop, delivered = 0, 0
        try:
            for item in source.items():
                if isinstance(item, Chunk):
                    assert item.start >= stop and len(item.lead_mv)
                    stop = item.stop
                    delivered += len(item.lead_mv)
                    known = item.lead_mv[np.isfinite(item.lead_mv)]
                    assert {np.float32(v).tobytes() for v in known} <= usable, "nothing is invented"
        except InputError as error:
            assert "but its stamps run at" in str(error)
        assert delivered <= len(sent) + 1000


@given(script=batches())
@example(script=[([0.0], [999.0]), ([1.0], [999.0]), ([np.inf, np.inf], [2.0**45, 2.0**45])])
@settings(max_examples=80, deadline=None)
def test_no_stamp_and_no_number_breaks_the_reception_or_invents_a_sample(
    script: list[tuple[list[float], list[float]]],
) -> None:
    fuzz(script)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(3))
@settings(max_examples=2000, deadline=None, derandomize=False)  # each part has examples of its own
@given(script=batches())
def test_no_stamp_and_no_number_breaks_it_in_a_hundred_thousand(
    part: int, script: list[tuple[list[float], list[float]]]
) -> None:
    fuzz(script)


# ---- five real minutes
