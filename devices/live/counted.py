# SPDX-License-Identifier: MIT
"""Samples without a clock of their own: numbered by their sender, or not at all.

A number says exactly how many samples are missing, but not how often it has gone round.  That the
arrivals say: after a loss of whole rounds everything is late, and stays so; after a stall of the link
it is late and catches up.  So after a break in the arrivals what comes is held for a moment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from devices.live.clock import RESONATOR, ArrivalClock
from devices.live.timeline import RATE_TOLERANCE, Timeline
from streamer.core.errors import Field, InputError
from streamer.core.events import Event, Notice, Topic
from streamer.core.stream import Chunk, Samples

HOLD_S = 0.5
"""So long a link may take to catch up after a stall."""

UNSEEN_S = 0.5
"""Where nothing is numbered, what makes everything later by more than this was lost."""

_ROUND = 0.6
"""So much of a round everything must be late for one to be lost, ..."""

_BREAK = 0.75
"""... and so much of it nothing must have come."""

_COUNTERS = (2**8, 2**16, 2**32)
"""Where a counter goes round whose size is not stated."""

_START_S = 1.0

GROSS_S = 10.0
"""After so long a rate is refused that is another one, ..."""

FINE_S = 30.0
"""... and after so long, and again and again, a smaller difference is told, ..."""

FINE = 0.005
"""... from this share on: beats and intervals are off by as much; ..."""

_SETTLED_S = 10.0
"""... once it has stayed within that for so long: on a busy machine it wanders first."""

_ONE_SIDED = 6
"""So many looks in a row that all find a rate too high, or all too low, are another rate, however uneven."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """How a sender numbers what it sends."""

    numbers: int | None = None
    """How many numbers there are until they begin again; None if that is not known."""
    step: int = 1
    """From one to the next."""
    copies: int = 1
    """Samples that share a number."""
    lone_zero: bool = False
    """Number 0 comes with one sample all the same."""

    @property
    def round(self) -> int | None:
        """Samples until the numbers begin again."""
        if self.numbers is None:
            return None
        return self.numbers // self.step * self.copies - (self.copies - 1) * self.lone_zero

    def place(self, number: int) -> int:
        """Where in a round the first sample of a number lies."""
        if self.numbers is not None:
            number %= self.numbers
        place = number // self.step * self.copies
        return place - (self.copies - 1) if self.lone_zero and number else place


class CountedTimeline:
    """Puts samples in their places by their numbers, or by their arrivals where they have none.

    Parameters
    ----------
    rate_hz : float
        As it is stated.
    numbering : Numbering, optional
        None if samples have no numbers: then only losses of more than `UNSEEN_S` can be seen.
    who : str
        The sender, for messages.
    """

    def __init__(self, rate_hz: float, numbering: Numbering | None = None, who: str = "the device") -> None:
        self.timeline = Timeline(rate_hz, clock=(clock := ArrivalClock(RESONATOR)))
        self._clock = clock
        self._rate_hz = rate_hz
        self._numbering = numbering
        self._who = who
        self._last = -1  # the place of the newest sample that was handed on
        self._next = 0  # the place after the newest sample, on a line without end
        self._number: int | None = None
        self._place = 0  # of the newest sample, in its round
        self._arrival_s = math.nan
        self._held: list[tuple[Samples, list[int], float]] = []
        self._until_s = math.nan
        self._afresh = True
        self._watch = RateWatch(rate_hz, who)

    def reconnected(self) -> None:
        """Say that the link was gone: numbers begin again, and only the arrivals say what is missing."""
        self._held.clear()
        self._afresh = True
        self.timeline.reconnected()
        self._watch.restart()

    def place(self, lead_mv: Samples, numbers: Sequence[int] | None, arrival_s: float) -> list[Chunk | Event]:
        """Take samples that came together.

        Parameters
        ----------
        lead_mv : array (n,)
            At least one.
        numbers : sequence of int (n,), optional
            Left out if they have none.
        arrival_s : float
            The host's monotonic s.

        Returns
        -------
        list
            As `Timeline.place`; nothing while it waits to see how much is missing.

        Raises
        ------
        InputError
            They come at another rate than was stated.
        """
        if self._afresh:
            return self._begin(lead_mv, numbers, arrival_s)
        said = self.due(arrival_s)
        more, places = self._places(len(lead_mv), numbers, arrival_s)
        said += more
        pause_s = arrival_s - self._arrival_s
        self._arrival_s = arrival_s
        if not self._held and pause_s >= self._break_s():
            self._until_s = arrival_s + HOLD_S
        if self._until_s > arrival_s:
            self._held.append((lead_mv, places, arrival_s))
            return said
        return said + self._put(lead_mv, places, arrival_s)

    def due(self, now_s: float) -> list[Chunk | Event]:
        """What was held, once it is known what is missing before it; ask a few times a second."""
        if not self._held or now_s < self._until_s:
            return []
        held, self._held = self._held, []
        late_s = min(
            arrival_s - self._clock.host_s(places[-1] / self._rate_hz) for _, places, arrival_s in held
        )
        missing = self._missing(late_s)
        self._next += missing
        if missing:
            self._watch.interrupt()
        return [
            item
            for lead_mv, places, arrival_s in held
            for item in self._put(lead_mv, [place + missing for place in places], arrival_s)
        ]

    # ---- inside

    @property
    def _round(self) -> int | None:
        return None if self._numbering is None else self._numbering.round

    def _break_s(self) -> float:
        if self._numbering is None:
            return UNSEEN_S
        return math.inf if self._round is None else _BREAK * self._round / self._rate_hz

    def _missing(self, late_s: float) -> int:
        if self._round is None:
            return round(late_s * self._rate_hz) if late_s > UNSEEN_S else 0
        rounds = late_s * self._rate_hz / self._round
        return max(1, round(rounds)) * self._round if rounds > _ROUND else 0

    def _begin(
        self, lead_mv: Samples, numbers: Sequence[int] | None, arrival_s: float
    ) -> list[Chunk | Event]:
        """The first samples of a link: by their arrival, for their numbers mean nothing yet."""
        n = len(lead_mv)
        if not math.isnan(self._arrival_s):
            newest_s = (self._next - 1) / self._rate_hz
            slope = 1 + self._clock.skew
            came_s = newest_s + (arrival_s - self._clock.host_s(newest_s)) / slope
            self._next = max(self._next, round(came_s * self._rate_hz) - n + 1)
        self._afresh, self._until_s, self._arrival_s = False, math.nan, arrival_s
        self._number = None
        _, places = self._places(n, numbers, arrival_s)
        return self._put(lead_mv, places, arrival_s)

    def _places(
        self, n: int, numbers: Sequence[int] | None, arrival_s: float
    ) -> tuple[list[Chunk | Event], list[int]]:
        """Where the samples lie, as far as their numbers say."""
        said: list[Chunk | Event] = []
        if self._numbering is None or numbers is None:
            first, self._next = self._next, self._next + n
            return said, list(range(first, first + n))
        places = []
        for number in numbers:
            if number != self._number:
                if self._round is None and self._number is not None and number < self._number:
                    said += self._turn_back(self._number, number, arrival_s)
                place = self._numbering.place(number)
                ahead = 0 if self._number is None else place - self._place - 1
                self._next += ahead % self._round if self._round else ahead
                self._number, self._place = number, place
            else:
                self._place += 1
            places.append(self._next)
            self._next += 1
        return said, places

    def _turn_back(self, before: int, now: int, arrival_s: float) -> list[Chunk | Event]:
        """A counter of unknown size goes back: it has gone round, or its sender was restarted."""
        for size in _COUNTERS:
            if before < size and (now - before) % size <= size // 4:
                self._numbering = Numbering(size)
                return []
        self._number = None
        newest_s = self._next / self._rate_hz
        away_s = arrival_s - self._clock.host_s(newest_s)
        self._next += max(0, round(away_s * self._rate_hz)) if away_s > UNSEEN_S else 0
        self._watch.interrupt()
        text = f"the counter began again at {now}: {self._who} was restarted; what is missing is estimated"
        return [Notice(Topic.CLOCK, text, host_s=arrival_s)]

    def _put(self, lead_mv: Samples, places: list[int], arrival_s: float) -> list[Chunk | Event]:
        """Pieces without a gap; the first sample after one is placed alone, so that its size is exact."""
        at = np.asarray(places)
        breaks = np.flatnonzero(np.diff(at, prepend=self._last) != 1)
        cuts = sorted({0, *breaks.tolist(), *(breaks + 1).tolist(), len(at)})
        placed: list[Chunk | Event] = []
        for start, stop in pairwise(cuts):
            stamp_s = float(at[stop - 1]) / self._rate_hz
            placed += self.timeline.place(lead_mv[start:stop], stamp_s, arrival_s, stop - start - 1)
        self._last = int(at[-1])
        return [*placed, *self._watch.look(self._last, arrival_s, self._clock.skew)]


class RateWatch:
    """Compares the rate that was stated with the one at which samples come."""

    def __init__(self, rate_hz: float, who: str) -> None:
        self._rate_hz = rate_hz
        self._who = who
        self._told = 0.0
        self.restart()

    def restart(self) -> None:
        """Begin again, after a link."""
        self._begun_s: float | None = None
        self._from: tuple[int, float] | None = None
        self._rates_hz: list[float] = []
        self._off, self._off_since_s = 0.0, -math.inf

    def interrupt(self) -> None:
        """Say that places were estimated: they are no evidence of a rate."""
        self._from = None

    def look(self, place: int, arrival_s: float, skew: float) -> list[Event]:
        """Compare.

        Parameters
        ----------
        place : int
            Of the newest sample, lost ones counted.
        arrival_s : float
            When it came.
        skew : float
            Host seconds to a stated one, less 1, as fitted so far.

        Returns
        -------
        list of Event
            A word on a rate that is a little off.

        Raises
        ------
        InputError
            It is another rate.
        """
        if self._begun_s is None:
            self._begun_s = arrival_s
        since_s = arrival_s - self._begun_s
        if self._from is None:
            if since_s >= _START_S:  # a driver's buffer has come by then
                self._from = place, arrival_s
            return []
        before, before_s = self._from
        if arrival_s - before_s >= GROSS_S / 2:
            self._rates_hz.append((place - before) / (arrival_s - before_s))
            self._from = place, arrival_s
            self._refuse_another()
        off = 1 / (1 + skew) - 1
        if abs(off - self._off) >= FINE:
            self._off, self._off_since_s = off, arrival_s
        settled = arrival_s - self._off_since_s >= _SETTLED_S
        if since_s < FINE_S or not settled or abs(off - self._told) < FINE:
            return []
        self._told = off
        text = (
            f"{self._who} sends {self._rate_hz * (1 + off):.4g} samples a second, not {self._rate_hz:g}: "
            f"rates and intervals are off by {abs(off):.1%}; open it again with the rate that it has"
        )
        return [Notice(Topic.READING, text, host_s=arrival_s)]

    def _refuse_another(self) -> None:
        """Twice the same other rate is no stall, and no burst; nor is what stays on one side."""
        self._rates_hz = self._rates_hz[-_ONE_SIDED:]
        for newest in (self._rates_hz[-2:], self._rates_hz):
            low, mean, high = min(newest), sum(newest) / len(newest), max(newest)
            alike = len(newest) > 1 and low > 0 and high / low - 1 <= RATE_TOLERANCE
            apart = abs(mean / self._rate_hz - 1)
            one_sided = len(newest) == _ONE_SIDED and (low > self._rate_hz or high < self._rate_hz)
            if apart <= RATE_TOLERANCE or not (alike or one_sided):
                continue
            raise InputError(
                f"{self._who} sends about {mean:.3g} samples a second, not {self._rate_hz:g}: "
                "open it again with the rate that it has",
                Field.RATE,
            )
