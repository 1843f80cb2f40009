# SPDX-License-Identifier: GPL-3.0-or-later
"""The last 24 hours of every bed, kept in a file: rate, quality, losses, alarms; and which number a bed has.

What is kept is written every ten seconds by a thread of its own, so a restart loses no more, and a disk that
is full or slow costs no session anything.
"""

from __future__ import annotations

import csv
import io
import math
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from streamer.core.errors import InputError
from streamer.core.events import Alarm, AlarmsSilenced, Event, Quality, SenderSaid
from streamer.session.event_wire import alarm_said
from ward.bed import Beds, BedStatus

STEP_S = 10.0
"""Between two points of a trend, and at most lost by a restart."""

KEPT_S = 24 * 3600.0

MOST_WAITING = 100_000
"""Events that wait for a disk; of more the oldest go."""

_VERSION = 1
_SCHEMA = """
create table if not exists bed (number integer primary key autoincrement, name text not null unique);
create table if not exists trend (
  bed integer not null, at_s real not null, bpm real, quality text, lost integer not null,
  state text not null, primary key (bed, at_s)
) without rowid;
create table if not exists alarm (
  bed integer not null, at_s real not null, kind text not null, what text not null, why text not null
);
create index if not exists alarm_at on alarm (at_s);
"""

_WITHOUT_A_DAY = """
select number from bed where not exists (select 1 from trend where bed = number)
  and not exists (select 1 from alarm where bed = number)
"""

_Row = tuple[int, float, float | None, str | None, int, str]

RISES, ENDS, SILENCED = "rises", "ends", "silenced"


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """How a bed stood at an instant."""

    at_s: float
    """Unix seconds."""
    bpm: float
    """NaN if it was unknown."""
    quality: str | None
    """What was wrong with the measured lead, with commas between; None if that was unknown."""
    lost: int
    """Samples lost since the point before, at the model's rate."""
    state: str
    """``live``, ``reconnecting`` ..."""


@dataclass(frozen=True, slots=True)
class AlarmEntry:
    """What became of an alarm."""

    bed: str
    at_s: float
    """Unix seconds."""
    kind: str
    """Such as ``heart rate high``."""
    what: str
    """`RISES`, `ENDS` or `SILENCED`."""
    why: str


