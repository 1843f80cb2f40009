"""A replay hands out one lead of a record as if it came live, and changes no sample."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.replay.file import FileReplay
from devices.replay.pacing import Replay
from streamer.core.errors import Field, InputError
from streamer.core.events import State, StateChanged
from streamer.core.leads import LEADS
from streamer.core.stream import Chunk, Placement, Samples
from streamer.formats.wfdb_reader import Record
from streamer.session.source import Source

RECORDINGS = Path(__file__).parents[3] / "recordings"
PTB = RECORDINGS / "ptb" / "s0010_re"


class FakeTime:
    """A clock that only sleeping, and what a test adds, moves on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.naps: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def make(folder: Path, header: str, samples: np.ndarray) -> Path:
    (folder / "r.dat").write_bytes(samples.astype("<i2").tobytes())
    path = folder / "r.hea"
    path.write_text(header)
    return path


def chunks_of(source: Source) -> list[Chunk]:
    return [item for item in source.items() if isinstance(item, Chunk)]


def joined(chunks: list[Chunk]) -> np.ndarray:
    assert all(a.stop == b.start for a, b in pairwise(chunks))
    return np.concatenate([chunk.lead_mv for chunk in chunks])


def test_the_description_says_what_will_come() -> None:
    info = FileReplay(PTB).open()
    assert (info.lead, info.rate_hz, info.samples, info.is_lead_i, info.live) == (
        "i",
        1000,
        38400,
        True,
        False,
    )
    assert info.source == f"wfdb:{PTB}"
    assert "38.4 s at 1000 Hz" in info.notes[0] and "12 of the twelve" in info.notes[-1]


@given(chunk=st.integers(1, 9000))
@settings(max_examples=15, deadline=None)
def test_chunking_changes_no_sample(chunk: int) -> None:
    source = FileReplay(
        RECORDINGS / "ptb-xl" / "00010_hr", replay=Replay(speed=math.inf), chunk_samples=chunk
    )
    source.open()
    chunks = chunks_of(source)
    whole = Record(RECORDINGS / "ptb-xl" / "00010_hr").read()
    assert np.array_equal(joined(chunks), whole[0])
    assert all(len(c.lead_mv) == chunk for c in chunks[:-1])
    reference = np.concatenate([c.reference_mv for c in chunks if c.reference_mv is not None], axis=1)
    assert np.array_equal(reference, whole)


def test_a_chunk_comes_when_the_instant_of_its_last_sample_has_passed_and_nothing_drifts() -> None:
    fake = FakeTime()
    source = FileReplay(PTB, clock=fake.clock, sleep=fake.sleep)
    source.open()
    rng = np.random.default_rng(0)
    items = source.items()
    assert [next(items)] == [StateChanged(State.CONNECTING, "opening the recording", host_s=1000.0)]
    seen = 0
    for item in items:
        if isinstance(item, Chunk):
            assert len(item.lead_mv) == 20
            assert item.device_s == 1000 + item.start / 1000
            late = item.arrival_s - (1000 + (item.stop - 1) / 1000)
            assert item.arrival_s == fake.now and -1e-9 <= late < 0.012
            seen = item.stop
            fake.now += rng.uniform(0, 0.012)  # what the consumer takes
    assert seen == 38400
    assert fake.now == pytest.approx(1038.4, abs=0.02)
    assert max(fake.naps) <= 0.05


def test_a_consumer_that_dawdles_gets_the_rest_at_once_and_then_real_time() -> None:
    fake = FakeTime()
    source = FileReplay(PTB, clock=fake.clock, sleep=fake.sleep)
    source.open()
    items = (item for item in source.items() if isinstance(item, Chunk))
    next(items)
    fake.now += 1.0
    naps = len(fake.naps)
    backlog = [next(items) for _ in range(50)]
    assert len(fake.naps) == naps and {chunk.arrival_s for chunk in backlog} == {fake.now}
    assert next(items).arrival_s == pytest.approx(1000 + 52 * 0.02 - 0.001)


@pytest.mark.parametrize("speed", [0.5, 4.0])
def test_speed_scales_the_pace_and_the_stamps(speed: float) -> None:
    fake = FakeTime()
    source = FileReplay(PTB, replay=Replay(speed=speed), clock=fake.clock, sleep=fake.sleep)
    source.open()
    last = chunks_of(source)[-1]
    assert last.device_s == pytest.approx(1000 + last.start / 1000 / speed)
    assert last.arrival_s == pytest.approx(1000 + 38.399 / speed)


def test_without_a_pace_nothing_waits_and_stamps_are_those_of_the_hand_over() -> None:
    fake = FakeTime()
    source = FileReplay(PTB, replay=Replay(speed=math.inf), clock=fake.clock, sleep=fake.sleep)
    source.open()
    assert {(c.device_s, c.arrival_s) for c in chunks_of(source)} == {(1000.0, 1000.0)}
    assert fake.naps == []


