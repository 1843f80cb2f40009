# SPDX-License-Identifier: MIT
"""Which serial ports there are, and what is likely behind each."""

from __future__ import annotations

import time
from typing import Any

from devices.serial.library import load_serial
from streamer.session.source import ScanResult

_WAIT_S = 1.0

_MAKERS = {
    0x2341: "Arduino",
    0x2A03: "Arduino",
    0x303A: "ESP32",
    0x10C4: "CP210x, as on many an ESP32",
    0x1A86: "CH340, as on many an Arduino or ESP32",
    0x0403: "FTDI, as on many an Arduino",
    0x2E8A: "Raspberry Pi Pico",
    0x16C0: "Teensy",
    0x239A: "Adafruit",
}
"""By USB vendor."""

_CYTON = (0x0403, 0x6015)
"""The chip in the dongle of an OpenBCI Cyton, and in other things."""

_GANGLION = (0x2458, 0x0001)
"""The Bluetooth dongle that a Ganglion came with."""

STATE = "state its rate and the size of a step"


def scan_ports(seconds: float = 1.0) -> list[ScanResult]:
    """The serial ports of this computer, those of USB first.

    Parameters
    ----------
    seconds : float
        At most so long it waits first: what is being plugged in needs a moment.

    Raises
    ------
    InputError
        pyserial is not installed: one line, to be shown beside the rest.
    """
    serial = load_serial()
    time.sleep(min(seconds, _WAIT_S))
    ports = sorted(serial.tools.list_ports.comports(), key=lambda port: (port.vid is None, port.device))
    return [_described(port) for port in ports]


def _described(port: Any) -> ScanResult:
    """What is known of a port."""
    what = "serial port"
    if port.vid is not None:
        what += f", {_MAKERS.get(port.vid, 'USB')}"
    name = " ".join(part for part in (port.manufacturer, port.product) if part) or str(port.description or "")
    source = f"serial:{port.device}"
    hint = f"{STATE}: {source}?rate=250&uv=0.8"
    if (port.vid, port.pid) == _CYTON:
        what += "; or the dongle of a Cyton"
        hint += f"; a Cyton is brainflow:cyton?serial_port={port.device}"
    if (port.vid, port.pid) == _GANGLION:
        what = "dongle for a Ganglion"
        source, hint = f"brainflow:ganglion?serial_port={port.device}", ""
    return ScanResult(
        source=source,
        kind="port",
        name=name if name != "n/a" else "",
        address=str(port.serial_number or ""),
        what=what,
        why_not=hint,
    )
