# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user can do about time: freeze the picture, look back, set a marker."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from gui.actions import Action
from gui.panels.marker_note import MarkerNote
from gui.paper.geometry import shown_s
from streamer.core.events import Marker

if TYPE_CHECKING:
    from gui.window import MonitorWindow


class TimeCommands:
    """Changes which instant a window shows.

    Parameters
    ----------
    window : MonitorWindow
    redraw : callable
        Shows again what is shown, live or frozen.
    """

    def __init__(self, window: MonitorWindow, redraw: Callable[[], None]) -> None:
        self._window = window
        self._redraw = redraw
        self.note = MarkerNote(window.paper, self.mark)

    def table(self) -> tuple[Action, ...]:
        """Everything."""

        def act(keys: tuple[str, ...], name: str, what: str, do: Callable[[], None]) -> Action:
            return Action(keys, "Time", name, what, do)

        return (
            act(("Space",), "Freeze", "freeze the picture, and let it go; data still flow", self._toggle),
            act(("Left",), "Back", "1 s back (ten minutes are kept)", lambda: self.look_back(-1.0)),
            act(("Right",), "On", "1 s on", lambda: self.look_back(1.0)),
            act(("PgUp",), "A screen back", "a screen back; so does the wheel", lambda: self.turn(-1.0)),
            act(("PgDown",), "A screen on", "a screen on", lambda: self.turn(1.0)),
            act(("Home",), "Oldest", "the oldest that is kept", lambda: self.look_back(-math.inf)),
            act(("End",), "Newest", "back to where it was frozen", lambda: self.look_back(math.inf)),
            act(("M",), "Marker", "a marker, with a note, kept in the recording", self.ask_note),
        )

    @property
    def shown_s(self) -> float:
        """How many seconds the picture holds."""
        paper = self._window.paper
        return max((shown_s(area, paper.sheet.scale) for area in paper.sheet.areas), default=1.0)

    def _toggle(self) -> None:
        self.freeze(self._window.stream.frozen is None)

    def freeze(self, frozen: bool) -> None:
        """Hold the picture still, or let it go; data are taken all the same."""
        window = self._window
        if frozen:
            window.stream.freeze(time.monotonic())
        else:
            window.stream.frozen = None
            self._redraw()
        window.header.frozen.setVisible(window.frozen)
        window.refresh()

    def look_back(self, seconds: float) -> None:
        """Show the picture so much later, earlier if negative; freezes it."""
        self.freeze(True)
        if self._window.stream.frozen is not None:
            self._window.stream.frozen.by(seconds, self.shown_s)
            self._redraw()

    def turn(self, screens: float) -> None:
        """The same by screens."""
        self.look_back(screens * self.shown_s)

    def ask_note(self) -> None:
        """Mark this instant, or the newest one that is shown while frozen; asks for a note."""
        if self._window.stream.has_samples:
            self.note.open(self._window.seen()[1])

    def mark(self, at_s: float, text: str) -> None:
        """Put a marker at an instant of the stream; it goes to every sink of the session."""
        event = Marker(text or "marker", at_s=at_s)
        self._window.tell(event)
        self._window.stream.note(event)
        self._window.paper.touch(at_s, at_s)
