# SPDX-License-Identifier: GPL-3.0-or-later
"""The last seconds of the stream, by absolute index, with NaN where there is nothing; no Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.leads import LEADS
from streamer.stream import Frame, Samples


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive samples as the screen takes them; a copy, so that later frames do not change it."""

    start: int
    """Index of the first sample."""
    leads_mv: Samples
    """``(12, n)`` in the order of `streamer.leads.LEADS`; NaN where missing or not there yet."""
    measured_mv: Samples
    """``(n,)``: "I, as measured"."""
    settling: NDArray[np.bool_]
    """``(n,)``: the filters were still settling."""


class TraceBuffer:
    """Keeps the last ``seconds`` of the frames at ``rate_hz``.

    Frames may leave indices out (the display dropped some): those read as NaN.  A frame that starts
    before the last one ended begins the stream anew.
    """

    def __init__(self, rate_hz: float, seconds: float) -> None:
        self.rate_hz = rate_hz
        self._size = max(1, round(seconds * rate_hz))
        self._leads_mv = np.full((len(LEADS), self._size), np.nan, np.float32)
        self._measured_mv = np.full(self._size, np.nan, np.float32)
        self._settling = np.zeros(self._size, np.bool_)
        self._stop: int | None = None
        self.lost = 0
        """Samples that the source lost, at ``rate_hz``, since the stream began."""

    @property
    def stop(self) -> int:
        """Index after the newest sample; 0 before the first."""
        return self._stop or 0

    @property
    def empty(self) -> bool:
        """True before the first frame."""
        return self._stop is None

    def push(self, frame: Frame) -> None:
        """Add a frame.

        Raises
        ------
        ValueError
            Its rate is not that of the buffer.
        """
        if frame.rate_hz != self.rate_hz:
            raise ValueError(f"a frame at {frame.rate_hz} Hz for a buffer at {self.rate_hz} Hz")
        if self._stop is None or frame.start < self._stop:
            self._forget(0, self._size)
            self.lost = 0
        else:
            self._forget(self._stop, min(frame.start, self._stop + self._size))
        first = max(frame.start, frame.stop - self._size)
        at = np.arange(first, frame.stop) % self._size
        self._leads_mv[:, at] = frame.leads_mv[:, first - frame.start :]
        self._measured_mv[at] = frame.measured_mv[first - frame.start :]
        self._settling[at] = frame.settling[first - frame.start :]
        self.lost += int(np.count_nonzero(~frame.valid))
        self._stop = frame.stop

    def view(self, start: int, stop: int) -> Stretch:
        """The samples ``start <= index < stop``; NaN where the buffer does not (or no longer) hold any."""
        n = max(0, stop - start)
        leads_mv = np.full((len(LEADS), n), np.nan, np.float32)
        measured_mv = np.full(n, np.nan, np.float32)
        settling = np.zeros(n, np.bool_)
        held = np.arange(max(start, self.stop - self._size), min(stop, self.stop))
        if self._stop is not None and held.size:
            here, there = held - start, held % self._size
            leads_mv[:, here] = self._leads_mv[:, there]
            measured_mv[here] = self._measured_mv[there]
            settling[here] = self._settling[there]
        return Stretch(start, leads_mv, measured_mv, settling)

    def _forget(self, start: int, stop: int) -> None:
        at = np.arange(start, stop) % self._size
        self._leads_mv[:, at] = np.nan
        self._measured_mv[at] = np.nan
        self._settling[at] = False


def envelope(rows: NDArray[np.float32], group: int, start: int) -> tuple[NDArray[np.float64], Samples]:
    """Thin out what is denser than the screen's pixels, without losing a peak.

    Parameters
    ----------
    rows : array (k, n)
    group : int
        Samples that share a pixel.  Groups begin at multiples of it in the *absolute* index, so that
        the picture does not shimmer while it scrolls.
    start : int
        Absolute index of the first sample.

    Returns
    -------
    index : array (m,)
        Absolute indices.
    thinned : array (k, m)
        Smallest and largest value of each group in their order in time; NaN where a group has none.
        With ``group`` of 2 or less, the rows themselves.
    """
    n = rows.shape[1]
    if group <= 2 or n == 0:
        return np.arange(start, start + n, dtype=np.float64), rows
    lead_in = start % group
    groups = -(-(lead_in + n) // group)
    padded = np.full((len(rows), groups * group), np.nan, np.float32)
    padded[:, lead_in : lead_in + n] = rows
    cells = padded.reshape(len(rows), groups, group)
    low = np.where(np.isnan(cells), np.inf, cells)
    high = np.where(np.isnan(cells), -np.inf, cells)
    falls = low.argmin(axis=2) > high.argmax(axis=2)
    least, most = low.min(axis=2), high.max(axis=2)
    thinned = np.stack([np.where(falls, most, least), np.where(falls, least, most)], axis=2)
    thinned[np.isinf(thinned)] = np.nan
    index = start - lead_in + np.arange(groups)[:, None] * group + np.array([group / 4, group * 3 / 4]) - 0.5
    return index.ravel(), thinned.reshape(len(rows), -1).astype(np.float32)
