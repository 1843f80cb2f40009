# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from gui.signal.inbox import Inbox, Measured, Raw
from streamer.core.events import State, StateChanged
from streamer.core.network.latency import LatencyBudget
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.session.description import SessionDescription

MakeFrame = Callable[..., Frame]


def test_items_come_in_order_with_their_time(frame: MakeFrame) -> None:
    inbox = Inbox()
    before_s = time.monotonic()
    first, second = frame(0, 10), frame(10, 10)
    said = StateChanged(State.LIVE, "live")
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


class AllOnes:
    """A truth that knows every lead, from the chunks it was shown on."""

    frame = "clinical frame"

    def __init__(self) -> None:
        self.stop = 0

    def push(self, chunk: Chunk) -> None:
        self.stop = chunk.stop

    def at(self, start: int, stop: int) -> np.ndarray:
        known = np.arange(start, stop) < self.stop
        return np.where(known, np.ones((12, 1), np.float32), np.float32(np.nan))


def test_measured_leads_come_right_after_their_frame(frame: MakeFrame) -> None:
    inbox = Inbox(truth=AllOnes())
    inbox.frame(frame(0, 10))
    inbox.chunk(Chunk(0, np.zeros(30, np.float32)))
    inbox.frame(frame(10, 10))
    items = [item for _, item in inbox.take()]
    assert [type(item) for item in items] == [Frame, Frame, Measured], "what is not known is not told"
    assert isinstance(items[2], Measured)
    assert items[2].start == 10 and items[2].leads_mv.shape == (12, 10)


@pytest.mark.parametrize(("rate_hz", "shown"), [(500.0, True), (400.0, True), (250.0, False), (130.0, False)])
def test_a_fast_source_is_kept_in_the_diagnostic_band_too(rate_hz: float, shown: bool) -> None:
    inbox = Inbox()
    inbox.open(described(rate_hz))
    inbox.chunk(Chunk(40, np.ones(20, np.float32)))
    items = [item for _, item in inbox.take()]
    assert len(items) == shown
    if shown:
        (raw,) = items
        assert isinstance(raw, Raw)
        assert (raw.start, raw.rate_hz, len(raw.lead_mv)) == (40, rate_hz, 20)


def described(rate_hz: float) -> SessionDescription:
    return SessionDescription(
        stream=StreamInfo("", rate_hz),
        model="m",
        model_version="1",
        rate_hz=250.0,
        latency=LatencyBudget(56.0, 0.0, 16.0, 6.0, 78.0, 10.0),
        filters="0.5-40 Hz",
        bands={"0.9": (2.0,) * 12},
    )
