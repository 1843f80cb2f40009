# SPDX-License-Identifier: MIT
"""Instead of a queue, for a sink that returns at once: the thread that has an item hands it over itself."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Handover(Generic[T]):
    """As `streamer.session.mailbox.Mailbox` to those that put; waking a thread for each item would cost more
    than what is done with it.

    Parameters
    ----------
    hand : callable
        Takes an item and the monotonic second; from any thread, several at a time.
    """

    def __init__(self, hand: Callable[[T, float], None]) -> None:
        self._hand = hand
        self._lock = threading.Lock()
        self._early: list[T] | None = []  # what is put before the sink is ready; then None
        self._error: Exception | None = None
        self._over = threading.Event()
        self._dropped: Counter[str] = Counter()
        self.dropped_items = 0
        """How many came after an error or `cut`."""
        self.deepest = 0
        """Nothing ever waits."""

    def __len__(self) -> int:
        """Nothing waits."""
        return 0

    def put(self, item: T, *, always: bool = False, hurry: bool = True) -> None:
        """Hand an item over; the parameters are those of a mailbox, and mean nothing here."""
        if self._over.is_set():
            if not always:
                self._dropped[type(item).__name__] += 1
                self.dropped_items += 1
            return
        with self._lock:
            if self._early is not None:
                self._early.append(item)
                return
        self._hand_over(item)

    def _hand_over(self, item: T) -> None:
        try:
            self._hand(item, time.monotonic())
        except Exception as error:  # noqa: BLE001 - raised where the sink's thread waits
            self._error = error
            self._over.set()

    def __iter__(self) -> Iterator[tuple[float, T]]:
        """Begin to hand over, and wait for the end; raises what ended it before its time."""
        with self._lock:
            early, self._early = self._early or [], None
            for item in early:
                self._hand_over(item)
        self._over.wait()
        if self._error is not None:
            raise self._error
        return iter(())

    def end(self) -> None:
        """Nothing more will be put."""
        self._over.set()

    def cut(self) -> None:
        """End now."""
        self._over.set()

    @property
    def dropped(self) -> Counter[str]:
        """How many items of each type were dropped so far."""
        return Counter(self._dropped)
