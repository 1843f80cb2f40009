# SPDX-License-Identifier: GPL-3.0-or-later
"""What the recorder of another hospital, or another sensor, makes of the same heart: its own filters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt, sosfilt_zi

HIGH_PASS_HZ = (0.05, 1.0)
"""Of recorders, from resting carts to monitors; drawn evenly by its logarithm, as a sensor's is."""
LOW_PASS_HZ = (20.0, 45.0)
"""From a cart's strongest muscle filter to where nothing is left that we look at."""
LOW_PASSED = 0.5
"""So many recorders."""
SENSOR_HIGH_PASS_HZ = (0.05, 0.7)
SENSORS = 1 / 3
"""So many of those that are drawn: a sensor of Lead I beside a recorder that filters nothing."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """Butterworth filters as they run in a device: causal."""

    rate_hz: float
    high_pass: tuple[int, float]
    """Order and edge (Hz)."""
    low_pass: tuple[int, float] | None = None
    of_all: bool = True
    """Every lead passes it; otherwise it is a sensor, and the truth is another recorder's."""

    def __call__(self, leads_mv: NDArray[np.float32]) -> NDArray[np.float32]:
        """Whole leads ``(..., n)`` as it records them, as if they had always been as they begin."""
        sections = _sections(self)
        start = np.tensordot(leads_mv[..., 0], sosfilt_zi(sections), axes=0)
        y, _ = sosfilt(sections, leads_mv, zi=np.moveaxis(start, -2, 0))
        recorded: NDArray[np.float32] = y.astype(np.float32)
        return recorded


@lru_cache(maxsize=1)  # input, truth and what is said of a record pass it in turn
def _sections(of: Recorder) -> NDArray[np.float64]:
    edges = [(of.high_pass, "highpass"), (of.low_pass, "lowpass")]
    return np.concatenate(
        [butter(*edge, kind, fs=of.rate_hz, output="sos") for edge, kind in edges if edge is not None]
    )


def drawn(rng: np.random.Generator, rate_hz: float) -> Recorder:
    """Some recorder or sensor."""
    sensor = rng.random() < SENSORS
    high_pass_hz = float(np.exp(rng.uniform(*np.log(SENSOR_HIGH_PASS_HZ if sensor else HIGH_PASS_HZ))))
    if sensor:
        return Recorder(rate_hz, (1, high_pass_hz), of_all=False)
    high_pass = int(rng.integers(1, 3)), high_pass_hz
    if rng.random() >= LOW_PASSED:
        return Recorder(rate_hz, high_pass)
    return Recorder(rate_hz, high_pass, (int(rng.integers(1, 5)), float(rng.uniform(*LOW_PASS_HZ))))
