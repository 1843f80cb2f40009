# SPDX-License-Identifier: MIT
"""Every Bluetooth sensor that has an ECG: what the scan recognises."""

from __future__ import annotations

from devices.bluetooth.movesense import Movesense
from devices.bluetooth.polar import PolarH10
from devices.bluetooth.sensor import Sensor


def known_sensors() -> tuple[Sensor, ...]:
    """One of each kind."""
    return PolarH10(), Movesense()
