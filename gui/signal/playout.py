# SPDX-License-Identifier: GPL-3.0-or-later
"""The instant that stands at the right edge of the screen, moving smoothly; no Qt, no clock of its own.

Packets come in jerks.  The edge is held back by the p99 of what the packets are late by, so that it
never runs ahead of the data, and data never appear in mid-screen.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

MERGE_S = 0.005
"""Frames that come closer together than this were one packet."""

BREAK_S = 2.0
"""A longer silence is a break, not jitter: the past says nothing about what follows."""

MEMORY_S = 10.0
"""How long the p99 looks back.  Longer would let a device's clock, up to 1.5 % off its nominal rate,
drift into it."""

SLEW = 0.2
"""The edge runs at most this much faster or slower than time while the hold-back changes."""


class PlayoutBuffer:
    """Maps host time to the stream's time at the right edge."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._packets: deque[_Packet] = deque()
        self._goal_s = math.nan
        self._lag_s = math.nan
        self._asked_s = math.nan
        self._last_at_s = math.nan

    def arrived(self, at_s: float, start: int, stop: int) -> None:
        """Samples ``start <= index < stop`` reached the screen's inbox at ``at_s`` (monotonic seconds)."""
        start_s, stop_s = start / self._rate_hz, stop / self._rate_hz
        silence_s = at_s - self._last_at_s
        self._last_at_s = at_s
        if self._packets and (silence_s > BREAK_S or start_s < self._packets[-1].stop_s - 1e-9):
            self._packets.clear()
            self._lag_s = math.nan
        if self._packets and silence_s < MERGE_S:
            self._packets[-1] = replace(self._packets[-1], stop_s=stop_s)
            return
        self._packets.append(_Packet(at_s, start_s, stop_s))
        while self._packets[0].at_s < at_s - MEMORY_S:
            self._packets.popleft()
        # To have something to show until a packet came, the edge had to be so far behind.
        self._goal_s = _p99([packet.at_s - packet.start_s for packet in self._packets])

    def edge_s(self, now_s: float) -> float:
        """Stream time at the right edge, seconds since sample 0; NaN before the first packet.

        Call with a ``now_s`` that does not run backwards.  The edge never passes the newest sample.
        """
        if not self._packets:
            return math.nan
        if math.isnan(self._lag_s):
            self._lag_s = self._goal_s
        else:
            step_s = SLEW * (now_s - self._asked_s)
            self._lag_s += min(max(self._goal_s - self._lag_s, -step_s), step_s)
        self._asked_s = now_s
        self._lag_s = max(self._lag_s, now_s - self._packets[-1].stop_s)
        return now_s - self._lag_s

    @property
    def hold_back_s(self) -> float:
        """How long the newest sample of a usual packet waits for the edge; 0 before the first."""
        if not self._packets:
            return 0.0
        came = sorted(packet.at_s - packet.stop_s for packet in self._packets)
        return max(0.0, self._goal_s - came[len(came) // 2])


@dataclass(frozen=True, slots=True)
class _Packet:
    at_s: float
    """When it came, host's time."""
    start_s: float
    """The stream's time of its first sample, ..."""
    stop_s: float
    """... and after its last."""


def _p99(values: list[float]) -> float:
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]
