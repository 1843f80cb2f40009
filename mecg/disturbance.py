# SPDX-License-Identifier: GPL-3.0-or-later
"""What disturbs a measured lead, to see whether bands widen where they should."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

WANDER_HZ, WAVES = (0.05, 0.6), 4
BURST_HZ = (0.05, 0.5)


class Noise(Enum):
    """A kind of noise; the value is what it is called."""

    WHITE = "white noise"
    WANDER = "baseline wander"
    """Slow waves, as of breathing and moving electrodes."""
    MUSCLE = "muscle noise"
    """White in bursts."""


def disturbed(
    lead_mv: NDArray[np.float32], rate_hz: float, noise: Noise, level_db: float, chances: np.random.Generator
) -> NDArray[np.float32]:
    """A lead ``(n,)`` with noise whose RMS lies ``level_db`` below the lead's standard deviation.

    What is missing (NaN) stays so.
    """
    t_s, n = np.arange(len(lead_mv)) / rate_hz, len(lead_mv)

    def wave(band_hz: tuple[float, float]) -> NDArray[np.float64]:
        return np.asarray(np.sin(2 * np.pi * (chances.uniform(*band_hz) * t_s + chances.random())))

    if noise is Noise.WANDER:
        added = sum((chances.normal() * wave(WANDER_HZ) for _ in range(WAVES)), np.zeros(n))
    else:
        added = chances.normal(size=n)
    if noise is Noise.MUSCLE:
        added *= 1 + wave(BURST_HZ)
    level_mv = 10 ** (-level_db / 20) * float(np.nanstd(lead_mv))
    return np.asarray(lead_mv + level_mv * added / added.std(), np.float32)
