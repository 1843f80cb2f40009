# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes to each viewer, tick by tick; a viewer that cannot follow misses what it cannot take.

Beds are asked and samples encoded once for all who look at the same; nothing here waits for anybody.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from streamer.core.leads import LEADS
from ward import wire
from ward.bed import Beds, ShownBed
from ward.samples import FLAGS, HALF_WIDTH, MEASURED

TICK_S = 0.04

STATUS_S = 0.5
"""What is not needed at once is said so often."""

BACK_S = 20.0
"""A viewer that comes finds so much already there."""

BEHIND_S = 2.0
"""What a slow viewer has missed beyond this is left out."""

STUCK_S = 10.0
"""A viewer that has taken nothing for so long is sent away."""

MOST_VIEWERS = 64

WHOLE_BED = (*range(HALF_WIDTH + len(LEADS)), FLAGS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a viewer looks at."""

    lead: str = "II"
    """Beside Lead I on each tile."""
    bed: int | None = None
    """All of one bed; None shows the tiles."""

    @classmethod
    def of(cls, text: str) -> Wanted:
        """Read what a page asks for.

        Raises
        ------
        ValueError
            It asks for nothing that there is.
        """
        said = json.loads(text)
        if not isinstance(said, dict):
            raise ValueError("not an object")
        lead, bed = said.get("lead", "II"), said.get("bed")
        if lead not in LEADS or isinstance(bed, bool) or not (bed is None or isinstance(bed, int)):
            raise ValueError("no such lead or bed")
        return cls(lead, bed)

    @property
    def rows(self) -> tuple[int, ...]:
        """Of the samples."""
        if self.bed is not None:
            return WHOLE_BED
        return (0, MEASURED, LEADS.index(self.lead), FLAGS)


Send = Callable[[str | bytes], Awaitable[None]]


@dataclass(eq=False)
class Viewer:
    """A browser that looks."""

    send: Send
    close: Callable[[], None]
    """Ends the connection without waiting."""
    wanted: Wanted = field(default_factory=Wanted)
    cursors: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By bed: the epoch, and the index after the newest sample that was sent."""
    waiting: list[str | bytes] = field(default_factory=list)
    """What is being sent."""
    since_s: float = 0.0
    """When that was begun."""
    left_out: int = 0
    """Ticks without room for anything, ..."""
    said: int = 0
    """... as far as the viewer knows."""
    changes: int = -1
    status_s: float = 0.0
    task: asyncio.Task[None] | None = None

    def look(self, wanted: Wanted) -> None:
        """Look at something else from now on."""
        self.wanted = wanted
        self.cursors.clear()

    @property
    def busy(self) -> bool:
        """Whether it has not taken yet what it was sent."""
        return self.task is not None and not self.task.done()


class _Begin(NamedTuple):
    """From which sample on a viewer gets a bed's."""

    epoch: int
    start: int
    most_s: float
    """What is older than this, by the newest, is left out."""


class Live:
    """Serves all viewers; in one event loop.

    Parameters
    ----------
    beds : Beds
        What there is to see.
    allowed : frozenset of str
        What a viewer may do, beside looking.
    """

    def __init__(self, beds: Beds, allowed: frozenset[str]) -> None:
        self._beds = beds
        self._allowed = allowed
        self.viewers: set[Viewer] = set()
        self.left_out = 0
        """Ticks in which a viewer had no room, all viewers together."""
        self._status = ""
        self._status_s = -STATUS_S
        self._changes = -1

    async def run(self) -> None:
        """Serve until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            begun_s = loop.time()
            if self.viewers:
                self.tick(begun_s)
            await asyncio.sleep(max(0.005, TICK_S - (loop.time() - begun_s)))

    def tick(self, now_s: float) -> None:
        """Send everybody what is new, to whom has room."""
        beds = self._beds.all()
        self._refresh_status(beds)
        made: dict[tuple[Wanted, tuple[_Begin, ...]], bytes] = {}
        ends = {bed.number: bed.cursor() for bed in beds}
        for viewer in tuple(self.viewers):
            if viewer.busy:
                viewer.left_out += 1
                self.left_out += 1
                if now_s - viewer.since_s > STUCK_S:
                    self.viewers.discard(viewer)
                    viewer.close()
                continue
            viewer.waiting = self._news_for(viewer, beds, ends, made)
            if viewer.waiting:
                viewer.since_s = now_s
                viewer.task = asyncio.get_running_loop().create_task(_send(viewer))

    def _refresh_status(self, beds: tuple[ShownBed, ...]) -> None:
        now_s = self._beds.clock()
        changes = sum(bed.changes for bed in beds) + (len(beds) << 32)
        if changes != self._changes or now_s - self._status_s >= STATUS_S:
            self._changes, self._status_s = changes, now_s
            self._status = wire.statuses((bed.status(now_s) for bed in beds), self._allowed)

    def _news_for(
        self,
        viewer: Viewer,
        beds: tuple[ShownBed, ...],
        ends: dict[int, tuple[int, int]],
        made: dict[tuple[Wanted, tuple[_Begin, ...]], bytes],
    ) -> list[str | bytes]:
        news: list[str | bytes] = []
        if viewer.status_s != self._status_s:
            viewer.status_s = self._status_s
            news.append(self._status)
        if viewer.left_out != viewer.said:
            viewer.said = viewer.left_out
            news.append(json.dumps({"kind": "left out", "ticks": viewer.left_out}))
        shown = [bed for bed in beds if viewer.wanted.bed in (None, bed.number)]
        begins = tuple(self._begin(viewer, bed, ends[bed.number]) for bed in shown)
        key = (viewer.wanted, begins)
        if key not in made:
            made[key] = b"".join(_blocks(shown, viewer.wanted.rows, begins, ends))
        for bed in shown:
            viewer.cursors[bed.number] = ends[bed.number]
        if made[key]:
            news.append(made[key])
        return news

    @staticmethod
    def _begin(viewer: Viewer, bed: ShownBed, end: tuple[int, int]) -> _Begin:
        epoch, stop = viewer.cursors.get(bed.number, (-1, 0))
        if epoch != end[0] or stop > end[1]:
            return _Begin(end[0], 0, BACK_S)
        return _Begin(epoch, stop, BEHIND_S)


def _blocks(
    beds: list[ShownBed],
    rows: tuple[int, ...],
    begins: tuple[_Begin, ...],
    ends: dict[int, tuple[int, int]],
) -> list[bytes]:
    blocks = []
    for bed, begin in zip(beds, begins, strict=True):
        piece = bed.piece(rows, begin.start, ends[bed.number][1], begin.most_s)
        if piece is not None and piece.epoch == begin.epoch:
            blocks.append(wire.block(piece))
    return blocks


async def _send(viewer: Viewer) -> None:
    try:
        for message in viewer.waiting:
            await viewer.send(message)
    except Exception:  # noqa: BLE001 - a browser that is gone is nobody's error
        viewer.close()
