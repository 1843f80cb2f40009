# SPDX-License-Identifier: MIT
"""Causal filters: second-order sections with carried state, compiled, bit-identical to scipy's.

The coefficients come from the model's metadata, so training and serving cannot differ, and the
run-time needs no scipy.  State is float64; there is one cast, at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled

Sos = NDArray[np.float64]
"""``(sections, 6)``: b0 b1 b2 1 a1 a2 for each section, as scipy has it."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Every coefficient that a model was trained with, at its rate."""

    input: Sos
    """Input band: high-pass and low-pass in one cascade, causal."""
    low: Sos
    """Low-pass that takes the low band out of the input band."""
    mid: Sos
    """Low-pass that takes the mid band out of what is left; the high band is the rest."""
    clinical: Sos
    """Run forward and backward it gives the clinical frame: what is predicted and scored."""


@compiled
def sosfilt(sos: Sos, x: NDArray[np.float64], zi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Filter ``x (n,)`` by the sections in turn, carrying the state ``zi (sections, 2)`` in place.

    The order of operations is scipy.signal.sosfilt's (transposed direct form II), so the result
    is the same to the last bit, for any chunking.
    """
    y = np.empty_like(x)
    for i in range(len(x)):
        value = x[i]
        for s in range(sos.shape[0]):
            out = sos[s, 0] * value + zi[s, 0]
            zi[s, 0] = sos[s, 1] * value - sos[s, 4] * out + zi[s, 1]
            zi[s, 1] = sos[s, 2] * value - sos[s, 5] * out
            value = out
        y[i] = value
    return y


@compiled
def _split(
    x: NDArray[np.float64],
    sos_input: Sos,
    sos_low: Sos,
    sos_mid: Sos,
    zi_input: NDArray[np.float64],
    zi_low: NDArray[np.float64],
    zi_mid: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    measured = sosfilt(sos_input, x, zi_input)
    low = sosfilt(sos_low, measured, zi_low)
    rest = measured - low
    mid = sosfilt(sos_mid, rest, zi_mid)
    for i in range(len(x)):
        out[0, i] = low[i]
        out[1, i] = mid[i]
        out[2, i] = rest[i] - mid[i]
        out[3, i] = measured[i]


def steady_state(sos: Sos) -> NDArray[np.float64]:
    """The state ``(sections, 2)`` of a cascade that has seen 1.0 for ever (scipy's ``sosfilt_zi``)."""
    zi = np.empty((len(sos), 2))
    gain = 1.0
    for s, (b0, b1, b2, _, a1, a2) in enumerate(sos):
        dc = (b0 + b1 + b2) / (1 + a1 + a2)
        zi[s, 1] = (b2 - a2 * dc) * gain
        zi[s, 0] = (b1 - a1 * dc) * gain + zi[s, 1]
        gain *= dc
    return zi


def forward_backward(sos: Sos, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Filter ``x (n,)`` forward and backward, without phase.

    As scipy.signal.sosfiltfilt with its default odd extension; needs the whole record.
    """
    ntaps = 2 * len(sos) + 1 - min(int((sos[:, 2] == 0).sum()), int((sos[:, 5] == 0).sum()))
    pad = min(3 * ntaps, len(x) - 1)
    extended = np.concatenate((2 * x[0] - x[pad:0:-1], x, 2 * x[-1] - x[-2 : -(pad + 2) : -1]))
    zi = steady_state(sos)
    forward = sosfilt(sos, extended, zi * extended[0])
    backward = sosfilt(sos, np.ascontiguousarray(forward[::-1]), zi * forward[-1])
    return np.ascontiguousarray(backward[::-1][pad : pad + len(x)])


class BandSplitter:
    """Splits the input into low, mid and high, which add up to the input band.

    State is scaled by the first sample, so that an offset makes no step at the start.
    """

    ROWS = ("low", "mid", "high", "measured")
    """The rows of what `split` returns; ``measured`` is the whole input band."""

    def __init__(self, filters: Filters) -> None:
        self._filters = filters
        self.restart(0.0)

    def restart(self, first_mv: float) -> None:
        """Forget the past, as if ``first_mv`` had been seen for ever."""
        self._zi_input = steady_state(self._filters.input) * first_mv
        rest_mv = _dc_gain(self._filters.input) * first_mv
        self._zi_low = steady_state(self._filters.low) * rest_mv
        self._zi_mid = steady_state(self._filters.mid) * (rest_mv - _dc_gain(self._filters.low) * rest_mv)

    def split(self, x: NDArray[np.float64]) -> NDArray[np.float32]:
        """``x (n,)`` mV to ``(4, n)`` float32 mV: low, mid, high, measured."""
        out = np.empty((4, len(x)), np.float32)
        f = self._filters
        _split(x, f.input, f.low, f.mid, self._zi_input, self._zi_low, self._zi_mid, out)
        return out


def _dc_gain(sos: Sos) -> float:
    return float(np.prod(sos[:, :3].sum(axis=1) / sos[:, 3:].sum(axis=1)))
