# SPDX-License-Identifier: MIT
"""The one protocol that every source follows, recorded or live."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from streamer.core.events import Event
from streamer.core.stream import Chunk, StreamInfo


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Something that can be connected to, or that at least was seen."""

    source: str
    """The SOURCE to paste; empty where nothing here can read it."""
    kind: str
    """``ble``, ``lsl`` or ``port``, a serial one."""
    name: str
    address: str
    """Bluetooth address (on macOS a UUID), an LSL stream's source_id, or a USB device's serial number."""
    rssi: int | None = None
    """dBm, Bluetooth only."""
    rate_hz: float | None = None
    """Nominal, where it is stated."""
    ecg: bool = False
    """Whether it says that it has an ECG."""
    what: str = ""
    """What it is, in a few words, if that is not plain from the rest."""
    why_not: str = ""
    """Why it cannot be used as it is, and what to do; empty if it can."""
    battery: int | None = None
    """Percent, if it says so before it is connected to."""

    @property
    def words(self) -> str:
        """What the user reads behind the SOURCE: what it is, its battery, and why not."""
        said = [self.what or ("ECG" if self.ecg else "no ECG")]
        if self.battery is not None:
            said.append(f"battery {self.battery} %")
        return ", ".join(said) + (f": {self.why_not}" if self.why_not else "")


class Source(Protocol):
    """Delivers one measured lead as chunks, and says what happens to it as events.

    A live session looks exactly like a replay to the rest of the program: `open`, then iterate.
    """

    def open(self) -> StreamInfo:
        """Find the stream and describe it.

        Raises
        ------
        InputError
            Where there is no such stream, or it holds nothing that can be used.
        """
        ...

    def items(self) -> Iterator[Chunk | Event]:
        """Everything in order of arrival; ends with the stream, or within 2 s of `stop`.

        Chunk indices never go back: duplicates and late packets were dropped (and told as a
        `Dropped` event), lost samples are a jump of the index (and a `SamplesLost` event).
        """
        ...

    def stop(self) -> None:
        """Ask `items` to end.  May be called from any thread, more than once; returns at once."""
        ...


@runtime_checkable
class Announcing(Source, Protocol):
    """A source that takes a while to open, and says meanwhile what it does."""

    def announce_to(self, hear: Callable[[Event], None]) -> None:
        """Have each event handed over as it happens, in any thread, until `items` is iterated.

        `items` brings these events, too.  Call it before `open`.
        """
        ...


class Player(Protocol):
    """How something that is already there is being played; any thread may ask and set.

    A seek is no part of it: it begins a new stream at another place (`devices.replay.pacing.Replay.start_s`).
    """

    paused: bool
    """Held where it is: no sample is lost by it, and the index goes on without a gap."""
    speed: float
    """1 is real time, `math.inf` as fast as it is asked; raises an `InputError` where it cannot be played."""

    @property
    def position_s(self) -> float:
        """How far it has come, seconds from the beginning of what was recorded."""
        ...

    @property
    def duration_s(self) -> float | None:
        """Length of what was recorded, seconds; None if there is no end, or before it is known."""
        ...


@runtime_checkable
class Played(Source, Protocol):
    """A source that is already there, whole or as fast as it is asked for."""

    @property
    def player(self) -> Player:
        """What pauses it and sets its speed."""
        ...
