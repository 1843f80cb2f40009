# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong with Bluetooth is said in words, tried again where that helps, and never guessed at."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest
from bleak.exc import BleakDBusError

from devices.bluetooth import link as ble_link
from devices.bluetooth.failures import explain, is_passing, report_unless, wants_pairing
from devices.bluetooth.polar import polar
from streamer.core.events import Battery, State, Topic
from tests.devices.bluetooth import virtual_radio
from tests.devices.bluetooth.straps import BATTERY, H10
from tests.devices.bluetooth.test_link import Heard, after
from tests.devices.bluetooth.virtual_radio import Air

PASSING = (
    "org.bluez.Error.InProgress",
    "org.bluez.Error.NotReady",
    "org.freedesktop.DBus.Error.AccessDenied",
)


@pytest.mark.parametrize("name", [*PASSING, "org.bluez.Error.Failed", "org.freedesktop.DBus.Error.Other"])
@pytest.mark.parametrize("body", [[], ["le-connection-abort-by-local"]])
def test_no_message_shows_a_name_of_the_message_bus(name: str, body: list[str]) -> None:
    said = explain(BleakDBusError(name, body))
    assert "org." not in said and "DBus" not in said and "[" not in said


@pytest.mark.parametrize(
    "error",
    [
        BleakDBusError("org.bluez.Error.AuthenticationFailed", []),
        BleakDBusError("org.bluez.Error.Failed", ["Operation failed with ATT error: 0x05"]),
        BleakDBusError("org.bluez.Error.Failed", ["Operation failed with ATT error: 0x0f"]),
        BleakDBusError("org.bluez.Error.NotPermitted", ["Not paired"]),
    ],
)
def test_a_sensor_that_demands_to_be_paired_is_known(error: BleakDBusError) -> None:
    assert wants_pairing(error) and not is_passing(error)
    assert not wants_pairing(BleakDBusError("org.bluez.Error.Failed", ["ATT error: 0x0e"]))


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.parametrize("times", [1, 3, 4])
def test_a_scan_that_is_refused_at_first_is_tried_three_times_more(
    name: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, left = virtual_radio._Scanner.start, [times]

    async def start(self: virtual_radio._Scanner) -> None:
        if left[0]:
            left[0] -= 1
            raise BleakDBusError(name, [])
        await begin(self)

    monkeypatch.setattr(virtual_radio._Scanner, "start", start)
    air = Air(H10())
    try:
        heard = Heard(polar(radio=air.radio()), air, after(3))
    except ble_link.InputError as error:
        assert times == 4 and str(error) == explain(BleakDBusError(name, []))
        return
    assert times < 4 and heard.error is None and State.LIVE in heard.states


@pytest.mark.parametrize("hangs", [True, False])
def test_a_battery_that_never_answers_is_done_without(hangs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    read = virtual_radio._Client.read_gatt_char
    waited_s: list[float] = []

    async def reads(self: virtual_radio._Client, characteristic: object, **kwargs: object) -> bytearray:
        if hangs and characteristic.uuid == BATTERY:  # type: ignore[attr-defined]
            begun_s = asyncio.get_running_loop().time()
            try:
                await asyncio.sleep(1e9)
            finally:
                waited_s.append(asyncio.get_running_loop().time() - begun_s)
        return await read(self, characteristic, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(virtual_radio._Client, "read_gatt_char", reads)
    air = Air(H10(battery=4))
    heard = Heard(polar(radio=air.radio()), air, after(3))
    assert heard.chunks and air.connections == 1
    # On the radio's own clock: a thread that comes late lets it leap.
    assert waited_s == ([pytest.approx(3.0)] if hangs else [])
    levels = [event.percent for event in heard.events if isinstance(event, Battery)]
    warned = [text for text in heard.notices(Topic.LINK) if "at 4 %" in text]
    assert (levels, len(warned)) == (([], 0) if hangs else ([4], 1))


def test_a_sensor_that_demands_pairing_ends_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuses(self: virtual_radio._Client, *args: object, **kwargs: object) -> bytearray:
        raise BleakDBusError("org.bluez.Error.NotPermitted", ["Not paired"])

    monkeypatch.setattr(virtual_radio._Client, "read_gatt_char", refuses)
    air = Air(H10())
    with pytest.raises(ble_link.InputError, match="wants to be paired"):
        Heard(polar(radio=air.radio()), air, after(1))
    assert air.connections == 1


@pytest.mark.parametrize("let_go", [False, True])
@pytest.mark.parametrize("error", [BrokenPipeError(), ConnectionResetError(), EOFError(), ValueError()])
def test_only_the_bus_of_a_link_that_was_let_go_may_close_unsaid(
    caplog: pytest.LogCaptureFixture, let_go: bool, error: Exception
) -> None:
    async def nobody_awaits() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(report_unless(lambda: let_go))
        loop.create_future().set_exception(error)
        gc.collect()

    with caplog.at_level(logging.ERROR, "asyncio"):
        asyncio.run(nobody_awaits())
    assert bool(caplog.records) == (not let_go or isinstance(error, ValueError))
