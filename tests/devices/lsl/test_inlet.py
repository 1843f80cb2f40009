"""LSL with real outlets in other processes, on loopback: nothing lost or invented silently."""

from __future__ import annotations

import gc
import itertools
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devices.live.feed import Timeouts
from devices.lsl.inlet import LslStream
from devices.lsl.search import scan_lsl
from devices.replay.pacing import Replay
from streamer.core.errors import Field, InputError
from streamer.core.events import Dropped, Event, Notice, SamplesLost, State, StateChanged
from streamer.core.leads import LEADS
from streamer.core.stream import Chunk, Placement
from tests.devices.lsl.lsl_rig import Reception, Sender

Send = Callable[..., Sender]
NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shorter look than a model takes to load: the tests have none."""
    monkeypatch.setattr("devices.lsl.placing.LOOK_S", 0.5)
    monkeypatch.setattr("devices.lsl.look.RATE_LOOK_S", 1.5)
    monkeypatch.setattr("devices.lsl.search.SECOND_S", 0.2)


@pytest.fixture
def patient(hurry: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For those where a second sender matters."""
    monkeypatch.setattr("devices.lsl.search.SECOND_S", 1.0)


@pytest.fixture
def name() -> str:
    """No two tests share a stream, should one leave its sender behind."""
    return f"ECG {os.getpid()} {next(NUMBERS)}"


def offsets(heard: Reception, per_mv: float = 1000.0) -> np.ndarray:
    """Sender's number less our index: one value where every gap is exact."""
    indices, numbers = heard.counted(per_mv)
    return np.unique(numbers - indices)


def jumps(heard: Reception) -> int:
    return sum(b.start - a.stop for a, b in itertools.pairwise(heard.chunks))


def refusal(query: str, **how: object) -> str:
    with pytest.raises(InputError) as caught:
        LslStream(query, **how).open()  # type: ignore[arg-type]
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_every_sample_comes_at_once_under_its_number_and_at_its_instant(send: Send, name: str) -> None:
    origin = time.monotonic()
    send(name=name, rate=500.0, origin=origin)
    heard = Reception(LslStream(name))
    assert (heard.info.rate_hz, heard.info.lead, heard.info.is_lead_i, heard.info.live) == (
        500,
        "I",
        True,
        True,
    )
    for _ in range(3):  # what else the machine does may hold up both ends for a while
        before = len(heard.late_s)
        heard.wait_samples(1500)
        late_ms = 1e3 * np.array(heard.late_s[before:])
        if np.median(late_ms) < 1.0:
            break
    assert heard.stop() < 2
    assert len(offsets(heard)) == 1 and heard.lost == 0 == jumps(heard)
    assert heard.states == [State.WAITING, State.LIVE, State.ENDED]
    assert heard.chunks[0].start == 0
    # On a shared machine a sender's own sleep may end late, so the 99th percentile is only bounded.
    assert np.median(late_ms) < 1.0 and np.quantile(late_ms, 0.99) < 50
    print(f"latency p50 {np.median(late_ms):.2f} ms, p99 {np.quantile(late_ms, 0.99):.2f} ms")
    _, numbers = heard.counted()
    firsts = np.cumsum([0, *(len(chunk.lead_mv) for chunk in heard.chunks[:-1])])
    stamps = np.array([chunk.device_s for chunk in heard.chunks])
    off_ms = 1e3 * (stamps - (origin + numbers[firsts] / 500))
    assert np.abs(off_ms[len(off_ms) // 2 :]).max() < 2


@pytest.mark.parametrize("same_id", [True, False])
def test_a_sender_that_crashed_and_came_back_is_found_again(send: Send, name: str, same_id: bool) -> None:
    common = {"name": name, "rate": 250.0, "origin": time.monotonic()}
    first = send(source_id="one", **common)
    heard = Reception(LslStream(name))
    heard.wait_samples(250)
    first.kill()
    heard.wait(lambda: State.RECONNECTING in heard.states, 2)
    send(source_id="one" if same_id else "two", **common)
    heard.wait_samples(250)
    assert heard.stop() < 2
    assert heard.states == [
        *(State.WAITING, State.LIVE, State.RECONNECTING, State.WAITING, State.LIVE, State.ENDED)
    ]
    assert len(offsets(heard)) == 1, "the gap is exact"
    assert 0 < heard.lost == jumps(heard)
    assert any("another source_id" in text for text in heard.told) is not same_id
    assert heard.error is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rate": 500.0}, "at 500 Hz instead of 250 Hz"),
        ({"channels": [{"label": "II", "unit": "mV"}]}, "with the channels II instead of I"),
        ({"channels": [{"label": "I", "unit": "mV"}]}, "with other units"),
    ],
)
def test_a_sender_that_came_back_different_is_another_stream_and_an_error(
    send: Send, name: str, change: dict[str, object], said: str
) -> None:
    first = send(name=name)
    heard = Reception(LslStream(name))
    heard.wait_samples(50)
    first.kill()
    send(**({"name": name} | change))
    heard.join()
    assert isinstance(heard.error, InputError) and heard.states[-1] is State.ENDED
    assert heard.told[-1] == heard.error.line
    assert said in heard.error.line and "new stream; open it again" in heard.error.line


