# SPDX-License-Identifier: MIT
"""Which way up Lead I is: a linear score of its mean beat.

Made by ``python -m training.fitted.polarity`` from folds 1 to 7 of PTB-XL, each record also turned.  There is
no constant: the score of a beat turned is minus that of the beat.  It weighs P, QRS and T at once, since
each of them alone stands upside down in some hearts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEP_S = 0.032
"""Of one feature, the mean of so much of the beat."""

# fmt: off
WEIGHTS = np.array([
    2.706, 9.242, 15.691, 20.707, 5.835, -4.238, 7.602, 46.312, -9.848, -8.972, -1.775,
    0.941, -8.140, 5.329, 13.534, 10.845, 4.720, 0.038, -1.628, -1.382, -0.066, -4.510,
])
# fmt: on
"""In units of the limit: a score below -1 is reversed (one record in a hundred, by mistake)."""


def polarity_features(beat_mv: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """Of a beat ``(n,)`` mV from 0.25 s before to 0.45 s after its R peak: means over `STEP_S` less the
    median, over the beat's height.
    """
    edges = np.rint(np.arange(len(WEIGHTS) + 1) * STEP_S * rate_hz).astype(int)
    means = np.add.reduceat(beat_mv, edges[:-1]) / np.diff(np.append(edges[:-1], len(beat_mv)))
    features: NDArray[np.float64] = (means - np.median(beat_mv)) / max(float(np.ptp(beat_mv)), 1e-6)
    return features


def polarity_score(beat_mv: NDArray[np.float64], rate_hz: float) -> float:
    """Above 0 more likely upright; below -1 reversed."""
    return float(polarity_features(beat_mv, rate_hz) @ WEIGHTS)
