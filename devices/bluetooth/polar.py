# SPDX-License-Identifier: MIT
"""``polar:`` - the ECG of a Polar H10, over Polar's Measurement Data service (PMD).

Bytes after Polar's "Polar Measurement Data Specification" and the public polar-ble-sdk; all are
little-endian.  A frame of ECG is ``type (1) | time of the LAST sample, ns (8) | frame type (1)`` and
then samples of 3 bytes, signed, in uV.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from devices.bluetooth.failures import LinkLostError, RefusedError
from devices.bluetooth.gatt import MOST_BYTES, BadFrameError
from devices.bluetooth.link import BleSource
from devices.bluetooth.sensor import Link, Packet, Radio
from devices.live.feed import Timeouts
from devices.replay.pacing import AS_RECORDED, Replay
from streamer.core.errors import InputError
from streamer.core.stream import Placement

CONTROL = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

RATE_HZ = 130.0
"""The only rate of an H10's ECG; in truth it is 128 to 131 (polar-ble-sdk, issue 71)."""

_ECG = 0
_SETTINGS, _START, _STOP = 1, 2, 3
_RATE, _RESOLUTION = 0, 1
_WIDTHS = {0: 2, 1: 2, 2: 2, 3: 2, 4: 1, 5: 4}
"""Bytes of the values of each setting: rate, resolution, range, range in mm, channels, factor."""

_HEADER = 10
_MOST_UV = 500_000
"""25 times the H10's range of +-20 mV: no amplifier of its kind puts out more."""

_MOST_NS = 1 << 62
"""The year 2146: later stamps, and 0, are of no clock."""

_DONE, _ALREADY, _MTU = 0, 6, 0x0A
_STATUS = {
    1: "it does not know the command",
    2: "it does not know the measurement",
    3: "it does not support that",
    4: "it found the command's length wrong",
    5: "it found a parameter wrong",
    _ALREADY: "it is in that state already",
    7: "it does not have that resolution",
    8: "it does not have that rate",
    9: "it does not have that range",
    _MTU: "the link's packets are too small for its frames (an MTU of 232 is needed): "
    "use another Bluetooth adapter or a newer driver",
    0x0B: "it does not have so many channels",
    0x0C: "it cannot do that in its present state",
    0x0D: "it cannot measure while it is charged",
    0x0E: "its memory is full",
}

_REPLY_S = 5.0
_GOODBYE_S = 0.7


@dataclass(frozen=True, slots=True)
class EcgFrame:
    """A frame as the strap sends it."""

    time_ns: int
    """Of the last sample, by the strap's clock: it restarts in 2019 whenever the strap was off."""
    uv: NDArray[np.int32]
    """The samples, uV."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the control point."""

    command: int
    measurement: int
    status: int
    more: bool
    """Whether further parts follow."""
    parameters: bytes


def decode_ecg(frame: bytes) -> EcgFrame:
    """Read a frame of the data characteristic.

    Raises
    ------
    BadFrameError
        Anything but a whole, uncompressed frame of possible ECG.
    """
    if len(frame) < _HEADER + 3:
        raise BadFrameError("short frame")
    if len(frame) > MOST_BYTES:
        raise BadFrameError("long frame")
    if frame[0] & 0x3F != _ECG:
        raise BadFrameError("frame of another measurement")
    if frame[9] & 0x80:
        raise BadFrameError("compressed frame")
    if frame[9]:
        # Other products put contact bits or other leads there (types 1 to 3): do not guess.
        raise BadFrameError("frame of unknown type")
    if (len(frame) - _HEADER) % 3:
        raise BadFrameError("frame that ends within a sample")
    time_ns = int.from_bytes(frame[1:9], "little")
    if not 0 < time_ns < _MOST_NS:
        raise BadFrameError("frame with an impossible time")
    octets = np.frombuffer(frame, np.uint8, offset=_HEADER).reshape(-1, 3).astype(np.int32)
    uv = octets[:, 0] | octets[:, 1] << 8 | ((octets[:, 2] ^ 0x80) - 0x80) << 16
    if np.abs(uv).max() > _MOST_UV:
        raise BadFrameError("frame with impossible samples")
    return EcgFrame(time_ns, uv)


def decode_reply(value: bytes) -> Reply:
    """Read an indication of the control point that answers a command.

    Raises
    ------
    BadFrameError
        It is no such answer.
    """
    if not 4 <= len(value) <= MOST_BYTES or value[0] != 0xF0:
        raise BadFrameError("unknown answer")
    # An answer that reports an error may end after its status.
    return Reply(value[1], value[2], value[3], len(value) > 4 and value[4] == 1, value[5:])


def decode_settings(parameters: bytes) -> dict[int, tuple[int, ...]]:
    """What a measurement can be set to: by kind of setting, the values that the strap offers.

    Raises
    ------
    BadFrameError
        An unknown kind, or a list that is cut off.
    """
    settings: dict[int, tuple[int, ...]] = {}
    place = 0
    while place < len(parameters):
        width = _WIDTHS.get(parameters[place])
        if width is None or place + 2 > len(parameters):
            raise BadFrameError("unknown settings")
        begin = place + 2
        end = begin + parameters[place + 1] * width
        if end > len(parameters):
            raise BadFrameError("settings that are cut off")
        settings[parameters[place]] = tuple(
            int.from_bytes(parameters[i : i + width], "little") for i in range(begin, end, width)
        )
        place = end
    return settings