@pytest.mark.usefixtures("patient")
def test_two_of_one_name_are_refused_with_the_way_to_name_one(send: Send, name: str) -> None:
    send(name=name, source_id="one")
    send(name=name, source_id="two")
    said = refusal(name)
    assert said.startswith("2 LSL streams could be meant; name one: ")
    for query in ("source_id='one'", "source_id='two'"):
        assert f"lsl:{query}" in said
        assert LslStream(query).open().lead == "I"
    # What only one has is no longer ambiguous; the same id twice still has a uid each.
    send(name=name, source_id="two")
    assert refusal(f"name={name}").count("lsl:uid=") == 2


@pytest.mark.usefixtures("patient")
def test_two_that_answer_after_a_loss_are_told_and_neither_is_taken(send: Send, name: str) -> None:
    first = send(name=name, source_id="one")
    heard = Reception(LslStream(name))
    heard.wait_samples(50)
    first.kill()
    others = [send(wait=False, name=name, source_id=other) for other in ("two", "three")]
    for other in others:
        other.ready()
    heard.wait(lambda: "2 senders answer; stop all but one" in heard.told)
    others[0].kill()
    heard.wait(lambda: heard.states.count(State.LIVE) == 2)
    assert heard.stop() < 2
    assert "source_id 'three'" in heard.told[-4]


def test_lead_i_among_eight_channels_with_the_others_beside_it(send: Send, name: str) -> None:
    labels = ["nSeq", "V1", "II", "RESP", "I", "aVF", "V6", "EDA"]
    units = ["", "mV", "uV", "ohm", "microvolts", "V", "µV", ""]
    send(name=name, channels=[{"label": a, "unit": b} for a, b in zip(labels, units, strict=True)])
    heard = Reception(LslStream(name))
    heard.wait_samples(100)
    heard.stop()
    assert "channel 5 of 8, I" in heard.info.notes[0]
    reference = np.concatenate([c.reference_mv for c in heard.chunks if c.reference_mv is not None], axis=1)
    lead = np.concatenate([c.lead_mv for c in heard.chunks])
    assert np.array_equal(reference[0], lead)
    numbers = np.rint(1e3 * lead.astype(float) - 4e5)
    for lead_name, column, per_mv in (("V1", 1, 1.0), ("II", 2, 1e3), ("V6", 6, 1e3)):
        truth = (numbers + 1e5 * column) / per_mv
        known = np.abs(truth) <= 1e4
        row = reference[LEADS.index(lead_name)]
        assert np.allclose(row[known], truth[known], rtol=1e-5)
        assert np.isnan(row[~known]).all(), "what no amplifier puts out is no sample"
    assert np.isnan(np.delete(reference, [LEADS.index(x) for x in ("I", "II", "V1", "V6")], axis=0)).all()


def test_a_label_that_is_only_a_name_is_read(send: Send, name: str) -> None:
    send(name=name, channels=[{"name": "EDA", "unit": "uS"}, {"name": "Lead I", "unit": "mV"}])
    source = LslStream(f"name={name}", invert=True, placement=Placement.CHEST)
    info = source.open()
    assert (info.lead, info.is_lead_i, info.inverted, info.placement) == (
        "Lead I",
        False,
        True,
        Placement.CHEST,
    )
    assert "turned" in info.notes[-1]


