# SPDX-License-Identifier: MIT
"""How a stream's numbers are read: its unit, its rate; and what the samples say against either."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from devices.live.timeline import Timeline
from devices.lsl.description import Choice
from streamer.core.errors import InputError
from streamer.core.events import Notice, Topic
from streamer.core.leads import LEADS
from streamer.core.stream import Samples
from streamer.core.vitals.unit_watch import UnitWatch

MOST_MV = 1e4
"""No electrode gives 10 V."""

FOUND_OFF = 0.005, 0.02
"""A rate that was found in a few seconds may be off by the first; more is said, and the second ends it."""

STATED_OFF = 0.01
"""A stated rate is a nominal one, which a strap's crystal may miss by half of this; more is said."""


class Reading:
    """Makes millivolts of the rows of one stream, and watches what was taken for its unit and rate.

    Parameters
    ----------
    choice : Choice
        Which columns.
    mv : float
        Millivolts to a step of the measured lead, as stated or found.
    rate_hz : float
        As stated or found.
    inverted : bool
        Turn the measured lead.
    unit_is_sure : bool
        The user has stated the unit: it is not watched.
    rate_was_found : bool
        The rate is not stated.
    """

    def __init__(
        self,
        choice: Choice,
        mv: float,
        rate_hz: float,
        *,
        inverted: bool,
        unit_is_sure: bool,
        rate_was_found: bool,
    ) -> None:
        self.choice = choice
        self.mv = mv
        self.rate_hz = rate_hz
        self._sign = -1.0 if inverted else 1.0
        self._watch = None if unit_is_sure else UnitWatch(rate_hz)
        self._off = 1.0  # the stated unit, or the one found first, is so many times too small
        self._rate_was_found = rate_was_found
        self._rate_may_end = rate_was_found  # until a minute of stamps has borne it out
        self._rate_was_doubted = False

    def lead_mv(self, rows: NDArray[np.float64]) -> Samples:
        """The measured lead of rows ``(n, channels)``."""
        return _in_mv(rows[:, self.choice.column], self.mv * self._sign)

    def reference_mv(self, rows: NDArray[np.float64], lead_mv: Samples) -> Samples | None:
        """All leads ``(12, n)`` that the rows hold; None if that is the measured one alone."""
        if not self.choice.reference:
            return None
        reference_mv = np.full((len(LEADS), len(rows)), np.nan, np.float32)
        for row, column, mv in self.choice.reference:
            known = self.mv if math.isnan(mv) else mv * self._off
            same = column == self.choice.column
            reference_mv[row] = lead_mv if same else _in_mv(rows[:, column], known)
        return reference_mv

    def watch_unit(self, rows: NDArray[np.float64], arrival_s: float) -> list[Notice]:
        """See that rows can be in the unit that they are taken for; if not, these are read in another."""
        wrong = None if self._watch is None else self._watch.push(rows[:, self.choice.column] * self.mv)
        if wrong is None:
            return []
        self.mv *= wrong.factor
        whose = "that was found" if math.isnan(self.choice.mv) else "that the stream states"
        if self._off != 1:
            whose = "that was corrected before"
        self._off *= wrong.factor
        text = f"the unit {whose} is wrong: {wrong.text}; from here on the numbers are read in the right one"
        return [Notice(Topic.READING, text, host_s=arrival_s)]

    def watch_rate(self, timeline: Timeline, arrival_s: float) -> list[Notice]:
        """See that the rate is the one at which samples come, once that is known.

        Raises
        ------
        InputError
            It is clearly another.
        """
        other_hz = timeline.other_rate_hz
        if other_hz is not None:
            raise self.other_rate(other_hz)
        if self._rate_was_doubted or not timeline.rate_is_known:
            return []
        off = timeline.rate_hz / self.rate_hz - 1
        if self._rate_may_end and abs(off) > FOUND_OFF[1]:
            raise self.other_rate(timeline.rate_hz)
        self._rate_may_end = False
        if abs(off) < (FOUND_OFF[0] if self._rate_was_found else STATED_OFF):
            return []
        self._rate_was_doubted = True
        which, what_to_do = (
            ("the rate that was found", "open the stream again to have it right")
            if self._rate_was_found
            else ("the stated rate", "correct it in the sender")
        )
        text = (
            f"{which}, {self.rate_hz:g} Hz, is {timeline.rate_hz:.4g} Hz by a minute of stamps: "
            f"heart rates are off by {abs(off):.1%}; {what_to_do}"
        )
        return [Notice(Topic.READING, text, host_s=arrival_s)]

    def other_rate(self, rate_hz: float) -> InputError:
        """The error of a stream that comes at another rate than it is read at."""
        return InputError(
            f"the stream is one of {self.rate_hz:g} Hz, but its stamps run at {rate_hz:.4g} Hz; "
            "correct its sender, or open the stream again if it was changed"
        )


def _in_mv(values: NDArray[np.float64], mv: float) -> Samples:
    """float32 mV; NaN for what no amplifier puts out."""
    scaled = values * mv
    return np.where(np.abs(scaled) <= MOST_MV, scaled, np.nan).astype(np.float32)
