# SPDX-License-Identifier: MIT
"""A look at what a port sends: whether it is lines of numbers, and which column is what."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from devices.live.parameters import number_of, the_one
from devices.serial.lines import MOST_CELLS, Layout, numbers_in
from streamer.core.errors import InputError
from streamer.core.printable import printable

LOOK_TIMEOUT_S = 8.0
"""An Arduino starts again when its port is opened, and takes 2 s for that."""

LOOK_S = 1.0
_LEAST_LINES = 3


@dataclass(frozen=True, slots=True)
class Seen:
    """What came while it was looked at."""

    lines: list[list[float]]
    """The numbers of each whole line, all of the same width."""
    per_second: float
    """Lines."""

    @property
    def width(self) -> int:
        """Columns."""
        return len(self.lines[-1])


def look(read: Callable[[], bytes], who: str, baud: int) -> Seen:
    """Read lines of numbers for a second.

    Raises
    ------
    InputError
        None come: nothing at all, no text, or another text.
    """
    lines: list[list[float]] = []
    text = rest = b""
    begun_s: float | None = None
    until_s = time.monotonic() + LOOK_TIMEOUT_S
    while (now_s := time.monotonic()) < until_s:
        try:
            text += (more := read())
        except OSError as error:
            raise InputError(f"{who} was unplugged; plug it in and try again") from error
        *whole, rest = (rest + more).split(b"\n")
        found = [numbers for line in whole if (numbers := numbers_in(line))]
        if begun_s is None and found:
            begun_s, found = now_s, []  # the first may be half of one
        lines += found
        if begun_s is not None and now_s - begun_s >= LOOK_S and len(lines) >= _LEAST_LINES:
            width = Counter(map(len, lines)).most_common(1)[0][0]
            per_second = len(lines) / (now_s - begun_s)
            return Seen([line for line in lines if len(line) == width], per_second)
    raise InputError(_what_is_wrong(text, who, baud))


def _what_is_wrong(text: bytes, who: str, baud: int) -> str:
    if not text:
        return f"{who} sends nothing in {LOOK_TIMEOUT_S:g} s; see that its sketch runs and prints"
    if sum(byte >= 128 for byte in text) > len(text) / 10:
        return (
            f"what {who} sends at {baud} baud is no text; state the speed that its sketch sets, "
            "such as baud=9600"
        )
    example = printable(text.split(b"\n")[-2 if b"\n" in text else -1].decode("ascii", "replace").strip())
    return f"{who} sends no numbers, but such as {example[:40]!r}; have its sketch print a sample a line"


def layout_of(given: dict[str, list[str]], seen: Seen, who: str) -> Layout:
    """Which column is what, by the parameters of a SOURCE.

    Raises
    ------
    InputError
        They name a column that is not there, or not enough.
    """
    width, shown = seen.width, ",".join(f"{number:g}" for number in seen.lines[-1][:8])
    columns = f"lines of {who} have {width} columns ({shown})"
    wanted = [number_of(given, name, 1, MOST_CELLS) for name in ("column", "counter", "time")]
    column, counter, at = (None if one is None else int(one) for one in wanted)
    off = [int(one) if one.isdecimal() else 0 for one in (the_one(given, "off") or "").split(",") if one]
    named = [one for one in (column, counter, at, *off) if one is not None]
    if any(not 1 <= one <= width for one in named) or len(set(named)) < len(named):
        raise InputError(f"{columns}; name each with another number from 1 to {width}")
    if counter is not None and at is not None:
        raise InputError(f"{who}: a counter and a time say the same; leave one out")
    left = [one for one in range(1, width + 1) if one not in named]
    if column is None and len(left) != 1:
        raise InputError(
            f"{columns}; say which is the ECG: column=1, and if one is a counter or a time: counter=2, time=2"
        )
    return Layout(column or left[0], counter, at, tuple(off))
