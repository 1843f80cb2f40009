# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a command is that does many records: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TextIO

from streamer.core.printable import printable

LOG_S = 10.0
"""Between two lines of a log."""
REDRAW_S = 0.1


class Bar:
    """Progress with rate, time left and failures.

    Parameters
    ----------
    out : text stream
        Usually standard error; a terminal gets a bar, anything else a line each `LOG_S`.
    records : int
        How many there are in all.
    """

    _WIDTH = 30

    def __init__(self, out: TextIO, records: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._records = records
        self._clock = clock
        self._done = 0.0
        self._passed = 0
        self._failed = 0
        self._begun_s = clock()
        self._shown_s = self._begun_s if not self._terminal else -REDRAW_S

    def advance(self, share: float) -> None:
        """A share of a record more is done."""
        self.show(self._done + share)

    def fail(self) -> None:
        """A record could not be done."""
        self._failed += 1

    def leap(self) -> None:
        """A record was there already: it says nothing of how fast this goes."""
        self._passed += 1
        self.advance(1.0)

    def show(self, done: float) -> None:
        """So many records, with fractions, are done."""
        self._done = done
        now_s = self._clock()
        if now_s - self._shown_s < (REDRAW_S if self._terminal else LOG_S):
            return
        self._shown_s = now_s
        if not self._terminal:
            part = f"{min(done / self._records, 1.0):.0%}"
            self._out.write(f"{int(done)} of {self._records} records ({part}){self._pace(now_s)}\n")
        else:
            share = min(done / self._records, 1.0)
            full = round(share * self._WIDTH)
            bar = f"{'#' * full}{'.' * (self._WIDTH - full)} {share:4.0%} of {self._records} records"
            columns = shutil.get_terminal_size().columns
            self._out.write(f"\r\x1b[K{(bar + self._pace(now_s))[: columns - 1]}")
        self._out.flush()

    def say(self, text: str) -> None:
        """A line of its own."""
        line = printable(text)
        self._out.write(f"\r\x1b[K{line}\n" if self._terminal else f"{line}\n")
        self._out.flush()

    def end(self) -> None:
        """Clear the bar away."""
        if self._terminal:
            self._out.write("\r\x1b[K")
            self._out.flush()

    def _pace(self, now_s: float) -> str:
        worked, seconds = self._done - self._passed, now_s - self._begun_s
        words = ""
        if worked > 0 and seconds > 0:
            rate = worked / seconds
            words = f", {rate:.3g}/s, {_in_words((self._records - self._done) / rate)} left"
        return f"{words}, {self._failed} failed" if self._failed else words


def _in_words(seconds: float) -> str:
    if seconds < 100:
        return f"{max(seconds, 0):.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
