# SPDX-License-Identifier: MIT
"""The newest stretch of the bands, from which windows are cut on an absolute grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class WindowBuffer:
    """A ring of the newest ``length`` samples of ``rows`` signals, addressed by absolute index.

    Every sample is written twice, ``length`` apart, so that any window is one contiguous slice of
    each row: nothing is ever moved.  What was never written, or was skipped, reads as zero and
    not valid.
    """

    def __init__(self, rows: int, length: int) -> None:
        self.length = length
        self._data = np.zeros((rows, 2 * length), np.float32)
        self._valid = np.zeros(2 * length, np.bool_)
        self._settling = np.zeros(2 * length, np.bool_)
        self.stop = 0
        """Index after the newest sample."""

    def begin(self, index: int) -> None:
        """Make ``index`` the next sample; everything before it is zero."""
        self._data[:] = 0
        self._valid[:] = False
        self._settling[:] = False
        self.stop = index

    def write(self, x: NDArray[np.float32], settling: NDArray[np.bool_]) -> None:
        """Append samples ``x (rows, n)`` with their settling marks ``(n,)``; n <= length."""
        for slots, part in self._places(x.shape[1]):
            self._data[:, slots] = x[:, part]
            self._valid[slots] = True
            self._settling[slots] = settling[part]
        self.stop += x.shape[1]

    def skip(self, count: int) -> None:
        """Append ``count`` missing samples."""
        for slots, _ in self._places(min(count, self.length)):
            self._data[:, slots] = 0
            self._valid[slots] = False
            self._settling[slots] = False
        self.stop += count

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """A view ``(rows, stop - start)`` of the samples; they must be among the newest."""
        return self._data[:, self._slice(start, stop)]

    def valid(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Which of the samples are there; a view."""
        return self._valid[self._slice(start, stop)]

    def settling(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Which of the samples come from filters that still settle; a view."""
        return self._settling[self._slice(start, stop)]

    def _slice(self, start: int, stop: int) -> slice:
        if not self.stop - self.length <= start <= stop <= self.stop:
            raise IndexError(f"[{start}, {stop}) is not among the newest {self.length} before {self.stop}")
        first = start % self.length
        return slice(first, first + stop - start)

    def _places(self, count: int) -> list[tuple[slice, slice]]:
        """Where the next ``count`` samples go: (slots in the ring, part of the input)."""
        first = self.stop % self.length
        head = min(count, self.length - first)
        places = []
        for begin, part in ((first, slice(0, head)), (0, slice(head, count))):
            size = part.stop - part.start
            if size:
                places.append((slice(begin, begin + size), part))
                places.append((slice(begin + self.length, begin + self.length + size), part))
        return places
