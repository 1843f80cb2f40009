# SPDX-License-Identifier: GPL-3.0-or-later
"""Viewers come and go, sources too: who looks sees what is urgent at once, and nothing waits for anybody."""

from __future__ import annotations

import asyncio
import json
import random
import time
from contextlib import ExitStack
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from streamer.core.events import Alarm, AlarmKind, State
from streamer.core.network.network import Network
from tests.ward.a_bed import a_description, a_frame
from tests.ward.conftest import Running, until
from tests.ward.test_attacks import look
from ward.bed import Bed, Beds
from ward.live import BACK_S, BEHIND_S, Live, Viewer, Wanted
from ward.wire import HEADER, block


def standing(message: str | bytes) -> set[str] | None:
    """The alarms that a status says of the first bed; None if it is none."""
    if isinstance(message, bytes):
        return None
    said = json.loads(message)
    return {one["kind"] for one in said["beds"][0]["alarms"]} if said["kind"] == "status" else None


@pytest.mark.parametrize("rounds", [20, pytest.param(200, marks=pytest.mark.long)])
def test_alarms_reach_a_viewer_within_2_s_over_drops_and_returns_of_browsers_and_sources(
    ward: Running, network: Network, rounds: int
) -> None:
    bed = ward.beds.add("another")  # nobody else feeds it
    (first, *_) = [each for each in ward.beds.all() if each is not bed]
    ward.beds.remove(first)
    chance = random.Random(19)
    _, cookie = ward.log_in()
    kinds = list(AlarmKind)
    looking = ExitStack()
    page = looking.enter_context(look(ward, cookie))
    latest_s = 0.0
    for _ in range(rounds):
        if chance.random() < 0.5:  # the browser drops and returns
            looking.close()
            page = looking.enter_context(look(ward, cookie))
        if chance.random() < 0.5:  # the source does
            bed.end(State.RECONNECTING, "the link broke")
            bed.sink(ward.told.append).open(a_description(network))
            bed.frame(a_frame(0))
        kind = chance.choice(kinds)
        bed.event(Alarm(kind, True, "because"))
        wanted = {one.kind.name.lower() for one in bed.status(time.monotonic()).alarms}
        begun_s = time.monotonic()
        while standing(page.recv(timeout=10)) != wanted:
            assert time.monotonic() < begun_s + 10
        latest_s = max(latest_s, time.monotonic() - begun_s)
        bed.event(Alarm(kind, False))
    looking.close()
    assert latest_s < 2.0


class Slow:
    """A viewer whose connection takes nothing until it is let go."""

    def __init__(self) -> None:
        self.taken: list[str | bytes] = []
        self.go = asyncio.Event()
        self.viewer = Viewer(self._send, lambda: None)

    async def _send(self, message: str | bytes) -> None:
        await self.go.wait()
        self.taken.append(message)

    def spans(self) -> list[tuple[int, int]]:
        """Where the samples of each message begin and end."""
        found = []
        for message in self.taken:
            if isinstance(message, bytes):
                head = HEADER.unpack_from(message)
                found.append((int(head[5]), int(head[5]) + head[2]))
        return found


def test_a_slow_viewer_misses_what_is_old_is_told_so_and_costs_the_others_nothing(network: Network) -> None:
    async def scene() -> None:
        beds = Beds()
        bed = beds.add("a")
        bed.sink(lambda event: None).open(a_description(network))
        live = Live(beds, frozenset())
        slow, quick = Slow(), Slow()
        quick.go.set()
        live.viewers |= {slow.viewer, quick.viewer}
        at = 0
        for tick in range(200):  # 8 s
            bed.frame(a_frame(at, 10))
            at += 10
            live.tick(0.04 * tick)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        slow.go.set()
        for tick in range(200, 204):
            bed.frame(a_frame(at, 10))
            at += 10
            live.tick(0.04 * tick)
            for _ in range(4):
                await asyncio.sleep(0)
        spans = quick.spans()
        assert spans[0][0] == 0 and spans[-1][1] == at
        assert all(first[1] == second[0] for first, second in pairwise(spans))
        late = slow.spans()
        assert late[-1][1] == at and late[1][0] > at - (BEHIND_S + 1) * 250
        told = [json.loads(text) for text in slow.taken if isinstance(text, str)]
        assert any(one["kind"] == "left out" and one["ticks"] > 100 for one in told)

    asyncio.run(scene())


def test_who_comes_finds_the_last_seconds_there_and_who_looks_at_one_bed_gets_that_alone(
    network: Network,
) -> None:
    async def scene() -> None:
        beds = Beds()
        for name in ("a", "b"):
            bed = beds.add(name)
            bed.sink(lambda event: None).open(a_description(network))
            bed.frame(a_frame(0, 30 * 250))
        live = Live(beds, frozenset())
        comes = Slow()
        comes.go.set()
        comes.viewer.look(Wanted(bed=2))
        live.viewers.add(comes.viewer)
        live.tick(0.0)
        for _ in range(4):
            await asyncio.sleep(0)
        (block,) = [message for message in comes.taken if isinstance(message, bytes)]
        head = HEADER.unpack_from(block)
        assert head[3] == 2 and head[2] == BACK_S * 250
        assert len(block) == HEADER.size + head[1] + head[1] % 2 + 2 * head[1] * head[2]

    asyncio.run(scene())


@settings(deadline=None)  # the machine may be busy
@given(number=st.integers(1, 2**32 - 1), epoch=st.integers(0, 2**32 - 1))
def test_a_bed_of_any_number_is_sent(network: Network, number: int, epoch: int) -> None:
    bed = Bed(number, "a", epoch=epoch - 1)
    bed.sink(lambda event: None).open(a_description(network))
    bed.frame(a_frame(0))
    piece = bed.piece([0], 0, 5)
    assert piece is not None and HEADER.unpack_from(block(piece))[3:5] == (number, epoch)


def test_the_page_begins_again_if_what_it_is_sent_cannot_be_made(
    ward: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser would wait for ever."""
    monkeypatch.setattr("ward.server.AGAIN_S", 0.1)
    _, cookie = ward.log_in()
    (bed,) = ward.beds.all()

    def fails(now_s: float) -> None:
        monkeypatch.undo()
        raise ArithmeticError("of one bed")

    with look(ward, cookie) as page, pytest.raises(ConnectionClosed):
        page.recv(timeout=10)
        monkeypatch.setattr(bed, "status", fails)
        while True:
            page.recv(timeout=10)
    assert until(lambda: ward.log_in()[0] == 200)
    with look(ward, cookie) as page:
        assert page.recv(timeout=10)
    assert any("of one bed" in each for each in ward.said)
