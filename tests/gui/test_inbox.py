# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from gui.inbox import Inbox
from streamer.stream import Chunk, Event, Frame

MakeFrame = Callable[..., Frame]


def test_items_come_in_order_with_their_time(frame: MakeFrame) -> None:
    inbox = Inbox()
    before_s = time.monotonic()
    first, second = frame(0, 10), frame(10, 10)
    said = Event("state", "live")
    for put, item in ((inbox.frame, first), (inbox.event, said), (inbox.frame, second)):
        put(item)  # type: ignore[operator]
    inbox.chunk(Chunk(0, np.zeros(3, np.float32)))
    taken = inbox.take()
    assert [item for _, item in taken] == [first, said, second]
    assert all(before_s <= at_s <= time.monotonic() for at_s, _ in taken)
    assert inbox.take() == []


def test_a_window_that_stands_still_costs_the_oldest_and_no_memory(frame: MakeFrame) -> None:
    inbox = Inbox(depth=5)
    for start in range(12):
        inbox.frame(frame(start, 1))
    assert inbox.dropped == 7
    assert [item.start for _, item in inbox.take() if isinstance(item, Frame)] == [7, 8, 9, 10, 11]


def test_two_threads_lose_nothing(frame: MakeFrame) -> None:
    inbox = Inbox(depth=100_000)
    one = frame(0, 1)

    def fill() -> None:
        for _ in range(20_000):
            inbox.frame(one)
        inbox.close()

    thread = threading.Thread(target=fill)
    thread.start()
    taken = 0
    while not inbox.closed:
        taken += len(inbox.take())
    thread.join()
    taken += len(inbox.take())
    assert taken == 20_000
    assert inbox.dropped == 0
