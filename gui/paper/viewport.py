# SPDX-License-Identifier: GPL-3.0-or-later
"""Which columns of pixels a strip shows, and where; no Qt.

A strip keeps each column of the stream, one pixel wide, in a ring: column ``c`` stands at
``c mod width``, and is drawn once.  A sweeping screen shows the ring as it is; a scrolling one shows it
from its oldest column on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Course:
    """Which columns of the stream a strip of ``width`` shows: those of each lap that lie in it.

    Where time runs on from strip to strip while the picture sweeps, one lap goes through them all, and each
    strip skips what the others show.  Its own columns are numbered without a jump.
    """

    width: int
    offset: int = 0
    """Where in a lap it begins."""
    lap: int = 0
    """Columns of the stream from the left of the first strip to the right of the last; 0 is ``width``."""

    def own(self, column: int) -> int:
        """The strip's number of a column of the stream, or of the next one that it shows."""
        laps, at = divmod(column, self.lap or self.width)
        return laps * self.width + min(max(at - self.offset, 0), self.width)

    def of_stream(self, own: int) -> int:
        """The other way."""
        laps, at = divmod(own, self.width)
        return laps * (self.lap or self.width) + self.offset + at

    def shows(self, column: float) -> bool:
        """Whether a column of the stream lies in this strip."""
        return self.offset <= column % (self.lap or self.width) < self.offset + self.width


@dataclass(frozen=True, slots=True)
class Viewport:
    """What is seen of a strip of ``width`` columns while ``edge`` is the newest one, by its own numbers."""

    edge: int
    """The newest column; without a course ``floor(time at the edge * pixels per second)``."""
    width: int
    """Columns of the strip."""
    sweep: bool
    """Newest at the edge that runs from left to right; else newest at the right."""
    bar: int = 0
    """Columns left blank after a sweeping edge."""
    course: Course | None = None
    """None if the strip shows all columns of the stream."""

    @classmethod
    def on_course(cls, edge: int, course: Course, bar: int) -> Viewport:
        """Of a strip on its course, while ``edge`` is the stream's newest column."""
        own = course.own(edge + 1) - 1
        blank = course.own(edge + 1 + bar) - own - 1
        return cls(own, course.width, True, min(blank, course.width), course)

    def own(self, column: int) -> int:
        """The strip's number of a column of the stream, or of the next one that it shows."""
        return column if self.course is None else self.course.own(column)

    @property
    def oldest(self) -> int:
        """The oldest column that is seen."""
        return self.edge - self.width + 1 + (self.bar if self.sweep else 0)

    def pieces(self) -> list[tuple[int, int, int]]:
        """What to copy: ``(to x, from the ring's x, columns)``, at most two of them."""
        if self.sweep:
            seam = self.edge % self.width + 1
            hidden = min(self.bar, self.width)
            before = (max(0, seam + hidden - self.width), seam)
            after = (seam + hidden, self.width)
            return [(a, a, b - a) for a, b in (before, after) if b > a]
        first = self.oldest % self.width
        pieces = [(0, first, self.width - first), (self.width - first, 0, first)]
        return [piece for piece in pieces if piece[2]]

    def place(self, column: float) -> float | None:
        """Where in the strip a column of the stream is seen, px from its left; None if it is not."""
        if self.course is not None:
            if not self.course.shows(column):
                return None
            whole = math.floor(column)
            column = self.course.own(whole) + (column - whole)
        if not self.oldest <= column < self.edge + 1:
            return None
        return column % self.width if self.sweep else column - self.oldest

    def column(self, x: float) -> float | None:
        """The column of the stream seen ``x`` px from the strip's left; None in the bar or beside it."""
        if not 0 <= x < self.width:
            return None
        if not self.sweep:
            return self.oldest + x
        whole = math.floor(x)
        column = self.edge - (self.edge - whole) % self.width
        if column < self.oldest:
            return None
        return (column if self.course is None else self.course.of_stream(column)) + (x - whole)


def column_of(at_s: float, px_per_s: float) -> int:
    """The column in which an instant lies."""
    return math.floor(at_s * px_per_s)


class Covered:
    """The stretch of columns that a ring holds as they should be."""

    def __init__(self) -> None:
        self.first = self.stop = 0

    def clear(self) -> None:
        """Nothing is."""
        self.first = self.stop = 0

    def missing(self, first: int, stop: int) -> list[tuple[int, int]]:
        """What must be drawn so that all of ``first <= column < stop`` is; what lies outside is given up."""
        if self.stop <= first or stop <= self.first or self.first >= self.stop:
            self.first, self.stop = first, stop
            return [(first, stop)]
        needed = [(first, self.first), (self.stop, stop)]
        self.first, self.stop = first, stop
        return [(a, b) for a, b in needed if a < b]

    def unfinished(self, first: int) -> None:
        """Columns from ``first`` on must be drawn again."""
        self.stop = max(self.first, min(self.stop, first))
