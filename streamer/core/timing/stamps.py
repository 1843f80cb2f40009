# SPDX-License-Identifier: MIT
"""When each step towards a frame was done: stamps, if a clock was given."""

from __future__ import annotations

import math
from collections.abc import Callable

from streamer.core.stream import Stamps

TAKEN, CONVERTED, FILTERED, BEGUN, WINDOW, INFERRED, STITCHED = range(7)
"""The steps, as `Stamps` has them."""


class Stopwatch:
    """Notes the instants of `Stamps`; without a clock there are none.

    It may cost a hundredth of a hop, nine times: steps are numbers, and a step is noted in line,
    ``watch.at[step] = watch.now()``.
    """

    __slots__ = ("_runs", "at", "now")

    def __init__(self, clock: Callable[[], float] | None) -> None:
        self._runs = clock is not None
        self.now: Callable[[], float] = clock or _never
        self.at = [math.nan] * 7
        """When each step was done."""

    def begin(self) -> None:
        """A chunk was taken: no step is done yet."""
        if self._runs:
            self.at[:] = [self.now()] * 7

    def converted(self) -> None:
        """Samples have got the model's rate."""
        if self._runs:
            self.at[CONVERTED] = self.at[FILTERED] = self.now()

    def skipped(self) -> None:
        """There was nothing to do from here on."""
        if self._runs:
            self.at[BEGUN:] = [self.now()] * (len(self.at) - BEGUN)

    def stamps(self, newest: int) -> Stamps | None:
        """The stamps of a frame that is made now, ``newest`` as `Stamps.newest`; None without a clock."""
        if not self._runs:
            return None
        taken, converted, filtered, begun, window, inferred, stitched = self.at
        return Stamps(
            taken, converted, filtered, begun, window, inferred, stitched, made=self.now(), newest=newest
        )


def _never() -> float:
    return math.nan
