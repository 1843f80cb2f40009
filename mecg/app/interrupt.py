# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C while something runs that cannot bear an exception in its midst; and what ends like it."""

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


@contextmanager
def ended_as_by_ctrl_c() -> Iterator[Callable[[], int]]:
    """Within the block, take SIGTERM, and the terminal's end, for Ctrl-C: what was begun is finished.

    Only the main thread of a process hears signals; elsewhere, and of what is ignored, nothing changes.

    Yields
    ------
    callable
        The exit code of an interrupted command: 130, or 128 and the signal's number.
    """
    heard: list[int] = []

    def hear(number: int, frame: object) -> None:
        heard.append(number)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job hears no Ctrl-C
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)  # a library's own handler of Ctrl-C still runs

    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, hear)
    try:
        yield lambda: 128 + heard[0] if heard else 130
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
