# SPDX-License-Identifier: GPL-3.0-or-later
"""A bed whose session runs in another process: what is reported of it there, and kept of it here."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from streamer.core.events import Event, State
from ward.bed import OLD_S, Bed, BedStatus, Piece
from ward.samples import KEPT_S, MISSING, ROWS, Ring

STATUS_S = 0.5
"""How a bed stands is reported so often, and whenever it changes."""

BACK_S = 1.0
"""Of what was missed, because the reports were not taken, so much is made up for."""

_ALL = tuple(range(ROWS))


@dataclass(frozen=True, slots=True)
class Report:
    """What is new of a bed; goes from process to process."""

    number: int
    at_s: float
    """When it was made, monotonic seconds; the same clock in all processes of a machine."""
    status: BedStatus | None = None
    """Without its description if that was reported already."""
    piece: Piece | None = None
    events: tuple[Event, ...] = ()
    """What became of alarms."""


class Reporter:
    """Reports one bed, in the process where its session runs.

    Parameters
    ----------
    events : callable
        Takes away what became of its alarms since it was last called.
    """

    def __init__(self, bed: Bed, events: Callable[[], tuple[Event, ...]]) -> None:
        self.bed = bed
        self._events = events
        self._changes = -1
        self._status_s = -math.inf
        self._described = -1
        self._cursor = (-1, 0)

    def report(self, now_s: float) -> Report | None:
        """What is new; None if nothing is."""
        events = self._events()
        status = self._status(now_s)
        epoch, stop = self.bed.cursor()
        before = self._cursor[1] if self._cursor[0] == epoch else 0
        piece = None
        if stop != before:
            piece = self.bed.piece(_ALL, before, stop, BACK_S)
        self._cursor = epoch, stop
        if status is None and piece is None and not events:
            return None
        return Report(self.bed.number, now_s, status, piece, events)

    def _status(self, now_s: float) -> BedStatus | None:
        if self.bed.changes == self._changes and now_s - self._status_s < STATUS_S:
            return None
        self._changes, self._status_s = self.bed.changes, now_s
        status = self.bed.status(now_s)
        if status.epoch == self._described:
            return replace(status, description=None)
        self._described = status.epoch
        return status


class MirroredBed:
    """What was reported of a bed; asked as a `ward.bed.Bed` is.

    Parameters
    ----------
    empty : BedStatus
        How it stands before the first report.
    silence : callable
        Takes the wish to silence its alarms to where its session runs.
    """

    def __init__(self, empty: BedStatus, silence: Callable[[], None]) -> None:
        self.number, self.name = empty.number, empty.name
        self.changes = 0
        self._lock = threading.Lock()
        self._status = empty
        self._told_s = math.nan
        self._silence = silence
        self._ring: Ring | None = None
        self._epoch = -1  # of what the ring holds, as it was reported
        self._begun = empty.epoch  # sessions of earlier processes
        self._came_s = math.nan

    def take(self, report: Report) -> None:
        """Keep what is new."""
        with self._lock:
            if report.status is not None:
                self._keep_status(report.status, report.at_s)
            piece = report.piece
            if piece is None:
                return
            if self._ring is None or self._epoch != piece.epoch or self._ring.rate_hz != piece.rate_hz:
                self._ring, self._epoch = Ring(piece.rate_hz, np.int16(MISSING)), piece.epoch
            self._ring.write(piece.start, piece.uv)
            self._came_s = piece.came_s

    def _keep_status(self, status: BedStatus, at_s: float) -> None:
        before = self._status
        status = replace(status, epoch=status.epoch + self._begun)
        if status.description is None:
            status = replace(status, description=before.description)
        if _urgent(before) != _urgent(status):
            self.changes += 1
        self._status, self._told_s = status, at_s

    def lose(self, news: str) -> None:
        """The process of its session has ended; another will report, with epochs from the beginning."""
        with self._lock:
            self._begun = self._status.epoch
            self._ring = None
            self._status = replace(
                self._status, state=State.RECONNECTING, words=State.RECONNECTING.value, news=news
            )
            self.changes += 1

    # ---- `ward.bed.ShownBed`

    def status(self, now_s: float) -> BedStatus:
        """How it stands at ``now_s``, monotonic seconds."""
        with self._lock:
            status = self._status
            age_s = status.age_s + max(0.0, now_s - self._told_s)
            if status.state is State.PAUSED:
                return status
            return replace(status, age_s=age_s, bpm=status.bpm if age_s <= OLD_S else math.nan)

    def cursor(self, back_s: float = 0.0) -> tuple[int, int]:
        """Epoch, and the index after the newest sample, or so many seconds before it."""
        with self._lock:
            if self._ring is None:
                return self._status.epoch, 0
            first, stop = self._ring.span
            return self._begun + self._epoch, max(first, stop - round(back_s * self._ring.rate_hz))

    def piece(self, rows: Sequence[int], start: int, stop: int, most_s: float = KEPT_S) -> Piece | None:
        """As far as they are kept, these samples of the session that runs, the newest ``most_s`` seconds of
        them; None if none is.
        """
        with self._lock:
            if self._ring is None:
                return None
            first, last = self._ring.span
            stop = min(stop, last)
            start = max(start, first, stop - round(most_s * self._ring.rate_hz))
            if start >= stop:
                return None
            uv = self._ring.rows(rows, start, stop)
            epoch = self._begun + self._epoch
            return Piece(self.number, epoch, start, self._ring.rate_hz, self._came_s, rows, uv)

    def silence(self) -> bool:
        """Ask for silence about what stands; False if nothing is sounding."""
        if all(alarm.silenced for alarm in self._status.alarms):
            return False
        self._silence()
        return True


def _urgent(status: BedStatus) -> tuple[object, ...]:
    """What a viewer should see at once if it changes."""
    alarms = tuple((one.kind, one.silenced) for one in status.alarms)
    return alarms, status.bedside, status.state, status.quality, status.epoch
