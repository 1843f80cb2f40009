# SPDX-License-Identifier: GPL-3.0-or-later
"""What the window may ask of the program around it: look for sources, open one, control a replay; no Qt.

The window knows no devices.  Whoever composes the program hands in a `Bench`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gui.inbox import Inbox
from gui.trial import Person, Trials
from streamer.run.sink import SessionDescription
from streamer.stream import Event
from streamer.vitals import Limits


class Player(Protocol):
    """Of a replay: what can be asked of it while it plays (`devices.source.Player` is one)."""

    paused: bool
    speed: float

    @property
    def position_s(self) -> float:
        """How far it has come, seconds from the beginning of what was recorded."""
        ...

    @property
    def duration_s(self) -> float | None:
        """Length of what was recorded, seconds; None where there is no end, or before it is known."""
        ...


class Sighting(Protocol):
    """Something that a scan found (`devices.found.Found` is one)."""

    @property
    def source(self) -> str:
        """The SOURCE that opens it; empty where nothing here can."""
        ...

    @property
    def kind(self) -> str:
        """``ble`` or ``lsl``."""
        ...

    @property
    def name(self) -> str:
        """As it calls itself."""
        ...

    @property
    def rssi(self) -> int | None:
        """dBm, Bluetooth only."""
        ...

    @property
    def rate_hz(self) -> float | None:
        """Nominal, where it is stated."""
        ...

    @property
    def ecg(self) -> bool:
        """Whether it says that it has an ECG."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """A source that a person has chosen, and how it is to be read."""

    source: str
    """A SOURCE, as on the command line."""
    lead: str | None = None
    """The measured lead; None is Lead I."""
    invert: bool = False
    placement: str | None = None
    """``arms``, ``chest``, or None where nobody said."""
    start_s: float = 0.0
    """Of a replay: where to begin."""
    speed: float = 1.0
    """Of a replay."""
    paused: bool = False
    """Of a replay: begin held."""
    person: Person | None = None
    """Whose calibration: what `Trials` made, `gui.trial.GENERIC`, or None: what the command line says."""


@dataclass(frozen=True, slots=True)
class Showing:
    """A session that runs."""

    wanted: Wanted
    inbox: Inbox
    """Attached to the session as one of its sinks."""
    description: SessionDescription
    tell: Callable[[Event], None]
    """Lets every sink of the session know what a person did."""
    watch_for: Callable[[Limits], None]
    """Sets when alarms are raised, from now on."""
    player: Player | None = None
    """None where the source is live."""
    lead_in_s: float = 0.0
    """The first so many seconds of the stream come at once: it lies before the place that was sought."""


Found = Callable[[str, Sequence[Sighting], str], None]
"""Takes what a round of scanning found: ``ble`` or ``lsl``, all that is there now, and why nothing can be
found, in one line, or nothing."""


class Bench(Protocol):
    """Composes sessions.  `open` and what `trials` does may block: call from a thread beside the window's."""

    @property
    def showing(self) -> Showing:
        """The session that runs now."""
        ...

    @property
    def card(self) -> str:
        """The model card, Markdown; empty where the model came without one."""
        ...

    @property
    def trials(self) -> Trials:
        """What learns a person, and tries the result out."""
        ...

    def open(self, wanted: Wanted) -> Showing:
        """End the session that runs, and its recording with it, and begin another.

        Raises
        ------
        InputError, OSError
            It cannot be opened; what runs goes on, where the new source was refused before it ended.
        """
        ...

    def scan(self, found: Found) -> Callable[[], None]:
        """Look for sources until the returned function is called; ``found`` is called by other threads."""
        ...
