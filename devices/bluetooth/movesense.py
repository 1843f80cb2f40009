# SPDX-License-Identifier: MIT
"""``movesense:`` - the ECG of a Movesense sensor, over its GATT SensorData protocol (GSP).

Bytes after Movesense's public firmware sample gatt_sensordata_app and its clients; all are
little-endian.  A command is ``op | reference | data``; an answer ``01 | reference | status (2)``; data
come as ``02 | reference | payload``, continued in ``03 | reference | payload`` where they are longer
than a packet.  The payload of the ECG is ``time of the FIRST sample, ms (4)`` and 16 samples.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray

from devices.bluetooth.failures import RefusedError
from devices.bluetooth.gatt import MOST_BYTES, BadFrameError
from devices.bluetooth.link import BleSource
from devices.bluetooth.sensor import Link, Packet, Radio
from devices.live.feed import Timeouts
from devices.replay.pacing import AS_RECORDED, Replay
from streamer.core.errors import InputError
from streamer.core.stream import Placement

ADVERTISED = "0000fdf3-0000-1000-8000-00805f9b34fb"
WRITE = "34800001-7185-4d5d-b431-630e7050e8f0"
NOTIFY = "34800002-7185-4d5d-b431-630e7050e8f0"

RATES_HZ = (125, 128, 200, 250, 256, 500, 512)
"""What the firmwares know between them; the medical one only 128, 256 and 512."""

_SUBSCRIBE, _UNSUBSCRIBE = 1, 2
_ANSWER, _BEGIN, _CONTINUE = 1, 2, 3
_NOT_FOUND = 404

_SAMPLES = 16
_LSB_UV = 0.381469726563
"""Of the int32 form.  The int16 form, ``/mV`` in its path, is in whole uV."""

_INT32, _INT16 = 1, 2
"""References of the two forms, so that every packet says which one it is of."""

_LENGTH = {_INT32: 4 + 4 * _SAMPLES, _INT16: 4 + 2 * _SAMPLES}
_MOST_UV = 500_000.0
"""Many times the sensor's range of +-30 mV: no amplifier of its kind puts out more."""

_REPLY_S = 2.0
_GOODBYE_S = 0.4


@dataclass(frozen=True, slots=True)
class EcgPayload:
    """A payload as the sensor sends it."""

    time_ms: int
    """Of the first sample, since the sensor woke."""
    uv: NDArray[np.float64]
    """16 samples, uV."""


def decode_ecg(payload: bytes, form: int) -> EcgPayload:
    """Read the payload of a notification.

    Parameters
    ----------
    payload : bytes
        Whole, without the two bytes before it.
    form : int
        1 for int32 steps (``/Meas/ECG/{rate}``), 2 for int16 uV (``/Meas/ECG/{rate}/mV``).

    Raises
    ------
    BadFrameError
        It has another length, or samples that are impossible.
    """
    if len(payload) != _LENGTH[form]:
        raise BadFrameError("short frame" if len(payload) < _LENGTH[form] else "long frame")
    time_ms = int.from_bytes(payload[:4], "little")
    if form == _INT16:
        return EcgPayload(time_ms, np.frombuffer(payload, "<i2", offset=4).astype(np.float64))
    uv = np.frombuffer(payload, "<i4", offset=4) * _LSB_UV
    if np.abs(uv).max() > _MOST_UV:
        raise BadFrameError("frame with impossible samples")
    return EcgPayload(time_ms, uv)


class Assembler:
    """Joins the parts of payloads that are longer than a packet."""

    def __init__(self) -> None:
        self._form = 0
        self._payload = b""

    def add(self, packet: bytes) -> list[EcgPayload | BadFrameError]:
        """Take a notification of data; returns the payload that it completes, and what was wrong."""
        done: list[EcgPayload | BadFrameError] = []
        before, self._payload = self._payload, b""
        if not 2 < len(packet) <= MOST_BYTES:
            return [BadFrameError("short frame" if len(packet) < 3 else "long frame")]
        kind, form, part = packet[0], packet[1], packet[2:]
        if kind not in (_BEGIN, _CONTINUE) or form not in _LENGTH:
            return [BadFrameError("unknown frame")]
        if kind == _CONTINUE:
            if not before or form != self._form:
                return [BadFrameError("continuation without a beginning")]
            part = before + part
        elif before:
            done.append(BadFrameError("short frame"))
        if len(part) < _LENGTH[form]:
            self._form, self._payload = form, part
            return done
        try:
            done.append(decode_ecg(part, form))
        except BadFrameError as bad:
            done.append(bad)
        return done


