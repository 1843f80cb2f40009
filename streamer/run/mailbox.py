# SPDX-License-Identifier: MIT
"""A bounded queue between two threads that says what it dropped."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from streamer.run.sink import Overflow

T = TypeVar("T")


class Mailbox(Generic[T]):
    """First in, first out; ends once, either drained (`end`) or at once (`cut`).

    Parameters
    ----------
    depth : int
        Greatest number of items that wait.
    overflow : Overflow
        What `put` does when that many wait.
    """

    def __init__(self, depth: int, overflow: Overflow) -> None:
        self._depth = depth
        self._overflow = overflow
        self._waiting: deque[tuple[float, T]] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._dropped: Counter[str] = Counter()
        self.dropped_items = 0
        """How many were dropped so far, of any type."""
        self.deepest = 0
        """The most items that ever waited at once."""

    def __len__(self) -> int:
        """How many items wait now."""
        return len(self._waiting)

    def put(self, item: T, *, always: bool = False) -> None:
        """Add an item; drops and counts where there is no room, or waits for some.

        Parameters
        ----------
        always : bool
            Neither wait nor drop: for the run-time's own few words, which no back-pressure may stop
            and which nobody misses after the end.
        """
        with self._changed:
            if not always:
                self._make_room()
            if self._ended:
                if not always:
                    self._drop(item)
                return
            self._waiting.append((time.monotonic(), item))
            self.deepest = max(self.deepest, len(self._waiting))
            self._changed.notify_all()

    def _make_room(self) -> None:
        while len(self._waiting) >= self._depth and not self._ended:
            if self._overflow is Overflow.BLOCK:
                self._changed.wait()
            else:
                self._drop(self._waiting.popleft()[1])

    def _drop(self, item: T) -> None:
        self._dropped[type(item).__name__] += 1
        self.dropped_items += 1

    def __iter__(self) -> Iterator[tuple[float, T]]:
        """Each item with the monotonic second at which it was put; waits for more until the end."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    return
                stamped = self._waiting.popleft()
                self._changed.notify_all()
            yield stamped

    def end(self) -> None:
        """Nothing more will be put: what waits is still handed out."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def cut(self) -> None:
        """End now: what waits is dropped and counted, who waits goes on."""
        with self._changed:
            while self._waiting:
                self._drop(self._waiting.popleft()[1])
            self._ended = True
            self._changed.notify_all()

    @property
    def dropped(self) -> Counter[str]:
        """How many items of each type were dropped so far."""
        with self._changed:
            return Counter(self._dropped)
