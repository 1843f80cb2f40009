"""LSL with real outlets in other processes, on loopback: nothing lost or invented silently."""

from __future__ import annotations

import gc
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from devices.live.feed import Timeouts
from devices.lsl.inlet import LslStream
from devices.lsl.search import scan_lsl
from devices.replay.pacing import Replay
from streamer.core.errors import Field, InputError
from streamer.core.events import Dropped, SamplesLost, State, StateChanged
from streamer.core.leads import LEADS
from streamer.core.stream import Chunk, Placement
from tests.devices.lsl.lsl_rig import Reception, Sender, resident_bytes

pytestmark = pytest.mark.usefixtures("hurry")

Send = Callable[..., Sender]
NUMBERS = itertools.count()


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
