# SPDX-License-Identifier: GPL-3.0-or-later
"""Real GATT between two ends in one process, through bad days that take hours, in seconds."""

from __future__ import annotations

import asyncio
import gc
import itertools
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from devices.bluetooth.link import BleSource
from devices.bluetooth.movesense import movesense
from devices.bluetooth.polar import polar
from devices.live.feed import Timeouts
from streamer.core.errors import InputError
from streamer.core.events import Dropped, Event, Notice, SamplesLost, State, StateChanged, Topic
from streamer.core.stream import Chunk, Placement
from tests.devices.bluetooth import virtual_radio
from tests.devices.bluetooth.straps import DATA, H10, Movesense, sample_uv
from tests.devices.bluetooth.virtual_radio import Air

pytestmark = pytest.mark.timeout(120)


class Heard:
    """What a source said, up to an end that the test chooses."""

    def __init__(self, source: BleSource, air: Air, enough: Callable[[Heard], bool]) -> None:
        self.source = source
        self.chunks: list[Chunk] = []
        self.events: list[Event] = []
        self.error: InputError | None = None
        air.time.held = lambda: source._feed._box.qsize() > 200
        source.open()
        try:
            for item in source.items():
                if isinstance(item, Chunk):
                    self.chunks.append(item)
                else:
                    self.events.append(item)
                if enough(self):
                    source.stop()
        except InputError as error:
            self.error = error
        source._thread.join(5)
        assert not source._thread.is_alive()

    @property
    def states(self) -> list[State]:
        return [event.state for event in self.events if isinstance(event, StateChanged)]

    def first(self, state: State) -> StateChanged:
        return next(e for e in self.events if isinstance(e, StateChanged) and e.state is state)

    def reasons(self, state: State) -> list[str]:
        return [e.text for e in self.events if isinstance(e, StateChanged) and e.state is state]

    def notices(self, topic: Topic) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice) and event.topic is topic]

    def counted(self, kind: type[SamplesLost | Dropped]) -> int:
        return sum(event.count for event in self.events if isinstance(event, kind))

    def check_every_sample(self, sensor: H10 | Movesense, scale: float = 1e-3) -> None:
        """Each sample is where it was taken, to the bit; sent = delivered + lost."""
        counts = self.source.timeline.counts
        sent = dict(sensor.sent)
        offset = first_index(self.chunks[0], sensor, scale)
        for chunk in self.chunks:
            index = np.arange(chunk.start, chunk.stop) + offset
            assert np.array_equal(chunk.lead_mv, (sample_uv(index) * scale).astype(np.float32))
            assert sent[int(index[0])] == len(index)
        assert counts.samples == sum(len(chunk.lead_mv) for chunk in self.chunks)
        assert counts.lost == self.counted(SamplesLost)
        assert counts.samples + counts.lost == self.chunks[-1].stop


def first_index(chunk: Chunk, sensor: H10 | Movesense, scale: float) -> int:
    for start, n in sensor.sent:
        if np.array_equal(chunk.lead_mv, (sample_uv(np.arange(start, start + n)) * scale).astype(np.float32)):
            return start
    raise AssertionError("no such frame was sent")


def after(chunks: int) -> Callable[[Heard], bool]:
    return lambda heard: len(heard.chunks) >= chunks


def test_both_ends_agree_to_the_bit() -> None:
    strap = H10()
    air = Air(strap, jitter_s=0.05)
    source = polar(strap.name, placement=Placement.CHEST, radio=air.radio())
    heard = Heard(source, air, after(300))
    heard.check_every_sample(strap)
    assert heard.states == [State.CONNECTING, State.WAITING, State.LIVE, State.ENDED]
    assert heard.counted(SamplesLost) == heard.counted(Dropped) == 0
    assert not strap.measuring
    assert strap.commands[-1] == b"\x03\x00"


