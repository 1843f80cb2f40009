# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the time of the last minute went, from the instant of a sample to its paint; no Qt."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from streamer.core.network.latency import LatencyBudget
from streamer.core.stream import Frame
from streamer.core.timing.breakdown import KINDS, SCREEN, STAGES, LatencyBreakdown

MONITOR_STAGES = (*STAGES, "handover", *SCREEN)
"""`STAGES` of the core; ``handover`` is from the finished frame until the window had it."""

KEPT_S = 60
_PAINTS = 256
"""Frames that wait for their paint, at most: a window that is not shown paints nothing."""


@dataclass(slots=True)
class _Second:
    at_s: int
    sums_ms: list[float] = field(default_factory=lambda: [0.0] * len(MONITOR_STAGES))
    hops: int = 0
    seen_ms: list[float] = field(default_factory=list)
    felt_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bar:
    """One stage of the waterfall."""

    stage: str
    kind: str
    """``algorithm``, ``source``, ``program`` or ``screen``."""
    from_ms: float
    mean_ms: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The last minute; NaN where nothing was measured yet."""

    bars: tuple[Bar, ...]
    """In order; they begin where the one before ends."""
    felt_mean_ms: float
    """From the instant of an average sample until it was on the screen."""
    felt_p99_ms: float
    seen_p50_ms: float
    """From the arrival of what completed a hop until it was on the screen."""
    seen_p99_ms: float
    hops: int


class LastMinute:
    """Adds up the ways of the frames that were painted within the last minute.

    Parameters
    ----------
    source_rate_hz, rate_hz : float
        The source's and the model's.
    latency : LatencyBudget
        The model's look-ahead and overlap are taken from here.
    """

    def __init__(self, source_rate_hz: float, rate_hz: float, latency: LatencyBudget) -> None:
        samples = rate_hz / 1e3
        self._waterfall = LatencyBreakdown(
            source_rate_hz,
            rate_hz,
            round(latency.look_ahead_ms * samples),
            round(latency.overlap_ms * samples),
        )
        self._unpainted: deque[tuple[float, Frame]] = deque(maxlen=_PAINTS)
        self._seconds: deque[_Second] = deque()
        self.now_ms = math.nan
        """Of the newest hop on the screen: arrival to paint."""

    def came(self, at_s: float, frame: Frame) -> None:
        """A frame reached the window, monotonic seconds."""
        if self._waterfall.waited(frame):
            self._unpainted.append((at_s, frame))

    def painted(self, stop: int, drawn_s: float, done_s: float) -> None:
        """All samples before ``stop`` are on the screen since ``done_s``; given to it at ``drawn_s``."""
        while self._unpainted and self._unpainted[0][1].stop <= stop and self._unpainted[0][0] <= drawn_s:
            at_s, frame = self._unpainted.popleft()
            self._add(frame, at_s, drawn_s, done_s)

    def _add(self, frame: Frame, at_s: float, drawn_s: float, done_s: float) -> None:
        parts = self._waterfall.parts_ms(frame, (at_s, drawn_s, done_s))
        if not all(map(math.isfinite, parts)):
            return  # a source without stamps: it is not known when its samples were taken
        second = int(done_s)
        if not self._seconds or self._seconds[-1].at_s != second:
            self._seconds.append(_Second(second))
            while self._seconds[0].at_s <= second - KEPT_S:
                self._seconds.popleft()
        newest = self._seconds[-1]
        newest.sums_ms = [total + part for total, part in zip(newest.sums_ms, parts, strict=True)]
        newest.hops += 1
        self.now_ms = 1e3 * (done_s - frame.arrival_s)
        newest.seen_ms.append(self.now_ms)
        newest.felt_ms.append(sum(parts))

    def summary(self) -> Summary:
        """What the last minute was like."""
        hops = sum(second.hops for second in self._seconds)
        if not hops:
            return Summary((), math.nan, math.nan, math.nan, math.nan, 0)
        means = np.array([second.sums_ms for second in self._seconds]).sum(axis=0) / hops
        starts = np.concatenate(([0.0], np.cumsum(means)[:-1]))
        bars = tuple(
            Bar(stage, KINDS.get(stage, "program"), float(start), float(mean))
            for stage, start, mean in zip(MONITOR_STAGES, starts, means, strict=True)
        )
        seen = np.concatenate([second.seen_ms for second in self._seconds])
        felt = np.concatenate([second.felt_ms for second in self._seconds])
        return Summary(
            bars,
            felt_mean_ms=float(felt.mean()),
            felt_p99_ms=float(np.quantile(felt, 0.99)),
            seen_p50_ms=float(np.quantile(seen, 0.5)),
            seen_p99_ms=float(np.quantile(seen, 0.99)),
            hops=hops,
        )