class PolarH10:
    """Speaks PMD; follows `devices.bluetooth.sensor.Sensor`."""

    scheme = "polar"
    kind = "Polar H10"
    rate_hz = RATE_HZ
    stamp_jitter_s = 0.0
    first_s = 45.0
    """ECG may begin 30 s after the command (polar-ble-sdk, issue 424)."""
    find_advice = (
        "wear it with its electrodes moist, for it is silent without contact to skin, and disconnect every "
        "phone, watch and program that uses it"
    )
    silence_advice = "see that its electrodes are moist and touch the skin"
    placement_notes: tuple[str, ...] = (
        "A Polar H10 on its strap is a chest lead, not Lead I.  For Lead I take the sensor off the strap, "
        "wire its two snaps to wet electrodes on the left and right arm, wrist or shoulder, "
        "and state that they are on the arms.",
        "Polar does not say which of its snaps is positive: in Lead I, P and R point up; "
        "if they point down, turn the polarity.",
    )

    def __init__(self) -> None:
        self._replies: asyncio.Queue[bytes] = asyncio.Queue()
        self._command = b""
        self.measured_already = False

    def matches(self, name: str, services: Iterable[str]) -> bool:
        """Whether an advertisement is an H10's; Polar's other straps have no ECG."""
        return name.startswith("Polar H10")

    async def prepare(self, link: Link) -> None:
        """See that the strap has an ECG, and how it can be set."""
        self._replies = asyncio.Queue()
        if not link.has(CONTROL):
            raise RefusedError("it has no measurement service: update its firmware with Polar's app")
        # Before the indications: BlueZ shows what is read to their callback too.
        features = await link.read(CONTROL)
        if features[:1] != b"\x0f" or not features[1:2] or not features[1] & 1 << _ECG:
            raise RefusedError("it measures no ECG; an H10 is needed")
        await link.call_back(CONTROL, lambda data: self._answered(link, data))
        settings = decode_settings(await self._ask(link, bytes([_SETTINGS, _ECG])))
        rates, resolutions = settings.get(_RATE, ()), settings.get(_RESOLUTION, ())
        if int(RATE_HZ) not in rates or not resolutions:
            raise RefusedError(
                f"it offers an ECG at {', '.join(map(str, rates)) or 'no'} Hz, not at {RATE_HZ:g}"
            )
        self._command = bytes([_START, _ECG])
        for setting, value in ((_RATE, int(RATE_HZ)), (_RESOLUTION, resolutions[0])):
            self._command += bytes([setting, 1]) + value.to_bytes(2, "little")
        await link.subscribe(DATA, "ecg")

    async def start(self, link: Link) -> None:
        """Ask for the ECG."""
        self.measured_already = False
        await self._ask(link, self._command)

    async def stop(self, link: Link) -> None:
        """Always before disconnecting: an H10 would go on measuring until its battery is empty."""
        if self._command:
            await self._ask(link, bytes([_STOP, _ECG]), _GOODBYE_S)

    def receive(self, tag: str, data: bytes) -> list[Packet | BadFrameError]:
        """Read what `start` brought."""
        if tag == "control":
            if data[:1] == b"\x01":  # ONLINE_MEASUREMENT_STOPPED
                raise LinkLostError("the strap has ended its measurement")
            raise BadFrameError("unknown message of the control point")
        frame = decode_ecg(data)
        lead_mv = (frame.uv * 1e-3).astype(np.float32)
        return [Packet(lead_mv, frame.time_ns * 1e-9, anchor=len(lead_mv) - 1)]

    def _answered(self, link: Link, data: bytes) -> None:
        if data[:1] == b"\xf0":
            self._replies.put_nowait(data)
        else:
            link.post("control", data)

    async def _ask(self, link: Link, command: bytes, patience_s: float = _REPLY_S) -> bytes:
        """Send a command; returns the parameters of its answer."""
        async with asyncio.timeout(patience_s):
            await link.write(CONTROL, command)
            parameters, more = b"", True
            while more:
                reply = decode_reply(await self._replies.get())
                if (reply.command, reply.measurement) != (command[0], command[1]):
                    continue  # the answer to a command that was given up
                if reply.status not in (_DONE, _ALREADY):
                    raise RefusedError(_STATUS.get(reply.status, f"it answers with the error {reply.status}"))
                self.measured_already |= command[0] == _START and reply.status == _ALREADY
                parameters, more = parameters + reply.parameters, reply.more
        return parameters


def polar(
    rest: str = "",
    *,
    lead: str | None = None,
    invert: bool = False,
    placement: Placement = Placement.UNSTATED,
    replay: Replay = AS_RECORDED,
    radio: Radio | None = None,
    patience: Timeouts | None = None,
) -> BleSource:
    """Make the source of ``polar:[ADDRESS|NAME]``.

    Parameters
    ----------
    rest : str
        Address or name of the strap (its number will do); the nearest H10 if empty.
    lead, invert, placement, replay, radio, patience
        As `BleSource` takes them; raises as it does.
    """
    if "?" in rest:
        raise InputError(f"polar: takes no parameters, only an address or a name, not {rest!r}")
    return BleSource(
        PolarH10(),
        rest,
        lead=lead,
        invert=invert,
        placement=placement,
        replay=replay,
        radio=radio,
        patience=patience,
    )
