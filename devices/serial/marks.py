# SPDX-License-Identifier: MIT
"""Counters and times of lines, the broken ones left out.

Where bytes are lost, two lines run into one, and ``4`` and ``17,512`` become sample 417.  So a mark that
leaps is believed only once the next line goes on from it.
"""

from __future__ import annotations

from dataclasses import replace

from devices.serial.lines import Reading


class Marks:
    """Hands on lines whose marks go on, and those that leap together.

    Parameters
    ----------
    step : float
        From one sample to the next.
    most : float
        A step ahead by more is a leap.
    """

    def __init__(self, step: float, most: float) -> None:
        self._step = step
        self._most = most
        self._mark: float | None = None
        self._doubted: Reading | None = None
        self.broken = 0
        """Lines that were left out."""

    def restart(self) -> None:
        """Take the next mark as it comes."""
        self._mark = self._doubted = None

    def believed(self, reading: Reading) -> list[Reading]:
        """What can be handed on now: none, one or two lines, each with a mark."""
        mark, doubted = reading.mark, self._doubted
        if mark is None:  # a bare sign of an electrode: it stands for the next sample
            mark = 0.0 if self._mark is None else self._mark + self._step
            reading = replace(reading, mark=mark)
        if self._mark is None or self._goes_on(self._mark, mark):
            self.broken += doubted is not None
            self._mark, self._doubted = mark, None
            return [reading]
        if doubted is not None and doubted.mark is not None and self._goes_on(doubted.mark, mark):
            self._mark, self._doubted = mark, None
            return [doubted, reading]
        self.broken += doubted is not None
        self._doubted = reading
        return []

    def _goes_on(self, before: float, now: float) -> bool:
        return 0 <= now - before <= self._most
