# SPDX-License-Identifier: GPL-3.0-or-later
"""When an instant of a stream was: the time of day, and its place in what is replayed; no Qt."""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections import deque
from datetime import datetime, timedelta

from streamer.core.stream import Frame, StreamInfo

EVERY_S = 5.0
"""Of the stream, between two instants of which the time of day is noted: no device's clock runs as ours."""


class StreamTime:
    """Knows the time of day of the instants of one stream.

    Of a live stream it is this machine's; of a replay the recording's own, if that states when it began.

    Parameters
    ----------
    info : StreamInfo or None
        None if nothing is known of the stream: it counts as live.
    seconds : float
        So much of the stream is remembered.
    """

    def __init__(self, info: StreamInfo | None, seconds: float = 600.0) -> None:
        self._live = info is None or info.live
        self._start_s = 0.0 if info is None else info.start_s
        self._began = datetime.fromisoformat(info.began) if info is not None and info.began else None
        self._noted: deque[tuple[float, float]] = deque(maxlen=math.ceil(seconds / EVERY_S) + 2)
        self._seams: list[float] = []

    def frame(self, frame: Frame) -> None:
        """Note when a frame was measured, every few seconds."""
        start_s = frame.start / frame.rate_hz
        if not self._live or (self._noted and 0 <= start_s - self._noted[-1][0] < EVERY_S):
            return
        host_s = next((s for s in (frame.device_s, frame.arrival_s) if math.isfinite(s)), time.monotonic())
        self._noted.append((start_s, time.time() - time.monotonic() + host_s))

    def seam(self, at_s: float) -> None:
        """A replay begins again at this instant."""
        self._seams.append(at_s)

    def clear(self) -> None:
        """The stream begins again."""
        self._noted.clear()
        self._seams.clear()

    def copy(self) -> StreamTime:
        """The same, for looking at while more comes."""
        other = StreamTime(None)
        other._live, other._start_s, other._began = self._live, self._start_s, self._began
        other._noted, other._seams = self._noted.copy(), self._seams.copy()
        return other

    def place_s(self, at_s: float) -> float:
        """Where in the recording an instant of its replay lies, seconds; of a live stream the instant."""
        lap = bisect_right(self._seams, at_s)
        return self._start_s + at_s - (self._seams[lap - 1] if lap else 0.0)

    def at(self, at_s: float) -> datetime | None:
        """When an instant of the stream was; None if unknown."""
        if not self._live:
            return None if self._began is None else self._began + timedelta(seconds=self.place_s(at_s))
        if not self._noted:
            return None
        noted = max(bisect_right(self._noted, (at_s, math.inf)) - 1, 0)
        since_s, unix_s = self._noted[noted]
        return datetime.fromtimestamp(unix_s + at_s - since_s).astimezone()

    def words(self, at_s: float) -> str:
        """The time of day, or the place in a recording that states none, such as ``14:03:22``."""
        at = self.at(at_s)
        if at is not None:
            return f"{at:%H:%M:%S}" if self._live else f"{at:%Y-%m-%d %H:%M:%S}"
        if self._live:
            return ""
        minutes, seconds = divmod(max(self.place_s(at_s), 0.0), 60)
        return f"at {minutes:.0f}:{math.floor(seconds):02d}"

    def span(self, from_s: float, to_s: float) -> str:
        """The same of a stretch, in full: date, times of day and place."""
        begins, ends = self.at(from_s), self.at(to_s)
        if self._live:
            place = f"{from_s:.1f} to {to_s:.1f} s of the stream"
        else:
            place = f"{self.place_s(from_s):.1f} to {self.place_s(to_s):.1f} s of the recording"
        if begins is None or ends is None:
            return place
        return f"{begins:%Y-%m-%d %H:%M:%S} to {ends:%H:%M:%S %Z}".rstrip() + f" · {place}"
