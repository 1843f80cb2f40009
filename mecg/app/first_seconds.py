# SPDX-License-Identifier: GPL-3.0-or-later
"""A source cut to its first seconds."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from math import ceil

from streamer.core.events import Event
from streamer.core.stream import Chunk, StreamInfo
from streamer.session.source import Source


class FirstSeconds:
    """The first seconds of another source, to the sample; follows `streamer.session.source.Source`.

    A live one also ends when that long has passed since the start, whatever has come by then.

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
        timer = None
        if self._live and self._seconds is not None:
            timer = threading.Timer(self._seconds, self._source.stop)
            timer.daemon = True
            timer.start()
        try:
            enough = False
            for item in self._source.items():
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
            if timer is not None:
                timer.cancel()

    def stop(self) -> None:
        """Ask `items` to end."""
        self._source.stop()


def _cut(chunk: Chunk, stop: int) -> Chunk:
    n = max(stop - chunk.start, 0)
    reference_mv = None if chunk.reference_mv is None else chunk.reference_mv[:, :n]
    start = min(chunk.start, stop)  # the end may lie in a gap
    return dataclasses.replace(chunk, start=start, lead_mv=chunk.lead_mv[:n], reference_mv=reference_mv)
