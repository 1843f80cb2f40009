# SPDX-License-Identifier: MIT
"""When a sample was taken, on the host's clock: a device's clock fitted through jittery arrivals, or
followed where the link compares both clocks.

A packet can come late, never early: over device time, ``arrival - stamp`` is a line (offset and
skew of the two clocks) plus a delay of at least some constant.  So the line is fitted to the lower
edge of the points, not through their middle, as Moon, Skelly and Towsley do ("Estimation and
removal of clock skew from network delay measurements", IEEE INFOCOM 1999): of all lines below every
point it is the one nearest to them, which is the edge of their lower convex hull above their mean.
The least delay itself cannot be seen and stays in the stamps, as a constant.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Protocol

Point = tuple[float, float]

WINDOW_S = 1200.0
"""The line is fitted to so much of the past: long against bursts of delay, short against the hours in
which a crystal's temperature changes."""

_BLOCKS = 64
"""Of each of so many parts of the window only the least delayed packet is kept."""

_SKEW_SPAN_S = 120.0
"""From so much on a skew is fitted; before, two delayed packets would make hundreds of ppm."""

_MOST_SKEW = 300e-6
"""Crystals keep within 100 ppm; this leaves room for a bad one, and for ours."""

SETTLING_S = 30.0
"""So long after a (re)start the line may still move by a whole delay, ..."""

_SETTLING_SLEW = 0.5
"""... and stamps follow at once, as far as they can without running backwards; ..."""

_SLEW = 1e-3
"""... later by at most this many seconds a second (about 0.5 ms for each packet of an H10)."""

_EARLY_S = 0.05
"""A settled line that a packet undercuts by more was right for another clock: the device's has stepped."""

_COMPARISONS = 9
"""The median of so many newest comparisons is followed: one made under load is off by a delay's half."""

_LATE_S = 3.0
"""A stream that begins with a sample older than this is not stamped by the clock that was compared."""


class HostClock(Protocol):
    """Maps a device's time, freed of jumps, to the host's."""

    @property
    def settled(self) -> bool:
        """Whether it is known to some tens of ms."""
        ...

    def restart(self) -> None:
        """The device's clock was set."""
        ...

    def host_s(self, device_s: float) -> float:
        """The host's time at an instant of the device's, near those observed last, s."""
        ...

    def observe(self, device_s: float, arrival_s: float) -> None:
        """Take a packet's stamp (of its last sample) and arrival."""
        ...


@dataclass(frozen=True, slots=True)
class Oscillator:
    """How far a device's clock may run off, and how soon that must be found."""

    most_skew: float = _MOST_SKEW
    window_s: float = WINDOW_S
    span_s: float = _SKEW_SPAN_S


CRYSTAL = Oscillator()

RESONATOR = Oscillator(most_skew=0.08, window_s=120.0, span_s=5.0)
"""A ceramic resonator, or a loop that takes as long as it takes: per cent off, which minutes make seconds."""


