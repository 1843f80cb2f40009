# SPDX-License-Identifier: MIT
"""A bounded queue between two threads that says what it dropped."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Generic, TypeVar

from streamer.session.sink import Overflow

T = TypeVar("T")

PATIENCE_S = 0.1
"""What was put without hurry waits so long at most, as long as anything at all is put."""


class Mailbox(Generic[T]):
    """First in, first out; ends once, either drained (`end`) or at once (`cut`).

    One thread takes.  A hand-over costs two locks that are free, and wakes no thread that is
    awake: a live session makes three hundred a second.

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
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._blocked = 0  # who waits for room
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._asleep = False  # the one that takes waits for the bell
        self._ended = False
        self._dropped: Counter[str] = Counter()
        self.dropped_items = 0
        """How many were dropped so far, of any type."""
        self.deepest = 0
        """The most items that ever waited at once."""

    def __len__(self) -> int:
        """How many items wait now."""
        return len(self._waiting)

    def put(self, item: T, *, always: bool = False, hurry: bool = True) -> None:
        """Add an item; drops and counts where there is no room, or waits for some.

        Parameters
        ----------
        always : bool
            Neither wait nor drop: for the run-time's own few words, which no back-pressure may stop
            and which is not missed after the end.
        hurry : bool
            False lets the one that takes sleep on: the item is handed out with the next that has hurry.
        """
        with self._lock:
            if not always:
                self._make_room()
            if self._ended:
                if not always:
                    self._drop(item)
                return
            self._waiting.append((time.monotonic(), item))
            self.deepest = max(self.deepest, len(self._waiting))
            if self._asleep and (hurry or time.monotonic() > self._waiting[0][0] + PATIENCE_S):
                self._ring()

    def _ring(self) -> None:
        if self._asleep:
            self._asleep = False
            self._bell.put(None)

    def _make_room(self) -> None:
        while len(self._waiting) >= self._depth and not self._ended:
            if self._overflow is Overflow.BLOCK:
                self._ring()
                self._blocked += 1
                self._room.wait()
                self._blocked -= 1
            else:
                self._drop(self._waiting.popleft()[1])

    def _drop(self, item: T) -> None:
        self._dropped[type(item).__name__] += 1
        self.dropped_items += 1

    def __iter__(self) -> Iterator[tuple[float, T]]:
        """Each item with the monotonic second at which it was put; waits for more until the end."""
        while True:
            with self._lock:
                stamped = self._waiting.popleft() if self._waiting else None
                if stamped is None and self._ended:
                    return
                self._asleep = stamped is None
                if self._blocked:
                    self._room.notify_all()
            if stamped is None:
                self._bell.get()
            else:
                yield stamped

    def take(self, most: int) -> list[T]:
        """What waits now, the oldest first, without waiting: for one that looks by itself."""
        with self._lock:
            taken = [self._waiting.popleft()[1] for _ in range(min(most, len(self._waiting)))]
            if self._blocked:
                self._room.notify_all()
            return taken

    @property
    def over(self) -> bool:
        """Whether nothing waits, and nothing more will come."""
        with self._lock:
            return self._ended and not self._waiting

    def end(self) -> None:
        """Nothing more will be put: what waits is still handed out."""
        with self._lock:
            self._end()

    def cut(self) -> None:
        """End now: what waits is dropped and counted, who waits goes on."""
        with self._lock:
            while self._waiting:
                self._drop(self._waiting.popleft()[1])
            self._end()

    def _end(self) -> None:
        self._ended = True
        self._ring()
        self._room.notify_all()

    @property
    def dropped(self) -> Counter[str]:
        """How many items of each type were dropped so far."""
        with self._lock:
            return Counter(self._dropped)
