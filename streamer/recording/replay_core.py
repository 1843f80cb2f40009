# SPDX-License-Identifier: MIT
"""The twelve leads as they were recorded, in the place of the path that makes them again."""

from __future__ import annotations

import dataclasses
from math import ceil, floor, isfinite, nan

import numpy as np

from streamer.core.events import Drift
from streamer.core.pipeline import GAP_FRAMES_S
from streamer.core.signal.rate import rational
from streamer.core.stream import Chunk, Frame
from streamer.recording.reader import Recording


class ReplayCore:
    """A `streamer.session.session.Core` that gives back the frames of a recording as its input is played.

    A sample comes out when it came out then: once its algorithmic latency has passed.

    Parameters
    ----------
    recording : Recording
        Open for as long as this is used.
    origin : int
        Raw index of the recording at which the played one is 0.
    """

    def __init__(self, recording: Recording, origin: int = 0) -> None:
        self._recording = recording
        description = recording.description
        self._rate_hz = description.rate_hz
        self._ratio = rational(description.rate_hz) / rational(description.stream.rate_hz)
        self._gap_end = round(GAP_FRAMES_S / 2 * description.rate_hz)
        self._late = description.latency.total_ms / 1e3 * description.rate_hz
        self._origin = round(origin * self._ratio)
        self._next: int | None = None
        self._chunk: Chunk | None = None
        self.lost = 0
        """Missing samples so far, at the source's rate."""

    def push(self, chunk: Chunk) -> list[Frame]:
        """The frames that came with this chunk."""
        if self._chunk is None:
            self._next = ceil(chunk.start * self._ratio)
        else:
            self.lost += chunk.start - self._chunk.stop
        self.lost += int(np.count_nonzero(~np.isfinite(chunk.lead_mv)))
        self._chunk = chunk
        return self._until(floor(chunk.stop * self._ratio - self._late))

    def drifts(self) -> list[Drift]:
        """The recorded drifts, in order, on the axis of what is played; before 0 what it skips."""
        since_s = self._origin / self._rate_hz
        return [
            dataclasses.replace(event, host_s=nan, at_s=event.at_s - since_s)
            for event in self._recording.events
            if isinstance(event, Drift) and isfinite(event.at_s)
        ]

    def finish(self) -> list[Frame]:
        """The rest."""
        return [] if self._chunk is None else self._until(ceil(self._chunk.stop * self._ratio))

    def _until(self, stop: int) -> list[Frame]:
        chunk, start = self._chunk, self._next
        assert chunk is not None and start is not None
        stop = min(stop, self._recording.stop - self._origin)
        frames = []
        while (start := self._leapt(start, stop)) < stop:
            n = min(stop - start, ceil(self._rate_hz))  # a second each at the most
            frame = self._recording.twelve(self._origin + start, self._origin + start + n)
            since_s = float(start - chunk.start * self._ratio) / self._rate_hz
            frames.append(
                dataclasses.replace(
                    frame, start=start, device_s=chunk.device_s + since_s, arrival_s=chunk.arrival_s
                )
            )
            start += n
        self._next = start
        return frames

    def _leapt(self, start: int, stop: int) -> int:
        """Where to go on: of a long gap only the ends are frames, as the path itself has it."""
        first, last = self._recording.gap_at(self._origin + start)
        begin, end = first - self._origin + self._gap_end, last - self._origin - self._gap_end
        return min(end, stop) if begin <= start < end else start
