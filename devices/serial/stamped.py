# SPDX-License-Identifier: MIT
"""Samples that carry the time of a sketch: ``micros()`` or ``millis()``, which go round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from devices.live.clock import RESONATOR, ArrivalClock
from devices.live.counted import RateWatch
from devices.live.timeline import RATE_TOLERANCE, Timeline
from streamer.core.errors import Field, InputError
from streamer.core.events import Event
from streamer.core.stream import Chunk, Samples

TICKS_S = (1e-6, 1e-3, 1.0)

_ROUND = 2**32
"""Ticks until ``micros()`` and ``millis()`` begin again: 71 minutes, 49 days."""

_UNEVEN = 0.25
"""A loop is off its time by this share of a period, without a sample missing."""


def tick_of(ticks: Sequence[float], rate_hz: float, who: str) -> float:
    """How long a tick of a column is, s: the rate decides between microseconds, milliseconds and seconds.

    Raises
    ------
    InputError
        The column does not go up, or goes with another rate.
    """
    steps = np.diff(np.asarray(ticks, np.float64))
    step = float(np.median(steps)) if len(steps) else 0.0
    if not step > 0:
        raise InputError(f"{who}: its time column does not go up; name the one that does")
    tick_s = min(TICKS_S, key=lambda tick_s: abs(math.log(step * tick_s * rate_hz)))
    mean_hz = 1 / (tick_s * float(np.mean(steps[(steps > 0) & (steps < 1.5 * step)])))
    if abs(mean_hz / rate_hz - 1) > RATE_TOLERANCE + _resolution_s(tick_s) * rate_hz / len(steps):
        raise InputError(
            f"{who} sends {mean_hz:.4g} samples a second by its time column, not {rate_hz:g}; "
            "open it again with that rate",
            Field.RATE,
        )
    return tick_s


def _resolution_s(tick_s: float) -> float:
    """Ticks are whole numbers, but seconds are printed with decimals."""
    return tick_s if tick_s < 1 else 0.0


class StampedTimeline:
    """Puts samples in their places by the sketch's own time; as `devices.live.counted.CountedTimeline`.

    Parameters
    ----------
    rate_hz : float
        As it is stated.
    tick_s : float
        Of the column.
    who : str
        The sender, for messages.
    """

    def __init__(self, rate_hz: float, tick_s: float, who: str) -> None:
        self._clock = ArrivalClock(RESONATOR)
        self._timeline = Timeline(rate_hz, max(_resolution_s(tick_s), _UNEVEN / rate_hz), self._clock)
        self._watch = RateWatch(rate_hz, who)
        self._rate_hz = rate_hz
        self._tick_s = tick_s
        self._rounds = 0
        self._tick = math.nan
        self._last_s = math.nan

    def reconnected(self) -> None:
        """Say that the link was gone."""
        self._timeline.reconnected()
        self._watch.restart()

    def due(self, now_s: float) -> list[Chunk | Event]:
        """Nothing is ever held."""
        return []

    def place(self, lead_mv: Samples, ticks: Sequence[float], arrival_s: float) -> list[Chunk | Event]:
        """Take samples ``(n,)`` that came together, with their ticks.

        Raises
        ------
        InputError
            They come at another rate than was stated.
        """
        stamps = np.array([self._unwound(tick) for tick in ticks]) * self._tick_s
        steps = np.diff(stamps, prepend=self._last_s) * self._timeline.rate_hz
        slack = 0.5 + self._timeline.jitter_s * self._timeline.rate_hz
        breaks = np.flatnonzero(np.abs(steps - 1) > slack)
        self._last_s = float(stamps[-1])
        placed: list[Chunk | Event] = []
        for start, stop in pairwise(sorted({0, *breaks.tolist(), *(breaks + 1).tolist(), len(stamps)})):
            stamp_s = float(stamps[stop - 1])
            placed += self._timeline.place(lead_mv[start:stop], stamp_s, arrival_s, stop - start - 1)
        newest = max((item.stop for item in placed if isinstance(item, Chunk)), default=0)
        skew = self._rate_hz / self._timeline.rate_hz * (1 + self._clock.skew) - 1
        return [*placed, *self._watch.look(newest, arrival_s, skew)] if newest else placed

    def _unwound(self, tick: float) -> float:
        if self._tick - tick > _ROUND / 2:
            self._rounds += 1
        self._tick = tick
        return tick + self._rounds * _ROUND
