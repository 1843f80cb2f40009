# SPDX-License-Identifier: MIT
"""How many samples really come in a second, by their arrivals: what stamps that were computed cannot say."""

from __future__ import annotations

from collections import deque
from math import inf

_BLOCK_S = 2.0
_BLOCKS = 30
"""Of the newest so many stretches the least delayed packet is kept: what stalls on the way comes late, never
early."""

_LEAST_BLOCKS = 15
_CONTRADICTS = 0.03
"""A clock is off by a ten-thousandth; arrivals of half a minute by a hundredth."""

_EVEN = 0.35
"""From the first to the second third of the time, and to the last, the least delay must change alike, within
this share: a stall is a step, another rate a slope."""


class ArrivalRate:
    """Compares the grid that samples were put on with when they came."""

    def __init__(self) -> None:
        self._least: deque[tuple[float, float]] = deque(maxlen=_BLOCKS)
        self._begun_s = -inf
        self.seconds_to_a_second: float | None = None
        """How long a second of the grid takes to come, if that is clearly another time than a second."""

    def restart(self) -> None:
        """The link was gone: what waited meanwhile comes at once."""
        self._least.clear()
        self._begun_s = -inf

    def observe(self, grid_s: float, arrival_s: float) -> None:
        """Take a packet: where its last sample lies on the grid, and when it came, s."""
        point = grid_s, arrival_s - grid_s
        if not self._least or grid_s >= self._begun_s + _BLOCK_S:
            self.seconds_to_a_second = self._judge()
            self._begun_s = grid_s
            self._least.append(point)
        elif point[1] < self._least[-1][1]:
            self._least[-1] = point

    def _judge(self) -> float | None:
        if len(self._least) < _LEAST_BLOCKS:
            return None
        points = list(self._least)
        third = len(points) // 3
        parts = points[:third], points[third:-third], points[-third:]
        (x0, y0), (x1, y1), (x2, y2) = (min(part, key=lambda point: point[1]) for part in parts)
        first, second = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
        mean = (y2 - y0) / (x2 - x0)
        if abs(mean) < _CONTRADICTS or abs(first - second) > 2 * _EVEN * abs(mean):
            return None
        return 1 + mean
