# SPDX-License-Identifier: MIT
"""Electrodes in words: if they are on the arms, when one comes off, and when it is on again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamer.core.events import Contact
from streamer.core.stream import Placement

OFF_S, ON_S = 0.2, 1.0
"""After so long with marks alone an electrode is off; after so long without any it is on again."""


def placement_note(what: str, placement: Placement) -> str:
    """Whether samples are Lead I, of a source that cannot know: ``what`` names it."""
    if placement is Placement.ARMS:
        return "Taken as Lead I, since the electrodes are on the arms."
    return (
        f"{what} does not know where its electrodes are: it is not taken as Lead I, and every "
        "reconstructed lead is marked so; if they are on both arms, state that."
    )


class Electrodes:
    """Follows marks that come with samples.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    sign : str
        What the marks show, for the user.
    """

    def __init__(self, clock: Callable[[], float], sign: str) -> None:
        self._clock = clock
        self._sign = sign
        self._since_s: float | None = None
        self._touches = True

    def look(self, off: NDArray[np.bool_]) -> Contact | None:
        """Take which of the newest samples are marked; None if nothing has changed."""
        now_s = self._clock()
        if off.any() if self._touches is False else not off.all():
            self._since_s = None
            return None
        self._since_s = now_s if self._since_s is None else self._since_s
        if now_s - self._since_s < (OFF_S if self._touches else ON_S):
            return None
        self._since_s, self._touches = None, not self._touches
        text = "the electrodes are on again" if self._touches else f"an electrode is off: {self._sign}"
        return Contact(self._touches, text)
