# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores many records, in one process or several; one that dies costs no more than its record."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

from streamer.core.errors import InputError

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2
"""Chunks for each process that are given out at a time: none of them waits."""
DIED = "the process that scored it died, twice"
BARREN = 3
"""So many pieces in a row of which a process dies: the next ones would too."""


def in_processes(
    function: Callable[[T], R],
    work: Iterable[T],
    jobs: int,
    chunk: int,
    died: Callable[[T], R] | None = None,
) -> Iterator[R]:
    """What the function makes of each piece of work, in order; ``chunk`` pieces go to a process at a time.

    If a process dies, what all of them had is done once more, piece by piece in a process of its own, so that
    it is known of which one that dies again.  ``died`` says what is made of such a piece.

    Raises
    ------
    InputError
        A process died of a piece twice and ``died`` is None, or of `BARREN` pieces in a row.
    """
    if jobs == 1:
        yield from map(function, work)
        return
    rest = iter(work)
    under_way: deque[tuple[list[T], ProcessPoolExecutor, Future[list[R]]]] = deque()
    pool = _pool(jobs)
    try:
        while True:
            while len(under_way) < AHEAD * jobs and (pieces := list(islice(rest, chunk))):
                under_way.append((pieces, pool, _given(pool, function, pieces)))
            if not under_way:
                return
            pieces, its_pool, future = under_way.popleft()
            try:
                found = future.result()
            except BrokenProcessPool:
                if its_pool is pool:
                    pool.shutdown()
                    pool = _pool(jobs)
                yield from _once_more(function, pieces, died)
            else:
                yield from found
    finally:
        pool.shutdown(cancel_futures=True)


def _once_more(function: Callable[[T], R], pieces: Sequence[T], died: Callable[[T], R] | None) -> Iterator[R]:
    pool, deaths = _pool(1), 0
    try:
        for piece in pieces:
            try:
                result = pool.submit(function, piece).result()
                deaths = 0
            except BrokenProcessPool as error:
                deaths += 1
                if died is None or deaths == BARREN:
                    words = "a process that scored records died twice: try again, with fewer processes"
                    raise InputError(words) from error
                pool.shutdown()
                pool = _pool(1)
                result = died(piece)
            yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(jobs: int) -> ProcessPoolExecutor:
    # Ctrl-C reaches a terminal's whole process group: the workers leave it to their parent.
    quiet = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=quiet)


def _given(pool: ProcessPoolExecutor, function: Callable[[T], R], pieces: Sequence[T]) -> Future[list[R]]:
    try:
        return pool.submit(_each, function, pieces)
    except BrokenProcessPool as error:
        broken: Future[list[R]] = Future()
        broken.set_exception(error)
        return broken


def _each(function: Callable[[T], R], pieces: Sequence[T]) -> list[R]:
    return [function(piece) for piece in pieces]
