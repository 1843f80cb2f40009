# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that reconstruct records beside each other; one that dies costs no more than its record."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from mecg.app.models import network_of
from mecg.archive.naming import Item
from mecg.archive.record import Job, Outcome, outcome_of
from mecg.archive.unfinished import remove_parts_of
from streamer.core.errors import InputError
from streamer.core.network.network import Network

TICK_S = 0.2
"""So often who waits for outcomes is asked whether to go on."""
TRIES = 2
"""A record is given to so many processes before it is said to end them."""
AHEAD = 2
"""Records that a process has at a time: one that it does, and one that it need not wait for."""
SHARE_S = 0.5
"""Progress within a record is reported so often."""
BARREN = 3
"""So many processes in a row that die before they are ready: the next ones would too."""
PATIENCE_S = 10.0
"""So long a process may take to leave its record cleanly."""


class ClusterGoneError(Exception):
    """Who did the records cannot be reached any more; what it says is for the user."""


@dataclass(frozen=True, slots=True)
class Work:
    """A record to do."""

    item: Item
    force: bool = False
    """Overwrite: what is there under its name is not whole."""
    tries: int = 1


Told = Outcome | float | None
"""What became of a record; a share more, or less, of those that are under way; or nothing new: time to look
about."""


def one_by_one(
    work: Iterator[Work],
    network: Network,
    job: Job,
    advance: Callable[[float], None],
    stopped: Callable[[], bool],
) -> Iterator[Told]:
    """Do records in this process; ``advance`` gets each share of the one that is under way."""
    for one in work:
        told = 0.0

        def count(share: float) -> None:
            nonlocal told
            told += share
            advance(share)

        outcome = outcome_of(one.item, network, job, one.force, count, stopped)
        yield -told
        yield outcome


def beside_each_other(
    jobs: int, work: Iterator[Work], model: Path | None, bands: str, job: Job
) -> Iterator[Told]:
    """Do records in so many processes.

    Yields
    ------
    Outcome, float or None
        In the order in which they are done.  Closing the iterator ends the processes, each after it has
        removed what it had begun.

    Raises
    ------
    InputError
        No process can be started here.
    """
    pool = _Pool(jobs, work, model, bands, job)
    try:
        yield from pool.run()
    finally:
        pool.end()


@dataclass(slots=True)
class _Worker:
    process: Any
    connection: Connection
    ready: bool = False
    share: float = 0.0
    """Of the record that it is at, as far as it told."""
    has: deque[Work] = field(default_factory=deque)
    """What it was given and has not returned; it is at the first."""


class _Pool:
    """The parent's side."""

    def __init__(self, jobs: int, work: Iterator[Work], model: Path | None, bands: str, job: Job) -> None:
        # Started afresh: a fork would copy ONNX Runtime's and numba's threads in whatever state they are.
        self._context = multiprocessing.get_context("spawn")
        self._stop = self._context.RawValue("b", 0)  # no lock, which a process that dies could keep
        self._jobs, self._work, self._job = jobs, work, job
        self._model, self._bands = model, bands
        self._again: deque[Work] = deque()
        self._workers: list[_Worker] = []
        self._barren = 0

    def run(self) -> Iterator[Told]:
        while True:
            self._feed()
            if not self._workers:
                return
            ready = wait([worker.connection for worker in self._workers], TICK_S)
            if not ready:
                yield None
            for worker in [worker for worker in self._workers if worker.connection in ready]:
                try:
                    said = worker.connection.recv()
                except (EOFError, OSError):
                    yield from self._bury(worker)
                    continue
                if isinstance(said, Outcome):
                    work = worker.has.popleft()
                    yield -worker.share
                    worker.share = 0.0
                    yield replace(said, tries=work.tries)
                elif isinstance(said, float):
                    worker.share += said
                    yield said
                else:
                    worker.ready, self._barren = True, 0

    def end(self) -> None:
        """Ask all to leave, and wait for them."""
        self._stop.value = 1
        for worker in self._workers:
            with suppress(OSError):
                worker.connection.close()
        until_s = time.monotonic() + PATIENCE_S
        for worker in self._workers:
            worker.process.join(max(0.0, until_s - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            for work in worker.has:
                remove_parts_of(worker.process.pid, self._job.out / work.item.folder, work.item.name)
        self._workers = []

    def _feed(self) -> None:
        """Give every process enough to do, and send home those for whom there is nothing."""
        for worker in self._workers:
            while len(worker.has) < AHEAD and (work := self._next()) is not None:
                self._give(worker, work)
        while len(self._workers) < self._jobs and (work := self._next()) is not None:
            self._workers.append(self._start())
            self._give(self._workers[-1], work)
        for worker in [worker for worker in self._workers if not worker.has]:
            worker.connection.close()
            worker.process.join(PATIENCE_S)
            self._workers.remove(worker)

    def _give(self, worker: _Worker, work: Work) -> None:
        worker.has.append(work)
        with suppress(OSError):  # it is dead: reading from it will show that
            worker.connection.send((work.item, work.force))

    def _next(self) -> Work | None:
        return self._again.popleft() if self._again else next(self._work, None)

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(theirs, self._model, self._bands, self._job, self._stop), daemon=True
        )
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _bury(self, worker: _Worker) -> Iterator[Told]:
        """A process died: the record that it was at is tried once more, those behind it were not begun."""
        self._workers.remove(worker)
        yield -worker.share
        worker.connection.close()
        worker.process.join()
        if not worker.ready:
            self._barren += 1
            if self._barren >= BARREN:
                raise InputError(f"processes cannot be started here ({_end_of(worker.process.exitcode)})")
            self._again.extendleft(reversed(worker.has))
            return
        first = worker.has.popleft()
        self._again.extendleft(reversed(worker.has))
        remove_parts_of(worker.process.pid, self._job.out / first.item.folder, first.item.name)
        if first.tries < TRIES:
            # Whole or not at all: what the dead one may have named already is done again.
            self._again.append(replace(first, force=True, tries=first.tries + 1))
            return
        words = f"{first.item.record}: the process that did it died ({_end_of(worker.process.exitcode)})"
        yield Outcome.failed(first.item, f"{words}, twice: left out", first.tries)


def _end_of(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def _serve(connection: Connection, model: Path | None, bands: str, job: Job, stop: Any) -> None:
    """The child's side: a record after the other, until none is asked for any more."""
    # Ctrl-C reaches the whole group; this process is told by ``stop``, and cleans up after itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    network = network_of(model, bands)
    told_s, share = time.monotonic(), 0.0

    def advance(more: float) -> None:
        nonlocal told_s, share
        share += more
        if time.monotonic() - told_s > SHARE_S:
            connection.send(share)
            told_s, share = time.monotonic(), 0.0

    with suppress(EOFError, OSError, KeyboardInterrupt):  # the parent is gone, or wants us to go
        connection.send(os.getpid())
        while True:
            item, force = connection.recv()
            told_s, share = time.monotonic(), 0.0
            outcome = outcome_of(item, network, job, force, advance, lambda: bool(stop.value))
            connection.send(outcome)
