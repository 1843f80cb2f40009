# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way from the scan to millivolts on Linux: bleak's own BlueZ backend, on a private bus."""

from __future__ import annotations

import asyncio
import gc
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from bleak import BleakClient
from dbus_fast.aio import MessageBus

from devices.bluetooth.link import BleSource
from devices.bluetooth.movesense import movesense
from devices.bluetooth.polar import polar
from devices.bluetooth.scan import scan_ble
from devices.bluetooth.sensor import Link
from devices.live.feed import Timeouts
from devices.registry import open_source
from streamer.core.errors import InputError
from streamer.core.events import (
    Battery,
    Contact,
    Dropped,
    Event,
    Notice,
    SensorRate,
    State,
    StateChanged,
    Topic,
)
from streamer.core.stream import Chunk, Placement
from tests.devices.bluetooth.bluez import Bluetoothd, message_bus
from tests.devices.bluetooth.straps import H10, Movesense, sample_uv

pytestmark = [
    pytest.mark.skipif(
        shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed (apt install dbus-daemon)"
    ),
    pytest.mark.timeout(120),
]

QUICK = Timeouts(backoff_s=(0.0, 0.05))


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with message_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


@pytest.fixture
def bluetoothd(bus: str) -> Iterator[Callable[..., Bluetoothd]]:
    running: list[Bluetoothd] = []

    def start(*sensors: H10 | Movesense, disconnect_s: float = 0.0) -> Bluetoothd:
        running.append(Bluetoothd(bus, *sensors, disconnect_s=disconnect_s))
        return running[-1]

    yield start
    for one in running:
        one.kill()


class Listener:
    """Iterates a source in a thread."""

    def __init__(self, source: BleSource) -> None:
        self.source = source
        self.items: list[Chunk | Event] = []
        self.error: Exception | None = None
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            for item in self.source.items():
                with self._news:
                    self.items.append(item)
                    self._news.notify_all()
        except InputError as error:
            self.error = error

    def wait(self, ready: Callable[[], bool], seconds: float = 20) -> None:
        with self._news:
            assert self._news.wait_for(ready, seconds), [i for i in self.items if not isinstance(i, Chunk)]

    @property
    def chunks(self) -> list[Chunk]:
        return [item for item in self.items if isinstance(item, Chunk)]

    def states(self, state: State) -> list[Event]:
        return [item for item in self.items if isinstance(item, StateChanged) and item.state is state]

    def said(self, about: type[Event] | Topic) -> list[str]:
        """The texts of the events of a class, or of the notices on a topic."""
        events = [item for item in self.items if not isinstance(item, Chunk)]
        if isinstance(about, Topic):
            return [each.text for each in events if isinstance(each, Notice) and each.topic is about]
        return [each.text for each in events if isinstance(each, about)]

    def stop(self) -> float:
        """Stop the source; returns after how many seconds it had ended."""
        begun = time.monotonic()
        self.source.stop()
        self._thread.join(5)
        assert not self._thread.is_alive()
        return time.monotonic() - begun


def link_of(source: BleSource) -> threading.Thread:
    return source._thread


def what_is_held(source: BleSource) -> dict[str, int]:
    gc.collect()
    assert source._loop is not None
    kinds = (BleakClient, MessageBus, Link, asyncio.Task)
    held = {kind.__name__: 0 for kind in kinds}
    for thing in gc.get_objects():
        for kind in kinds:
            # Not isinstance(), which asks the thing itself: some libraries' answer with a warning.
            held[kind.__name__] += issubclass(type(thing), kind)
    held["tasks of the loop"] = len(asyncio.all_tasks(source._loop))
    held["threads"] = threading.active_count()
    held["descriptors"] = len(list(Path("/proc/self/fd").iterdir()))
    return held


