# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the run-time leaves what the window will show; no Qt."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from streamer.core.events import Event
from streamer.core.signal.diagnostic_band import LEAST_HZ, DiagnosticBand
from streamer.core.stream import Chunk, Frame, Samples

if TYPE_CHECKING:
    from streamer.session.description import SessionDescription


class Truth(Protocol):
    """The leads that a source holds beside the measured one (two kinds: `streamer.core.measured_leads`)."""

    @property
    def frame(self) -> str:
        """In which frame they are."""
        ...

    def push(self, chunk: Chunk) -> None:
        """Take what comes with a chunk."""
        ...

    def at(self, start: int, stop: int) -> Samples:
        """The leads ``(12, stop - start)`` at the model's rate; NaN where a lead is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Measured:
    """Leads that were measured, beside a frame that came just before."""

    start: int
    leads_mv: Samples
    """``(12, n)`` at the frame's rate."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Lead I in the diagnostic band."""

    start: int
    rate_hz: float
    """The source's."""
    lead_mv: Samples
    """``(n,)``"""


Item = Frame | Event | Measured | Raw


class Inbox:
    """A sink that only keeps what comes until the window takes it.

    Any thread may fill it and another empty it.  It never blocks: of more than ``depth`` items the
    oldest go, and are counted.

    Parameters
    ----------
    truth : Truth, optional
        Asked for the measured leads beside each frame.
    """

    name = "monitor"

    def __init__(self, depth: int = 8192, truth: Truth | None = None) -> None:
        self._waiting: deque[tuple[float, Item]] = deque()
        self._depth = depth
        self._lock = threading.Lock()
        self._band: DiagnosticBand | None = None
        self.truth = truth
        """Where the measured leads come from, if there are any."""
        self.dropped = 0
        """Items that went unseen because the window was too slow."""
        self.description: SessionDescription | None = None
        """What was said when the session began."""
        self.closed = False
        """True once nothing more will come."""

    def open(self, description: SessionDescription) -> None:
        """Keep the session's description."""
        self.description = description
        if description.stream.rate_hz >= LEAST_HZ:
            self._band = DiagnosticBand(description.stream.rate_hz)

    def chunk(self, chunk: Chunk) -> None:
        """Keep Lead I as the diagnostic band has it, where the source is fast enough."""
        if self.truth is not None:
            self.truth.push(chunk)
        if self._band is not None:
            self._put(Raw(chunk.start, self._band.rate_hz, self._band.push(chunk)))

    def frame(self, frame: Frame) -> None:
        """Keep a frame, and what was measured beside it."""
        if self.truth is None:
            self._put(frame)
            return
        measured_mv = self.truth.at(frame.start, frame.stop)
        known = bool((measured_mv == measured_mv).any())
        self._put(frame, *((Measured(frame.start, measured_mv),) if known else ()))

    def event(self, event: Event) -> None:
        """Keep an event."""
        self._put(event)

    def close(self) -> None:
        """Nothing more will come."""
        self.closed = True

    def take(self) -> list[tuple[float, Item]]:
        """Everything that waits, oldest first, each with when it came (monotonic seconds)."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def _put(self, *items: Item) -> None:
        with self._lock:
            for item in items:
                if len(self._waiting) >= self._depth:
                    self._waiting.popleft()
                    self.dropped += 1
                self._waiting.append((time.monotonic(), item))
