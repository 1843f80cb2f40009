# SPDX-License-Identifier: MIT
"""One kind of Bluetooth sensor, and the connection that it is spoken to over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from bleak import BleakClient
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner

from devices.bluetooth.gatt import BadFrameError
from streamer.core.stream import Samples

NO_RSSI = -127
"""What bleak says where the system does not tell."""


@dataclass(frozen=True, slots=True)
class Packet:
    """Samples that a device sent together."""

    lead_mv: Samples
    stamp_s: float
    """By the device's clock."""
    anchor: int
    """Which sample the stamp is of."""


@dataclass(frozen=True, slots=True)
class Radio:
    """What lies between this program and the air; tests put their own there."""

    client: type[BaseBleakClient] | None = None
    scanner: type[BaseBleakScanner] | None = None
    """Backends for `bleak`; None is the platform's."""
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None
    """Makes the event loop."""
    clock: Callable[[], float] = time.monotonic


class Sensor(Protocol):
    """One kind of sensor: what to ask of it, and how to read what it sends."""

    scheme: str
    kind: str
    """As a person calls it."""
    rate_hz: float
    """Nominal."""
    stamp_jitter_s: float
    """See `devices.live.timeline.Timeline`."""
    first_s: float
    """How long it may take until the first sample."""
    find_advice: str
    """What to do where it cannot be found."""
    silence_advice: str
    """What to do where it sends nothing."""
    measured_already: bool
    """It was measuring before it was asked to: for another program, or another phone."""
    placement_notes: tuple[str, ...]
    """Which placement gives Lead I with this sensor, and what is known of its polarity."""

    def matches(self, name: str, services: Iterable[str]) -> bool:
        """Whether an advertisement is of this kind."""
        ...

    async def prepare(self, link: Link) -> None:
        """Ask a sensor that was just connected what it can do; raises `RefusedError`."""
        ...

    async def start(self, link: Link) -> None:
        """Make it send; raises `RefusedError`."""
        ...

    async def stop(self, link: Link) -> None:
        """Make it stop sending; within half a second or so."""
        ...

    def receive(self, tag: str, data: bytes) -> list[Packet | BadFrameError]:
        """Read what it sent; raises `BadFrameError`, or `LinkLostError` where it says goodbye."""
        ...


class Link:
    """One connection, from its beginning to its end.

    Parameters
    ----------
    client : BleakClient
        Connected.
    inbox : asyncio.Queue
        Takes ``(tag, arrival, data)``.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        client: BleakClient,
        inbox: asyncio.Queue[tuple[str, float, bytes]],
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._clock = clock

    @property
    def mtu(self) -> int:
        """The largest packet, as far as the system tells; 23 is the least there is, or "unknown"."""
        sizes = [c.max_write_without_response_size for c in self._client.services.characteristics.values()]
        return max(sizes, default=20) + 3

    def has(self, uuid: str, capability: str | None = None) -> bool:
        """Whether there is such a characteristic, and it can be read, written, notified ..."""
        characteristic = self._client.services.get_characteristic(uuid)
        return characteristic is not None and (
            capability is None or capability in list(characteristic.properties)
        )

    async def read(self, uuid: str) -> bytes:
        """The value of a characteristic."""
        return bytes(await self._client.read_gatt_char(uuid))

    async def write(self, uuid: str, data: bytes) -> None:
        """Write a characteristic, and wait until that is confirmed where it can be."""
        await self._client.write_gatt_char(uuid, data, response=self.has(uuid, "write"))

    async def call_back(self, uuid: str, callback: Callable[[bytes], None]) -> None:
        """Have notifications or indications handed to a callback, which must only queue them."""
        await self._client.start_notify(uuid, lambda _, data: callback(bytes(data)))

    async def subscribe(self, uuid: str, tag: str) -> None:
        """Have notifications put into the inbox, stamped."""
        await self.call_back(uuid, lambda data: self.post(tag, data))

    def post(self, tag: str, data: bytes) -> None:
        """Put something into the inbox, stamped."""
        self._inbox.put_nowait((tag, self._clock(), data))
