# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user can do about time: freeze the picture, look back, set a marker."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from gui.actions import Action
from gui.panels.marker_note import MarkerNote
from gui.paper.geometry import shown_s
from gui.paper.view import PaperView
from gui.signal.followed_stream import FollowedStream
from streamer.core.events import Event, Marker


class TimeCommands:
    """Changes which instant a window shows.

    Parameters
    ----------
    paper : PaperView
    stream : callable
        The stream that the window follows now.
    tell : callable
        Takes what the user did to every sink of the session.
    redraw : callable
        Shows again what is shown, live or frozen, with its words.
    """

    def __init__(
        self,
        paper: PaperView,
        stream: Callable[[], FollowedStream],
        tell: Callable[[Event], None],
        redraw: Callable[[], None],
    ) -> None:
        self._paper = paper
        self._stream = stream
        self._tell = tell
        self._redraw = redraw
        self.note = MarkerNote(paper, self.mark)

    def table(self) -> tuple[Action, ...]:
        """Everything."""

        def act(keys: tuple[str, ...], name: str, what: str, do: Callable[[], None]) -> Action:
            return Action(keys, "Time", name, what, do)

        return (
            Action(
                ("Space",),
                "Time",
                "Freeze",
                "freeze the picture, and let it go; data still flow",
                self._toggle,
                button="Freeze",
                checked=lambda: self._stream().frozen is not None,
            ),
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
        sheet = self._paper.sheet
        return max((shown_s(area, sheet.scale) for area in sheet.areas), default=1.0)

    def _toggle(self) -> None:
        self.freeze(self._stream().frozen is None)

    def freeze(self, frozen: bool) -> None:
        """Hold the picture still, or let it go; data are taken all the same."""
        if frozen:
            self._stream().freeze(time.monotonic())
        else:
            self._stream().frozen = None
        self._redraw()

    def look_back(self, seconds: float) -> None:
        """Show the picture so much later, earlier if negative; freezes it."""
        stream = self._stream()
        stream.freeze(time.monotonic())
        if stream.frozen is not None:
            stream.frozen.by(seconds, self.shown_s)
        self._redraw()

    def turn(self, screens: float) -> None:
        """The same by screens."""
        self.look_back(screens * self.shown_s)

    def ask_note(self) -> None:
        """Mark this instant, or the newest one that is shown while frozen; asks for a note."""
        stream = self._stream()
        if stream.has_samples:
            self.note.open(stream.seen()[1])

    def mark(self, at_s: float, text: str) -> None:
        """Put a marker at an instant of the stream; it goes to every sink of the session."""
        event = Marker(text or "marker", at_s=at_s)
        self._tell(event)
        self._stream().note(event)
        self._paper.touch(at_s, at_s)
