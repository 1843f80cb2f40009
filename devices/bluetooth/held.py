# SPDX-License-Identifier: MIT
"""Which sensors this computer is connected to already: such a sensor does not advertise, no scan shows it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable

_ASK_S = 2.0
_DEVICE = "org.bluez.Device1"


async def held_here() -> list[tuple[str, str, tuple[str, ...]]]:
    """Name, address and services of the connected devices that Linux lists; elsewhere none."""
    if not sys.platform.startswith("linux"):
        return []
    # bleak brings it, on Linux alone.
    from dbus_fast import BusType, Message, MessageType
    from dbus_fast.aio import MessageBus

    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        async with asyncio.timeout(_ASK_S):
            await bus.connect()
            answer = await bus.call(
                Message(
                    destination="org.bluez",
                    path="/",
                    interface="org.freedesktop.DBus.ObjectManager",
                    member="GetManagedObjects",
                )
            )
    except Exception:  # noqa: BLE001 - only a word more for the user depends on it
        return []
    finally:
        bus.disconnect()
    if answer is None or answer.message_type is not MessageType.METHOD_RETURN:
        return []
    devices = [interfaces[_DEVICE] for interfaces in answer.body[0].values() if _DEVICE in interfaces]
    return [
        (_text(device, "Name"), _text(device, "Address"), tuple(_listed(device.get("UUIDs"))))
        for device in devices
        if getattr(device.get("Connected"), "value", False)
    ]


def _text(device: dict[str, object], key: str) -> str:
    return str(getattr(device.get(key), "value", ""))


def _listed(variant: object) -> Iterable[str]:
    return map(str, getattr(variant, "value", ()))