@pytest.mark.parametrize(("per_mv", "unit"), [(1000.0, "microvolts"), (1.0, "millivolts")])
def test_a_missing_unit_is_decided_by_size_and_said(send: Send, name: str, per_mv: float, unit: str) -> None:
    send(name=name, signal="ecg", per_mv=per_mv, channels=[{"label": "I"}])
    heard = Reception(LslStream(name))
    heard.wait_samples(250)
    heard.stop()
    assert any(f"No unit is stated: taken as {unit}, since" in note for note in heard.info.notes)
    assert np.concatenate([c.lead_mv for c in heard.chunks]).max() == pytest.approx(1.0, abs=0.05)


def test_streams_that_are_no_ecg_are_refused_in_one_line(send: Send, name: str) -> None:
    send(name=f"{name} a", format="string", nominal=0)
    send(name=f"{name} b", format="int16", channels=[{"label": "I"}])
    send(name=f"{name} c", channels=[{"label": "Fp1", "unit": "uV"}], type="EEG")
    send(name=f"{name} d", rate=50.0)
    assert "carries strings" in refusal(f"{name} a")
    assert "whole numbers and states no unit" in refusal(f"{name} b")
    assert "no ECG channel, only Fp1" in refusal(f"{name} c")
    assert "50 Hz, out of the 95 to 5000 Hz range" in refusal(f"{name} d")
    assert LslStream(f"{name} c", lead="Fp1").open().lead == "Fp1"
    found = {one.name: one for one in scan_lsl(1.5) if one.name.startswith(name)}
    assert [found[f"{name} {x}"].ecg for x in "abcd"] == [False, True, False, True]
    assert found[f"{name} d"].rate_hz == 50
    # What no option mends is not offered; all say why not.
    assert [found[f"{name} {x}"].source for x in "abcd"] == ["", f"lsl:{name} b", f"lsl:{name} c", ""]
    reasons = ["carries strings", "whole numbers and states no unit", "no ECG channel", "50 Hz, out of the"]
    for x, reason in zip("abcd", reasons, strict=True):
        assert reason in found[f"{name} {x}"].why_not and name not in found[f"{name} {x}"].why_not


def test_nobody_there_and_nonsense_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.lsl.search.RESOLVE_S", 0.5)
    assert "there is no LSL stream 'nobody'; start its sender" in refusal("nobody")
    assert "is no XPath predicate" in refusal("name='x' and (")


