# SPDX-License-Identifier: MIT
"""What every sink is, and what it gets before the first sample."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from streamer.core.events import Event
from streamer.core.stream import Chunk, Frame
from streamer.session.description import SessionDescription


class Sink(Protocol):
    """Takes what a session produces: a file, an outlet, a window, a status line.

    `open` is called by the thread that starts the session; all else by one thread that belongs to this sink
    alone, so that it may block without costing anybody a sample.  A method that raises ends the
    sink: `close` is still called, once, and the others go on.

    A class that inherits from it overrides what it needs; the rest does nothing.
    """

    @property
    def name(self) -> str:
        """What to call it when something has to be said about it."""
        ...

    def open(self, description: SessionDescription) -> None:
        """Get ready.

        Raises
        ------
        InputError, OSError
            Where it cannot: the session does not start.
        """
        return

    def chunk(self, chunk: Chunk) -> None:
        """Raw samples as received, before anything is made of them."""
        return

    def frame(self, frame: Frame) -> None:
        """Twelve leads."""
        return

    def event(self, event: Event) -> None:
        """Something happened beside the samples."""
        return

    def close(self) -> None:
        """Nothing more will come: finish what was begun."""
        return


class Overflow(Enum):
    """What happens to the next item when a sink's queue is full."""

    BLOCK = "block"
    """The source waits: nothing is lost.  Becomes `DROP_OLDEST` where the source is live, since a
    live source cannot wait; the queue is deep enough for stalls of many seconds."""
    DROP_OLDEST = "drop oldest"
    """The oldest item goes, is counted, and the sink is informed.  For displays."""
