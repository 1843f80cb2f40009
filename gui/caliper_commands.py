# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user can do with calipers: measure an interval, RR or QT, and march it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gui.actions import Action
from gui.paper.calipers import MEASURES, Calipers
from gui.paper.view import PaperView
from gui.signal.history import History


class CaliperCommands:
    """Measures on one paper.

    Parameters
    ----------
    seen : callable
        What the picture is made of; its beats give RR if none was measured.
    hold : callable
        Keeps a frozen picture as it is, since something is measured on it.
    """

    def __init__(
        self, paper: PaperView, seen: Callable[[], History], hold: Callable[[], None] = lambda: None
    ) -> None:
        self._hold = hold
        self._paper = paper
        self._seen = seen
        self._measure = MEASURES[0]
        self._marching = False
        self._rr_ms: float | None = None

    def table(self) -> tuple[Action, ...]:
        """Everything."""
        return (
            Action(
                ("Y",),
                "Leads",
                "Interval, RR or QT",
                "what the calipers (drag) measure: an interval, RR, or QT with QTc",
                self.next_measure,
            ),
            Action(
                ("Z",),
                "Leads",
                "March out",
                "the measured interval again and again along the lead",
                self.toggle_marching,
                checked=lambda: self._marching,
            ),
        )

    def span(self, calipers: Calipers | None) -> None:
        """Measure between these two spots from now on."""
        if calipers is not None:
            self._hold()
            calipers = replace(calipers, measure=self._measure, marching=self._marching)
            if calipers.measure == "RR":
                self._rr_ms = calipers.ms
            elif calipers.measure == "QT":
                calipers = replace(calipers, rr_ms=self._rr_ms or rr_before_ms(self._seen(), calipers))
        self._paper.calipers = calipers

    def forget(self) -> None:
        """Another stream: the RR that was measured is another person's."""
        self._rr_ms = None

    def next_measure(self) -> None:
        """Interval, RR, QT in turn."""
        self._measure = MEASURES[(MEASURES.index(self._measure) + 1) % len(MEASURES)]
        self.span(self._paper.calipers)

    def toggle_marching(self) -> None:
        """The same interval along the whole lead, or once."""
        self._marching = not self._marching
        self.span(self._paper.calipers)


def rr_before_ms(history: History, calipers: Calipers) -> float | None:
    """To the beat that the calipers hold from the one before, ms; None if no such interval was found."""
    first_s, last_s = sorted((calipers.begin.at_s, calipers.end.at_s))
    beats = [mark for mark in history.beats if mark.at_s <= last_s]
    if not beats or beats[-1].at_s < first_s - 0.1:
        return None
    rr_ms = 1e3 * beats[-1].rr_s
    return rr_ms if 150 <= rr_ms <= 6000 else None
