# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from the receiving thread to the iterating one: states, watchdog, queue, end."""

import threading
import time

import numpy as np
import pytest

from devices.live.feed import Feed, Timeouts
from streamer.core.errors import InputError
from streamer.core.events import Dropped, Event, State, StateChanged
from streamer.core.stream import Chunk


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def chunk(start: int = 0) -> Chunk:
    return Chunk(start, np.zeros(10, np.float32))


def states(items: list[Chunk | Event]) -> list[State]:
    return [item.state for item in items if isinstance(item, StateChanged)]


def test_a_bad_day() -> None:
    clock = Hand()
    feed = Feed(clock=clock)
    feed.enter(State.CONNECTING, "looking")
    feed.enter(State.WAITING, "connected")
    clock.now += 30
    assert feed.watch() is None
    feed.put([chunk()])
    clock.now += 1.4
    assert feed.watch() is None
    clock.now += 0.2
    assert feed.watch() is None
    feed.put([chunk(10)])
    clock.now += 1.6
    assert feed.watch() is None
    clock.now += 7
    assert feed.watch() == "no data for 9 s"
    feed.enter(State.RECONNECTING, "no data")
    feed.enter(State.RECONNECTING, "no data")
    assert feed.watch() is None
    feed.enter(State.WAITING, "connected")
    clock.now += 46
    assert feed.watch() == "no sample came within 46 s"
    feed.put([chunk(20)])
    feed.end("done")
    feed.end("done twice")
    feed.put([chunk(30)])
    items = list(feed.items())
    assert states(items) == [
        State.CONNECTING,
        State.WAITING,
        State.LIVE,
        State.STALE,
        State.LIVE,
        State.STALE,
        State.RECONNECTING,
        State.WAITING,
        State.LIVE,
        State.ENDED,
    ]
    assert [item.start for item in items if isinstance(item, Chunk)] == [0, 10, 20]


def test_an_error_comes_after_all_that_came_before_it() -> None:
    feed = Feed()
    feed.put([chunk()])
    feed.end("another stream", InputError("another stream"))
    seen = []
    with pytest.raises(InputError, match="another stream"):
        for item in feed.items():
            seen.append(item)  # noqa: PERF402 - what came before the error counts
    assert states(seen) == [State.LIVE, State.ENDED]


def test_items_end_in_time_even_where_the_receiver_hangs() -> None:
    feed = Feed()
    threading.Timer(0.2, feed.stop).start()
    begun = time.monotonic()
    items = list(feed.items())
    assert 0.2 < time.monotonic() - begun < 2.0
    assert states(items) == [State.ENDED]


def test_it_wakes_the_receiver() -> None:
    woken = []
    feed = Feed(wake=lambda: woken.append((feed.begun.is_set(), feed.stopping.is_set())))
    items = feed.items()
    feed.end("nothing")
    next(items)
    feed.stop()
    feed.stop()
    assert woken == [(True, False), (True, True), (True, True)]


def test_what_nobody_takes_is_bounded_counted_and_told() -> None:
    feed = Feed()
    for i in range(5000):
        feed.put([chunk(10 * i)])
    feed.end("done")
    items = list(feed.items())
    dropped = sum(item.count for item in items if isinstance(item, Dropped))
    chunks = [item for item in items if isinstance(item, Chunk)]
    assert dropped > 800
    assert len(chunks) + dropped == 5000


def test_waiting_between_attempts_grows_and_stays() -> None:
    patience = Timeouts(backoff_s=(0.1, 0.5, 2.0))
    assert [patience.before_attempt(i) for i in range(5)] == [0.1, 0.5, 2.0, 2.0, 2.0]
