# SPDX-License-Identifier: MIT
"""Lead I in the diagnostic band, 0.05-150 Hz, at the source's own rate.

Causal, and beside the signal path: nothing is made of it, it is only looked at.
"""

from __future__ import annotations

import math

import numpy as np

from streamer.core.signal.filters import Sos, sosfilt, steady_state
from streamer.core.signal.front_end import KEEP_STATE_S
from streamer.core.signal.runs import true_runs
from streamer.core.signal.sample_bounds import SampleBounds
from streamer.core.stream import Chunk, Samples

LOW_HZ, HIGH_HZ = 0.05, 150.0

LEAST_HZ = 400.0
"""A slower source cannot show 150 Hz."""


class DiagnosticBand:
    """Butterworth, high-pass of order 1 and low-pass of order 2, with carried state.

    Parameters
    ----------
    rate_hz : float
        The source's; at least `LEAST_HZ`.

    Raises
    ------
    ValueError
        A slower source.
    """

    def __init__(self, rate_hz: float) -> None:
        if rate_hz < LEAST_HZ:
            raise ValueError(f"{rate_hz:g} Hz cannot show {HIGH_HZ:g} Hz")
        self.rate_hz = rate_hz
        self._bounds = SampleBounds(rate_hz)
        self._sos = diagnostic_sos(rate_hz)
        self._rest = steady_state(self._sos)
        self._zi = self._rest.copy()
        self._stop: int | None = None

    def push(self, chunk: Chunk) -> Samples:
        """The chunk's samples ``(n,)`` in the band; NaN where they were missing.

        State is kept over gaps of up to 2 s; after a longer one, and at the start, it is scaled by the
        first sample.
        """
        out = np.full(len(chunk.lead_mv), np.nan, np.float32)
        for a, b in true_runs(self._bounds.usable(chunk.start, chunk.lead_mv)):
            x = chunk.lead_mv[a:b].astype(np.float64)
            start = chunk.start + a
            if self._stop is None or not 0 <= start - self._stop <= KEEP_STATE_S * self.rate_hz:
                self._zi = self._rest * x[0]
            out[a:b] = sosfilt(self._sos, x, self._zi)
            self._stop = chunk.start + b
        return out


def diagnostic_sos(rate_hz: float) -> Sos:
    """Both filters as sections (the bilinear transform with the corner kept, in closed form)."""
    k = math.tan(math.pi * LOW_HZ / rate_hz)
    high_pass = [1 / (1 + k), -1 / (1 + k), 0.0, 1.0, (k - 1) / (k + 1), 0.0]
    k = math.tan(math.pi * HIGH_HZ / rate_hz)
    norm = 1 / (1 + math.sqrt(2) * k + k * k)
    low_pass = [k * k * norm, 2 * k * k * norm, k * k * norm]
    low_pass += [1.0, 2 * (k * k - 1) * norm, (1 - math.sqrt(2) * k + k * k) * norm]
    return np.array([high_pass, low_pass])
