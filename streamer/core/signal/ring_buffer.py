# SPDX-License-Identifier: MIT
"""The newest stretch of the bands, from which windows are cut on an absolute grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled


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
        """Append samples ``x (rows, n)`` with their settling marks ``(n,)``; the newest ``length`` stay."""
        flat = np.ascontiguousarray  # one layout, one compilation
        _put(flat(x), flat(settling), self.stop % self.length, self._data, self._valid, self._settling)
        self.stop += x.shape[1]

    def skip(self, count: int) -> None:
        """Append ``count`` missing samples."""
        begin = self.stop % self.length
        slots = (begin + np.arange(min(count, self.length))) % self.length
        for half in (slots, slots + self.length):
            self._data[:, half] = 0
            self._valid[half] = False
            self._settling[half] = False
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


@compiled
def _put(
    x: NDArray[np.float32],
    settling: NDArray[np.bool_],
    first: int,
    data: NDArray[np.float32],
    valid: NDArray[np.bool_],
    settles: NDArray[np.bool_],
) -> None:
    """One pass over the samples: each call of numpy for so few costs more than they do."""
    length = len(valid) // 2
    for j in range(len(settling)):
        for at in ((first + j) % length, (first + j) % length + length):
            for i in range(len(x)):
                data[i, at] = x[i, j]
            valid[at], settles[at] = True, settling[j]
