# SPDX-License-Identifier: MIT
"""A status line for the user: how the session fares, several times a second."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Container
from typing import TextIO

from streamer.core.events import Beat, Event
from streamer.core.printable import printable
from streamer.core.stream import Chunk, Frame
from streamer.session.description import SessionDescription
from streamer.session.sink import Sink
from streamer.session.status import SessionStatus

LIVE_S = 0.2
"""Between two rewritings of the line on a terminal ..."""

PLAIN_S = 1.0
"""... and between two lines in a log."""


class StatusLine(Sink):
    """Rewrites one line in place on a terminal; writes a plain line each second elsewhere.

    Events but beats get lines of their own.  All writing is done by a thread of its own: the age of
    the newest sample goes on growing when nothing comes, and a terminal that is held costs nobody
    anything.

    Parameters
    ----------
    out : text stream
        Usually standard error.
    lost : callable
        How many samples were lost so far.
    known : container of Event
        What the user has read already: it gets no line.
    """

    name = "status line"

    def __init__(self, out: TextIO, lost: Callable[[], int], known: Container[Event] = ()) -> None:
        self._out = out
        self._in_place = out.isatty()
        self._lost = lost
        self._known = known
        self._changed = threading.Condition()
        self._painter = threading.Thread(target=self._paint_on, name="status painter", daemon=True)
        self._failure: OSError | None = None
        self._closing = False
        self._said: list[str] = []

    def open(self, description: SessionDescription) -> None:
        """Start to paint."""
        self._standing = SessionStatus(description, self._lost)
        self._painter.start()

    def chunk(self, chunk: Chunk) -> None:
        """Note how far the stream has come, and when."""
        with self._changed:
            self._standing.chunk(chunk)

    def frame(self, frame: Frame) -> None:
        """Take the time since the newest sample that this frame needed arrived."""
        with self._changed:
            self._standing.frame(frame)

    def event(self, event: Event) -> None:
        """Have it written at once.

        Raises
        ------
        OSError
            What had failed before could not be written.
        """
        with self._changed:
            self._standing.event(event)
            if isinstance(event, Beat) or event in self._known:
                return
            self._said.append(printable(event.text))
            self._changed.notify()
            if self._failure is not None:
                raise self._failure

    def close(self) -> None:
        """Write the last line and stop painting; raises as `event`."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._painter.ident is not None:
            self._painter.join()
        if self._failure is not None:
            raise self._failure

    def text(self) -> str:
        """The line as it is now."""
        with self._changed:
            return printable(self._standing.text())

    def _paint_on(self) -> None:
        closing = False
        while not closing:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._said or self._closing, LIVE_S if self._in_place else PLAIN_S
                )
                said, self._said, closing = self._said, [], self._closing
            try:
                self._paint(said, closing)
            except OSError as error:
                with self._changed:
                    self._failure = error  # raised where the session sees it, in `event` or `close`
                return

    def _paint(self, said: list[str], last: bool) -> None:
        begin = "\r\x1b[K" if self._in_place else ""
        lines = [f"{begin}{text}\n" for text in said]
        if self._in_place:
            room = shutil.get_terminal_size().columns - 1
            lines.append(f"{begin}{self.text()[:room]}")
            if last:
                lines.append("\n")
        elif last or not said:
            lines.append(f"{self.text()}\n")
        self._out.write("".join(lines))
        self._out.flush()