class ArrivalClock:
    """Maps a device's time to the host's, from pairs of both.

    Device time must have been freed of jumps (`devices.live.timeline` does it).

    Parameters
    ----------
    oscillator : Oscillator
        What the device's time comes from.
    """

    def __init__(self, oscillator: Oscillator = CRYSTAL) -> None:
        self._oscillator = oscillator
        self._skew = 0.0
        self.restart()

    def restart(self) -> None:
        """Forget the offset, keep the skew: the device's clock was set, its crystal is the same."""
        self._least: deque[Point] = deque(maxlen=_BLOCKS)
        self._begun_s: float | None = None
        self._block_s = 0.0
        self._at_s = 0.0
        self._offset_s = 0.0

    @property
    def skew(self) -> float:
        """Host seconds to a device second, less 1."""
        return self._skew

    @property
    def settled(self) -> bool:
        """Whether the line has been under watch for `SETTLING_S`."""
        return self._begun_s is not None and self._at_s - self._begun_s >= SETTLING_S

    def host_s(self, device_s: float) -> float:
        """The host's time at an instant of the device's, near those observed last, s."""
        return device_s + self._offset_s + self._skew * (device_s - self._at_s)

    def observe(self, device_s: float, arrival_s: float) -> None:
        """Take a packet's stamp and arrival.

        Parameters
        ----------
        device_s : float
            Instant of the packet's last sample on the device's clock, s.
        arrival_s : float
            When it came, the host's monotonic s.
        """
        if self.settled and arrival_s < self.host_s(device_s) - _EARLY_S:
            self.restart()
        if self._begun_s is None:
            self._begun_s = self._block_s = self._at_s = device_s
            self._offset_s = arrival_s - device_s
        self._keep((device_s, arrival_s - device_s))
        if self._least[-1][0] - self._least[0][0] >= self._oscillator.span_s:
            slope, most_skew = _slope_of_lower_edge(self._least), self._oscillator.most_skew
            skew = min(max(slope, -most_skew), most_skew)
        else:
            skew = self._skew
        line = min(y - skew * (x - device_s) for x, y in self._least)
        slew = _SLEW if self.settled else _SETTLING_SLEW
        most = slew * max(device_s - self._at_s, 0.0)
        here = self._offset_s + self._skew * (device_s - self._at_s)
        self._offset_s = here + min(max(line - here, -most), most)
        self._skew, self._at_s = skew, device_s

    def _keep(self, point: Point) -> None:
        block = self._oscillator.window_s / _BLOCKS
        while self._least and self._least[0][0] < point[0] - self._oscillator.window_s:
            self._least.popleft()
        if not self._least or point[0] >= self._block_s + block:
            self._block_s = point[0]
            self._least.append(point)
        elif point[1] <= self._least[-1][1]:
            self._least[-1] = point


class ComparedClock:
    """Maps a sender's time to the host's by comparisons of the two clocks, such as LSL makes.

    Unlike arrivals these know the least delay too.  Samples whose stamps cannot be of the compared
    clock, since they would come from the future or from long ago, go by their arrivals.

    Parameters
    ----------
    offset_s : float
        The first comparison, as in `compare`.
    """

    def __init__(self, offset_s: float) -> None:
        self._compared: deque[float] = deque([offset_s], maxlen=_COMPARISONS)
        self._offset_s = self._goal_s = offset_s
        self._at_s: float | None = None
        self._arrivals: ArrivalClock | None = None

    @property
    def offset_s(self) -> float:
        """The host's time less the sender's, as followed so far."""
        return self._offset_s

    def compare(self, offset_s: float) -> None:
        """Take a new comparison: the host's time less the sender's, s."""
        self._compared.append(offset_s)
        self._goal_s = median(self._compared)

    @property
    def settled(self) -> bool:
        """Whether the offset is known: at once, where the clocks were compared."""
        return self._arrivals is None or self._arrivals.settled

    def restart(self) -> None:
        """The sender's stamps jumped; the clocks that were compared did not."""
        if self._arrivals is not None:
            self._arrivals.restart()

    def host_s(self, device_s: float) -> float:
        """As `ArrivalClock.host_s`."""
        return device_s + self._offset_s if self._arrivals is None else self._arrivals.host_s(device_s)

    def observe(self, device_s: float, arrival_s: float) -> None:
        """As `ArrivalClock.observe`."""
        if self._arrivals is None:
            passed_s = 0.0 if self._at_s is None else max(device_s - self._at_s, 0.0)
            most = _SLEW * passed_s
            self._offset_s += min(max(self._goal_s - self._offset_s, -most), most)
            delay_s = arrival_s - device_s - self._offset_s
            if delay_s < -_EARLY_S or (self._at_s is None and delay_s > _LATE_S):
                self._arrivals = ArrivalClock()
            self._at_s = device_s
        if self._arrivals is not None:
            self._arrivals.observe(device_s, arrival_s)


def _slope_of_lower_edge(points: Sequence[Point]) -> float:
    """Slope of that edge of the lower convex hull which lies over the mean of the abscissae."""
    hull: list[Point] = []
    for point in points:
        while len(hull) > 1 and _turns_down(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    mean = sum(x for x, _ in points) / len(points)
    for (x0, y0), (x1, y1) in pairwise(hull):
        if x1 >= mean:
            return (y1 - y0) / (x1 - x0)
    return 0.0


def _turns_down(a: Point, b: Point, c: Point) -> bool:
    """Whether ``b`` lies on or above the line from ``a`` to ``c``."""
    return (b[0] - a[0]) * (c[1] - a[1]) <= (c[0] - a[0]) * (b[1] - a[1])
