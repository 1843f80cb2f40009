# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C while something runs that cannot bear an exception in its midst."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Hold Ctrl-C back until the end of the block; in other threads, which it never reaches, do nothing.

    Numba compiles through callbacks from C, where Python swallows a KeyboardInterrupt, or leaves the
    compiler in pieces.

    Yields
    ------
    callable
        True once Ctrl-C was pressed, for a loop that wants to end early.

    Raises
    ------
    KeyboardInterrupt
        At the end, where Ctrl-C was pressed meanwhile.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: asked.set())
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
    if asked.is_set():
        raise KeyboardInterrupt
