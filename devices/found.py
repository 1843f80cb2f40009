# SPDX-License-Identifier: MIT
"""What a scan finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """Something that can be connected to, or that at least was seen."""

    source: str
    """The SOURCE to paste; empty where nothing here can read it."""
    kind: str
    """``ble`` or ``lsl``."""
    name: str
    address: str
    """Bluetooth address (on macOS a UUID), or an LSL stream's source_id."""
    rssi: int | None = None
    """dBm, Bluetooth only."""
    rate_hz: float | None = None
    """Nominal, where it is stated."""
    ecg: bool = False
    """Whether it says that it has an ECG."""
