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


def wander(n: int, rate_hz: float, chances: np.random.Generator) -> NDArray[np.float64]:
    """``n`` samples of slow waves, of whatever size."""
    waves = (chances.normal() * _wave(n, rate_hz, WANDER_HZ, chances) for _ in range(WAVES))
    return sum(waves, np.zeros(n))


def muscle(n: int, rate_hz: float, chances: np.random.Generator) -> NDArray[np.float64]:
    """``n`` samples of white noise in bursts, of whatever size."""
    return np.asarray(chances.normal(size=n) * (1 + _wave(n, rate_hz, BURST_HZ, chances)))


def _wave(
    n: int, rate_hz: float, band_hz: tuple[float, float], chances: np.random.Generator
) -> NDArray[np.float64]:
    t_s = np.arange(n) / rate_hz
    return np.asarray(np.sin(2 * np.pi * (chances.uniform(*band_hz) * t_s + chances.random())))


def disturbed(
    lead_mv: NDArray[np.float32], rate_hz: float, noise: Noise, level_db: float, chances: np.random.Generator
) -> NDArray[np.float32]:
    """A lead ``(n,)`` with noise whose RMS lies ``level_db`` below the lead's standard deviation.

    What is missing (NaN) stays so.
    """
    n = len(lead_mv)
    if noise is Noise.WANDER:
        added = wander(n, rate_hz, chances)
    elif noise is Noise.MUSCLE:
        added = muscle(n, rate_hz, chances)
    else:
        added = chances.normal(size=n)
    level_mv = 10 ** (-level_db / 20) * float(np.nanstd(lead_mv))
    return np.asarray(lead_mv + level_mv * added / added.std(), np.float32)