def until(done: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_an_h10_from_the_scan_to_millivolts(bluetoothd: Callable[..., Bluetoothd]) -> None:
    strap = H10(split_settings=True)
    air = bluetoothd(strap, disconnect_s=0.3)
    source = open_source(f"polar:{strap.name[-8:].lower()}", invert=True, placement=Placement.ARMS)
    info = source.open()
    assert (info.source, info.rate_hz, info.live) == (f"polar:{strap.address}", 130.0, True)
    assert (info.lead, info.is_lead_i, info.inverted) == ("I", True, True)
    assert info.device == "Polar Electro Oy H10"
    assert "not Lead I" in " ".join(info.notes)
    assert not strap.measuring  # nothing is asked for before somebody listens
    listener = Listener(source)
    until(lambda: strap.measuring)
    for start in range(0, 20 * 73, 73):
        air.notify(strap, strap.packets(start))
    air.notify(strap, [("fb005c82-02e7-f387-1cad-8acd2d8df0c8", b"\0" * 9 + b"\x80" + bytes(30))])
    air.notify(strap, [("00002a37-0000-1000-8000-00805f9b34fb", bytes.fromhex("16484003"))])
    air.notify(strap, [("00002a37-0000-1000-8000-00805f9b34fb", bytes.fromhex("0400"))])
    listener.wait(lambda: len(listener.said(Contact)) == 2 and len(listener.chunks) == 20)
    assert listener.stop() < 1.0
    link_of(source).join(3)
    assert not link_of(source).is_alive()
    uv = np.concatenate([chunk.lead_mv for chunk in listener.chunks])
    assert np.array_equal(uv, -(sample_uv(np.arange(20 * 73)) * 1e-3).astype(np.float32))
    assert [chunk.start for chunk in listener.chunks] == list(range(0, 20 * 73, 73))
    assert listener.said(Battery) == ["battery of the sensor at 87 %"]
    assert listener.said(SensorRate) == ["72 beats a minute, as the strap counts them"]
    assert listener.said(Contact) == ["the strap feels skin", "the strap feels no skin"]
    assert listener.said(Dropped) == ["frames rejected: 1 x compressed frame"]
    assert "-60 dBm, MTU 232" in listener.said(Topic.LINK)[0]
    assert [e.state for e in listener.items if isinstance(e, StateChanged)] == [
        State.CONNECTING,
        State.WAITING,
        State.LIVE,
        State.ENDED,
    ]
    assert strap.commands[-1] == b"\x03\x00"
    assert not strap.measuring


def test_a_movesense_from_the_scan_to_millivolts(bluetoothd: Callable[..., Bluetoothd]) -> None:
    sensor = Movesense(knows=("/Meas/ECG/500/mV",), rate_hz=500)
    air = bluetoothd(sensor)
    source = movesense("?rate=500")
    info = source.open()
    assert (info.rate_hz, info.lead, info.is_lead_i) == (500.0, "chest", False)
    listener = Listener(source)
    until(lambda: sensor.measuring)
    for start in range(0, 320, 16):
        air.notify(sensor, sensor.packets(start))
    listener.wait(lambda: len(listener.chunks) == 20)
    listener.stop()
    uv = np.concatenate([chunk.lead_mv for chunk in listener.chunks])
    assert np.array_equal(uv, (sample_uv(np.arange(320)) * 1e-3).astype(np.float32))
    assert sensor.commands[-1] == b"\x02\x02"


@pytest.mark.long
def test_two_hundred_lost_links_in_a_row(bluetoothd: Callable[..., Bluetoothd]) -> None:
    """No descriptor, task, thread or memory stays behind; every sample is accounted for."""
    strap = H10(n=1)
    air = bluetoothd(strap)
    source = polar(strap.address, patience=QUICK)
    source.open()
    listener = Listener(source)
    begun = time.monotonic()
    usage: list[dict[str, int]] = []
    start = 0
    for number in range(201):
        until(lambda: len(listener.states(State.WAITING)) == number + 1)  # noqa: B023 - called here
        until(lambda: strap.commands[-1][0] == 2)
        for fate in ("come", "come", "lost", "come"):
            # Real time goes by, and so does the strap's.
            time.sleep(max(0.0, begun + (start + 1) / 130 - time.monotonic()))
            packets = strap.packets(start)
            start += 1
            if fate == "come":
                air.notify(strap, packets)
        if number < 200:
            air.lose_link(strap)
            start = max(start, int((time.monotonic() - begun) * 130)) + 1
        if number in (20, 200):
            usage.append(what_is_held(source))
    listener.wait(lambda: len(listener.chunks) == 603)
    listener.stop()
    assert air.connections == 201
    assert len(listener.states(State.RECONNECTING)) == 200
    early, late = usage
    assert all(late[what] <= early[what] + 1 for what in early), usage
    first, last = listener.chunks[0], listener.chunks[-1]
    counts = source.timeline.counts
    assert counts.samples == 603
    assert counts.samples + counts.lost == last.stop - first.start == start
    for chunk in listener.chunks:
        index = np.arange(chunk.start, chunk.stop)
        assert np.array_equal(chunk.lead_mv, (sample_uv(index) * 1e-3).astype(np.float32))


def test_bluetoothd_killed_and_started_again(bluetoothd: Callable[..., Bluetoothd], bus: str) -> None:
    """It gives no callback: only the silence tells."""
    strap = H10()
    air = bluetoothd(strap)
    patience = Timeouts(stale_s=0.3, silent_s=0.8, backoff_s=(0.1,))
    source = polar(strap.address, patience=patience)
    source.open()
    listener = Listener(source)
    until(lambda: strap.measuring)
    air.notify(strap, strap.packets(0))
    listener.wait(lambda: len(listener.chunks) == 1)
    air.kill()
    listener.wait(lambda: bool(listener.states(State.RECONNECTING)))
    assert len(listener.states(State.STALE)) == 1
    listener.wait(lambda: any("bluetoothd" in e.text for e in listener.states(State.RECONNECTING)))
    again = Bluetoothd(bus, strap)
    try:
        listener.wait(lambda: len(listener.states(State.WAITING)) == 2)
        until(lambda: strap.commands[-1][0] == 2)
        again.notify(strap, strap.packets(730))
        listener.wait(lambda: len(listener.chunks) == 2)
        assert listener.stop() < 1.0
    finally:
        link_of(source).join(4)
        again.kill()
    assert [chunk.start for chunk in listener.chunks] == [0, 730] or listener.said(Topic.CLOCK)


def test_a_stop_does_not_wait_for_bluez_that_takes_its_time(bluetoothd: Callable[..., Bluetoothd]) -> None:
    strap = H10()
    bluetoothd(strap, disconnect_s=2.2)
    source = polar()
    source.open()
    listener = Listener(source)
    until(lambda: strap.measuring)
    begun = time.monotonic()
    assert listener.stop() < 0.5
    assert not strap.measuring
    link_of(source).join(3)
    assert time.monotonic() - begun < 3.0
    assert not link_of(source).is_alive()


def test_stopped_while_it_still_scans(bluetoothd: Callable[..., Bluetoothd]) -> None:
    bluetoothd(Movesense())
    source = polar()
    threading.Timer(0.3, source.stop).start()
    begun = time.monotonic()
    with pytest.raises(InputError, match="stopped"):
        source.open()
    assert time.monotonic() - begun < 1.0


def test_stopped_while_the_scan_begins_nothing_goes_on_scanning(
    bluetoothd: Callable[..., Bluetoothd],
) -> None:
    air = bluetoothd()
    air.discovery_s = 0.2
    source = polar()
    begun = time.monotonic()

    def stop() -> None:
        until(lambda: air.discovering)
        source.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    with pytest.raises(InputError, match="stopped"):
        source.open()
    stopping.join()
    link_of(source).join(5)
    assert time.monotonic() - begun < 3.0
    assert not air.discovering


def test_a_first_attempt_to_connect_may_fail(bluetoothd: Callable[..., Bluetoothd]) -> None:
    air = bluetoothd(H10())
    air.failures = 2
    source = polar(patience=QUICK)
    source.open()
    air.failures = 0
    assert Listener(source).stop() < 1.0
    air.failures = 3
    with pytest.raises(InputError, match="broke off"):
        polar(patience=QUICK).open()


def test_what_is_in_sight(bluetoothd: Callable[..., Bluetoothd]) -> None:
    other = H10(name="Polar H9 1234", address="E4:AC:AC:09:09:09")
    bluetoothd(Movesense(), other, H10())
    found = scan_ble(0.3)
    assert [(one.source, one.name, one.rssi, one.rate_hz, one.ecg) for one in found] == [
        ("movesense:CC:8C:DC:01:02:03", "Movesense 174630000192", -60, 250.0, True),
        ("polar:E4:AC:AC:01:02:03", "Polar H10 8C4CAD2D", -62, 130.0, True),
        ("", "Polar H9 1234", -61, None, False),
    ]
    assert [bool(one.why_not) for one in found] == [False, False, True] and "H9" in found[2].why_not


def test_the_nearest_of_two_is_taken_and_the_other_one_named(bluetoothd: Callable[..., Bluetoothd]) -> None:
    far = H10(name="Polar H10 FAR", address="E4:AC:AC:0A:0A:0A")
    bluetoothd(H10(), far)
    source = polar()
    assert source.open().source == "polar:E4:AC:AC:01:02:03"
    listener = Listener(source)
    listener.wait(lambda: bool(listener.said(Topic.LINK)))
    assert "Polar H10 FAR" in listener.said(Topic.LINK)[0]
    listener.stop()


@pytest.mark.parametrize(
    ("breaks", "why"),
    [
        (lambda air: setattr(air, "powered", False), "turned off"),
        (lambda air: setattr(air, "adapters", False), "no Bluetooth adapter"),
    ],
)
def test_no_bluetooth_is_one_line(
    bluetoothd: Callable[..., Bluetoothd], breaks: Callable[[Bluetoothd], None], why: str
) -> None:
    breaks(bluetoothd(H10()))
    for ask in (lambda: scan_ble(0.1), polar().open):
        with pytest.raises(InputError, match=f"^no Bluetooth: .*{why}[^\n]*$"):
            ask()


def test_no_bluetoothd_is_one_line(bus: str) -> None:
    with pytest.raises(InputError, match=r"^no Bluetooth: .*bluetoothd.*not running"):
        scan_ble(0.1)


def test_no_bus_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'none'}")
    with pytest.raises(InputError, match=r"^no Bluetooth: .*D-Bus"):
        movesense().open()


def test_sources_leave_no_descriptors_behind(bluetoothd: Callable[..., Bluetoothd]) -> None:
    strap = H10()
    bluetoothd(strap)
    usage = []
    for _ in range(4):
        source = polar(strap.address)
        source.open()
        source.stop()
        link_of(source).join(4)
        assert [e.state for e in source.items() if isinstance(e, StateChanged)][-1] is State.ENDED
        gc.collect()
        usage.append(len(list(Path("/proc/self/fd").iterdir())))
    assert usage[-1] <= usage[1]
