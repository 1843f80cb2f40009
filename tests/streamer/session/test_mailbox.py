"""A queue between two threads: in order, bounded, and nobody sleeps beside something to do."""

from __future__ import annotations

import threading
import time

import pytest

from streamer.session import mailbox
from streamer.session.mailbox import Mailbox
from streamer.session.sink import Overflow


class Taker:
    """Takes in a thread of its own."""

    def __init__(self, box: Mailbox[int]) -> None:
        self.taken: list[int] = []
        self._box = box
        self._thread = threading.Thread(target=self._take, daemon=True)
        self._thread.start()

    def _take(self) -> None:
        for _, item in self._box:
            self.taken.append(item)

    def has(self, count: int) -> bool:
        end_s = time.monotonic() + 5
        while len(self.taken) < count and time.monotonic() < end_s:
            time.sleep(0.001)
        return len(self.taken) == count

    def ended(self) -> bool:
        self._thread.join(5)
        return not self._thread.is_alive()


@pytest.mark.parametrize("overflow", list(Overflow))
def test_four_that_put_at_once_lose_nothing_and_keep_their_order(overflow: Overflow) -> None:
    box: Mailbox[int] = Mailbox(64 if overflow is Overflow.BLOCK else 100_000, overflow)
    taker = Taker(box)

    def put(first: int) -> None:
        for i in range(5000):
            box.put(first + i, hurry=i % 3 == 0)

    threads = [threading.Thread(target=put, args=(10_000 * k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    box.end()
    assert taker.ended() and sorted(taker.taken) == sorted(
        10_000 * k + i for k in range(4) for i in range(5000)
    )
    for k in range(4):
        mine = [item for item in taker.taken if item // 10_000 == k]
        assert mine == list(range(10_000 * k, 10_000 * k + 5000))
    assert box.deepest <= 64 or overflow is not Overflow.BLOCK


def test_what_has_no_hurry_comes_with_the_next_that_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "PATIENCE_S", 60.0)
    box: Mailbox[int] = Mailbox(10, Overflow.DROP_OLDEST)
    taker = Taker(box)
    time.sleep(0.05)  # it sleeps by now
    box.put(1, hurry=False)
    time.sleep(0.05)
    assert not taker.taken and len(box) == 1
    box.put(2)
    assert taker.has(2) and taker.taken == [1, 2]
    box.end()
    assert taker.ended()


def test_what_has_no_hurry_does_not_wait_for_ever() -> None:
    """A stalled core makes no frames: raw chunks reach the recorder all the same."""
    box: Mailbox[int] = Mailbox(1000, Overflow.DROP_OLDEST)
    taker = Taker(box)
    for i in range(15):
        time.sleep(0.02)
        box.put(i, hurry=False)
    assert len(taker.taken) >= 5
    box.end()
    assert taker.ended() and taker.taken == list(range(15))


def test_a_full_one_waits_for_room_or_drops_the_oldest_and_counts() -> None:
    keeps: Mailbox[int] = Mailbox(3, Overflow.DROP_OLDEST)
    for i in range(10):
        keeps.put(i)
    assert (keeps.dropped_items, len(keeps), keeps.deepest) == (7, 3, 3)
    keeps.end()
    assert [item for _, item in keeps] == [7, 8, 9]
    waits: Mailbox[int] = Mailbox(3, Overflow.BLOCK)
    putter = threading.Thread(target=lambda: [waits.put(i) for i in range(10)], daemon=True)
    putter.start()
    putter.join(0.1)
    assert putter.is_alive() and len(waits) == 3
    taker = Taker(waits)
    assert taker.has(10) and waits.dropped_items == 0
    waits.end()
    assert taker.ended()


def test_who_waits_for_room_is_let_go_when_it_is_cut() -> None:
    box: Mailbox[int] = Mailbox(1, Overflow.BLOCK)
    box.put(1)
    putter = threading.Thread(target=box.put, args=(2,), daemon=True)
    putter.start()
    time.sleep(0.05)
    box.cut()
    putter.join(5)
    assert not putter.is_alive() and box.dropped == {"int": 2}
    assert list(box) == []
