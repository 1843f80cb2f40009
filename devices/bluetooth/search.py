# SPDX-License-Identifier: MIT
"""The search for one Bluetooth sensor: a fresh scan, and what is there instead if it is not seen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from devices.bluetooth import gatt
from devices.bluetooth.failures import LinkLostError, explain, is_passing
from devices.bluetooth.held import held_here
from devices.bluetooth.sensor import Radio, Sensor
from streamer.core.events import Event, Notice, Topic

SCAN_S = 12.0
"""A strap that was just put on needs some seconds until it advertises."""

CHOOSE_S = 1.5
"""If no strap is named, others than the first are waited for so long, to take the nearest."""

SCAN_ATTEMPTS = 4
SCAN_AGAIN_S = 1.0
"""What a Bluetooth service says no to once it often does a second later."""

_BEGIN_S = 0.5
"""A stop waits so long for a scan that is about to begin."""

_WITH_ECG = ("Polar H10", "Movesense ")
"""What other kinds call themselves."""

_ADDRESS = re.compile(r"(?i)[0-9a-f]{2}([:-][0-9a-f]{2}){5}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Of a device; on macOS a UUID stands for it."""

Seen = tuple[BLEDevice, AdvertisementData]


@dataclass(slots=True)
class Search:
    """Finds the sensor that is wanted; once one was found, that one only."""

    sensor: Sensor
    """The kind."""
    wanted: str
    """An address, a name or the last word of one; empty for the nearest of its kind."""
    radio: Radio
    say: Callable[[Event], None]
    """Hears what is worth knowing on the way."""
    address: str = field(init=False, default="")
    """Of the one that was found."""
    name: str = field(init=False)
    """Its own, as soon as it is found."""

    def __post_init__(self) -> None:
        """Until then it is called what its kind is called."""
        self.name = self.sensor.kind

    async def find(self) -> Seen:
        """Scan until the sensor is seen.

        Raises
        ------
        LinkLostError
            It is not; with what is in sight instead, or holds it.
        """
        nearby: dict[str, Seen] = {}
        others: set[str] = set()
        without_ecg: set[str] = set()
        seen: asyncio.Queue[Seen] = asyncio.Queue()
        # Not the scanner's own generator: it would miss what comes while the scan begins.
        scanner = BleakScanner(
            lambda device, data: seen.put_nowait((device, data)), backend=self.radio.scanner
        )
        async with self._scanning(scanner):
            try:
                async with asyncio.timeout(SCAN_S) as deadline:
                    while True:
                        device, advertised = await seen.get()
                        name = advertised.local_name or device.name or ""
                        if self._is_wanted(device.address, name):
                            return self._found(device, advertised)
                        if self.sensor.matches(name, advertised.service_uuids):
                            others.add(f"{name} ({device.address})")
                            if not nearby and not self._named:
                                deadline.reschedule(asyncio.get_running_loop().time() + CHOOSE_S)
                            nearby[device.address] = device, advertised
                        elif not name.startswith(_WITH_ECG) and (
                            name.startswith("Polar ") or gatt.HEART_RATE_SERVICE in advertised.service_uuids
                        ):
                            without_ecg.add(name or device.address)
            except TimeoutError:
                pass  # the time to choose is over, or the time to find
        if nearby and not self._named:
            if len(nearby) > 1:
                self.say(Notice(Topic.LINK, f"there are {', '.join(sorted(others))}; taking the nearest"))
            return self._found(*max(nearby.values(), key=lambda pair: pair[1].rssi))
        raise LinkLostError(await self._why_not_found(others, without_ecg))

    @property
    def _named(self) -> bool:
        return bool(self.address or self.wanted)

    def _found(self, device: BLEDevice, advertised: AdvertisementData) -> Seen:
        self.address = device.address
        self.name = advertised.local_name or device.name or self.sensor.kind
        return device, advertised

    def _is_wanted(self, address: str, name: str) -> bool:
        if self.address:
            return address == self.address
        wanted = self.wanted.casefold()
        if not wanted:
            return False
        if _ADDRESS.fullmatch(wanted):
            return address.casefold().replace("-", ":") == wanted.replace("-", ":")
        return wanted in (name.casefold(), name.casefold().rpartition(" ")[2])

    async def _why_not_found(self, others: set[str], without_ecg: set[str]) -> str:
        """What is in sight instead, or holds it."""
        wanted = (self.wanted or self.name) if self._named else f"a {self.sensor.kind}"
        held = [] if self.radio.scanner else await held_here()
        for name, address, services in held:
            if self._is_wanted(address, name) or (not self._named and self.sensor.matches(name, services)):
                return (
                    f"{name} is connected to this computer already, to another program: end that, or "
                    "disconnect it in the system's Bluetooth settings (Linux: "
                    f"bluetoothctl disconnect {address})"
                )
        if others:
            return f"{wanted} is not in sight, only {', '.join(sorted(others))}; name one of them"
        if without_ecg:
            return (
                f"{wanted} is not in sight, only {', '.join(sorted(without_ecg))}, of which this program has "
                f"no ECG; {self.sensor.find_advice}"
            )
        return f"{wanted} is not in sight; {self.sensor.find_advice}"

    @asynccontextmanager
    async def _scanning(self, scanner: BleakScanner) -> AsyncIterator[None]:
        """A scan that is begun again if the adapter is only busy, or just turned on."""
        for left in reversed(range(SCAN_ATTEMPTS)):
            try:
                await _begin(scanner)
                break
            except Exception as error:
                if not left or not is_passing(error):
                    raise
                self.say(Notice(Topic.LINK, f"{explain(error)}; trying again"))
                await asyncio.sleep(SCAN_AGAIN_S)
        try:
            yield
        finally:
            await scanner.stop()


async def _begin(scanner: BleakScanner) -> None:
    """Begin a scan.

    A stop meanwhile waits for that a little: what has not begun cannot be ended, and the adapter would go on
    scanning.
    """
    beginning = asyncio.ensure_future(scanner.start())
    try:
        await asyncio.shield(beginning)
    except asyncio.CancelledError:
        await asyncio.wait({beginning}, timeout=_BEGIN_S)
        if beginning.done() and not beginning.cancelled() and not beginning.exception():
            await scanner.stop()
        beginning.cancel()
        raise
