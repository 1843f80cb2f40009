# SPDX-License-Identifier: MIT
"""What straps of every make send beside the ECG: heart rate, contact, battery.

Bluetooth SIG, Heart Rate Service 1.0 (section 3.1) and Battery Service 1.0.
"""

from __future__ import annotations

from dataclasses import dataclass

HEART_RATE_SERVICE = "0000180d-0000-1000-8000-00805f9b34fb"
HEART_RATE = "00002a37-0000-1000-8000-00805f9b34fb"
BATTERY = "00002a19-0000-1000-8000-00805f9b34fb"
MANUFACTURER = "00002a29-0000-1000-8000-00805f9b34fb"
MODEL = "00002a24-0000-1000-8000-00805f9b34fb"
SERIAL = "00002a25-0000-1000-8000-00805f9b34fb"

MOST_BYTES = 512
"""No GATT value is longer (Core Specification, volume 3, part F, 3.2.9)."""

_RR_S = 1 / 1024


class BadFrameError(ValueError):
    """What a device sent is no frame that this program can read; it is counted and dropped.

    The message says in a few words what is wrong: frames are counted by it.
    """


@dataclass(frozen=True, slots=True)
class HeartRate:
    """A Heart Rate Measurement."""

    bpm: int
    contact: bool | None
    """Skin contact; None if the strap does not report it (an H10 does in some of its messages)."""
    rr_s: tuple[float, ...]
    """Intervals between beats, oldest first."""


def decode_heart_rate(value: bytes) -> HeartRate:
    """Read a value of the characteristic 0x2A37.

    Raises
    ------
    BadFrameError
        It is shorter than its flags say, or ends in half an interval.
    """
    if not 2 <= len(value) <= MOST_BYTES:
        raise BadFrameError("heart rate of wrong length")
    flags, place = value[0], 2 + (value[0] & 1)
    bpm = int.from_bytes(value[1:place], "little")
    contact = bool(flags & 0x02) if flags & 0x04 else None
    if flags & 0x08:
        place += 2
    rr = value[place:] if flags & 0x10 else b""
    if place > len(value) or len(rr) % 2:
        raise BadFrameError("heart rate of wrong length")
    return HeartRate(
        bpm, contact, tuple(int.from_bytes(rr[i : i + 2], "little") * _RR_S for i in range(0, len(rr), 2))
    )


def decode_battery(value: bytes) -> int:
    """Percent, from a value of the characteristic 0x2A19.

    Raises
    ------
    BadFrameError
        It is not one byte of 0 to 100.
    """
    if len(value) != 1 or value[0] > 100:
        raise BadFrameError("impossible battery level")
    return value[0]
