# SPDX-License-Identifier: GPL-3.0-or-later
"""The instant that stands at the right edge of the screen, moving smoothly; no Qt, no clock of its own.

Packets come in jerks.  The edge is held back by the p99 of what the packets are late by, so that it
never runs ahead of the data, and data never appear in mid-screen.  Missing samples are no lateness: over
a gap the edge leaps, and after a break the estimate begins again.  What a stall held back is run through
within a second; only stalls that come again and again are waited for.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from statistics import median

MERGE_S = 0.005
"""Frames that come closer together than this were one packet."""

BREAK_S = 2.0
"""A longer silence, or gap, is a break, not jitter: the history says nothing about what follows."""

TAIL_S = 0.1
"""With the first packet after a gap the last samples before it come too, which waited for what follows
them: what came so shortly before is not counted."""

BACKLOG_S = 0.1
"""A packet that is newer than the ones since the break by so much more than time has passed shows that
those were a backlog, not jitter."""

KNOWN = 3
"""Of so many packets their length is known."""

MEMORY_S = 10.0
"""How long the p99 looks back.  Longer would let a device's clock, up to 1.5 % off its nominal rate,
drift into it."""

STALL_S = 0.25
"""A packet that is later than the p99 by more is a stall, not jitter, unless there was one in `MEMORY_S`."""

SLEW = 0.2
"""The edge runs so much faster or slower than time while the display delay changes."""

NEAR_S, CATCH_UP_S = 0.1, 0.2
"""What the edge is late by beyond the first falls to a third in the second: after any stall it is up to date
within a second, and still runs there instead of leaping."""


class PlayoutBuffer:
    """Maps host time to the stream's time at the right edge."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._packets: deque[_Packet] = deque()
        self._usual_s = math.inf  # length of a packet before the break
        self._returned_s = -math.inf  # when the first packet after a break came
        self._backlog_s = math.nan  # how late the first of the packets since then was
        self._broke = False  # it was a break, not a stall
        self._stalled_s = -math.inf  # when the newest stall ended
        self._goal_s = math.nan
        self._lag_s = math.nan
        self._lag_then_s = math.nan  # as the newest packet was there
        self._leaps = False
        self._asked_s = math.nan
        self._newest: _Packet | None = None

    def arrived(self, at_s: float, start: int, stop: int) -> None:
        """Valid samples ``start <= index < stop`` reached the screen's inbox at ``at_s`` (monotonic
        seconds); indices that are left out are missing.
        """
        packet, last = _Packet(at_s, start / self._rate_hz, stop / self._rate_hz), self._newest
        self._newest = packet
        if last is None:
            self._packets.append(packet)
        else:
            self._add(packet, at_s - last.at_s, packet.start_s - last.stop_s)
        while self._packets[0].at_s < at_s - MEMORY_S:
            self._packets.popleft()
        # To have something to show until a packet came, the edge had to be so far behind.
        self._goal_s = _p99([packet.late_s for packet in self._packets])
        self._lag_then_s = math.nan

    def _add(self, packet: _Packet, silence_s: float, missing_s: float) -> None:
        """Add a packet that came after ``silence_s`` and so many missing seconds (negative: again)."""
        gap = missing_s > 0.5 / self._rate_hz
        if silence_s > BREAK_S or missing_s > BREAK_S or missing_s < -1e-9:
            self._forget(packet)
            self._returned_s, self._broke = packet.at_s, True
            self._lag_s = math.nan
        elif not gap and self._is_stall(packet):
            self._forget(packet)
            self._returned_s, self._broke = packet.at_s, False
        elif gap:
            self._leaps = True
            while self._packets and self._packets[-1].at_s > packet.at_s - TAIL_S:
                self._packets.pop()
        elif (
            packet.at_s < self._returned_s + BREAK_S
            and packet.at_s - packet.stop_s < self._backlog_s - BACKLOG_S
        ):
            self._forget(packet)
            self._leaps = self._broke
        if not self._packets:
            usual_s = min(packet.stop_s - packet.start_s, self._usual_s)
            self._packets.append(replace(packet, start_s=packet.stop_s - usual_s))
        elif silence_s < MERGE_S and not gap:
            self._packets[-1] = replace(self._packets[-1], stop_s=packet.stop_s)
        else:
            self._packets.append(packet)

    def _is_stall(self, packet: _Packet) -> bool:
        """Whether it is late as none of late was."""
        if len(self._packets) < KNOWN or packet.late_s <= self._goal_s + STALL_S:
            return False
        before_s, self._stalled_s = self._stalled_s, packet.at_s
        return packet.at_s - before_s > MEMORY_S

    def _forget(self, packet: _Packet) -> None:
        if len(self._packets) >= KNOWN:
            self._usual_s = median(one.stop_s - one.start_s for one in self._packets)
        self._packets.clear()
        self._backlog_s = packet.at_s - packet.stop_s

    def edge_s(self, now_s: float) -> float:
        """Stream time at the right edge, seconds since sample 0; NaN before the first packet.

        Call with a ``now_s`` that does not run backwards.  The edge never passes the newest sample: where
        nothing comes it stands still.
        """
        if self._newest is None:
            return math.nan
        if math.isnan(self._lag_s) or (self._leaps and self._lag_s > self._goal_s):
            self._lag_s = self._goal_s
        else:
            past_s = now_s - self._asked_s
            late_s, step_s = self._lag_s - self._goal_s, SLEW * past_s
            fast_s = max(0.0, late_s - NEAR_S) * -math.expm1(-past_s / CATCH_UP_S)
            self._lag_s += min(max(-late_s, -step_s - fast_s), step_s)
        self._leaps = False
        self._asked_s = now_s
        self._lag_s = max(self._lag_s, now_s - self._newest.stop_s)
        if math.isnan(self._lag_then_s):
            self._lag_then_s = self._lag_s
        return now_s - self._lag_s

    @property
    def display_delay_s(self) -> float:
        """How long the newest sample of a usual packet waits for the edge as it really stands; 0 before
        the first.
        """
        if self._newest is None:
            return 0.0
        lag_s = self._goal_s if math.isnan(self._lag_then_s) else self._lag_then_s
        return max(0.0, lag_s - median(packet.at_s - packet.stop_s for packet in self._packets))


@dataclass(frozen=True, slots=True)
class _Packet:
    at_s: float
    """When it came, host's time."""
    start_s: float
    """The stream's time of its first sample, ..."""
    stop_s: float
    """... and after its last."""

    @property
    def late_s(self) -> float:
        """Behind the host's time, its first sample."""
        return self.at_s - self.start_s


def _p99(values: list[float]) -> float:
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]
