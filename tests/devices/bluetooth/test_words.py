# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user reads of a link: each step as it is made, and of an end what it was and what to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bleak.exc import BleakDBusError, BleakError
from hypothesis import given
from hypothesis import strategies as st

from devices.bluetooth.failures import explain
from devices.bluetooth.polar import polar
from devices.bluetooth.scan import scan_ble
from devices.live.feed import Timeouts
from mecg.app.connecting import Connecting
from streamer.core.errors import InputError
from streamer.core.events import Event, Notice, State, StateChanged, Topic
from tests.devices.bluetooth.bluez import Bluetoothd, message_bus
from tests.devices.bluetooth.straps import H10, Movesense
from tests.devices.bluetooth.test_link import Heard
from tests.devices.bluetooth.virtual_radio import Air

needs_bus = pytest.mark.skipif(
    shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed (apt install dbus-daemon)"
)
BLUEZ = st.sampled_from(
    (
        *("le-connection-abort-by-local", "Operation already in progress", "Host is down", "Not connected"),
        *("Operation failed with ATT error: 0x0e", "br-connection-canceled", "Timeout was reached"),
        *("\x1b[31m", "[x]", ""),
    )
)


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with message_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


@given(
    name=st.sampled_from(
        ["org.bluez.Error.Failed", "org.bluez.Error.NotSupported", "org.freedesktop.DBus.Error.X"]
    ),
    body=st.lists(BLUEZ, max_size=2),
    python=st.sampled_from(
        [KeyError("x"), EOFError(), AssertionError(), OSError(5, "x"), BleakError(""), None]
    ),
)
def test_no_failure_is_told_in_the_words_of_a_library(
    name: str, body: list[str], python: Exception | None
) -> None:
    said = explain(BleakDBusError(name, body) if python is None else python)
    assert said.isprintable() and len(said) > 10
    for foreign in ("org.", "DBus", "Error", "0x", "[", "'", "le-connection", "Traceback", "<"):
        assert foreign not in said


def test_each_step_is_told_when_it_is_made_and_comes_again_with_its_own_time() -> None:
    air, told = Air(H10()), []
    opening = Connecting(lambda event: told.append((event, air.time.now)))
    source = polar(radio=air.radio())
    opening.open(source)
    steps = [event for event, _ in told if isinstance(event, Notice) and event.topic is Topic.CONNECTING]
    words = ("found", "connected to", "offers 130 Hz")
    assert [any(word in step.text for step in steps) for word in words] == [True] * 3
    assert [event.host_s for event, _ in told] == [pytest.approx(now_s, abs=1e-6) for _, now_s in told]
    items: list[Event] = []
    for item in source.items():
        if isinstance(item, StateChanged) and item.state is State.WAITING:
            source.stop()
        items.append(item)  # type: ignore[arg-type]
    assert items[: len(told)] == [event for event, _ in told], "a recording has them, too"
    assert any("for its ECG" in item.text for item in items if isinstance(item, Notice))


def compressed(sensor: H10 | Movesense, start: int, data: bytes) -> list[bytes]:
    return [data[:9] + b"\x80" + data[10:]]


@pytest.mark.parametrize(
    ("strap", "tamper", "said"),
    [
        (H10(), compressed, "cannot be read (compressed frame)"),
        (H10(), lambda sensor, start, data: [data[:50], data[50:]], "cannot be read"),
        (H10(measuring=True), lambda sensor, start, data: [], "measures already, for another"),
        (H10(), lambda sensor, start, data: [], "moist"),
    ],
    ids=["compressed", "split", "for another program", "mute"],
)
def test_a_link_that_brings_no_sample_says_why(
    strap: H10, tamper: Callable[[H10 | Movesense, int, bytes], list[bytes]], said: str
) -> None:
    air = Air(strap)
    air.tamper = tamper
    source = polar(radio=air.radio(), patience=Timeouts(first_s=6.0))
    heard = Heard(source, air, lambda heard: State.RECONNECTING in heard.states)
    (reason, *_) = heard.reasons(State.RECONNECTING)
    assert said in reason
    assert ("moist" in reason) == (said == "moist"), "no electrode is blamed for what another did"


def test_another_strap_in_sight_is_named_for_what_it_is() -> None:
    for name in ("Polar H9 12345678", "Polar Verity Sense AB", "Wahoo TICKR"):
        air = Air(H10(name=name))
        with pytest.raises(InputError) as caught:
            polar(radio=air.radio()).open()
        assert (name in str(caught.value)) == name.startswith("Polar")
        assert "disconnect every phone" in str(caught.value)


@needs_bus
def test_a_strap_that_this_computer_holds_already_is_named_with_what_to_do(
    bus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.bluetooth.search.SCAN_S", 0.5)
    strap = H10()
    air = Bluetoothd(bus, strap)
    air.held = {0}
    try:
        for wanted in ("", strap.name[-8:], strap.address):
            with pytest.raises(InputError, match=f"connected to this computer already.* {strap.address}"):
                polar(wanted).open()
        (listed,) = scan_ble(0.3)
        assert listed.source == f"polar:{strap.address}" and "connected to this computer" in listed.why_not
        with pytest.raises(InputError, match="SOMEBODY is not in sight"):
            polar("SOMEBODY").open()
    finally:
        air.kill()


@needs_bus
@pytest.mark.timeout(120)
def test_the_command_tells_each_step_once_in_words_and_in_json(bus: str, tmp_path: Path) -> None:
    strap = H10()
    air = Bluetoothd(bus, strap)
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        command = [sys.executable, "-m", "mecg", "stream", "polar:", "--json", "--seconds", "2"]
        process = subprocess.Popen(command, stdout=out, stderr=err, env=os.environ | {})
    stop = threading.Event()

    def send() -> None:
        begun_s, sent = time.monotonic(), 0
        while not stop.is_set():
            time.sleep(max(0.0, begun_s + sent * 73 / 130 - time.monotonic()))
            if strap.measuring:
                air.notify(strap, strap.packets(73 * sent))
            sent += 1

    sending = threading.Thread(target=send)
    sending.start()
    try:
        assert process.wait(60) == 0
    finally:
        process.kill()
        stop.set()
        sending.join()
        air.kill()
    lines = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    said = (tmp_path / "err").read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line["type"] == "stream")
    before = [line for line in lines[:at] if line["type"] == "event"]
    assert len(before) == at >= 4 and before[0]["state"] == "connecting"
    assert [line["host_s"] for line in before] == sorted({line["host_s"] for line in before})
    events = [line for line in lines if line["type"] == "event"]
    for line in before:
        assert events.count(line) == 1 and said.count(line["text"]) == 1, line["text"]
    assert any(line.get("kind") == "connecting" for line in lines[at:]), "the start is told, too"