class Movesense:
    """Speaks GSP; follows `devices.bluetooth.sensor.Sensor`.

    Parameters
    ----------
    rate_hz : int
        One of `RATES_HZ`.
    """

    scheme = "movesense"
    kind = "Movesense"
    stamp_jitter_s = 1e-3
    measured_already = False
    first_s = 10.0
    """A sensor that does not know the rate, or lost the command, is silent: it says nothing."""
    find_advice = (
        "wear it, or touch both its studs: it sleeps without contact to skin; and disconnect every phone and "
        "program that uses it"
    )
    placement_notes: tuple[str, ...] = (
        "A Movesense on a chest strap is a chest lead, not Lead I.  For Lead I wire its two studs to "
        "electrodes on the left and right arm, wrist or shoulder, and state that they are on the arms.",
        "Check its polarity: in Lead I, P and R point up; if they point down, turn it.",
    )

    def __init__(self, rate_hz: int = 250) -> None:
        self.rate_hz = float(rate_hz)
        self.silence_advice = f"it may not know {rate_hz} Hz; try ?rate={128 if rate_hz != 128 else 125}"
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()
        self._assembler = Assembler()
        self._form = 0

    def matches(self, name: str, services: Iterable[str]) -> bool:
        """Whether an advertisement is a Movesense's."""
        return name.startswith("Movesense ") or ADVERTISED in services

    async def prepare(self, link: Link) -> None:
        """See that the firmware speaks GSP."""
        self._answers, self._assembler, self._form = asyncio.Queue(), Assembler(), 0
        if not (link.has(WRITE) and link.has(NOTIFY)):
            raise RefusedError("its firmware does not stream over GATT: update it to 2.3 or newer")
        await link.call_back(NOTIFY, lambda data: self._notified(link, data))

    async def start(self, link: Link) -> None:
        """Subscribe the ECG; older firmwares may have one of its forms only."""
        path = f"/Meas/ECG/{self.rate_hz:g}"
        status = await self._subscribe(link, _INT32, path)
        if status == _NOT_FOUND:
            status = await self._subscribe(link, _INT16, f"{path}/mV")
        if status is not None and not 200 <= status < 300:
            raise RefusedError(
                f"it refuses the ECG at {self.rate_hz:g} Hz (status {status}); try another ?rate="
            )

    async def stop(self, link: Link) -> None:
        """Unsubscribe, so that the sensor may sleep."""
        if self._form:
            async with asyncio.timeout(_GOODBYE_S):
                await link.write(WRITE, bytes([_UNSUBSCRIBE, self._form]))

    def receive(self, tag: str, data: bytes) -> list[Packet | BadFrameError]:
        """Read what `start` brought."""
        return [
            item
            if isinstance(item, BadFrameError)
            else Packet((item.uv * 1e-3).astype(np.float32), item.time_ms * 1e-3, anchor=0)
            for item in self._assembler.add(data)
        ]

    def _notified(self, link: Link, data: bytes) -> None:
        if data[:1] == bytes([_ANSWER]):
            self._answers.put_nowait(data)
        else:
            link.post("ecg", data)

    async def _subscribe(self, link: Link, form: int, path: str) -> int | None:
        """Subscribe a path; returns the status, None if no answer came: that may be all that is lost."""
        self._form = form
        await link.write(WRITE, bytes([_SUBSCRIBE, form]) + path.encode())
        try:
            async with asyncio.timeout(_REPLY_S):
                while True:
                    answer = await self._answers.get()
                    if len(answer) >= 4 and answer[1] == form:
                        return int.from_bytes(answer[2:4], "little")
        except TimeoutError:
            return None


def movesense(
    rest: str = "",
    *,
    lead: str | None = None,
    invert: bool = False,
    placement: Placement = Placement.UNSTATED,
    replay: Replay = AS_RECORDED,
    radio: Radio | None = None,
    patience: Timeouts | None = None,
) -> BleSource:
    """Make the source of ``movesense:[ADDRESS|NAME]?rate=250``.

    Parameters
    ----------
    rest : str
        Address or name of the sensor (its number will do), the nearest Movesense where empty; and
        the rate, 250 Hz where left out.
    lead, invert, placement, replay, radio, patience
        As `BleSource` takes them.

    Raises
    ------
    InputError
        A rate that no Movesense has, another parameter or lead, or options of a replay.
    """
    wanted, _, query = rest.partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    rate = given.pop("rate", "250")
    if given:
        raise InputError(f"movesense: knows no {min(given)!r}; it takes rate, as in movesense:?rate=250")
    if rate not in map(str, RATES_HZ):
        raise InputError(f"movesense: has no rate {rate!r}; use one of {', '.join(map(str, RATES_HZ))}")
    return BleSource(
        Movesense(int(rate)),
        wanted,
        lead=lead,
        invert=invert,
        placement=placement,
        replay=replay,
        radio=radio,
        patience=patience,
    )