@pytest.mark.parametrize("speed", [0, -1, math.nan])
def test_an_impossible_speed_is_refused(speed: float) -> None:
    with pytest.raises(InputError, match="speed"):
        FileReplay(PTB, replay=Replay(speed=speed))


def test_states_are_told_in_order() -> None:
    source = FileReplay(PTB, replay=Replay(speed=math.inf))
    source.open()
    events = [item for item in source.items() if not isinstance(item, Chunk)]
    assert all(isinstance(event, StateChanged) for event in events)
    states = [event.state for event in events if isinstance(event, StateChanged)]
    assert states == [State.CONNECTING, State.LIVE, State.ENDED]
    assert events[-1].text == "the recording has ended after 38.4 s"


def test_stop_wakes_a_waiting_replay_within_50_ms() -> None:
    took = []
    for _ in range(3):  # the best of three, as a busy machine may well pause for that long
        source = FileReplay(PTB, replay=Replay(speed=0.001))  # 20 s to a chunk
        source.open()
        stopped_at: list[float] = []

        def stop(source: FileReplay = source, at: list[float] = stopped_at) -> None:
            at.append(time.monotonic())
            source.stop()

        timer = threading.Timer(0.05, stop)
        timer.start()
        items = list(source.items())
        took.append(time.monotonic() - stopped_at[0])
        last = items[-1]
        assert isinstance(last, StateChanged) and last.state is State.ENDED and "stopped" in last.text
        source.stop()
        timer.join()
    assert min(took) < 0.05


def test_stop_ends_a_replay_without_a_pace_at_the_next_chunk() -> None:
    source = FileReplay(PTB, replay=Replay(speed=math.inf))
    source.open()
    items = source.items()
    for item in items:
        if isinstance(item, Chunk):
            source.stop()
            break
    assert [type(item) for item in items] == [StateChanged]


def test_real_time_is_real() -> None:
    source = FileReplay(RECORDINGS / "ptb-xl" / "00010_hr", replay=Replay(speed=20))
    source.open()
    begun = time.monotonic()
    chunks = chunks_of(source)
    assert 0.495 < time.monotonic() - begun < 1.5
    assert all(c.arrival_s >= c.device_s for c in chunks)


@pytest.mark.parametrize("lead", ["V5", "v5", "Lead V5", "MDC_ECG_LEAD_V5"])
def test_any_lead_can_be_asked_for_and_others_than_lead_i_are_marked(lead: str) -> None:
    source = FileReplay(
        RECORDINGS / "mitdb" / "100", lead=lead, replay=Replay(speed=math.inf), chunk_samples=10_000
    )
    info = source.open()
    assert (info.lead, info.is_lead_i) == ("V5", False)
    assert any("not Lead I" in note for note in info.notes)
    chunks = chunks_of(source)
    assert np.array_equal(joined(chunks), Record(RECORDINGS / "mitdb" / "100").read()[1])
    assert all(chunk.reference_mv is None for chunk in chunks)  # MLII is none of the twelve


def test_a_label_that_is_none_of_the_twelve_can_be_asked_for() -> None:
    info = FileReplay(RECORDINGS / "mitdb" / "100", lead="mlii").open()
    assert (info.lead, info.is_lead_i) == ("MLII", False)


@pytest.mark.parametrize("lead", [None, "I", "V6"])
def test_a_lead_that_is_not_there_is_refused_with_those_that_are(lead: str | None) -> None:
    with pytest.raises(InputError) as caught:
        FileReplay(RECORDINGS / "mitdb" / "100", lead=lead).open()
    assert str(caught.value) == f"'100' has no lead '{lead or 'I'}', only MLII, V5"
    assert (caught.value.field, caught.value.choices) == (Field.LEAD, ("MLII", "V5"))


def test_inverting_turns_the_played_lead_and_its_reference_row_only() -> None:
    whole = Record(PTB).read()
    source = FileReplay(PTB, invert=True, replay=Replay(speed=math.inf), chunk_samples=40_000)
    info = source.open()
    (chunk,) = chunks_of(source)
    assert info.inverted and any("turned" in note for note in info.notes)
    assert np.array_equal(chunk.lead_mv, -whole[0])
    assert chunk.reference_mv is not None
    assert np.array_equal(chunk.reference_mv[0], -whole[0])
    assert np.array_equal(chunk.reference_mv[1:], whole[1:12])


def test_a_strap_on_the_chest_is_not_lead_i() -> None:
    info = FileReplay(PTB, placement=Placement.CHEST).open()
    assert (info.placement, info.is_lead_i) == (Placement.CHEST, False)
    assert FileReplay(PTB, placement=Placement.ARMS).open().is_lead_i


