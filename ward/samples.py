# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest seconds of one bed as the page draws them: whole microvolts in a ring."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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
_TOGETHER = 8
"""Frames that are converted together: numpy's calls cost more than their work."""


def to_microvolts(millivolts: NDArray[np.float32]) -> Microvolts:
    """Whole microvolts, as far as 16 bits reach; `MISSING` for NaN."""
    known = np.isfinite(millivolts)
    most_mv = 1e-3 * _MOST_UV
    whole = np.rint(1e3 * np.where(known, millivolts, 0.0).clip(-most_mv, most_mv))
    return np.where(known, whole, MISSING).astype(np.int16)


class MicrovoltRing:
    """The newest `KEPT_S` seconds of all rows, by absolute index.  One thread at a time."""

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self._uv = np.full((ROWS, round(KEPT_S * rate_hz)), MISSING, np.int16)
        self._first: int | None = None
        self._stop = 0

    @property
    def span(self) -> tuple[int, int]:
        """Index of the oldest sample that is kept, and after the newest."""
        return (0, 0) if self._first is None else (self._first, self._stop)

    def rows(self, rows: Sequence[int], start: int, stop: int) -> Microvolts:
        """Samples ``start`` to ``stop`` of these rows, ``(len(rows), stop - start)``; within `span`."""
        places = np.arange(start, stop) % self._uv.shape[1]
        taken: Microvolts = self._uv[np.array(rows)[:, None], places]
        return taken

    def write(self, start: int, uv: Microvolts) -> None:
        """Take samples ``(ROWS, n)`` from index ``start`` on; what lies between is missing."""
        size = self._uv.shape[1]
        if self._first is None or start < self._stop:  # the first samples, or the stream began again
            self._first = self._stop = start
        if start > self._stop:  # a gap
            missed = np.arange(max(self._stop, start - size), start) % size
            self._uv[:, missed] = MISSING
        stop = start + uv.shape[1]
        uv = uv[:, -size:]
        self._uv[:, np.arange(stop - uv.shape[1], stop) % size] = uv
        self._stop = stop
        self._first = max(self._first, stop - size)


class SampleRing:
    """The same, of frames.  One thread at a time.

    Parameters
    ----------
    description : SessionDescription
        Of the session whose frames come.
    """

    def __init__(self, description: SessionDescription) -> None:
        self.rate_hz = description.rate_hz
        self._description = description
        self._ring = MicrovoltRing(description.rate_hz)
        self._waiting: list[tuple[Frame, bool]] = []

    def add(self, frame: Frame, *, untrusted: bool) -> None:
        """Take a frame."""
        self._waiting.append((frame, untrusted))
        if len(self._waiting) >= _TOGETHER:
            self._convert()

    @property
    def span(self) -> tuple[int, int]:
        """As `MicrovoltRing.span`."""
        self._convert()
        return self._ring.span

    def rows(self, rows: Sequence[int], start: int, stop: int) -> Microvolts:
        """As `MicrovoltRing.rows`."""
        return self._ring.rows(rows, start, stop)

    def _convert(self) -> None:
        waiting, self._waiting = self._waiting, []
        at = 0
        while at < len(waiting):  # frames that follow each other are one piece
            end = at + 1
            while end < len(waiting) and waiting[end][0].start == waiting[end - 1][0].stop:
                end += 1
            self._put(waiting[at:end])
            at = end

    def _put(self, piece: list[tuple[Frame, bool]]) -> None:
        frames = [frame for frame, _ in piece]
        start = frames[0].start
        leads = np.concatenate([frame.leads_mv for frame in frames], axis=1)
        measured = np.concatenate([frame.measured_mv for frame in frames])
        half_mv = self._description.half_width_mv(
            np.concatenate([frame.scale_mv for frame in frames], axis=1), BAND
        )
        uv = np.full((ROWS, leads.shape[1]), MISSING, np.int16)
        uv[:MEASURED] = to_microvolts(leads)
        uv[MEASURED] = to_microvolts(measured)
        if half_mv is not None:
            uv[HALF_WIDTH:FLAGS] = to_microvolts(half_mv)
        uv[FLAGS] = np.concatenate(
            [SETTLING * frame.settling.astype(np.int16) + UNTRUSTED * wrong for frame, wrong in piece]
        )
        self._ring.write(start, uv)
