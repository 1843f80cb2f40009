# SPDX-License-Identifier: MIT
"""What the stamps of an LSL stream say: the rate at which samples come, and of what kind the stamps are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RATE_TOLERANCE = 0.02
"""Pieces of a second of an irregular stream fit one rate within this share, or are refused."""

_LEAST = 50
"""So few stamps show no rate."""

_EXACT_S = 20e-6
"""Stamps whose median step is off a whole number of samples by less were computed, not taken."""

_TOGETHER = 0.05
"""Samples stamped within this share of a period were sent together, ..."""

_TOGETHER_SHARE = 0.4
"""... if this share of all are: of packets of two half are."""

_LEAST_STEP = 0.7
"""Stamps on a grid are no nearer to each other, in periods: the count of missing ones would be jitter's."""

_LEAST_PACKETS = 3
"""Two packets with one stamp each show one step, and its unevenness as rate."""

_SURE_PACKETS = 6
_SURE = 5e-4
_BY_CHANCE = 10.0
"""A rate is known when so many packets put its standard error below this share; that of few counts more."""

_USUAL_HZ = (100.0, 125.0, 128.0, 130.0, 200.0, 250.0, 256.0, 300.0, 360.0, 400.0, 500.0, 512.0, 1000.0)
_NEAR_USUAL = 1e-3
"""What jitter leaves open is decided for a rate that amplifiers have, within this share."""


@dataclass(frozen=True, slots=True)
class RateFit:
    """A rate that stamps fit."""

    rate_hz: float
    sure: bool
    """Known to some hundredths of a percent; a longer look would make no difference."""


def fit_rate(stamps: NDArray[np.float64]) -> RateFit | None:
    """The rate at which samples come, by their stamps; None if no rate fits within `RATE_TOLERANCE`.

    Samples may have a stamp each or share one a packet, which may be that of its first or of its last, and
    jitter; missing ones, and missing packets, are steps of several periods, and spoil nothing.

    Parameters
    ----------
    stamps : array (n,)
        As they came, s.
    """
    rate_hz = grid_rate_of(stamps)
    if rate_hz is not None:
        steps = np.diff(stamps) * rate_hz
        worst_s = float(np.abs(steps - np.rint(steps)).max()) / rate_hz
        return RateFit(rate_hz, sure=worst_s < _SURE * float(stamps[-1] - stamps[0]))
    if len(stamps) < _LEAST or stamps[-1] <= stamps[0]:
        return None
    ends = _packet_ends(stamps)
    if len(ends) < _LEAST_PACKETS:
        return None
    starts = np.concatenate(([0], ends[:-1] + 1))
    # The first packet may have been cut at its beginning and the last at its end: what each stamp is of
    # shows in which of the two counts goes evenly with it.
    fits = [_line(stamps[ends], ends.astype(float)), _line(stamps[starts], starts.astype(float))]
    if len(ends) < len(stamps):
        sizes = np.diff(ends)
        if len(ends) > _LEAST_PACKETS and ends[-1] - ends[-2] < np.median(sizes):
            fits[0] = _line(stamps[ends[:-1]], ends[:-1].astype(float))
        if len(ends) > _LEAST_PACKETS and ends[0] + 1 < np.median(sizes):
            fits[1] = _line(stamps[starts[1:]], starts[1:].astype(float))
    period_s, error = min((fit for fit in fits if fit is not None), key=lambda f: f[1], default=(0.0, 0.0))
    if not 1e-6 < period_s < 1:
        return None
    packets = len(ends)
    # Few packets may lie on a line by chance.
    surely = error * (1 + _BY_CHANCE / (packets - 2)) if packets >= _SURE_PACKETS else 1.0
    usual_hz = min(_USUAL_HZ, key=lambda usual: abs(usual * period_s - 1))
    near = abs(usual_hz * period_s - 1) < min(2 * error, _NEAR_USUAL)
    return RateFit(_tidy(usual_hz if near else 1 / period_s), sure=surely < _SURE)


def rate_of(stamps: NDArray[np.float64]) -> float | None:
    """The rate of `fit_rate`, Hz."""
    fit = fit_rate(stamps)
    return None if fit is None else fit.rate_hz


def _packet_ends(stamps: NDArray[np.float64]) -> NDArray[np.intp]:
    """Index of the last sample of each packet, for which a clock was read once; of each if they come singly.

    The other stamps of a packet are the same, or were computed from that, a period further each.
    """
    steps_s = np.diff(stamps)
    mean_s = float(stamps[-1] - stamps[0]) / len(steps_s)
    for usual_s in (0.0, float(np.median(steps_s))):
        together = np.abs(steps_s - usual_s) < _TOGETHER * mean_s
        if np.mean(together) >= _TOGETHER_SHARE:
            return np.flatnonzero(np.append(~together, True))
    return np.arange(len(stamps))


