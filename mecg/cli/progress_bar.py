# SPDX-License-Identifier: GPL-3.0-or-later
"""A progress bar."""

from __future__ import annotations

import shutil
from typing import TextIO

from streamer.core.printable import printable


class Bar:
    """A progress bar on a terminal; nothing but `say` elsewhere.

    Parameters
    ----------
    out : text stream
        Usually standard error.
    records : int
        How many there are in all.
    """

    _WIDTH = 30

    def __init__(self, out: TextIO, records: int) -> None:
        self._out = out
        self._shown = out.isatty()
        self._records = records
        self._done = 0.0

    def advance(self, share: float) -> None:
        """A share of a record more is done."""
        self.show(self._done + share)

    def show(self, done: float) -> None:
        """So many records, with fractions, are done."""
        self._done = done
        if self._shown:
            share = min(done / self._records, 1.0)
            full = round(share * self._WIDTH)
            bar = f"{'#' * full}{'.' * (self._WIDTH - full)} {share:4.0%} of {self._records} records"
            columns = shutil.get_terminal_size().columns
            self._out.write(f"\r\x1b[K{bar[: columns - 1]}")
            self._out.flush()

    def say(self, text: str) -> None:
        """A line of its own."""
        line = printable(text)
        self._out.write(f"\r\x1b[K{line}\n" if self._shown else f"{line}\n")
        self._out.flush()

    def end(self) -> None:
        """Clear the bar away."""
        if self._shown:
            self._out.write("\r\x1b[K")
            self._out.flush()
