# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the run-time leaves what the window will show; no Qt."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from streamer.stream import Chunk, Event, Frame

if TYPE_CHECKING:
    from streamer.run.sink import SessionDescription


class Inbox:
    """A sink that only keeps frames and events until the window takes them.

    Any thread may fill it and another empty it.  It never blocks: of more than ``depth`` items the
    oldest go, and are counted.
    """

    name = "monitor"

    def __init__(self, depth: int = 4096) -> None:
        self._waiting: deque[tuple[float, Frame | Event]] = deque()
        self._depth = depth
        self._lock = threading.Lock()
        self.dropped = 0
        """Items that went unseen because the window was too slow."""
        self.description: SessionDescription | None = None
        """What was said when the session began."""
        self.closed = False
        """True once nothing more will come."""

    def open(self, description: SessionDescription) -> None:
        """Keep the session's description."""
        self.description = description

    def chunk(self, chunk: Chunk) -> None:
        """Raw samples are not shown: frames carry the measured lead too."""

    def frame(self, frame: Frame) -> None:
        """Keep a frame."""
        self._put(frame)

    def event(self, event: Event) -> None:
        """Keep an event."""
        self._put(event)

    def close(self) -> None:
        """Nothing more will come."""
        self.closed = True

    def take(self) -> list[tuple[float, Frame | Event]]:
        """Everything that waits, oldest first, each with when it came (monotonic seconds)."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def _put(self, item: Frame | Event) -> None:
        with self._lock:
            if len(self._waiting) >= self._depth:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append((time.monotonic(), item))
