# SPDX-License-Identifier: MIT
"""When each step towards a frame was done: stamps, where somebody has given a clock."""

from __future__ import annotations

import math
from collections.abc import Callable

from streamer.stream import Stamps

TAKEN, CONVERTED, FILTERED, BEGUN, WINDOW, INFERRED, STITCHED = range(7)
"""The steps, as `Stamps` has them."""


class Stopwatch:
    """Notes the instants of `Stamps`; without a clock it does nothing.

    It is asked nine times a hop and may cost a hundredth of it: steps are numbers, and `mark` is a
    plain function.
    """

    __slots__ = ("_at", "_clock", "mark")

    def __init__(self, clock: Callable[[], float] | None) -> None:
        self._clock = clock
        self._at = at = [math.nan] * 7
        self.mark: Callable[[int], None] = _ignore
        """This step is done now."""
        if clock is not None:

            def mark(step: int) -> None:
                at[step] = clock()

            self.mark = mark

    def begin(self) -> None:
        """A chunk was taken: no step is done yet."""
        if self._clock is not None:
            self._at[:] = [self._clock()] * 7

    def converted(self) -> None:
        """Samples have got the model's rate."""
        if self._clock is not None:
            self._at[CONVERTED] = self._at[FILTERED] = self._clock()

    def skipped(self) -> None:
        """There was nothing to do from here on."""
        if self._clock is not None:
            self._at[BEGUN:] = [self._clock()] * (len(self._at) - BEGUN)

    def stamps(self, newest: int) -> Stamps | None:
        """The stamps of a frame that is made now, ``newest`` as `Stamps.newest`; None without a clock."""
        return None if self._clock is None else Stamps._make((*self._at, self._clock(), newest))


def _ignore(step: int) -> None:
    pass