class History:
    """Keeps the last day of all beds in one SQLite file.

    Parameters
    ----------
    path : Path
        Made, for its owner alone, if it is not there.
    say : callable
        Takes a sentence for the user if nothing can be kept.

    Raises
    ------
    InputError
        The file cannot be used.
    """

    def __init__(self, path: Path, say: Callable[[str], None], unix: Callable[[], float] = time.time) -> None:
        self._path = path
        self._say = say
        self._unix = unix
        self._beds: Beds | None = None
        self._waiting: deque[tuple[int, float, str, str, str]] = deque(maxlen=MOST_WAITING)
        self._lost: dict[int, tuple[int, int]] = {}
        self._given: set[int] = set()
        self._failing = False
        self._lock = threading.Lock()  # while it is held, what waits is not in the file
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ward history", daemon=True)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            with closing(self._open()) as file, file:
                version = file.execute("pragma user_version").fetchone()[0]
                if version not in (0, _VERSION):
                    raise InputError(f"the history {path} is of another version: name another file for it")
                file.executescript(_SCHEMA)
                file.execute(f"pragma user_version = {_VERSION}")
        except (sqlite3.Error, OSError) as error:
            raise InputError(
                f"the history {path} cannot be used ({error}): name another file for it"
            ) from error

    def _open(self) -> sqlite3.Connection:
        file = sqlite3.connect(self._path, timeout=5.0)
        try:
            file.execute("pragma journal_mode = wal")
            file.execute("pragma synchronous = normal")
            file.execute("pragma secure_delete = on")
        except sqlite3.Error:
            file.close()
            raise
        return file

    # ---- what is kept

    def number_of(self, name: str) -> int:
        """The number of a bed of this name: the same after a restart; raises `InputError`."""
        try:
            with closing(self._open()) as file, file:
                asked = "select number from bed where name = ?"
                if (
                    file.execute(asked, (name,)).fetchone() is None
                ):  # a refused insert would use up a number too
                    file.execute("insert or ignore into bed (name) values (?)", (name,))
                number = int(file.execute(asked, (name,)).fetchone()[0])
        except sqlite3.Error as error:
            raise InputError(f"the history {self._path} cannot be used ({error})") from error
        with self._lock:
            self._given.add(number)
        return number

    def event(self, number: int, event: Event) -> None:
        """Keep an alarm's rise, end or silence; returns at once, any thread may call."""
        now_s = self._unix()
        match event:
            case Alarm():
                what = RISES if event.rises else ENDS
                self._waiting.append((number, now_s, event.alarm.value, what, event.why))
            case AlarmsSilenced():
                for alarm in event.alarms:
                    self._waiting.append((number, now_s, alarm.value, SILENCED, ""))
            case SenderSaid():
                said = alarm_said(event)
                if said is not None:
                    what = RISES if said.rises else ENDS
                    self._waiting.append(
                        (number, now_s, f"{said.alarm.value}, at the bedside", what, said.why)
                    )

    def start(self, beds: Beds) -> None:
        """Follow these beds from now on."""
        self._beds = beds
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(6.0)

    def _run(self) -> None:
        while not self._stopping.wait(STEP_S - self._unix() % STEP_S):
            self.keep()
        self.keep()

    def keep(self) -> None:
        """Write a point of every bed, and the alarms that wait; drop what is too old."""
        if self._beds is None:
            return
        now_s, clock_s = self._unix(), self._beds.clock()
        points = [self._point(bed.status(clock_s), now_s) for bed in self._beds.all()]
        try:
            with self._lock:
                self._write(points, now_s)
        except (sqlite3.Error, OSError) as error:
            if not self._failing:
                self._say(f"trends and alarms are not kept ({error}); the beds go on, and it is tried again")
            self._failing = True
        else:
            self._failing = False

    def _write(self, points: list[_Row], now_s: float) -> None:
        alarms = list(self._waiting)
        with closing(self._open()) as file, file:
            file.executemany("insert or replace into trend values (?, ?, ?, ?, ?, ?)", points)
            file.executemany("insert into alarm values (?, ?, ?, ?, ?)", alarms)
            for table in ("trend", "alarm"):
                file.execute(f"delete from {table} where at_s < ?", (now_s - KEPT_S,))
            forgotten = {number for (number,) in file.execute(_WITHOUT_A_DAY)} - self._given
            file.executemany("delete from bed where number = ?", [(number,) for number in forgotten])
        for _ in alarms:
            with suppress(IndexError):
                self._waiting.popleft()

    def _point(self, status: BedStatus, now_s: float) -> _Row:
        epoch, before = self._lost.get(status.number, (-1, 0))
        self._lost[status.number] = status.epoch, status.lost
        lost = status.lost - before if epoch == status.epoch and status.lost >= before else status.lost
        words = None
        if status.quality is not None and not status.old:
            words = ", ".join(one.value for one in Quality if one in status.quality)
        bpm = status.bpm if math.isfinite(status.bpm) else None
        return status.number, round(now_s, 3), bpm, words, lost, status.state.name.lower()

    # ---- what is asked

    def trend(self, number: int, since_s: float = 0.0) -> list[TrendPoint]:
        """A bed's last day, the oldest point first; raises `sqlite3.Error`."""
        with closing(self._open()) as file:
            rows = file.execute(
                "select at_s, bpm, quality, lost, state from trend where bed = ? and at_s >= ? order by at_s",
                (number, max(since_s, self._unix() - KEPT_S)),
            ).fetchall()
        return [TrendPoint(at_s, math.nan if bpm is None else bpm, *rest) for at_s, bpm, *rest in rows]

    def alarms(self, number: int | None = None, most: int = 100_000) -> list[AlarmEntry]:
        """The last day's alarms of one bed or of all, the newest first; raises `sqlite3.Error`.

        What was not written yet is among them.
        """
        oldest_s = self._unix() - KEPT_S
        with self._lock:
            waiting = tuple(self._waiting)
            with closing(self._open()) as file:
                names = dict(file.execute("select number, name from bed"))
                rows = file.execute(
                    "select bed, at_s, kind, what, why from alarm where at_s >= ? and (? is null or bed = ?) "
                    "order by at_s desc, rowid desc limit ?",
                    (oldest_s, number, number, most),
                ).fetchall()
        newer = [row for row in reversed(waiting) if number is None or row[0] == number]
        return [
            AlarmEntry(names.get(bed, f"bed {bed}"), at_s, kind, what, why)
            for bed, at_s, kind, what, why in [*newer, *rows][:most]
        ]


def trend_csv(points: Iterable[TrendPoint]) -> str:
    """A trend as CSV: time, beats a minute, what was wrong, samples lost since the row before, state."""
    return _csv(
        ("time", "bpm", "quality", "lost_samples", "state"),
        (
            (
                _iso(point.at_s),
                f"{point.bpm:.1f}" if math.isfinite(point.bpm) else "",
                "unknown" if point.quality is None else point.quality or "good",
                point.lost,
                point.state,
            )
            for point in points
        ),
    )


def alarms_csv(entries: Iterable[AlarmEntry]) -> str:
    """Alarms as CSV: time, bed, alarm, what became of it, and why it rose."""
    return _csv(
        ("time", "bed", "alarm", "what", "why"),
        ((_iso(each.at_s), each.bed, each.kind, each.what, each.why) for each in entries),
    )


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(head)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return written.getvalue()


def _harmless(cell: object) -> object:
    """A text that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s).astimezone().isoformat(timespec="milliseconds")
