# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a source, and says meanwhile what it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mecg.app.terminal import say
from streamer.core.events import Event
from streamer.core.printable import printable
from streamer.core.stream import StreamInfo
from streamer.session.source import Announcing, Source


def say_event(event: Event) -> None:
    """Tell the user, on stderr."""
    say(printable(event.text))


class Connecting:
    """What a source says until its session runs.

    Parameters
    ----------
    *hear : callable
        Each gets every event as it happens, in any thread.
    """

    def __init__(self, *hear: Callable[[Event], None]) -> None:
        self._hear = hear
        self._said: list[Event] = []
        self._error: OSError | None = None

    @property
    def said(self) -> Sequence[Event]:
        """All of them: the session brings them again, for a recording."""
        return self._said

    def open(self, source: Source) -> StreamInfo:
        """Open it; raises as it does, and OSError if a listener has gone."""

        def tell(event: Event) -> None:
            if self._error is not None:
                return
            self._said.append(event)
            try:
                for hear in self._hear:
                    hear(event)
            except OSError as error:  # a closed pipe; the device's own thread is no place for it
                self._error = error
                source.stop()

        if isinstance(source, Announcing):
            source.announce_to(tell)
        try:
            return source.open()
        finally:
            if self._error is not None:
                raise self._error