@pytest.mark.parametrize("rate_hz", [130 * 0.985, 130 * 1.015])
def test_5_percent_lost_at_a_rate_1_5_percent_off(rate_hz: float) -> None:
    strap = H10(rate_hz=rate_hz)
    air = Air(strap, loss=0.05, jitter_s=0.1, seed=3)
    heard = Heard(polar(radio=air.radio()), air, after(800))
    heard.check_every_sample(strap)
    assert 0.02 < heard.counted(SamplesLost) / heard.chunks[-1].stop < 0.09
    assert heard.source.timeline.rate_hz == pytest.approx(rate_hz, rel=1e-5)
    late_s = [c.arrival_s - c.device_s - 73 / rate_hz for c in heard.chunks[100:]]
    assert -0.01 < min(late_s) < 0.01


@pytest.mark.parametrize("mtu", [23, 69, 161])
def test_a_movesense_at_any_mtu(mtu: int) -> None:
    sensor = Movesense(mtu=mtu)
    air = Air(sensor, loss=0.02)
    heard = Heard(movesense(radio=air.radio()), air, after(500))
    heard.check_every_sample(sensor, scale=0.381469726563e-3)
    assert ("MTU 161" in heard.notices(Topic.LINK)[0]) == (mtu == 161)
    assert (heard.counted(Dropped) > 0) == (mtu < 75)


def test_an_h10_at_mtu_23_says_what_is_wrong() -> None:
    strap = H10(mtu=23)
    air = Air(strap)
    heard = Heard(polar(radio=air.radio()), air, after(1))
    assert heard.error is not None
    assert "too small" in str(heard.error)
    assert "\n" not in str(heard.error)
    assert heard.states[-1] is State.ENDED


def test_gone_for_a_minute() -> None:
    strap = H10()
    air = Air(strap)

    def walk_away(sensor: H10 | Movesense, start: int) -> None:
        if len(sensor.sent) == 100:
            air.in_range = False
            air.lose_link()
            air.soon(60.0, lambda: setattr(air, "in_range", True))

    air.on_frame = walk_away
    heard = Heard(polar(radio=air.radio()), air, after(200))
    heard.check_every_sample(strap)
    (lost,) = [event for event in heard.events if isinstance(event, SamplesLost)]
    assert 60 < lost.count / 130 < 80
    reasons = heard.reasons(State.RECONNECTING)
    assert "is lost" in reasons[0]
    assert "not in sight" in reasons[1]
    assert heard.states[-4:] == [State.RECONNECTING, State.WAITING, State.LIVE, State.ENDED]
    assert air.connections == 2


def test_disconnected_in_the_middle_of_a_frame() -> None:
    """The first half of a Movesense's frame comes, the second never does; two hundred times."""
    sensor = Movesense(mtu=40)
    air = Air(sensor)
    cut: list[int] = []

    def cut_link(sensor: H10 | Movesense, start: int, data: bytes) -> list[bytes]:
        if data[0] == 2 and air.connections == len(cut) + 1 <= 200 and start > (cut or [0])[-1] + 500:
            cut.append(start)
            air.soon(0.001, air.lose_link)
        elif data[0] == 3 and cut and cut[-1] == start:
            return []
        return [data]

    air.tamper = cut_link
    patience = Timeouts(backoff_s=(0.05,))
    heard = Heard(
        movesense(radio=air.radio(), patience=patience),
        air,
        lambda h: h.states.count(State.WAITING) == 201 and h.states[-1] is State.LIVE,
    )
    heard.check_every_sample(sensor, scale=0.381469726563e-3)
    assert air.connections == 201
    assert heard.states.count(State.RECONNECTING) >= 200


