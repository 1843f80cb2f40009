# SPDX-License-Identifier: MIT
"""What is in sight over Bluetooth, for a list to choose from."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from bleak import BleakScanner

from devices.bluetooth.failures import explain, report_unless
from devices.bluetooth.gatt import HEART_RATE_SERVICE
from devices.bluetooth.held import held_here
from devices.bluetooth.sensor import NO_RSSI, Radio, Sensor
from devices.bluetooth.sensors import known_sensors
from devices.brainflow.boards import board_named
from streamer.core.errors import InputError
from streamer.session.source import ScanResult

_BATTERY_SERVICE = "0000180f-0000-1000-8000-00805f9b34fb"

_PATIENCE_S = 10.0
"""Beyond the scan itself; a Bluetooth service that hangs must not hang the list."""


def scan_ble(seconds: float = 5.0, radio: Radio | None = None) -> list[ScanResult]:
    """Listen to advertisements; nearest first, straps without an ECG last.

    Parameters
    ----------
    seconds : float
        How long.
    radio : Radio, optional
        For tests.

    Raises
    ------
    InputError
        There is no Bluetooth, or it may not be used: one line, to be shown beside the rest.
    """
    radio = radio or Radio()
    sensors = known_sensors()
    heard = False

    async def scan() -> list[ScanResult]:
        nonlocal heard
        async with (
            asyncio.timeout(seconds + _PATIENCE_S),
            BleakScanner(backend=radio.scanner) as scanner,
        ):
            await asyncio.sleep(seconds)
            heard = True
        found = []
        for device, advertised in scanner.discovered_devices_and_advertisement_data.values():
            name = advertised.local_name or device.name or ""
            rssi = advertised.rssi if advertised.rssi > NO_RSSI else None
            services = advertised.service_uuids
            battery = _battery_in(advertised.service_data)
            board = board_named(name)
            sensor = next((s for s in sensors if s.matches(name, services)), None)
            if sensor is not None:
                source = f"{sensor.scheme}:{device.address}"
                rate_hz = sensor.rate_hz
                found.append(
                    ScanResult(source, "ble", name, device.address, rssi, rate_hz, True, battery=battery)
                )
            elif board:
                source = f"brainflow:{board}?mac_address={device.address}"
                found.append(ScanResult(source, "ble", name, device.address, rssi, None, True, "a board"))
            elif HEART_RATE_SERVICE in services or name.startswith("Polar "):
                what, why_not = _without_ecg(name)
                found.append(
                    ScanResult("", "ble", name, device.address, rssi, None, False, what, why_not, battery)
                )
        found += await _held(sensors) if radio.scanner is None else []
        return sorted(found, key=lambda one: (not one.ecg, -(one.rssi or NO_RSSI)))

    try:
        with asyncio.Runner(loop_factory=radio.loop) as runner:
            runner.get_loop().set_exception_handler(report_unless(lambda: heard))
            return runner.run(scan())
    except Exception as error:  # bleak lets through whatever D-Bus, CoreBluetooth and WinRT raise
        raise InputError(explain(error)) from error


async def _held(sensors: Sequence[Sensor]) -> list[ScanResult]:
    """Sensors with an ECG that are connected to this computer: they do not advertise."""
    return [
        ScanResult(
            source=f"{sensor.scheme}:{address}",
            kind="ble",
            name=name,
            address=address,
            rate_hz=sensor.rate_hz,
            ecg=True,
            why_not="connected to this computer already: end the program that uses it (Linux: "
            f"bluetoothctl disconnect {address})",
        )
        for name, address, services in await held_here()
        for sensor in sensors
        if sensor.matches(name, services)
    ]


_ONLY_RATE = "it sends a heart rate only; of Polar's sensors the H10 has an ECG"
_OPTICAL = ("OH1", "Sense", "Verity", "Unite", "Vantage", "Pacer", "Ignite", "Grit")


def _without_ecg(name: str) -> tuple[str, str]:
    """What a heart rate sensor is, and why it cannot be used."""
    model = name.removeprefix("Polar ")
    if name.startswith("Polar ") and model.startswith(_OPTICAL):
        return (
            "no ECG",
            f"a Polar {model.split()[0]} measures the pulse by light; of Polar's sensors the H10 has an ECG",
        )
    if model.startswith(("H9", "H7", "H6")):
        return "no ECG", f"a Polar {model[:2]} sends a heart rate only; of Polar's sensors the H10 has an ECG"
    return "no ECG", _ONLY_RATE


def _battery_in(service_data: Mapping[str, bytes]) -> int | None:
    """Percent, from the few sensors that advertise it."""
    level = service_data.get(_BATTERY_SERVICE, b"")
    return level[0] if level and level[0] <= 100 else None
