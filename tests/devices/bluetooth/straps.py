# SPDX-License-Identifier: GPL-3.0-or-later
"""Sensors as they speak, without a radio: what they answer, and the frames that they send.

Every sample says where it belongs: the one with index ``i`` is `sample_uv` of it, so that whatever
comes out at the other end can be checked to the bit.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

HRS = "0000180d-0000-1000-8000-00805f9b34fb"
HEART_RATE = "00002a37-0000-1000-8000-00805f9b34fb"
BATTERY_SERVICE = "0000180f-0000-1000-8000-00805f9b34fb"
BATTERY = "00002a19-0000-1000-8000-00805f9b34fb"
DEVICE_INFORMATION = "0000180a-0000-1000-8000-00805f9b34fb"
MANUFACTURER = "00002a29-0000-1000-8000-00805f9b34fb"
MODEL = "00002a24-0000-1000-8000-00805f9b34fb"
PMD = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
GSP = "34802252-7185-4d5d-b431-630e7050e8f0"
GSP_WRITE = "34800001-7185-4d5d-b431-630e7050e8f0"
GSP_NOTIFY = "34800002-7185-4d5d-b431-630e7050e8f0"

SPAN = 40_001


def sample_uv(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """-20,000 to 20,000 uV, each value once in `SPAN` samples."""
    return (index * 7919) % SPAN - 20_000


def int24(values: NDArray[np.int64]) -> bytes:
    return b"".join(int(v).to_bytes(3, "little", signed=True) for v in values)


@dataclass
class H10:
    """A Polar H10 by its PMD specification; `now_s` is its own time since it was switched on."""

    name: str = "Polar H10 8C4CAD2D"
    address: str = "E4:AC:AC:01:02:03"
    rate_hz: float = 130.0
    """In truth; the specification says 130."""
    epoch_s: float = 599_616_000.0
    """What its clock shows when it is switched on: 2019-01-01, counted from 2000."""
    mtu: int = 232
    battery: int = 87
    statuses: dict[int, int] = field(default_factory=dict)
    """What it answers to a command, instead of success."""
    split_settings: bool = False
    measuring: bool = False
    commands: list[bytes] = field(default_factory=list)
    sent: list[tuple[int, int]] = field(default_factory=list)
    """First index and number of the samples of every frame, sent or lost on the air."""

    n: int = 73
    """Samples of a frame."""
    advertised = (HRS, "0000feee-0000-1000-8000-00805f9b34fb")
    services: ClassVar[dict[str, dict[str, list[str]]]] = {
        HRS: {HEART_RATE: ["notify"]},
        BATTERY_SERVICE: {BATTERY: ["read", "notify"]},
        DEVICE_INFORMATION: {MANUFACTURER: ["read"], MODEL: ["read"]},
        PMD: {CONTROL: ["read", "write", "indicate"], DATA: ["notify"]},
    }

    def read(self, uuid: str) -> bytes:
        return {
            CONTROL: b"\x0f\x05" + bytes(15),
            BATTERY: bytes([self.battery]),
            MANUFACTURER: b"Polar Electro Oy\0",
            MODEL: b"H10\0",
        }[uuid]

    def write(self, uuid: str, data: bytes) -> list[tuple[str, bytes]]:
        """Take a command; returns what is indicated in answer."""
        assert uuid == CONTROL
        self.commands.append(data)
        command = data[0]
        status = self.statuses.get(command, 0)
        parameters = b""
        if command == 1:
            parameters = bytes.fromhex("0001820001010e00")
        elif command == 2:
            if data != bytes.fromhex("02000001820001010e00"):
                status = 5
            elif self.mtu < 232:
                status = 0x0A
            elif self.measuring:
                status = 6
            self.measuring = self.measuring or status == 0
        elif command == 3:
            status = status or (0 if self.measuring else 6)
            self.measuring = False
        head = bytes([0xF0, command, data[1], status])
        if self.split_settings and command == 1:
            return [(CONTROL, head + b"\1" + parameters[:4]), (CONTROL, head + b"\0" + parameters[4:])]
        return [(CONTROL, head + b"\0" + parameters)]

    def frame(self, start: int, n: int | None = None) -> bytes:
        """The frame of samples ``start`` to ``start + n``."""
        n = n or self.n
        last_ns = round((self.epoch_s + (start + n - 1) / self.rate_hz) * 1e9)
        return struct.pack("<BQB", 0, last_ns, 0) + int24(sample_uv(np.arange(start, start + n)))

    def packets(self, start: int) -> list[tuple[str, bytes]]:
        self.sent.append((start, self.n))
        return [(DATA, self.frame(start))]


@dataclass
class Movesense:
    """A Movesense by its GATT SensorData protocol."""

    name: str = "Movesense 174630000192"
    address: str = "CC:8C:DC:01:02:03"
    rate_hz: float = 250.0
    knows: tuple[str, ...] = ("/Meas/ECG/250", "/Meas/ECG/250/mV")
    silent: bool = False
    """Unknown paths are ignored, not refused."""
    mtu: int = 161
    measuring: bool = False
    reference: int = 0
    path: str = ""
    commands: list[bytes] = field(default_factory=list)
    sent: list[tuple[int, int]] = field(default_factory=list)
    epoch_s: float = 12.0

    n: int = 16
    lsb_uv = 0.381469726563
    advertised = ("0000fdf3-0000-1000-8000-00805f9b34fb",)
    services: ClassVar[dict[str, dict[str, list[str]]]] = {
        BATTERY_SERVICE: {BATTERY: ["read"]},
        GSP: {GSP_WRITE: ["write"], GSP_NOTIFY: ["notify"]},
    }

    def read(self, uuid: str) -> bytes:
        return {BATTERY: b"\x40"}[uuid]

    def write(self, uuid: str, data: bytes) -> list[tuple[str, bytes]]:
        assert uuid == GSP_WRITE
        self.commands.append(data)
        command, reference = data[0], data[1]
        if command == 2:
            self.measuring = False
            return [(GSP_NOTIFY, bytes([1, reference]) + (200).to_bytes(2, "little"))]
        path = data[2:].decode()
        if path not in self.knows:
            if self.silent:
                return []
            return [(GSP_NOTIFY, bytes([1, reference]) + (404).to_bytes(2, "little"))]
        self.measuring, self.reference, self.path = True, reference, path
        return [(GSP_NOTIFY, bytes([1, reference]) + (200).to_bytes(2, "little"))]

    def payload(self, start: int) -> bytes:
        index = np.arange(start, start + self.n)
        time = struct.pack("<I", int((self.epoch_s + start / self.rate_hz) * 1e3) & 0xFFFFFFFF)
        if self.path.endswith("/mV"):
            return time + sample_uv(index).astype("<i2").tobytes()
        return time + sample_uv(index).astype("<i4").tobytes()

    def packets(self, start: int) -> list[tuple[str, bytes]]:
        self.sent.append((start, self.n))
        payload, room = self.payload(start), self.mtu - 3 - 2
        parts = [payload[i : i + room] for i in range(0, len(payload), room)]
        return [(GSP_NOTIFY, bytes([3 if i else 2, self.reference]) + part) for i, part in enumerate(parts)]