def _line(at_s: NDArray[np.float64], counts: NDArray[np.float64]) -> tuple[float, float] | None:
    """Period of counted samples, s, and its relative standard error; None if they fit no line.

    Where a step is longer than its samples by more than jitter makes it, samples are missing: in whole
    packets if they come in packets.
    """
    steps_s, sizes = np.diff(at_s), np.diff(counts)
    typical = float(np.median(sizes))
    period_s = float(np.median(steps_s / sizes))
    if period_s <= 0:
        return None
    whole = counts
    for _ in range(3):
        extra = steps_s / period_s - sizes
        # What is missing never makes a step shorter: how short the shortest is, is jitter's doing.
        missing = np.where(extra > max(0.5 * typical, -1.5 * float(extra.min())), extra, 0.0)
        missing = np.rint(missing / typical) * typical
        whole = counts + np.concatenate(([0.0], np.cumsum(missing)))
        period_s = _slope(whole, at_s)[0]
        if period_s <= 0:
            return None
    if whole[-1] - counts[-1] > counts[-1] - counts[0]:
        return None  # more is missing than there
    pieces = 3 if len(whole) >= 12 else 2 if len(whole) >= 6 else 1
    for part in np.array_split(np.arange(len(whole)), pieces):
        part_s, error_s = _slope(whole[part], at_s[part])
        if abs(part_s / period_s - 1) > RATE_TOLERANCE + 4 * error_s / period_s:
            return None
    period_s, error_s = _slope(whole, at_s)
    return period_s, error_s / period_s


def _slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Of the line nearest to points, and its standard error."""
    x, y = x - x.mean(), y - y.mean()
    spread = float(x @ x)
    slope = float(x @ y) / spread
    off = y - slope * x
    return slope, float(np.sqrt(off @ off / max(len(x) - 2, 1) / spread))


def grid_rate_of(stamps: NDArray[np.float64]) -> float | None:
    """The rate of the grid that stamps lie on, Hz; None if they lie on none."""
    if len(stamps) < _LEAST:
        return None
    steps = np.diff(stamps)
    period_s = float(np.median(steps))
    if not 1e-6 < period_s < 1:
        return None
    for _ in range(3):  # each makes the next one's counting surer
        whole = np.maximum(np.rint(steps / period_s), 0)
        if whole.sum():
            period_s = float(steps[whole > 0].sum() / whole.sum())
    return _tidy(1 / period_s) if _fits(stamps, period_s) else None


def _fits(stamps: NDArray[np.float64], period_s: float) -> bool:
    """Nearly all steps are whole numbers of periods, none much less, and more is there than missing."""
    steps = np.diff(stamps) / period_s
    if steps.sum() > 2 * len(steps) or steps.min() < _LEAST_STEP:
        return False
    off = np.abs(steps - np.rint(steps))
    return bool(np.mean((off <= 10 * RATE_TOLERANCE) & (np.rint(steps) >= 1)) > 0.98)


def _tidy(rate_hz: float) -> float:
    """A measured rate, to the 0.1 Hz that a look of seconds can tell."""
    return round(rate_hz, 1)


def stamps_are_exact(stamps: NDArray[np.float64], rate_hz: float) -> bool:
    """Whether stamps lie on the grid of a sensor's clock, so that one missing sample shows."""
    steps = np.diff(stamps) * rate_hz
    if not len(steps) or stamps[-1] <= stamps[0]:
        return False
    steps *= max(np.rint(steps).sum(), 1) / steps.sum()  # the rate need not be the nominal one
    off = np.abs(steps - np.rint(steps))[steps < 50]
    return bool(np.median(off) / rate_hz < _EXACT_S and off.max() < 0.1 and steps.min() > 0.5)


def in_their_order(
    rows: NDArray[np.float64], stamps: NDArray[np.float64], before_s: float, rate_hz: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Samples of a sensor's clock that were sent in another order than they were taken, put right.

    Only if all then lie behind what came before, each a period from the next: else the clock was set.
    """
    if not np.any(stamps[1:] < stamps[:-1]):
        return rows, stamps
    order = np.argsort(stamps, kind="stable")
    steps = np.diff(stamps[order], prepend=before_s) * rate_hz
    return (rows, stamps) if np.any(steps < 0.5) else (rows[order], stamps[order])


def no_later_than_the_next(stamps: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """Stamps that a computer took on receipt, with what the later ones say of the earlier.

    A sample can be stamped late, not early: it was taken a period and more before the next one was.  So
    what a sender stamps all at once after a stall goes back to where it belongs.
    """
    on_grid = np.arange(len(stamps)) / rate_hz
    return np.minimum.accumulate((stamps - on_grid)[::-1])[::-1] + on_grid
