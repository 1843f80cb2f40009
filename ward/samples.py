# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest seconds of one bed in a ring, and as the page draws them: whole microvolts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.core.leads import LEADS
from streamer.core.stream import Frame
from streamer.export.band import BAND
from streamer.session.description import SessionDescription

Microvolts = NDArray[np.int16]

KEPT_S = 24.0
"""A tablet on its side shows ten seconds on true paper, a wide screen about twenty."""

MISSING = -32768
"""Stands for a sample that there is not."""

MEASURED = len(LEADS)
"""The row of Lead I as measured; before it the twelve leads in their order."""

HALF_WIDTH = MEASURED + 1
"""The first row of the half widths of the 90 % band, one for each of the twelve leads."""

FLAGS = HALF_WIDTH + len(LEADS)
"""The row of what else is known of each sample: the sum of `SETTLING` and `UNTRUSTED`."""

ROWS = FLAGS + 1

SETTLING, UNTRUSTED = 1, 2
"""The filters settle; the input is not to be trusted."""

_MOST_UV = 32767


def to_microvolts(millivolts: NDArray[np.float32]) -> Microvolts:
    """Whole microvolts, as far as 16 bits reach; `MISSING` for NaN."""
    most_mv = 1e-3 * _MOST_UV
    known = np.isfinite(millivolts)
    whole = np.rint(1e3 * np.minimum(np.maximum(millivolts, -most_mv), most_mv))
    return np.where(known, whole, MISSING).astype(np.int16)


class Ring:
    """The newest `KEPT_S` seconds of all rows, by absolute index.  One thread at a time.

    Parameters
    ----------
    missing : scalar
        Stands for a sample that there is not; its type is that of all.
    """

    def __init__(self, rate_hz: float, missing: np.int16 | np.float32) -> None:
        self.rate_hz = rate_hz
        self._kept = np.full((ROWS, round(KEPT_S * rate_hz)), missing)
        self._missing = missing
        self._first: int | None = None
        self._stop = 0

    @property
    def span(self) -> tuple[int, int]:
        """Index of the oldest sample that is kept, and after the newest."""
        return (0, 0) if self._first is None else (self._first, self._stop)

    def rows(self, rows: Sequence[int], start: int, stop: int) -> NDArray[Any]:
        """Samples ``start`` to ``stop`` of these rows, ``(len(rows), stop - start)``; within `span`."""
        taken = [self._kept[rows, begin:end] for begin, end in self._places(start, stop)]
        return taken[0] if len(taken) == 1 else np.concatenate(taken, axis=1)

    def write(self, start: int, samples: NDArray[Any]) -> None:
        """Take samples ``(ROWS, n)`` from index ``start`` on; what lies between is missing."""
        kept = self.make_room(start, samples.shape[1])
        size = kept.shape[1]
        samples = samples[:, -size:]
        for begin, end in self._places(self._stop - samples.shape[1], self._stop):
            kept[:, begin:end] = samples[:, : end - begin]
            samples = samples[:, end - begin :]

    def make_room(self, start: int, count: int) -> NDArray[Any]:
        """Where to put ``count`` samples from index ``start`` on, each at its index modulo the length of the
        rows; what lies between is missing.
        """
        size = self._kept.shape[1]
        if self._first is None or start < self._stop:  # the first samples, or the stream began again
            self._first = self._stop = start
        if start > self._stop:  # a gap
            for begin, end in self._places(max(self._stop, start - size), start):
                self._kept[:, begin:end] = self._missing
        self._stop = start + count
        self._first = max(self._first, self._stop - size)
        return self._kept

    def _places(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Where these samples lie, in one piece or in two."""
        size = self._kept.shape[1]
        if start >= stop:
            return [(0, 0)]
        begin, end = start % size, (stop - 1) % size + 1
        return [(begin, end)] if begin < end and stop - start <= size else [(begin, size), (0, end)]


class SampleRing:
    """The same, of frames.  One thread at a time.

    What is asked for is converted when it is: viewers look at few of the rows.

    Parameters
    ----------
    description : SessionDescription
        Of the session whose frames come.
    """

    def __init__(self, description: SessionDescription) -> None:
        self.rate_hz = description.rate_hz
        one_mv = np.ones((len(LEADS), 1), np.float32)
        half_widths = description.half_width_mv(one_mv, BAND)
        self._half_widths = (
            np.full(len(LEADS), np.nan, np.float32) if half_widths is None else half_widths[:, 0]
        )
        self._ring = Ring(description.rate_hz, np.float32(np.nan))
        none, room = np.empty((len(LEADS), 0), np.float32), np.empty((ROWS, 1), np.float32)
        _put(room, 0, none, none[0], none, self._half_widths, np.empty(0, np.bool_), False)
        # It is compiled now, and not when the first frame comes.

    @property
    def span(self) -> tuple[int, int]:
        """As `Ring.span`."""
        return self._ring.span

    def rows(self, rows: Sequence[int], start: int, stop: int) -> Microvolts:
        """As `Ring.rows`."""
        return to_microvolts(self._ring.rows(rows, start, stop))

    def add(self, frame: Frame, *, untrusted: bool) -> None:
        """Take a frame."""
        flat = np.ascontiguousarray  # one layout, one compilation
        _put(
            self._ring.make_room(frame.start, frame.valid.size),
            frame.start,
            flat(frame.leads_mv),
            flat(frame.measured_mv),
            flat(frame.scale_mv),
            self._half_widths,
            flat(frame.settling),
            untrusted,
        )


_SETTLING_MV, _UNTRUSTED_MV = np.float32(1e-3 * SETTLING), np.float32(1e-3 * UNTRUSTED)
"""One microvolt stands for 1."""


@compiled
def _put(
    kept: NDArray[np.float32],
    start: int,
    leads_mv: NDArray[np.float32],
    measured_mv: NDArray[np.float32],
    scale_mv: NDArray[np.float32],
    half_widths: NDArray[np.float32],
    settling: NDArray[np.bool_],
    untrusted: bool,
) -> None:
    size = kept.shape[1]
    for j in range(max(0, len(measured_mv) - size), len(measured_mv)):
        at = (start + j) % size
        for i in range(len(leads_mv)):
            kept[i, at] = leads_mv[i, j]
            kept[HALF_WIDTH + i, at] = scale_mv[i, j] * half_widths[i]
        kept[MEASURED, at] = measured_mv[j]
        kept[FLAGS, at] = settling[j] * _SETTLING_MV + untrusted * _UNTRUSTED_MV
