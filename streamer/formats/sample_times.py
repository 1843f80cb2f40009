# SPDX-License-Identifier: MIT
"""From the stamps of a file to a rate and a place for each sample: gaps in the stamps are gaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.core.stream import Samples
from streamer.formats.recording import millivolts

_ROOM = 1 << 20
"""Samples that may be missing in any file, ..."""
_SHARE = 10
"""... and how many for each that is there: a file of a few rows must not ask for memory without end."""

_EVEN = 8
"""So many even distances in a row are no chance."""


def grid_of(stamps_s: NDArray[np.float64], what: str) -> tuple[float, NDArray[np.int64]]:
    """The rate, and the index of each sample from 0.

    Parameters
    ----------
    stamps_s : array (n,)
        Seconds.  Stamps that repeat are those of a packet: the rate is count over span.

    Raises
    ------
    InputError
        They go back, or show no rate, or leave much more out than they hold.
    """
    if len(stamps_s) < 3 or not np.isfinite(stamps_s).all():
        raise InputError(f"{what} has rows without a time, or fewer than three; give it whole")
    steps = np.diff(stamps_s)
    if (steps < 0).any():
        row = int(np.argmax(steps < 0)) + 2
        raise InputError(f"{what}: its times go back at sample {row}; sort it, or cut it there")
    first = np.flatnonzero(np.concatenate([[True], steps > 0]))
    sizes = np.diff(np.append(first, len(stamps_s)))
    packet_s = np.diff(stamps_s[first])
    if len(packet_s) < 2:
        raise InputError(f"{what}: its times show no rate")
    period_s = float(np.median(packet_s / sizes[:-1]))
    rounded = _long_by_rounding(stamps_s, packet_s, period_s)
    if rounded.any():
        period_s = float(packet_s[rounded | (packet_s < 1.25 * period_s)].mean())
    # A stamp that is late makes its step longer, and the next one shorter: nothing is lost there.
    beside_s = np.minimum(np.append(packet_s[1:], np.inf), np.append(np.inf, packet_s[:-1]))
    single = len(packet_s) == len(stamps_s) - 1
    for _ in range(3):
        room = np.maximum(sizes[:-1], sizes[1:])
        whole = rounded | (packet_s < (room + 0.5 * np.minimum(sizes[:-1], sizes[1:])) * period_s)
        whole |= single & (packet_s + beside_s < 2.5 * period_s)
        if not whole.any():
            break
        period_s = float(packet_s[whole].sum() / sizes[:-1][whole].sum())
    lost = np.where(whole, 0, np.maximum(np.rint(packet_s / period_s) - sizes[:-1], 0))
    if not np.isfinite(lost).all() or lost.sum() > _ROOM + _SHARE * len(stamps_s):
        raise InputError(f"{what}: its times leave out much more than they hold; cut it at its gaps")
    ahead = np.concatenate([[0], np.cumsum(lost)]).astype(np.int64)
    index = np.arange(len(stamps_s)) + np.repeat(ahead, sizes)
    span = float(stamps_s[first[-1]] - stamps_s[0])
    fitted = float(index[first[-1]]) / span
    off = np.abs(stamps_s[first] - stamps_s[0] - index[first] / fitted)
    accuracy_s = 4 * float(np.percentile(off, 95)) + _resolution_s(stamps_s)
    return _tidy(fitted, accuracy_s / span + 1e-7), index


def place(values_mv: NDArray[np.floating], index: NDArray[np.int64]) -> Samples:
    """Samples ``(rows, n)`` at their places; NaN between."""
    out = np.full((values_mv.shape[0], int(index[-1]) + 1), np.nan, np.float32)
    out[:, index] = millivolts(values_mv)
    return out


def _resolution_s(stamps_s: NDArray[np.float64]) -> float:
    """The step that stamps are written in; 0 if they are finer than a microsecond.

    A few samples lie on a line through their rounded ends by chance, and look more exact than they are.
    """
    for decimals in range(7):
        steps = (stamps_s - stamps_s[0]) * 10.0**decimals
        if np.abs(steps - np.rint(steps)).max() < 1e-3:
            return float(10.0**-decimals)
    return 0.0


def _long_by_rounding(
    stamps_s: NDArray[np.float64], steps_s: NDArray[np.float64], usual_s: float
) -> NDArray[np.bool_]:
    """Which steps are a tick longer than most, of a clock whose ticks are about as long as a sample.

    By rounding they come at even distances, one more or less; samples that are lost do not.
    """
    none = np.zeros(len(steps_s), np.bool_)
    if len(steps_s) < len(stamps_s) - 1:
        return none
    for ratio in (2.0, 1.5):  # of two ticks to one, and of three to two
        tick_s = (ratio - 1) * usual_s
        long: NDArray[np.bool_] = np.abs(steps_s - usual_s - tick_s) < 0.05 * tick_s
        if not long.any() or not _in_ticks(stamps_s - stamps_s[0], tick_s):
            continue
        gap = steps_s > (ratio + 0.5) * usual_s
        at = np.flatnonzero(long)
        within = np.diff(at)[np.diff(np.cumsum(gap)[at]) == 0]
        even = np.diff(np.flatnonzero(np.concatenate([[True], long | gap, [True]])))
        if len(within) >= _EVEN and np.ptp(within) <= 1 and even.max() <= within.max() + 1:
            return long
    return none


def _in_ticks(since_s: NDArray[np.float64], tick_s: float) -> bool:
    """Whether times are whole ticks, and not written more finely than that."""
    if 0 < _resolution_s(since_s) < 0.6 * tick_s:
        return False
    counts = since_s / tick_s
    exact = since_s[-1] / max(np.rint(counts[-1]), 1.0)
    return bool(np.abs(since_s / exact - np.rint(since_s / exact)).max() < 0.05)


def _tidy(rate_hz: float, tolerance: float) -> float:
    """The simplest rate near a measured one."""
    for parts in (1, 2, 4, 5, 10):
        near = round(rate_hz * parts) / parts
        if near and abs(rate_hz / near - 1) <= min(tolerance, 2e-3):
            return near
    return rate_hz
