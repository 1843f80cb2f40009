# SPDX-License-Identifier: MIT
"""Which samples an electrode can have given: all others are missing, so that no filter ever sees them."""

from __future__ import annotations

from math import nan

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.core.stream import Samples

MOST_MV = 1000.0
"""No electrode gives more: they rest within 300 mV (the offset that IEC 60601-2-25 and -47 have amplifiers
bear), the boards that pass it on end at some 190 to 400 mV, sensors with AC coupling at 10 to 60."""

JUMP_MV = 20.0
"""Nor does an ECG move by more from one sample to the next: it is twice the whole range that the standards
ask for, and they let it move by 0.32 mV/ms.  If it stays where it jumped to, an electrode has been moved."""

KEEP_S = 0.15
"""After so long without a usable sample the next may lie anywhere: an electrode can have been moved."""


class SampleBounds:
    """Judges one lead, sample by sample, with nothing of what follows.

    A sample beyond `MOST_MV` is missing.  One that lies more than `JUMP_MV` from the one before is, too;
    the next that lies near to it counts again, so a moved electrode costs one sample.

    Parameters
    ----------
    rate_hz : float
        Of the samples.
    """

    def __init__(self, rate_hz: float) -> None:
        self._keep = round(KEEP_S * rate_hz)
        self._state = np.array([nan, nan])  # the newest usable sample; the one that has just jumped
        self._stop = 0  # index after the newest usable sample
        self._next = 0

    def usable(self, start: int, lead_mv: Samples) -> NDArray[np.bool_]:
        """Which of the samples ``(n,)`` from absolute index ``start`` on to use; NaN is not."""
        out = np.empty(len(lead_mv), np.bool_)
        if start != self._next:
            self._state[1] = nan
        x = np.ascontiguousarray(lead_mv, np.float64)
        since = min(start - self._stop, self._keep + 1)
        since = _judge(x, self._state, since, self._keep, MOST_MV, JUMP_MV, out)
        self._next = start + len(lead_mv)
        self._stop = self._next - since
        return out


@compiled
def _judge(
    x: NDArray[np.float64],
    state: NDArray[np.float64],
    since: int,
    keep: int,
    most: float,
    jump: float,
    out: NDArray[np.bool_],
) -> int:
    """Fill ``out``; ``since`` samples have gone by since the newest usable one, and are returned."""
    last, jumped = state
    for i in range(len(x)):
        value = x[i]
        near = np.isnan(last) or since > keep or abs(value - last) <= jump or abs(value - jumped) <= jump
        out[i] = near and abs(value) <= most
        if out[i]:
            last, jumped, since = value, np.nan, 0
        else:
            jumped, since = value if abs(value) <= most else np.nan, since + 1
    state[0], state[1] = last, jumped
    return since