@pytest.mark.parametrize("fails", [False, True], ids=["connects after all", "fails"])
def test_a_stop_ends_the_link_even_if_the_radio_swallows_it(
    fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits below bleak may: a cancelled wait that has its answer at the same moment returns that."""
    connect = virtual_radio._Client.connect

    async def deaf(client: virtual_radio._Client, pair: bool) -> None:
        if air.connections:
            source.stop()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
            if fails:
                raise TimeoutError
        await connect(client, pair)

    monkeypatch.setattr(virtual_radio._Client, "connect", deaf)
    air = Air(H10())
    air.on_frame = lambda sensor, start: air.lose_link()
    source = polar(radio=air.radio())
    heard = Heard(source, air, lambda heard: False)
    assert heard.states[-2:] == [State.RECONNECTING, State.ENDED] and heard.error is None


@pytest.mark.parametrize("passes", range(14))
def test_a_stop_in_any_pass_of_the_loop_around_a_frame_stops_the_sensor_and_ends_the_link(
    passes: int,
) -> None:
    strap = H10()
    air = Air(strap)
    air.on_frame = lambda sensor, start: len(strap.sent) == 3 and air.after_passes(passes, source.stop)
    source = polar(radio=air.radio())
    heard = Heard(source, air, lambda heard: False)
    assert heard.states[-1] is State.ENDED and heard.error is None
    assert strap.commands[-1] == b"\x03\x00" and not strap.measuring
    assert air.linked == 0


@pytest.mark.parametrize("passes", range(6))
def test_a_stop_in_any_pass_of_the_loop_while_a_silent_link_is_given_up_ends_it(
    passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    strap = H10()
    air = Air(strap)
    air.tamper = lambda sensor, start, data: [] if len(strap.sent) > 3 else [data]
    write = virtual_radio._Client.write_gatt_char

    async def written(client: virtual_radio._Client, to: Any, data: bytes, response: bool) -> None:
        if bytes(data) == b"\x03\x00":
            air.after_passes(passes, source.stop)
        await write(client, to, data, response)

    monkeypatch.setattr(virtual_radio._Client, "write_gatt_char", written)
    source = polar(radio=air.radio())
    heard = Heard(source, air, lambda heard: False)
    assert heard.states[-1] is State.ENDED and heard.error is None
    assert not strap.measuring
    assert air.linked == 0


@pytest.mark.skipif(sys.platform == "win32", reason="no thread is sent a signal there")
def test_ctrl_c_ends_the_search_though_another_thread_gets_the_signal() -> None:
    air = Air(H10())
    air.time.held = lambda: True  # nothing ever happens
    source = polar(radio=air.radio())

    def interrupt() -> None:
        time.sleep(0.2)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        rescued.wait(5)
        source.stop()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    rescued = threading.Event()
    other = threading.Thread(target=interrupt)
    begun = time.monotonic()
    try:
        other.start()
        with pytest.raises(KeyboardInterrupt):
            source.open()
        assert time.monotonic() - begun < 3
    finally:
        signal.signal(signal.SIGINT, before)
        rescued.set()
        other.join()
        source._thread.join(5)
    assert not source._thread.is_alive()


def test_the_first_frame_comes_after_30_seconds() -> None:
    strap = H10()
    air = Air(strap)
    air.first_after_s = 30.0
    heard = Heard(polar(radio=air.radio()), air, after(5))
    assert heard.states == [State.CONNECTING, State.WAITING, State.LIVE, State.ENDED]
    waiting, live = heard.first(State.WAITING), heard.first(State.LIVE)
    assert 30 < live.host_s - waiting.host_s < 32


def test_stale_after_a_second_and_a_half_and_connected_anew_after_eight() -> None:
    strap = H10()
    air = Air(strap)
    silent_from: list[float] = []

    def mute(sensor: H10 | Movesense, start: int, data: bytes) -> list[bytes]:
        if len(sensor.sent) == 50:
            silent_from.append(air.time.now - 73 / 130)
        return [] if 50 <= len(sensor.sent) < 70 else [data]

    air.tamper = mute
    heard = Heard(polar(radio=air.radio()), air, after(80))
    heard.check_every_sample(strap)
    assert heard.states[2:] == [
        State.LIVE,
        State.STALE,
        State.RECONNECTING,
        State.WAITING,
        State.LIVE,
        State.ENDED,
    ]
    stale, again = heard.first(State.STALE), heard.first(State.RECONNECTING)
    assert 1.5 <= stale.host_s - silent_from[0] < 1.9
    assert 8.0 <= again.host_s - silent_from[0] < 9.0
    assert "moist" in again.text


@pytest.mark.parametrize("jump_s", [-7.3e8, -5.0, 5.0, 3600.0])
def test_stamps_that_jump(jump_s: float) -> None:
    strap = H10(epoch_s=7.4e8)
    air = Air(strap, jitter_s=0.05)

    def jump(sensor: H10 | Movesense, start: int) -> None:
        if len(sensor.sent) == 100:
            sensor.epoch_s += jump_s

    air.on_frame = jump
    heard = Heard(polar(radio=air.radio()), air, after(200))
    heard.check_every_sample(strap)
    assert heard.counted(SamplesLost) == 0
    assert len(heard.notices(Topic.CLOCK)) == 1


def test_frames_that_come_twice_late_torn_or_not_at_all() -> None:
    strap = H10()
    air = Air(strap)
    kept: list[bytes] = []

    def spoil(sensor: H10 | Movesense, start: int, data: bytes) -> list[bytes]:
        number = len(sensor.sent)
        if number % 50 == 10:
            return [data, data]
        if number % 50 == 20:
            kept[:] = [data]
            return []
        if number % 50 == 21:
            return [data, *kept]
        if number % 50 == 30:
            return [data[:-1]]
        if number % 50 == 40:
            return [data[:9] + b"\x80" + data[10:], b"", b"\xff" * 200]
        return [data]

    air.tamper = spoil
    heard = Heard(polar(radio=air.radio()), air, after(500))
    heard.check_every_sample(strap)
    counts, rejected = heard.source.timeline.counts, heard.source.rejected
    assert counts.duplicate >= 10
    assert counts.late >= 10
    assert rejected["frame that ends within a sample"] >= 10
    assert rejected["compressed frame"] >= 10
    assert heard.counted(Dropped) == counts.duplicate + counts.late + rejected.total()


def test_a_strap_that_measures_already_is_no_error() -> None:
    strap = H10(measuring=True)
    air = Air(strap)
    heard = Heard(polar(radio=air.radio()), air, after(5))
    assert heard.error is None
    assert not strap.measuring


def test_a_strap_that_ends_its_measurement_is_asked_again() -> None:
    strap = H10()
    air = Air(strap)
    characteristic = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"

    def end(sensor: H10 | Movesense, start: int) -> None:
        if len(sensor.sent) == 20:
            sensor.measuring = False
            air.send(sensor, characteristic, b"\x01\x00")

    air.on_frame = end
    heard = Heard(polar(radio=air.radio()), air, after(40))
    heard.check_every_sample(strap)
    assert any("ended its measurement" in text for text in heard.reasons(State.RECONNECTING))


@pytest.mark.parametrize(("status", "what"), [(3, "support"), (0x0D, "charged"), (0x63, "error 99")])
def test_a_strap_that_refuses(status: int, what: str) -> None:
    strap = H10(statuses={2: status})
    air = Air(strap)
    heard = Heard(polar(radio=air.radio()), air, after(1))
    assert what in str(heard.error)
    assert "\n" not in str(heard.error)


def test_what_is_not_there_gets_one_line() -> None:
    for make, wanted, what in (
        (polar, "NOBODY", "NOBODY is not in sight, only Polar H10 8C4CAD2D"),
        (polar, "E4:AC:AC:FF:FF:FF", "is not in sight"),
        (movesense, "?rate=500", "a Movesense is not in sight; wear it"),
    ):
        with pytest.raises(InputError, match=what) as caught:
            make(wanted, radio=Air(H10()).radio()).open()
        assert "\n" not in str(caught.value)


def test_a_rate_that_the_sensor_ignores_is_noticed() -> None:
    sensor = Movesense(silent=True, knows=("/Meas/ECG/128",))
    air = Air(sensor)
    heard = Heard(
        movesense("?rate=250", radio=air.radio()), air, lambda h: h.states.count(State.RECONNECTING) == 2
    )
    reasons = heard.reasons(State.RECONNECTING)
    assert "it may not know 250 Hz; try ?rate=128" in reasons[0]


def test_another_rate_than_asked_for_is_another_stream() -> None:
    sensor = Movesense(rate_hz=125.0)
    air = Air(sensor)
    heard = Heard(movesense("?rate=250", radio=air.radio()), air, after(100))
    assert "125.0 samples a second, not 250" in str(heard.error)
    assert heard.states[-1] is State.ENDED
    assert not sensor.measuring


@pytest.mark.parametrize(
    "make",
    [
        lambda: polar("x?rate=5"),
        lambda: polar(lead="V1"),
        lambda: movesense("?rate=33"),
        lambda: movesense("?bpm=33"),
        lambda: movesense(lead="II"),
    ],
)
def test_what_cannot_be_asked_for(make: Callable[[], BleSource]) -> None:
    with pytest.raises(InputError):
        make()


def test_stopped_before_anybody_listened() -> None:
    strap = H10()
    air = Air(strap)
    source = polar(radio=air.radio())
    source.open()
    source.stop()
    begun = time.monotonic()
    items: Iterator[Chunk | Event] = source.items()
    assert [item.state for item in items if isinstance(item, StateChanged)][-1] is State.ENDED
    assert time.monotonic() - begun < 1.0
    source._thread.join(5)
    assert b"\x02\x00" not in [command[:2] for command in strap.commands]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "minutes", [20, pytest.param(61, marks=[pytest.mark.long, pytest.mark.timeout(600)])]
)
def test_soak(minutes: int) -> None:
    """5 % lost, 100 ms of jitter, a lost link every two minutes: flat memory, all accounted for."""
    strap = H10(rate_hz=129.91)
    air = Air(strap, loss=0.05, jitter_s=0.1)

    frames = itertools.count(1)  # not those in ``sent``, which is emptied below

    def lose(sensor: H10 | Movesense, start: int) -> None:
        if next(frames) % 213 == 0:
            air.lose_link()

    air.on_frame = lose
    source = polar(radio=air.radio())
    air.time.held = lambda: source._feed._box.qsize() > 200
    source.open()
    blocks: list[int] = []
    delivered = lost = links = 0
    last = begun_s = 0.0
    for item in source.items():
        if not isinstance(item, Chunk):
            lost += item.count if isinstance(item, SamplesLost) else 0
            links += isinstance(item, StateChanged) and item.state is State.RECONNECTING
            continue
        begun_s = begun_s or item.arrival_s
        delivered += len(item.lead_mv)
        last = item.stop
        if item.arrival_s - begun_s > 12 * minutes * (len(blocks) + 1) and len(blocks) < 5:
            gc.collect()
            strap.sent.clear()
            blocks.append(sys.getallocatedblocks())
        if item.arrival_s - begun_s > 61 * minutes:
            source.stop()
    assert len(blocks) == 5
    assert links >= 0.4 * minutes
    assert delivered + lost == last
    assert delivered == source.timeline.counts.samples
    assert 0.05 < lost / last < 0.15
    assert abs(last / (item.host_s - begun_s) / 129.91 - 1) < 0.002
    assert blocks[-1] - blocks[1] < 1500, blocks


def test_frames_carry_no_more_than_they_should() -> None:
    """The strap of these tests speaks as the specification has it."""
    frame = H10().frame(0)
    assert len(frame) == 229
    assert H10().packets(0) == [(DATA, frame)]