@pytest.mark.usefixtures("patient")
def test_nothing_named_means_the_only_ecg(send: Send, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.lsl.search.RESOLVE_S", 0.5)
    send(name=f"{name} marks", format="string", type="Markers", nominal=0)
    assert "there is no LSL stream with an ECG" in refusal("")
    send(name=name)
    assert name in LslStream("").open().notes[0]
    send(name=f"{name} too", source_id="too")
    said = refusal("")
    assert said.startswith("2 LSL streams could be meant; name one: ")
    assert sorted(said.split(": ", 1)[1].split(" or ")) == [f"lsl:{name}", f"lsl:{name} too"]


def test_an_irregular_stream_gets_the_rate_that_its_stamps_fit(send: Send, name: str) -> None:
    send(name=name, rate=129.9, nominal=0.0, origin=time.monotonic(), drop=[[900, 950]], packet=10)
    heard = Reception(LslStream(name))
    assert heard.info.rate_hz == pytest.approx(129.9, abs=0.05)
    assert any("states no rate; its stamps fit 129.9 Hz" in note for note in heard.info.notes)
    heard.wait(lambda: heard.lost or heard.samples > 900)
    heard.wait_samples(30)
    heard.stop()
    assert heard.lost == 50 == jumps(heard) and len(offsets(heard)) == 1


def test_what_the_sender_left_out_is_a_gap_to_the_sample(send: Send, name: str) -> None:
    origin = time.monotonic()
    send(name=name, rate=500.0, origin=origin, packet=5, every=37, drop=[[1900, 1901], [2000, 2250]])
    heard = Reception(LslStream(name))
    heard.wait(lambda: heard.chunks and heard.counted()[1][-1] > 2400)
    heard.stop()
    _, numbers = heard.counted()
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    assert len(offsets(heard)) == 1
    assert heard.lost == missing == jumps(heard) > 250
    assert not any(isinstance(event, Dropped) for event in heard.events)


def test_chunks_stamped_at_their_end_by_a_busy_computer_lose_nothing(send: Send, name: str) -> None:
    send(name=name, rate=130.0, packet=26, stamps="last", jitter_s=0.014, origin=time.monotonic())
    heard = Reception(LslStream(name))
    heard.wait_samples(520)
    heard.stop()
    _, numbers = heard.counted()
    assert np.array_equal(np.diff(numbers), np.ones(len(numbers) - 1))
    assert heard.lost == 0 == jumps(heard)
    assert any("stamps are uneven" in text for text in heard.told)
    starts = np.array([chunk.start for chunk in heard.chunks])
    stamps = np.array([chunk.device_s for chunk in heard.chunks])
    assert (np.diff(stamps) > 0).all()
    # The first packets may still come late, by as much as this machine is busy.
    assert np.abs(np.diff(stamps) - np.diff(starts) / 130)[5:].max() < 0.03


def test_a_sender_without_a_sensors_clock_loses_nothing(send: Send, name: str) -> None:
    send(name=name, rate=250.0, packet=10, stamps="push", origin=time.monotonic())
    heard = Reception(LslStream(name))
    heard.wait_samples(750)
    heard.stop()
    _, numbers = heard.counted()
    assert np.array_equal(np.diff(numbers), np.ones(len(numbers) - 1))
    assert heard.lost == 0 == jumps(heard) and heard.error is None


def test_a_sender_on_another_clock_is_brought_to_ours(send: Send, name: str) -> None:
    origin = time.monotonic()
    send(name=name, rate=250.0, origin=origin, shift_s=1.7e9)
    heard = Reception(LslStream(name))
    heard.wait_samples(250)
    heard.stop()
    _, numbers = heard.counted()
    assert heard.chunks[-1].device_s == pytest.approx(
        origin + (numbers[-1] + 1 - len(heard.chunks[-1].lead_mv)) / 250, abs=0.01
    )


def test_a_rate_that_is_not_as_stated_ends_with_what_to_do(send: Send, name: str) -> None:
    send(name=name, rate=250.0, nominal=500.0)
    heard = Reception(LslStream(name))
    heard.join()
    assert isinstance(heard.error, InputError)
    assert "one of 500 Hz, but its stamps run at 250 Hz" in str(heard.error)


def test_a_silent_sender_is_stale_then_looked_for_and_loses_nothing_when_it_speaks(
    send: Send, name: str
) -> None:
    sender = send(name=name, rate=250.0, origin=time.monotonic())
    heard = Reception(LslStream(name, patience=Timeouts(stale_s=0.3, silent_s=0.8, backoff_s=(0.2,))))
    heard.wait_samples(100)
    sender.pause()
    heard.wait(lambda: State.RECONNECTING in heard.states, 5)
    assert heard.states[-2:] == [State.STALE, State.RECONNECTING]
    sender.go_on()
    heard.wait_samples(500)
    heard.stop()
    assert len(offsets(heard)) == 1 and heard.lost == jumps(heard)


def test_it_stops_within_2_s_wherever_it_stands(send: Send, name: str) -> None:
    sender = send(name=name)
    patience = Timeouts(stale_s=0.2, silent_s=0.5, backoff_s=(5.0,))
    for where in (State.WAITING, State.LIVE, State.STALE, State.RECONNECTING):
        heard = Reception(LslStream(name, patience=patience))
        if where in (State.STALE, State.RECONNECTING):
            heard.wait_samples(10)
            sender.pause()
        heard.wait(lambda heard=heard, where=where: where in heard.states)
        assert heard.stop() < 2, where
        assert heard.states[-1] is State.ENDED
        sender.go_on()
    heard.source.stop()
    assert not [t for t in threading.enumerate() if t.name == "LSL receiver" and not t.daemon]


def test_a_live_stream_is_not_replayed() -> None:
    for replay in (Replay(speed=2), Replay(loop=True), Replay(start_s=1)):
        with pytest.raises(InputError, match="lsl: is live") as caught:
            LslStream("x", replay=replay)
        assert caught.value.field is Field.REPLAY and caught.value.leave_out


def test_without_liblsl_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pylsl", None)
    assert "LSL cannot be used here" in refusal("x")
    with pytest.raises(InputError, match="LSL cannot be used here"):
        scan_lsl(0.1)


# ---- an hour, as fast as it goes: liblsl's place is taken by senders that never wait


class FakeLsl:
    """What `LslStream` needs of pylsl: a sender of 500 Hz, in packets of 8, that loses and dies."""

    proc_clocksync = 1
    RATE = 500.0

    def __init__(self, seconds: float) -> None:
        self.now_s = 1000.0
        self.last_s = self.now_s + seconds
        self.sent = 0
        self.rng = np.random.default_rng(7)
        self.at_end: Callable[[], None] = lambda: None

    def clock(self) -> float:
        return self.now_s

    def local_clock(self) -> float:
        return time.monotonic()  # as the host's

    def ContinuousResolver(self, **how: object) -> FakeLsl:  # noqa: N802 - pylsl's
        return self

    def results(self) -> list[FakeLsl]:
        self.now_s += 0.1
        return [self]

    def name(self) -> str:
        return "fake"

    def source_id(self) -> str:
        return "fake"

    def info(self, wait_s: float) -> FakeLsl:
        return self

    def as_xml(self) -> str:
        return (
            "<info><name>fake</name><type>ECG</type><channel_count>1</channel_count><source_id>fake</source_id>"
            f"<channel_format>float32</channel_format><nominal_srate>{self.RATE}</nominal_srate><desc><channels>"
            "<channel><label>I</label><unit>mV</unit></channel></channels></desc></info>"
        )

    def StreamInlet(self, found: FakeLsl, **how: object) -> FakeInlet:  # noqa: N802 - pylsl's
        return FakeInlet(self)


class FakeInlet:
    """Brings 8 samples to a pull; 3 % of packets are lost; the sender dies each 20 s or so."""

    SLOW = 60e-6

    def __init__(self, lsl: FakeLsl) -> None:
        self.lsl = lsl
        self.k = self.now_k()

    def now_k(self) -> int:
        return math.ceil((self.lsl.now_s - 1000) * self.lsl.RATE)

    def info(self, wait_s: float) -> FakeLsl:
        return self.lsl

    def open_stream(self, wait_s: float) -> None:
        self.k = self.now_k()

    def time_correction(self, wait_s: float) -> float:
        self.lsl.now_s += 0.6
        return 0.0

    def flush(self) -> None:
        pass

    def pull_sample(self, wait_s: float) -> tuple[np.ndarray, float] | tuple[None, None]:
        lsl = self.lsl
        if lsl.now_s > lsl.last_s:
            return None, None
        if lsl.rng.random() < 8 / lsl.RATE / 20:
            raise RuntimeError("the stream has been lost.")
        while lsl.rng.random() < 0.03:
            self.k += 8
        self.stamp_s = 1000 + self.k / lsl.RATE * (1 + self.SLOW)
        lsl.now_s = max(lsl.now_s, self.stamp_s + 8 / lsl.RATE + lsl.rng.uniform(0, 0.002))
        return np.array([self.k % 10_000], np.float32), self.stamp_s

    def pull_chunk(self, wait_s: float) -> tuple[np.ndarray, np.ndarray]:
        steps = np.arange(1, 8)
        rows = ((self.k + steps) % 10_000)[:, None].astype(np.float32)
        stamps = self.stamp_s + steps / self.lsl.RATE
        self.lsl.sent += 8
        self.k += 8
        return rows, stamps


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


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


class Wavering(FakeInlet):
    """Loses each 211th sample, is read late at times, and its clock is compared under load.

    liblsl's own clocksync, where it is asked for, takes each new comparison at once, between any two
    samples: here where one is missing, which is the worst.
    """

    EVERY = 211
    STALLS_S = (3.0, 12.0, 25.0, 45.0, 70.0)
    WAVER_S = 0.0013

    def __init__(self, lsl: FakeLsl, flags: int) -> None:
        super().__init__(lsl)
        self.synced = bool(flags & lsl.proc_clocksync)
        self.stalls = [1000 + s for s in self.STALLS_S]
        self.waiting = (np.empty(0, int), np.empty(0))

    def correction_s(self, k: np.ndarray) -> np.ndarray:
        return self.WAVER_S / 2 * (-1.0) ** (k // self.EVERY)

    def time_correction(self, wait_s: float) -> float:
        return float(self.correction_s(np.array(self.k)))

    def pull_sample(self, wait_s: float) -> tuple[np.ndarray, float] | tuple[None, None]:
        lsl = self.lsl
        if lsl.now_s > lsl.last_s:
            return None, None
        n = 8
        if self.stalls and lsl.now_s > self.stalls[0]:
            self.stalls.pop(0)
            n = 850
        k = np.arange(self.k, self.k + n)
        self.k += n
        lsl.now_s = max(lsl.now_s, 1000 + self.k / lsl.RATE + lsl.rng.uniform(0, 0.002))
        k = k[k % self.EVERY != 0]
        stamps = 1000 + k / lsl.RATE + (self.correction_s(k) if self.synced else 0.0)
        lsl.sent += len(k)
        self.waiting = (k[1:], stamps[1:])
        return np.array([k[0] % 10_000], np.float32), float(stamps[0])

    def pull_chunk(self, wait_s: float) -> tuple[np.ndarray, np.ndarray]:
        k, stamps = self.waiting
        return (k % 10_000)[:, None].astype(np.float32), stamps


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
    """Which of 20 ms is loss and which a late stamp nobody can say; a whole second is a loss."""
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


class Script(FakeInlet):
    """Two good seconds, then what a test has written."""

    batches: Sequence[tuple[list[float], list[float]]] = ()

    def __init__(self, lsl: FakeLsl) -> None:
        super().__init__(lsl)
        self.good = [([0.5] * 50, (1000 + (k * 50 + np.arange(50)) / 500).tolist()) for k in range(20)]
        self.left = list(self.good) + list(self.batches)
        lsl.now_s = 1002.0

    def pull_sample(self, wait_s: float) -> tuple[np.ndarray, float] | tuple[None, None]:
        self.lsl.now_s += 0.1
        if not self.left:
            self.lsl.at_end()
            return None, None
        self.batch = self.left.pop(0)
        return np.array(self.batch[0][:1], np.float32), self.batch[1][0]

    def pull_chunk(self, wait_s: float) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self.batch[0][1:], np.float32)[:, None], np.array(self.batch[1][1:], float)


class Timely(Script):
    """Batches come when their last stamp says."""

    def __init__(self, lsl: FakeLsl) -> None:
        super().__init__(lsl)
        self.left = list(self.batches)
        lsl.now_s = 1000.0

    def time_correction(self, wait_s: float) -> float:
        return 0.0

    def pull_sample(self, wait_s: float) -> tuple[np.ndarray, float] | tuple[None, None]:
        if not self.left:
            return super().pull_sample(wait_s)
        batch = self.left[0]
        self.lsl.now_s = max(self.lsl.now_s, batch[1][-1] + 0.002) - 0.1
        return super().pull_sample(wait_s)


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


@pytest.mark.long
@pytest.mark.timeout(600)
def test_five_minutes_sent_is_delivered_and_lost_with_flat_memory(send: Send, name: str) -> None:
    origin = time.monotonic()
    heard_samples = lost = 0
    first_number = last_number = first_index = last_index = None
    sender = send(name=name, rate=500.0, origin=origin, packet=4, every=211)
    source = LslStream(name)
    source.open()
    sizes: list[int] = []
    late_ms: list[float] = []

    next_size_s = time.monotonic() + 30
    until_s = time.monotonic() + 300
    killed = 0
    for item in source.items():
        now_s = time.monotonic()
        if not isinstance(item, Chunk):
            lost += item.count if isinstance(item, SamplesLost) else 0
            again = isinstance(item, StateChanged) and item.state is State.RECONNECTING
            if again and now_s < until_s:
                sender = send(name=name, rate=500.0, origin=origin, packet=4, every=211)
            continue
        numbers = np.rint(1000 * item.lead_mv.astype(float)).astype(int)
        if first_number is None:
            first_number, first_index = numbers[0], item.start
        last_number, last_index = numbers[-1], item.stop - 1
        heard_samples += len(numbers)
        assert numbers[0] - item.start == first_number - first_index
        late_ms.append(1e3 * (now_s - item.device_s))
        if now_s > next_size_s:
            gc.collect()
            sizes.append(resident_bytes())
            next_size_s += 10
        if killed < 4 and now_s > until_s - 300 + 60 * (killed + 1):
            killed += 1
            sender.kill()
        if now_s > until_s:
            source.stop()
    assert killed == 4
    assert last_number - first_number + 1 == heard_samples + lost == last_index - first_index + 1
    print(
        f"{heard_samples} delivered, {lost} lost, p50 {np.median(late_ms):.2f} ms, "
        f"p99 {np.quantile(late_ms, 0.99):.2f} ms, memory {sizes[0] >> 20} -> {sizes[-1] >> 20} MB"
    )
    assert max(sizes[-5:]) - min(sizes[:5]) < 8 << 20
