# SPDX-License-Identifier: MIT
"""From what is pulled to chunks: by the sender's own stamps, whose clock is followed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from devices.live.clock import ComparedClock
from devices.live.timeline import RATE_TOLERANCE as STATED_TOLERANCE
from devices.live.timeline import Timeline
from devices.lsl.reading import Reading
from devices.lsl.stamps import (
    grid_rate_of,
    in_their_order,
    no_later_than_the_next,
    rate_of,
    stamps_are_exact,
)
from streamer.core.events import Dropped, Event, Notice, Topic
from streamer.core.stream import Chunk

LOOK_S = 2.0
"""How much of a stream is looked at before its first sample is handed on."""

JITTER_S = 0.1
"""At least so much unevenness is allowed for where stamps are uneven at all: a busy sender stalls."""

_BUNCHED_TOLERANCE = 0.2
"""How far off a rate may seem where samples come in bunches, stamped as they come."""

_SEVERAL = 3
"""So many steps between different stamps say what the rate is within that."""

_BACK_S = 0.5
"""A step back by less is unevenness too; by more, the sender's clock was set."""

_MOST_S = 1e11
"""Three thousand years: no clock says so, and microseconds no longer fit into a float."""

_SAME_CLOCK_S = 0.02
"""A sender that came back, and whose clock is off by no more from what it was, still has that clock:
its stamps go on, to the sample."""


