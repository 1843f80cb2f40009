# SPDX-License-Identifier: GPL-3.0-or-later
"""The last seconds of the stream, by absolute index, with NaN where there is nothing; no Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.core.leads import LEADS
from streamer.core.stream import Frame, Samples


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive samples as the screen takes them; a copy, so that later frames do not change it."""

    start: int
    """Index of the first sample."""
    leads_mv: Samples
    """``(12, n)`` in the order of `streamer.core.leads.LEADS`; NaN where missing or not there yet."""
    half_width_mv: Samples
    """``(12, n)``: half of the 90 % band's width; NaN where unknown."""
    measured_mv: Samples
    """``(n,)``: "I, as measured"."""
    settling: NDArray[np.bool_]
    """``(n,)``: the filters were still settling."""
    truth_mv: Samples | None
    """``(12, n)``: the leads that were measured; None if no source ever held any."""


class TraceBuffer:
    """Keeps the last ``seconds`` of the frames at ``rate_hz``.

    Frames may leave indices out (the display dropped some): those read as NaN.  A frame that starts
    before the last one ended begins the stream again.  Memory is taken once: 101 bytes to a sample, and
    48 more where there is a truth.
    """

    def __init__(self, rate_hz: float, seconds: float) -> None:
        self.rate_hz = rate_hz
        self._size = max(1, round(seconds * rate_hz))
        self._rows = np.full((2 * len(LEADS) + 1, self._size), np.nan, np.float32)
        self._truth: Samples | None = None
        self._settling = np.zeros(self._size, np.bool_)
        self._begin = 0
        self._stop: int | None = None
        self._in_gap = False
        self.lost = 0
        """Samples that the source lost, at ``rate_hz``, since the stream began."""

    @property
    def start(self) -> int:
        """Index of the oldest sample that is kept."""
        return max(self._begin, self.stop - self._size)

    @property
    def stop(self) -> int:
        """Index after the newest sample; 0 before the first."""
        return self._stop or 0

    @property
    def empty(self) -> bool:
        """True before the first frame."""
        return self._stop is None

    @property
    def has_truth(self) -> bool:
        """Whether any lead was ever measured beside Lead I."""
        return self._truth is not None

    def push(self, frame: Frame, half_width_mv: Samples | None = None) -> None:
        """Add a frame, with half the width ``(12, n)`` of its band where that is known.

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
            self._begin = frame.start
        else:
            self._forget(self._stop, min(frame.start, self._stop + self._size))
            if self._in_gap and not frame.valid.any():  # of a long gap only the ends come as frames
                self.lost += frame.start - self._stop
        first = max(frame.start, frame.stop - self._size)
        at, new = np.arange(first, frame.stop) % self._size, slice(first - frame.start, None)
        self._rows[: len(LEADS), at] = frame.leads_mv[:, new]
        self._rows[len(LEADS) : -1, at] = np.nan if half_width_mv is None else half_width_mv[:, new]
        self._rows[-1, at] = frame.measured_mv[new]
        self._settling[at] = frame.settling[new]
        if self._truth is not None:
            self._truth[:, at] = np.nan
        self.lost += int(np.count_nonzero(~frame.valid))
        self._in_gap = not frame.valid.any()
        self._stop = frame.stop

    def push_truth(self, start: int, truth_mv: Samples) -> None:
        """Add the measured leads ``(12, n)`` from index ``start`` on, of samples that are there already."""
        if self._truth is None:
            self._truth = np.full((len(LEADS), self._size), np.nan, np.float32)
        first, stop = max(start, self.start), min(start + truth_mv.shape[1], self.stop)
        if first < stop:
            self._truth[:, np.arange(first, stop) % self._size] = truth_mv[:, first - start : stop - start]

    def view(self, start: int, stop: int) -> Stretch:
        """The samples ``start <= index < stop``; NaN where the buffer does not (or no longer) hold any."""
        n = max(0, stop - start)
        rows = np.full((len(self._rows), n), np.nan, np.float32)
        truth = None if self._truth is None else np.full((len(LEADS), n), np.nan, np.float32)
        settling = np.zeros(n, np.bool_)
        held = np.arange(max(start, self.start), min(stop, self.stop))
        if held.size:
            here, there = slice(int(held[0]) - start, int(held[-1]) + 1 - start), held % self._size
            rows[:, here] = self._rows[:, there]
            settling[here] = self._settling[there]
            if truth is not None and self._truth is not None:
                truth[:, here] = self._truth[:, there]
        return Stretch(
            start=start,
            leads_mv=rows[: len(LEADS)],
            half_width_mv=rows[len(LEADS) : -1],
            measured_mv=rows[-1],
            settling=settling,
            truth_mv=truth,
        )

    def _forget(self, start: int, stop: int) -> None:
        at = np.arange(start, stop) % self._size
        self._rows[:, at] = np.nan
        self._settling[at] = False
        if self._truth is not None:
            self._truth[:, at] = np.nan


class OneTrace:
    """Keeps the last ``seconds`` of a single trace at ``rate_hz``, by absolute index; 4 bytes to a sample."""

    def __init__(self, rate_hz: float, seconds: float) -> None:
        self.rate_hz = rate_hz
        self._mv = np.full(max(1, round(seconds * rate_hz)), np.nan, np.float32)
        self.stop = 0
        """Index after the newest sample."""

    def push(self, start: int, mv: Samples) -> None:
        """Add samples ``(n,)``; indices that are left out read as NaN, a step back begins again."""
        if start < self.stop:
            self._mv[:] = np.nan
        else:
            self._mv[np.arange(self.stop, min(start, self.stop + len(self._mv))) % len(self._mv)] = np.nan
        first = max(start, start + len(mv) - len(self._mv))
        self._mv[np.arange(first, start + len(mv)) % len(self._mv)] = mv[first - start :]
        self.stop = start + len(mv)

    def view(self, start: int, stop: int) -> Samples:
        """The samples ``start <= index < stop``; NaN where none are held."""
        seen = np.full(max(0, stop - start), np.nan, np.float32)
        held = np.arange(max(start, self.stop - len(self._mv)), min(stop, self.stop))
        if held.size:
            seen[held - start] = self._mv[held % len(self._mv)]
        return seen


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
