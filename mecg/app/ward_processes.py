# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the beds of a ward in several processes: one interpreter runs no more than a core's worth of Python.

Each process runs `mecg.app.ward_beds.WardBeds` and reports what is new 25 times a second; here a mirror of
each bed is shown.  A process that ends is started again.  One whose parent has ended closes its recordings
and ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from types import MappingProxyType
from typing import Any

from mecg.app.bed_list import BedPlan
from mecg.app.ward_beds import WardBeds
from streamer.core.events import Event
from ward.bed import Bed, Beds
from ward.mirror import MirroredBed, Report, Reporter

TICK_S = 0.04

BEDS_A_PROCESS = 16
"""More make one interpreter late; docs/ward.md has the figures."""

AGAIN_S = 2.0
"""A process that ended is started again so much later."""

STOP_S = 8.0
"""A process that has not ended by then is killed."""


def _view(content: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(content)


# Descriptions of sessions hold views of dictionaries, which Python alone cannot send.
ForkingPickler.register(MappingProxyType, lambda view: (_view, (dict(view),)))


def processes_for(beds: int) -> int:
    """How many processes so many beds take; 1 is that of the page."""
    return 1 if beds <= BEDS_A_PROCESS else min(-(-beds // BEDS_A_PROCESS), max(2, os.cpu_count() or 2))


@dataclass(frozen=True, slots=True)
class _Follow:
    plans: tuple[tuple[int, BedPlan], ...]
    """Each with its number."""


@dataclass(frozen=True, slots=True)
class _Silence:
    number: int


@dataclass(frozen=True, slots=True)
class _Reports:
    reports: tuple[Report, ...]
    ended: bool
    unrecorded: tuple[tuple[str, str], ...]


# ---- in a process of beds


def _run_beds(connection: Connection) -> None:
    """Run what is asked for until the other end says None or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C, and says when to end
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))  # recordings are closed on the way out
    numbers: dict[str, int] = {}
    events: defaultdict[int, list[Event]] = defaultdict(list)
    lock = threading.Lock()

    def log(number: int, event: Event) -> None:
        with lock:
            events[number].append(event)

    def taken(number: int) -> tuple[Event, ...]:
        with lock:
            return tuple(events.pop(number, ()))

    beds = Beds(number_of=numbers.__getitem__, log=log)
    ward = WardBeds(beds)
    reporters: dict[int, Reporter] = {}
    try:
        while True:
            while connection.poll():
                asked = connection.recv()
                if asked is None:
                    return
                _obey(asked, ward, beds, numbers)
            _follow_reporters(reporters, beds, taken)
            now_s = time.monotonic()
            reports = tuple(new for each in reporters.values() if (new := each.report(now_s)))
            connection.send(_Reports(reports, ward.ended, tuple(ward.unrecorded)))
            time.sleep(TICK_S)
    except (EOFError, OSError):  # the parent is gone
        pass
    finally:
        ward.stop()
        with suppress(OSError):
            connection.send(_Reports((), True, tuple(ward.unrecorded)))


def _obey(asked: object, ward: WardBeds, beds: Beds, numbers: dict[str, int]) -> None:
    match asked:
        case _Follow():
            numbers.update({plan.name: number for number, plan in asked.plans})
            ward.follow([plan for _, plan in asked.plans])
        case _Silence():
            bed = beds.get(asked.number)
            if bed is not None:
                bed.silence()


def _follow_reporters(
    reporters: dict[int, Reporter], beds: Beds, taken: Callable[[int], tuple[Event, ...]]
) -> None:
    """Have one for each bed that there is, and for no other."""
    there = {bed.number: bed for bed in beds.all() if isinstance(bed, Bed)}
    for number in reporters.keys() - there.keys():
        del reporters[number]
    for number, bed in there.items():
        if number not in reporters or reporters[number].bed is not bed:
            reporters[number] = Reporter(bed, lambda number=number: taken(number))  # type: ignore[misc]


# ---- in the process of the page


@dataclass(eq=False)
class _Worker:
    """A process of beds, and what it was told to run."""

    plans: dict[str, tuple[int, BedPlan]] = field(default_factory=dict)
    process: Any = None
    connection: Any = None
    thread: threading.Thread | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    """While something is sent."""
    ended: bool = False
    unrecorded: tuple[tuple[str, str], ...] = ()

    def tell(self, message: object) -> None:
        """Send it, if a process listens; one that begins again gets all plans."""
        with self.lock:
            try:
                if self.connection is not None:
                    self.connection.send(message)
            except OSError:
                pass  # its reader will see that it is gone

    def tell_plans(self) -> None:
        self.ended = False
        self.tell(_Follow(tuple(self.plans.values())))


class WardProcesses:
    """As `mecg.app.ward_beds.WardBeds`, in ``count`` processes.

    Parameters
    ----------
    beds : Beds
        Where they are shown.
    log : callable
        Takes the number of a bed and what becomes of its alarms.
    """

    def __init__(self, beds: Beds, log: Callable[[int, Event], None], count: int) -> None:
        self._beds = beds
        self._log = log
        self._context = multiprocessing.get_context("spawn")
        self._stopping = threading.Event()
        self._mirrors: dict[int, MirroredBed] = {}
        self._workers = [_Worker() for _ in range(count)]
        for worker in self._workers:
            worker.thread = threading.Thread(target=self._attend, args=(worker,), daemon=True)
            worker.thread.start()

    def follow(self, plans: Sequence[BedPlan]) -> None:
        """Run these beds: new ones begin, changed ones begin again, those that are not among them end."""
        wanted = {plan.name: plan for plan in plans}
        changed = set()
        for worker in self._workers:
            for name, (number, plan) in tuple(worker.plans.items()):
                if name not in wanted:
                    self._beds.remove(self._mirrors.pop(number))
                    del worker.plans[name]
                    changed.add(id(worker))
                elif wanted[name] != plan:
                    worker.plans[name] = number, wanted[name]
                    changed.add(id(worker))
        known = {name for worker in self._workers for name in worker.plans}
        for name, plan in wanted.items():
            if name not in known:
                worker = min(self._workers, key=lambda each: len(each.plans))
                number = self._beds.number(name)
                worker.plans[name] = number, plan
                self._mirrors[number] = self._mirror(worker, number, plan)
                self._beds.put(self._mirrors[number])
                changed.add(id(worker))
        for worker in self._workers:
            if id(worker) in changed:
                worker.tell_plans()

    def _mirror(self, worker: _Worker, number: int, plan: BedPlan) -> MirroredBed:
        empty = Bed(number, plan.name, plan.limits).status(time.monotonic())
        return MirroredBed(empty, lambda: worker.tell(_Silence(number)))

    @property
    def ended(self) -> bool:
        """Whether no bed has anything more to come."""
        return all(worker.ended or not worker.plans for worker in self._workers)

    @property
    def unrecorded(self) -> list[tuple[str, str]]:
        """The beds whose recordings ended before their time, and why."""
        return [each for worker in self._workers for each in worker.unrecorded]

    def stop(self) -> None:
        """End all, and wait for it: their recordings are closed."""
        self._stopping.set()
        for worker in self._workers:
            worker.tell(None)
        end_s = time.monotonic() + STOP_S
        for worker in self._workers:
            if worker.process is not None:
                worker.process.join(max(0.1, end_s - time.monotonic()))
                if worker.process.is_alive():
                    worker.process.kill()
                    worker.process.join(1.0)
            if worker.thread is not None:
                worker.thread.join(1.0)

    def _attend(self, worker: _Worker) -> None:
        """Start a worker's process, take its reports, and start it again if it ends."""
        while not self._stopping.is_set():
            here, there = self._context.Pipe()
            worker.process = self._context.Process(target=_run_beds, args=(there,), daemon=True)
            worker.process.start()
            there.close()
            with worker.lock:
                worker.connection = here
            worker.tell_plans()
            self._take_reports(worker, here)
            with worker.lock:
                worker.connection = None
                here.close()
            for number, _ in tuple(worker.plans.values()):
                mirror = self._mirrors.get(number)
                if mirror is not None and not self._stopping.is_set():
                    mirror.lose("the process of this bed has ended; it is started again")
            self._stopping.wait(AGAIN_S)

    def _take_reports(self, worker: _Worker, connection: Connection) -> None:
        while True:
            try:
                said: _Reports = connection.recv()
            except (EOFError, OSError):
                return
            worker.ended, worker.unrecorded = said.ended, said.unrecorded
            for report in said.reports:
                for event in report.events:
                    self._log(report.number, event)
                mirror = self._mirrors.get(report.number)
                if mirror is not None:
                    mirror.take(report)
