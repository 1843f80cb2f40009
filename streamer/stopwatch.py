# SPDX-License-Identifier: MIT
"""When each step towards a frame was done: stamps, where somebody has given a clock."""

from __future__ import annotations

import math
from collections.abc import Callable

from streamer.stream import Stamps


class Stopwatch:
    """Notes the instants of `Stamps`; without a clock it does nothing."""

    def __init__(self, clock: Callable[[], float] | None) -> None:
        self._clock = clock
        self._at = dict.fromkeys(Stamps._fields[:-2], math.nan)

    def begin(self) -> None:
        """A chunk was taken: no step is done yet."""
        self.mark(*self._at)

    def converted(self) -> None:
        """Samples have got the model's rate."""
        self.mark("converted", "filtered")

    def mark(self, *steps: str) -> None:
        """These steps are done now."""
        if self._clock is not None:
            now_s = self._clock()
            for step in steps:
                self._at[step] = now_s

    def stamps(self, newest: int) -> Stamps | None:
        """The stamps of a frame that is made now, ``newest`` as `Stamps.newest`; None without a clock."""
        return None if self._clock is None else Stamps(**self._at, made=self._clock(), newest=newest)
