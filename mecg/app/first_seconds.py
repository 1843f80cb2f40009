# SPDX-License-Identifier: GPL-3.0-or-later
"""A source cut to its first seconds."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from math import ceil

from streamer.core.events import Event
from streamer.core.stream import Chunk, StreamInfo
from streamer.session.source import Announcing, Source

FIRST_SAMPLE_S = 60.0
"""A live source that has been found may take so long to its first sample (an H10 takes up to 30 s)."""


class FirstSeconds:
    """The first seconds of another source, to the sample; follows `streamer.session.source.Source`.

    A live one also ends when that long has passed since its first sample, whatever has come by then; and
    without one after `FIRST_SAMPLE_S`.

    Parameters
    ----------
    source : Source
        Not yet open.
    seconds : float or None
        None is all of it.
    """

    def __init__(self, source: Source, seconds: float | None) -> None:
        self._source = source
        self._seconds = seconds
        self._samples: int | None = None
        self._live = False
        self._timer: threading.Timer | None = None
        self.empty = True
        """No sample has come."""

    def announce_to(self, hear: Callable[[Event], None]) -> None:
        """Let the listener hear the other source while it is opened, if it says anything then."""
        if isinstance(self._source, Announcing):
            self._source.announce_to(hear)

    def open(self) -> StreamInfo:
        """Open the other source; raises as it does."""
        info = self._source.open()
        self._live = info.live
        if self._seconds is None:
            return info
        self._samples = ceil(self._seconds * info.rate_hz)
        known = self._samples if info.samples is None else min(self._samples, info.samples)
        return dataclasses.replace(info, samples=known)

    def items(self) -> Iterator[Chunk | Event]:
        """Everything up to the last sample, which may cut the last chunk."""
        self._stop_after(FIRST_SAMPLE_S)
        try:
            enough = False
            for item in self._source.items():
                if isinstance(item, Chunk) and self.empty:
                    self.empty = False
                    self._stop_after(self._seconds)
                if not isinstance(item, Chunk):
                    yield item
                elif enough:
                    continue  # what a live source had received before it heard of the stop
                elif self._samples is not None and item.stop >= self._samples:
                    yield _cut(item, self._samples)
                    enough = True
                    self._source.stop()
                else:
                    yield item
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def stop(self) -> None:
        """Ask `items` to end."""
        self._source.stop()

    def _stop_after(self, seconds: float | None) -> None:
        """Of a live source that is cut: at this time from now, and no longer at another."""
        if self._timer is not None:
            self._timer.cancel()
        if self._live and self._seconds is not None and seconds is not None:
            self._timer = threading.Timer(seconds, self._source.stop)
            self._timer.daemon = True
            self._timer.start()


def _cut(chunk: Chunk, stop: int) -> Chunk:
    n = max(stop - chunk.start, 0)
    reference_mv = None if chunk.reference_mv is None else chunk.reference_mv[:, :n]
    start = min(chunk.start, stop)  # the end may lie in a gap
    return dataclasses.replace(chunk, start=start, lead_mv=chunk.lead_mv[:n], reference_mv=reference_mv)
