# SPDX-License-Identifier: MIT
"""The 90 % band as it leaves the program: half widths in mV, beside the leads and never among them.

A program that finds a lead's half width among the leads would draw it as an ECG.  So files of signals
have a second one, ``NAME_band``, of the same rate and length, and the first one names it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.core.leads import LEADS
from streamer.core.stream import Samples

BAND = "0.9"
"""The level of the band that is drawn as a ribbon, and exported."""

HALF_WIDTH = "half width of the 90 % band"
"""What is exported of the band: the model says of 90 % of the truth that it lies no farther from the lead."""

NO_BAND = "no 90 % band: the model stated no uncertainty"
"""What is said where there is none."""


def band_name(name: str) -> str:
    """Of the record of half widths that goes with the leads' record."""
    return f"{name}_band"


def half_width_of(signal: str) -> str:
    """What that record calls the half width of a lead: not as the lead, which it is not."""
    return f"{signal} half width"


def band_beside(name: str) -> str:
    """What the leads' record says of the band, a line."""
    return f"{HALF_WIDTH} of each lead, mV: in {band_name(name)}"


def band_note(name: str) -> str:
    """What the band's record says of itself first, a line."""
    return f"no ECG: {HALF_WIDTH} of each lead of {name}, mV, by the model's own statement"


class HalfWidthsAtSourceRate:
    """Half widths of a band from the grid of frames to that of the source's samples, in straight lines: a
    filter that rings would make some of them negative.
    """

    def __init__(self, model_hz: float, source_hz: float) -> None:
        self._step = model_hz / source_hz
        self._index = np.empty(0, np.int64)
        self._mv = np.empty((len(LEADS), 0), np.float32)
        self._waiting: list[tuple[NDArray[np.int64], Samples]] = []
        self._next = 0

    def frame(self, start: int, half_width_mv: Samples) -> None:
        """Take those ``(12, n)`` of a frame."""
        known = np.flatnonzero(np.isfinite(half_width_mv).all(axis=0))
        self._waiting.append((start + known, half_width_mv[:, known]))

    def beside(self, leads_mv: Samples) -> Samples:
        """Those of the next samples ``(12, n)`` at the source's rate; NaN where these are."""
        n = int(leads_mv.shape[1])
        out = np.full((len(LEADS), n), np.nan, np.float32)
        if not n:
            return out
        self._index = np.concatenate([self._index, *(index for index, _ in self._waiting)])
        self._mv = np.concatenate([self._mv, *(mv for _, mv in self._waiting)], axis=1)
        self._waiting.clear()
        at = (self._next + np.arange(n)) * self._step
        if len(self._index):
            for row, known_mv in zip(out, self._mv, strict=True):
                row[:] = np.interp(at, self._index, known_mv)
        out[np.isnan(leads_mv)] = np.nan
        self._next += n
        keep = max(int(np.searchsorted(self._index, self._next * self._step, "right")) - 1, 0)
        self._index, self._mv = self._index[keep:], self._mv[:, keep:]
        return out
