# SPDX-License-Identifier: MIT
"""Samples that a sender pushed twice, with the same stamps: the copies are none."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Pulled = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Samples ``(n, channels)`` and their stamps ``(n,)``, s."""

_REMEMBERED = 8192
"""So many of the newest samples are compared with what comes."""


class Repeats:
    """Takes out of a stream what came before with the same stamp and the same values.

    A sender that stamps a packet once gives equal stamps to samples that differ, and in a quiet signal to
    equal ones as well: from it only a whole packet can come twice.
    """

    def __init__(self) -> None:
        self.count = 0
        """Samples taken out."""
        self._shared = False
        self._seen: dict[tuple[float, bytes], None] = {}
        self._last_s: float | None = None  # the newest stamp
        self._packet: NDArray[np.float64] = np.empty((0, 0))  # all that has come with it

    def without(self, rows: NDArray[np.float64], stamps: NDArray[np.float64]) -> Pulled:
        """The samples of a pull that have not come before."""
        packet = self._packet if stamps[0] == self._last_s else rows[:0]
        if not self._shared:
            same = np.flatnonzero(stamps[1:] == stamps[:-1])
            self._shared = bool((rows[same] != rows[same + 1]).any() or (packet[-1:] != rows[:1]).any())
        if self._shared:
            keep = self._not_a_packet_again(rows, stamps, packet)
        else:
            keep = np.array(
                [self._is_new(stamp, row.tobytes()) for stamp, row in zip(stamps, rows, strict=True)]
            )
        self.count += int(len(keep) - keep.sum())
        self._last_s = float(stamps[-1])
        newest = stamps == self._last_s
        packet = packet if newest.all() else rows[:0]
        self._packet = np.concatenate((packet, rows[newest & keep]))[-_REMEMBERED:]
        return rows[keep], stamps[keep]

    def _is_new(self, stamp_s: float, row: bytes) -> bool:
        if (stamp_s, row) in self._seen:
            return False
        self._seen[stamp_s, row] = None
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return True

    @staticmethod
    def _not_a_packet_again(
        rows: NDArray[np.float64], stamps: NDArray[np.float64], before: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """False for the second half of what shares a stamp, if it is the first half again."""
        keep = np.ones(len(stamps), bool)
        edges = [0, *(np.flatnonzero(stamps[1:] != stamps[:-1]) + 1).tolist(), len(stamps)]
        for start, stop in pairwise(edges):
            earlier = before if start == 0 else rows[:0]
            packet = np.concatenate((earlier, rows[start:stop]))
            half = len(packet) // 2
            copied = len(packet) == 2 * half and np.array_equal(packet[:half], packet[half:])
            if copied and (packet != packet[:1]).any():  # not by a range: of infinities it has none
                keep[max(start, start + half - len(earlier)) : stop] = False
        return keep
