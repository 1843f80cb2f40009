# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user can do about time: freeze the picture, look back, set a marker."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from gui.actions import Action
from gui.panels.marker_note import MarkerNote
from gui.paper.view import PaperView
from gui.signal.followed_stream import FollowedStream
from streamer.core.events import Event, Marker

GLANCE_S = 10.0
"""So long after the wheel was touched last the live picture comes back."""


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
        return self._paper.sheet.shown_s

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

    def glance(self, screens: float) -> None:
        """The same by the wheel, which is easily touched: the live picture comes back by itself."""
        stream, now_s = self._stream(), time.monotonic()
        was = stream.frozen
        stream.freeze(now_s)
        if stream.frozen is not None and (was is None or math.isfinite(was.returns_at_s)):
            stream.frozen.returns_at_s = now_s + GLANCE_S
        self.turn(screens)

    def hold(self) -> None:
        """Something is measured or marked on the picture: it stays until the user lets it go."""
        frozen = self._stream().frozen
        if frozen is not None:
            frozen.returns_at_s = math.inf

    def let_go_if_due(self, now_s: float) -> None:
        """After a glance: show the live picture again."""
        frozen = self._stream().frozen
        if frozen is not None and now_s >= frozen.returns_at_s:
            self.freeze(False)

    def frozen_words(self, now_s: float) -> str:
        """When what is shown was, how long it is still or how far back, how it goes on; empty if it runs."""
        frozen = self._stream().frozen
        if frozen is None:
            return ""
        left_s = frozen.returns_at_s - now_s
        how = f"goes on in {max(0.0, left_s):.0f} s" if math.isfinite(left_s) else "Space lets go"
        shown = frozen.history.time.words(frozen.edge_s)
        back = f"{frozen.back_s:.1f} s back" if frozen.back_s else ""
        if not shown and not back:
            back = f"for {now_s - frozen.at_s:.0f} s"
        return "   ".join(part for part in (f"FROZEN {shown}".strip(), back, how) if part)

    def turn(self, screens: float) -> None:
        """The same by screens."""
        self.look_back(screens * self.shown_s)

    def ask_note(self) -> None:
        """Mark this instant, or the newest one that is shown while frozen; asks for a note."""
        stream = self._stream()
        if stream.has_samples:
            self.hold()
            self.note.open(stream.seen()[1])

    def mark(self, at_s: float, text: str) -> None:
        """Put a marker at an instant of the stream; it goes to every sink of the session."""
        event = Marker(text or "marker", at_s=at_s)
        self._tell(event)
        self._stream().note(event)
        self._paper.touch(at_s, at_s)
        self._redraw()  # the newest columns are never final, and a frozen picture draws no more of them
