# SPDX-License-Identifier: MIT
"""What goes wrong with a Bluetooth sensor, and how to say it in one line."""

from __future__ import annotations

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakDeviceNotFoundError,
)


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


def explain(error: Exception) -> str:
    """What went wrong with Bluetooth, and what to do, in one line for the user."""
    if isinstance(error, BleakBluetoothNotAvailableError):
        return f"no Bluetooth: {_WHY.get(error.reason, error.args[0])}"
    if isinstance(error, BleakDBusError) and error.dbus_error in _NO_SERVICE:
        return "no Bluetooth: the Bluetooth service (bluetoothd) is not running; start it"
    if isinstance(error, FileNotFoundError | ConnectionRefusedError | PermissionError):
        return "no Bluetooth: the system's message bus (D-Bus) cannot be reached; start it, and bluetoothd"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, BleakDeviceNotFoundError):
        return "the system has forgotten the sensor"
    return " ".join(str(error).split()) or type(error).__name__