class Placing:
    """Puts the samples of one stream on one grid, and that on this machine's clock.

    Parameters
    ----------
    reading : Reading
        Makes millivolts of the numbers.
    correction_s : float
        LSL's time here less the sender's.
    lsl_less_host_s : float
        LSL's time here less this machine's monotonic one.
    say : callable
        Hears what is found of the stamps.
    """

    def __init__(
        self, reading: Reading, correction_s: float, lsl_less_host_s: float, say: Callable[[Event], None]
    ) -> None:
        self.reading = reading
        self._say = say
        self._lsl_less_host_s = lsl_less_host_s
        self._zero_s = correction_s  # added to a sender's stamps: they go on where another clock took over
        self._sender = ComparedClock(self._offset_s(correction_s))
        self._timeline: Timeline | None = None
        self._looked: list[NDArray[np.float64]] = []
        self._last_s = math.nan
        self._shared = False  # samples share a stamp a packet

    @property
    def has_begun(self) -> bool:
        """Whether enough has been looked at."""
        return self._timeline is not None

    @property
    def packets_share_stamps(self) -> bool:
        """Whether samples share one stamp a packet: that of its last sample."""
        return self._shared

    def compare(self, correction_s: float) -> None:
        """Take a new comparison of the clocks."""
        self._sender.compare(self._offset_s(correction_s))

    def lost(self) -> None:
        """Say that the link is gone: gaps from here on are no sign of another rate."""
        self._looked.clear()
        if self._timeline is not None:
            self._timeline.reconnected()

    def taken_up(self, correction_s: float) -> None:
        """Say that another link brings the stream, perhaps with another clock."""
        change_s = self._offset_s(correction_s) - self._sender.offset_s
        if abs(change_s) > _SAME_CLOCK_S:
            self._zero_s += change_s
        self.compare(correction_s)

    def look(self, stamps: NDArray[np.float64]) -> bool:
        """See what kind of stamps these are; True once there were enough of them.

        Raises
        ------
        InputError
            They run at another rate than the stream states.
        """
        self._looked.append(stamps)
        stamps = np.concatenate(self._looked)
        if stamps[-1] - stamps[0] < LOOK_S:
            return False
        self._looked.clear()
        rate_hz = self.reading.rate_hz
        self._shared = bool(np.mean(np.diff(stamps) == 0) >= 0.4)
        # Of three packets two may have been cut: they say little of a rate.
        several = np.count_nonzero(np.diff(stamps)) >= _SEVERAL
        on_grid_hz, on_average_hz = grid_rate_of(stamps), rate_of(stamps) if several else None
        for other_hz, tolerance in ((on_grid_hz, STATED_TOLERANCE), (on_average_hz, _BUNCHED_TOLERANCE)):
            if other_hz is not None and abs(other_hz / rate_hz - 1) > tolerance:
                raise self.reading.other_rate(other_hz)
        exact = stamps_are_exact(stamps, rate_hz)
        if not exact:
            self._say_uneven()
        self._timeline = Timeline(rate_hz, 0.0 if exact else JITTER_S, self._sender)
        return True

    @property
    def last_stamp_s(self) -> float:
        """Of the newest sample placed, as the sender gave it; NaN before the first."""
        return self._last_s - self._zero_s

    def breaks_in(self, stamps: NDArray[np.float64], last_s: float) -> tuple[bool, bool]:
        """Whether these stamps break off, after ``last_s`` or later; and whether they end as they do amid
        what heaps up in a stall.
        """
        timeline = self._timeline
        assert timeline is not None
        if self._shared:
            stamps = no_later_than_the_next(stamps, timeline.rate_hz)
        steps = np.diff(stamps, prepend=last_s)
        breaks = steps > 1.5 / timeline.rate_hz + timeline.jitter_s
        return bool(breaks.any()), bool(breaks[-1] or 0 <= steps[-1] < 0.5 / timeline.rate_hz)

    def place(
        self, rows: NDArray[np.float64], stamps: NDArray[np.float64], arrival_s: float
    ) -> list[Chunk | Event]:
        """What one pull becomes: chunks, and events where something is amiss.

        Parameters
        ----------
        rows : array (n, channels)
            In the stream's units.
        stamps : array (n,)
            The sender's, s.
        arrival_s : float
            This machine's monotonic s.

        Raises
        ------
        InputError
            The samples come at another rate than the stream states.
        """
        timeline = self._timeline
        assert timeline is not None
        stamps = stamps + self._zero_s
        stated = are_possible(stamps)
        placed: list[Chunk | Event] = []
        if not stated.all():
            count = int((~stated).sum())
            placed.append(
                Dropped(count, f"{count} samples had an impossible stamp and were dropped", host_s=arrival_s)
            )
            rows, stamps = rows[stated], stamps[stated]
            if not len(stamps):
                return placed
        rows, stamps, steps = self._ordered(timeline, rows, stamps)
        placed += self.reading.watch_unit(rows, arrival_s)
        lead_mv = self.reading.lead_mv(rows)
        reference_mv = self.reading.reference_mv(rows, lead_mv)
        slack = 0.5 + timeline.jitter_s * timeline.rate_hz
        # After a break one sample is placed alone: in its place among packets lies the gap's size.
        breaks = np.flatnonzero(np.abs(steps - 1) > slack)
        cuts = sorted(
            {0, *breaks.tolist(), *(breaks + 1).tolist(), len(stamps)} & set(range(len(stamps) + 1))
        )
        for start, stop in pairwise(cuts):
            # By the last sample's stamp, so that only the step over a gap says how much is missing: over
            # what a stall of reading has heaped up, the rate is not known to the sample.
            piece, last = lead_mv[start:stop], stop - start - 1
            for item in timeline.place(piece, float(stamps[stop - 1]), arrival_s, last):
                if isinstance(item, Chunk) and reference_mv is not None:
                    item = dataclasses.replace(item, reference_mv=reference_mv[:, start:stop])
                placed.append(item)
        return placed + self.reading.watch_rate(timeline, arrival_s)

    def _ordered(
        self, timeline: Timeline, rows: NDArray[np.float64], stamps: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Rows and stamps in the order of their measurement, and the steps that led to each, in samples."""
        if not timeline.jitter_s:
            rows, stamps = in_their_order(rows, stamps, self._last_s, timeline.rate_hz)
        steps = np.diff(stamps, prepend=self._last_s) * timeline.rate_hz
        self._last_s = float(stamps[-1])
        if not timeline.jitter_s and np.any((steps < 0.5) & (steps > -_BACK_S * timeline.rate_hz)):
            # Stamps that still step back were taken by a clock that others disturb.
            timeline.jitter_s = JITTER_S
            self._say_uneven()
        if timeline.jitter_s and not np.any(steps <= -_BACK_S * timeline.rate_hz):  # the first step is NaN
            before_s = stamps[0] - steps[0] / timeline.rate_hz
            stamps = no_later_than_the_next(stamps, timeline.rate_hz)
            steps = np.diff(stamps, prepend=before_s) * timeline.rate_hz
        return rows, stamps, steps

    def _offset_s(self, correction_s: float) -> float:
        """The host's time less the sender's, its zero as we have it."""
        return correction_s - self._zero_s - self._lsl_less_host_s

    def _say_uneven(self) -> None:
        text = f"the stamps are uneven: losses shorter than {JITTER_S:g} s cannot be told from jitter"
        self._say(Notice(Topic.CLOCK, text))


def are_possible(stamps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """False for stamps ``(n,)`` that no clock can have given."""
    possible: NDArray[np.bool_] = np.abs(stamps) <= _MOST_S  # NaN is not
    return possible
