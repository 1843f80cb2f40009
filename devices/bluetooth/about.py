# SPDX-License-Identifier: MIT
"""What is known of a sensor beside its ECG: heart rate, contact, battery, who made it, where it sits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bleak.exc import BleakError

from devices.bluetooth import gatt
from devices.bluetooth.failures import explain
from devices.bluetooth.frames import BATTERY, HEART_RATE
from devices.bluetooth.sensor import Link, Sensor
from streamer.core.events import Event, Notice, Topic
from streamer.core.stream import Placement, StreamInfo

EXTRA_S = 3.0
"""None of it is waited for any longer; the ECG does without."""


async def ask_for_extras(link: Link, name: str, say: Callable[[Event], None]) -> None:
    """Heart rate, contact and battery, where the sensor has them: what they are now, and each change."""
    for uuid, tag in ((gatt.HEART_RATE, HEART_RATE), (gatt.BATTERY, BATTERY)):
        try:
            async with asyncio.timeout(EXTRA_S):
                if link.has(uuid, "read"):
                    link.post(tag, await link.read(uuid))
                if link.has(uuid, "notify"):
                    await link.subscribe(uuid, tag)
        except (BleakError, TimeoutError) as error:
            say(Notice(Topic.LINK, f"{name} does not report its {tag}: {explain(error)}"))


async def make_of(link: Link) -> str:
    """Maker, model and serial number, as far as the sensor tells them."""
    known = []
    for uuid in (gatt.MANUFACTURER, gatt.MODEL, gatt.SERIAL):
        if link.has(uuid, "read"):
            try:
                async with asyncio.timeout(EXTRA_S):
                    text = (await link.read(uuid))[: gatt.MOST_BYTES].decode(errors="replace")
            except (BleakError, TimeoutError):
                continue
            known.append("".join(c for c in text if c.isprintable()).strip())
    return " ".join(part for part in known if part)


def described(
    sensor: Sensor, name: str, address: str, make: str, placement: Placement, *, inverted: bool
) -> StreamInfo:
    """The stream of a sensor that is connected.

    On the chest until the user has said otherwise: to take a chest lead for Lead I would be wrong in
    silence.
    """
    on_arms = placement is Placement.ARMS
    notes = [f"Connected to {name} ({address}): ECG at {sensor.rate_hz:g} Hz."]
    if on_arms:
        notes.append("Electrodes on the arms, as stated: the input is taken for Lead I.")
    else:
        stated = ", as stated" if placement is Placement.CHEST else ": nobody has said otherwise"
        notes.append(f"Electrodes on the chest{stated}; every reconstructed lead is marked so.")
    notes += sensor.placement_notes
    if inverted:
        notes.append("The polarity is turned, as asked.")
    return StreamInfo(
        source=f"{sensor.scheme}:{address}",
        rate_hz=sensor.rate_hz,
        lead="I" if on_arms else "chest",
        is_lead_i=on_arms,
        inverted=inverted,
        placement=placement,
        device=make or name,
        live=True,
        notes=tuple(notes),
    )
