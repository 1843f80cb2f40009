# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores many records, in one process or several."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from typing import TypeVar

from streamer.core.errors import InputError

T = TypeVar("T")
R = TypeVar("R")


def in_processes(function: Callable[[T], R], work: Iterable[T], jobs: int, chunk: int) -> Iterator[R]:
    """What the function makes of each piece of work, in order; ``chunk`` pieces go to a process at a time.

    Raises
    ------
    InputError
        One of the processes died.
    """
    if jobs == 1:
        yield from map(function, work)
        return
    # Ctrl-C reaches a terminal's whole process group: the workers leave it to their parent.
    quiet = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=quiet)
    try:
        yield from pool.map(function, work, chunksize=chunk)
    except BrokenProcessPool as error:
        raise InputError("a process that scored records died: try again, with fewer processes") from error
    finally:
        pool.shutdown(cancel_futures=True)
