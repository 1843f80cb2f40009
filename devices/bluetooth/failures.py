# SPDX-License-Identifier: MIT
"""What goes wrong with a Bluetooth sensor, and how to say it in one line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

from devices.bluetooth.gatt import BadFrameError
from streamer.core.errors import InputError


class RefusedError(Exception):
    """The device is there and will not do what is asked; the message says why."""


class LinkLostError(Exception):
    """The link is gone, or must be taken for gone; the message says why."""


_NO_SERVICE = ("org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner")
_WHY = {
    BleakBluetoothNotAvailableReason.NO_BLUETOOTH: "this computer has no Bluetooth adapter; plug one in",
    BleakBluetoothNotAvailableReason.NO_BLE_CENTRAL_ROLE: "the Bluetooth adapter has no Low Energy; "
    "use another one",
    BleakBluetoothNotAvailableReason.POWERED_OFF: "Bluetooth is turned off; turn it on",
    BleakBluetoothNotAvailableReason.DENIED_BY_USER: "this program may not use Bluetooth; "
    "allow it in the system's settings",
    BleakBluetoothNotAvailableReason.DENIED_BY_SYSTEM: "the system does not let this program use Bluetooth; "
    "ask its administrator",
}


_PASSING = {
    "org.bluez.Error.InProgress": "another program is using the Bluetooth adapter; end it, or turn Bluetooth "
    "off and on",
    "org.bluez.Error.Busy": "the Bluetooth adapter is busy; end what else uses it, or turn it off and on",
    "org.bluez.Error.NotReady": "the Bluetooth adapter is not ready; turn Bluetooth off and on",
    "org.freedesktop.DBus.Error.AccessDenied": "this user may not use Bluetooth; add the user to the group "
    "bluetooth and log in again",
    "org.freedesktop.DBus.Error.NoReply": "the Bluetooth service does not answer; restart it (bluetoothd)",
}
"""Often over after a second: the adapter was just turned on, another scan was about to end."""

_UNPAIRED = ("AuthenticationFailed", "AuthenticationRejected", "AuthenticationCanceled", "NotAuthorized")
_UNPAIRED_CODES = (0x05, 0x08, 0x0C, 0x0F)
"""ATT: insufficient authentication, authorization, key size, encryption."""


_REASONS = (
    (
        ("connection-abort", "connection-canceled", "connection abort"),
        "the link broke off while it was made; bring the sensor nearer, and disconnect phones and other "
        "programs from it",
    ),
    (
        ("connection-limit", "already in progress", "in progress"),
        "the Bluetooth adapter is busy; end what else uses it, or turn it off and on",
    ),
    (("timeout", "host is down", "not respond"), "no answer in time"),
    (("not connected", "disconnected"), "the link is gone"),
    (("does not exist", "not available", "unknownobject"), "the system has forgotten the sensor"),
    (
        ("att error", "not permitted", "notpermitted", "notsupported", "not supported", "invalid"),
        "the sensor refused what it was asked for; take its battery out and put it back, or update its "
        "firmware",
    ),
)
"""What BlueZ says of a request that failed, and what it means to the user."""


def is_passing(error: Exception) -> bool:
    """Whether it is worth asking the Bluetooth adapter again in a second."""
    return isinstance(error, BleakDBusError) and error.dbus_error in _PASSING


def wants_pairing(error: Exception) -> bool:
    """Whether a sensor refused since it is not paired with this computer."""
    if isinstance(error, BleakGATTProtocolError):
        return int(error.code) in _UNPAIRED_CODES
    if not isinstance(error, BleakDBusError):
        return False
    name, words = error.dbus_error.rpartition(".")[2], str(error).casefold()
    codes = (f"att error: 0x{code:02x}" for code in _UNPAIRED_CODES)
    return name in _UNPAIRED or "not paired" in words or any(code in words for code in codes)


def explain(error: Exception) -> str:
    """What went wrong with Bluetooth, and what to do, in one line for the user."""
    if isinstance(error, BleakBluetoothNotAvailableError):
        return f"no Bluetooth: {_WHY.get(error.reason, error.args[0])}"
    if isinstance(error, BleakDBusError) and error.dbus_error in _NO_SERVICE:
        return "no Bluetooth: the Bluetooth service (bluetoothd) is not running; start it"
    if isinstance(error, BleakDBusError) and error.dbus_error in _PASSING:
        return _PASSING[error.dbus_error]
    if isinstance(error, BleakDBusError):
        said = f"{error.dbus_error} {error.dbus_error_details or ''}".casefold()
        known = (meaning for words, meaning in _REASONS if any(word in said for word in words))
        return next(known, "the Bluetooth service could not do it; turn Bluetooth off and on")
    if isinstance(error, FileNotFoundError | ConnectionRefusedError | PermissionError):
        return "no Bluetooth: the system's message bus (D-Bus) cannot be reached; start it, and bluetoothd"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, BleakDeviceNotFoundError):
        return "the system has forgotten the sensor"
    if isinstance(error, BleakError) and str(error).strip():
        return " ".join(str(error).split())
    return "Bluetooth failed and did not say why; turn Bluetooth off and on"


@asynccontextmanager
async def asked_in_time(
    most_s: float, who: Callable[[], tuple[str, str]], say: Callable[[str], None]
) -> AsyncIterator[None]:
    """Limits the time of what is asked of a sensor, and says in a sentence why it failed.

    Parameters
    ----------
    most_s : float
        How long all of it may take.
    who : callable
        The sensor's name and address, as they are known by then.
    say : callable
        Hears that the sensor wants to be paired.

    Raises
    ------
    RefusedError, LinkLostError, InputError
        As raised within, or for whatever else was.
    """
    try:
        async with asyncio.timeout(most_s):
            yield
    except (RefusedError, LinkLostError, InputError):
        raise
    except BadFrameError as bad:
        raise LinkLostError(f"{who()[0]} answered with: {bad}") from bad
    except TimeoutError as error:
        raise LinkLostError(
            f"{who()[0]} did not answer in time; bring it nearer, and disconnect every phone and "
            "program that uses it"
        ) from error
    except Exception as error:  # bleak lets through whatever D-Bus, CoreBluetooth and WinRT raise
        if wants_pairing(error):
            name, address = who()
            say(f"{name} wants to be paired")
            raise InputError(
                f"{name} wants to be paired: pair it in the system's Bluetooth settings "
                f"(Linux: bluetoothctl pair {address}) and start again"
            ) from error
        raise LinkLostError(explain(error)) from error


def report_unless(let_go: Callable[[], bool]) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """Make the exception handler of a link's loop, for what is not awaited.

    Once a link was let go, a request that is still on its way finds the message bus closed: that is no
    error.  Everything else is reported as asyncio does.

    Parameters
    ----------
    let_go : callable
        Whether a link was let go.
    """

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if let_go() and isinstance(context.get("exception"), ConnectionError | EOFError):
            return
        loop.default_exception_handler(context)

    return handle