def test_missing_samples_stay_nan_and_missing_leads_are_nan_rows(tmp_path: Path) -> None:
    digital = np.arange(300).reshape(100, 3)
    digital[10:20, 2] = -32768
    header = "r 3 100 100\n" + "".join(f"r.dat 16 100 16 0 0 0 0 {n}\n" for n in ("V2", "resp", "Lead I"))
    source = FileReplay(make(tmp_path, header, digital), replay=Replay(speed=math.inf), chunk_samples=7)
    assert source.open().lead == "Lead I"
    chunks = chunks_of(source)
    lead = joined(chunks)
    assert np.isnan(lead[10:20]).all() and np.isfinite(lead).sum() == 90
    reference = np.concatenate([c.reference_mv for c in chunks if c.reference_mv is not None], axis=1)
    known = [LEADS.index("I"), LEADS.index("V2")]
    assert np.isnan(np.delete(reference, known, axis=0)).all()
    np.testing.assert_allclose(reference[LEADS.index("V2")], digital[:, 0] / 100, rtol=1e-6)


@pytest.mark.parametrize(
    ("rate", "signal", "value", "said"),
    [
        ("5", "16 200 16 0 0 0 0 I", 0, "runs at 5 Hz, out of the 95 to 5000 Hz range"),
        ("94.9", "16 200 16 0 0 0 0 I", 0, "out of the 95 to 5000 Hz range"),
        ("5001", "16 200 16 0 0 0 0 I", 0, "out of the 95 to 5000 Hz range"),
        ("250", "16 200 16 0 0 0 0 I", -32768, "no valid sample"),
        ("250", "16 200/mmHg 16 0 0 0 0 I", 0, "in 'mmHg', no voltage"),
    ],
)
def test_what_cannot_be_played_is_refused_before_anything_is(
    tmp_path: Path, rate: str, signal: str, value: int, said: str
) -> None:
    path = make(tmp_path, f"r 1 {rate} 50\nr.dat {signal}\n", np.full(50, value))
    with pytest.raises(InputError, match=said) as caught:
        FileReplay(path).open()
    assert "\n" not in str(caught.value)


def test_a_day_long_record_opens_at_once_and_is_read_piece_by_piece(tmp_path: Path) -> None:
    samples = 24 * 3600 * 250
    with (tmp_path / "r.dat").open("wb") as file:
        file.truncate(samples * 2 * 12)  # sparse: half a gigabyte that takes no room
    names = "".join(f"r.dat 16 1000(0)/mV 16 0 0 0 0 {lead}\n" for lead in LEADS)
    (tmp_path / "r.hea").write_text(f"r 12 250 {samples}\n{names}")
    source = FileReplay(tmp_path / "r", replay=Replay(speed=math.inf))
    begun = time.perf_counter()
    assert source.open().samples == samples
    items = source.items()
    assert [next(items), next(items)] and isinstance(next(items), Chunk)
    assert time.perf_counter() - begun < 0.5
    source.stop()


@pytest.mark.parametrize("replay", [Replay(), Replay(start_s=2.5), Replay(start_s=6.0, loop=True)])
def test_the_other_leads_can_be_read_ahead_on_the_played_index(replay: Replay) -> None:
    record = RECORDINGS / "ptb-xl" / "00010_hr"
    source = FileReplay(record, invert=True, replay=dataclasses.replace(replay, speed=math.inf))
    info = source.open()
    read = source.whole()
    assert read is not None
    for item in source.items():
        if isinstance(item, Chunk) and item.start % 700 < len(item.lead_mv):
            start, leads_mv = read(item.start, item.stop)
            assert start == item.start and item.reference_mv is not None
            assert np.array_equal(leads_mv, item.reference_mv, equal_nan=True)
            assert np.array_equal(leads_mv[0], item.lead_mv)
        if isinstance(item, Chunk) and item.stop > 8 * info.rate_hz:
            source.stop()
    before, leads_mv = read(-500, 0)
    assert before == (-500 if replay.start_s == 2.5 else 0) and leads_mv.shape == (12, -before)
    if not replay.loop:
        length = info.samples or 0
        start, leads_mv = read(length - 10, length + 100)
        assert start == length - 10 and leads_mv.shape == (12, 10)


def test_a_record_without_others_of_the_twelve_has_none_to_read_ahead() -> None:
    source = FileReplay(RECORDINGS / "mitdb" / "100", lead="MLII")
    source.open()
    assert source.whole() is None


def test_a_short_record_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[int, int | None]] = []
    whole = Record.read

    def noted(self: Record, start: int = 0, stop: int | None = None) -> Samples:
        read.append((start, stop))
        return whole(self, start, stop)

    monkeypatch.setattr(Record, "read", noted)
    path = RECORDINGS / "ptb-xl" / "00010_hr"
    source = FileReplay(path, replay=Replay(speed=math.inf), chunk_samples=1000)
    source.open()
    played = np.concatenate([item.lead_mv for item in source.items() if isinstance(item, Chunk)])
    assert len(read) == 1
    record = Record(path)
    assert np.array_equal(played, record.twelve()[0], equal_nan=True)
