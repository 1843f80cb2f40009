# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process takes while it is profiled: CPU by thread, memory, load."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from mecg.profiling.collector import Blocks, LatencyCollector
from streamer.session.session import Session

LOOK_S = 0.25
"""How often memory and queues are looked at."""


class ResourceMonitor:
    """Looks at a session from beside it: memory, queues and processor time, second by second.

    Parameters
    ----------
    session : Session
        To look at.
    hops : LatencyCollector
        Has its notes worked off.
    """

    def __init__(self, session: Session, hops: LatencyCollector) -> None:
        self._session = session
        self._hops = hops
        self._process = psutil.Process()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="profiler", daemon=True)
        self.blocks = Blocks()
        self.threads: dict[str, float] = {}
        """Processor seconds, by thread."""
        self.began_s = 0.0
        self.seconds = 0.0
        self.memory_mb: list[float] = []
        """At the start, and at the end."""
        self.deepest: dict[str, int] = {}
        self.load: list[float | None] = []
        """Of the machine, one-minute mean, at the start and at the end."""

    def start(self) -> None:
        """Begin to look."""
        self.began_s = time.monotonic()
        self._before = self._cpu_s()
        self.memory_mb.append(self._memory_mb())
        self.load.append(_load())
        self._thread.start()

    def stop(self) -> None:
        """Look once more, and end."""
        self._ended.set()
        self._thread.join()
        self.memory_mb.append(self._memory_mb())
        self.load.append(_load())

    def _look_on(self) -> None:
        while not self._ended.wait(LOOK_S):
            self._look()
        self._look()

    def _look(self) -> None:
        self.seconds = time.monotonic() - self.began_s
        block = self.blocks.at(self.seconds)
        self._hops.digest(block)
        block.memory_mb = max(block.memory_mb, self._memory_mb())
        for name, (waiting, deepest) in self._session.queues().items():
            block.waiting[name] = max(block.waiting[name], waiting)
            self.deepest[name] = deepest
        now = self._cpu_s()
        for thread, (name, spent_s) in now.items():
            used_s = spent_s - self._before.get(thread, ("", 0.0))[1]
            block.cpu_s[name] = block.cpu_s.get(name, 0.0) + used_s
            self.threads[name] = self.threads.get(name, 0.0) + used_s
        self._before = now

    def _cpu_s(self) -> dict[int, tuple[str, float]]:
        """Processor seconds so far, by the system's number of the thread."""
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        return {
            thread.id: (
                names.get(thread.id, "libraries"),
                _finely_s(thread.id, thread.user_time + thread.system_time),
            )
            for thread in self._process.threads()
        }

    def _memory_mb(self) -> float:
        return float(self._process.memory_info().rss / 1e6)


def _finely_s(thread: int, in_ticks_s: float) -> float:
    """A thread's processor time to the nanosecond if Linux reports it: a tick of 10 ms is what a sink
    takes in seconds."""
    try:
        return int(Path(f"/proc/self/task/{thread}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        return in_ticks_s


def _load() -> float | None:
    ask: Callable[[], tuple[float, float, float]] | None = getattr(os, "getloadavg", None)
    return None if ask is None else round(ask()[0], 2)
