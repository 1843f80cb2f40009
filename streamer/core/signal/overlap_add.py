# SPDX-License-Identifier: MIT
"""Overlap-add: the used part of each window, cross-faded into one continuous stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def taper(length: int, overlap: int) -> NDArray[np.float32]:
    """Weights of one segment: raised-cosine ramps of at most half its length.

    With an overlap of half the segment or more this is a Hann window, and overlap-add is the
    classic one.  Sampled half a step off the grid, so that no weight is zero.
    """
    ramp = min(overlap, length // 2)
    weights = np.ones(length)
    rise = np.sin(np.pi / 2 * (np.arange(ramp) + 0.5) / max(ramp, 1)) ** 2
    weights[:ramp] = rise
    weights[length - ramp :] = rise[::-1]
    return weights.astype(np.float32)


class OverlapAdd:
    """Sums weighted segments of ``rows`` signals and divides by the summed weights.

    A segment is ``hop + overlap`` long; consecutive ones begin a hop apart.  Dividing by the
    weights that really came is right at the start, at a gap, and at the end.
    """

    def __init__(self, rows: int, hop: int, overlap: int) -> None:
        self.length = hop + overlap
        self._hop = hop
        self._weights = taper(self.length, overlap)
        self._sum = np.zeros((rows, self.length), np.float32)
        self._total = np.zeros(self.length, np.float32)
        self._none = np.full((rows, hop), np.nan, np.float32)

    def add(self, segment: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """Add the next segment ``(rows, hop + overlap)``; return its first ``hop`` samples, final.

        None is a segment that was not computed, since all of it is missing: where no other segment
        covers it the result is NaN.
        """
        if self.length == self._hop:  # nothing to cross-fade, and every weight is one
            return self._none.copy() if segment is None else segment
        if segment is not None:
            self._sum += segment * self._weights
            self._total += self._weights
        total = self._total[: self._hop]
        final = np.full((len(self._sum), self._hop), np.nan, np.float32)
        np.divide(self._sum[:, : self._hop], total, out=final, where=total > 0)
        self._advance(self._sum)
        self._advance(self._total)
        return final

    def _advance(self, ring: NDArray[np.float32]) -> None:
        ring[..., : -self._hop] = ring[..., self._hop :].copy()
        ring[..., -self._hop :] = 0
