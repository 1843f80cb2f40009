"""Senders in other processes, and a source that is iterated beside the test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from streamer.core.events import Event, SamplesLost, State, StateChanged
from streamer.core.stream import Chunk, StreamInfo
from streamer.session.source import Source

SENDER = Path(__file__).with_name("lsl_sender.py")


class Sender:
    """An outlet in a process of its own, which waits to be told what to send."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SENDER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def begin(self, **how: object) -> None:
        """Send, as in `lsl_sender.DEFAULTS` but for `how`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(how) + "\n")
        self._process.stdin.flush()

    def ready(self) -> Sender:
        """Wait until it can be found."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """As a crash does it: SIGKILL."""
        self._process.kill()
        self._process.communicate()

    def finish(self) -> int:
        """End it in good order; how many samples it sent."""
        out, _ = self._process.communicate(timeout=10)
        return int(out)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None


class Reception:
    """Iterates an open source in a thread of its own and keeps what comes."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.info: StreamInfo = source.open()
        self.chunks: list[Chunk] = []
        self.events: list[Event] = []
        self.late_s: list[float] = []
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._iterate, daemon=True)
        self._thread.start()

    def _iterate(self) -> None:
        try:
            for item in self.source.items():
                if isinstance(item, Chunk):
                    self.chunks.append(item)
                    self.late_s.append(time.monotonic() - item.device_s)
                else:
                    self.events.append(item)
        except Exception as error:  # noqa: BLE001 - for the test to look at
            self.error = error

    def wait(self, until: Callable[[], object], timeout_s: float = 15.0) -> None:
        """Wait until something holds.

        Raises
        ------
        AssertionError
            It does not in time, with all events so far.
        """
        end_s = time.monotonic() + timeout_s
        while not until():
            assert time.monotonic() < end_s, self.told
            time.sleep(0.01)

    def wait_samples(self, count: int) -> None:
        """Wait for so many more samples."""
        goal = self.samples + count
        self.wait(lambda: self.samples >= goal)

    def stop(self) -> float:
        """Stop and wait for the end; how long that took, s."""
        begun_s = time.monotonic()
        self.source.stop()
        self.join()
        return time.monotonic() - begun_s

    def join(self, timeout_s: float = 10.0) -> None:
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), self.told

    @property
    def samples(self) -> int:
        return sum(len(chunk.lead_mv) for chunk in self.chunks)

    @property
    def states(self) -> list[State]:
        return [event.state for event in self.events if isinstance(event, StateChanged)]

    @property
    def told(self) -> list[str]:
        return [event.text for event in self.events]

    @property
    def lost(self) -> int:
        """As the events count it."""
        return sum(event.count for event in self.events if isinstance(event, SamplesLost))

    def counted(self, per_mv: float = 1000.0) -> tuple[np.ndarray, np.ndarray]:
        """Index of each sample here, and its number at the sender, whose values are its numbers."""
        indices = np.concatenate([np.arange(chunk.start, chunk.stop) for chunk in self.chunks])
        numbers = np.rint(np.concatenate([chunk.lead_mv for chunk in self.chunks]).astype(float) * per_mv)
        return indices, numbers.astype(int)


def resident_bytes() -> int:
    """How much memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
