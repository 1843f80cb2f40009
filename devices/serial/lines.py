# SPDX-License-Identifier: MIT
"""One line of text, as a sketch prints it, is one sample."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_CELLS = re.compile(r"[,;\s]+")
_LABEL = re.compile(r"[^\d:]*[A-Za-z_][^:]*:")
"""As the plotter of the Arduino IDE has it: ``ecg:512``."""
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_OFF = re.compile(r"!+|lo ?[+-]?|leads?[ _-]?off!?", re.IGNORECASE)
"""As common sketches for an AD8232 say that an electrode is off."""

MOST_CELLS = 64
LONGEST = 1024
"""Bytes of a line; more is no text."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of a line are, counted from 1."""

    column: int
    """The ECG's."""
    counter: int | None = None
    """A number that goes up by one with each sample."""
    time: int | None = None
    """The sketch's own clock, such as ``micros()``."""
    off: tuple[int, ...] = ()
    """Each is 1 while its electrode is off, as an AD8232's LO+ and LO-."""

    @property
    def mark(self) -> int | None:
        """The column that says where a sample lies."""
        return self.time if self.counter is None else self.counter


@dataclass(frozen=True, slots=True)
class Reading:
    """What a line says."""

    value: float
    """In steps; NaN if it is not known."""
    mark: float | None = None
    """Counter or time; None if there is none."""
    off: bool = False
    """An electrode is off."""


OTHER_WIDTH_S = 3.0
"""Nothing but whole lines of one other number of columns for so long, ..."""

OTHER_LINES = 10
"""... and no fewer lines than this, are another sketch's, not lost letters."""


class Width:
    """Watches whether lines keep the number of columns that they had.

    Parameters
    ----------
    columns : int
        As it was when the port was opened.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._other, self._count, self._since_s = 0, 0, 0.0

    def see(self, line: bytes, reading: Reading | None, arrival_s: float) -> int | None:
        """Take a line and what was read of it; another number of columns if that stays."""
        if reading is not None:
            self._count = 0
            return None
        numbers = numbers_in(line)
        other = 0 if numbers is None else len(numbers)
        if other in (0, self._columns):
            return None
        if not self._count or other != self._other:
            self._other, self._count, self._since_s = other, 0, arrival_s
        self._count += 1
        return other if self._count >= OTHER_LINES and arrival_s - self._since_s >= OTHER_WIDTH_S else None


BROKEN = Reading(math.nan)
"""Stands for the sample of a line that cannot be read."""


def cells_of(line: bytes) -> list[str] | None:
    """The cells of a line without their labels; None if it is no text."""
    try:
        text = line.decode("ascii").strip()
    except UnicodeDecodeError:
        return None
    if not text.isprintable() and "\t" not in text:
        return None
    if _OFF.fullmatch(text):
        return ["!"]
    cells = [_LABEL.sub("", cell) for cell in _CELLS.split(text.replace(": ", ":")) if cell]
    return cells[:MOST_CELLS]


def numbers_in(line: bytes) -> list[float] | None:
    """A line's numbers, NaN for a mark of an electrode; None if anything else is in it."""
    cells = cells_of(line)
    if not cells:
        return None
    numbers = [math.nan if _OFF.fullmatch(cell) else _number(cell) for cell in cells]
    return None if any(number is None for number in numbers) else [float(n or 0) for n in numbers]


def read_line(line: bytes, layout: Layout, width: int) -> Reading | None:
    """What a line says.

    Parameters
    ----------
    line : bytes
        Without its end.
    layout : Layout
        What its columns are.
    width : int
        How many columns a whole line has; one with fewer or more is a piece of one, or two in one.

    Returns
    -------
    Reading or None
        None if it holds no sample.
    """
    numbers = numbers_in(line)
    if numbers is None:
        return None
    if len(numbers) == 1 and math.isnan(numbers[0]):
        return Reading(math.nan, None, off=True)
    if len(numbers) != width:
        return None
    mark = None if layout.mark is None else numbers[layout.mark - 1]
    if mark is not None and math.isnan(mark):
        return None
    value = numbers[layout.column - 1]
    off = math.isnan(value) or any(numbers[column - 1] != 0 for column in layout.off)
    return Reading(math.nan if off else value, mark, off)


def _number(cell: str) -> float | None:
    if not _NUMBER.fullmatch(cell):
        return None
    value = float(cell)
    return value if math.isfinite(value) else None
