# SPDX-License-Identifier: MIT
"""Rate conversion: a causal polyphase FIR between any two rates, on the absolute sample grid.

Output sample ``k`` is the signal at ``k / target_hz`` after input sample 0, whatever the chunks and
gaps before it.  The kernel is symmetric (linear phase), so its delay is only waiting: an output
comes as soon as the last input sample that its taps reach is there.

A gap ends a segment.  Each segment is converted by itself, its first sample held backwards and its
last one forwards, so that ``[a, b)`` input samples always give the outputs ``ceil(a r) .. ceil(b r)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from math import pi

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.core.errors import InputError

SOURCE_HZ = (95.0, 5000.0)
"""Rates that the converter takes: below, the stop band would reach into the ECG's own band."""

PASS_HZ = 35.0
"""The kernel's transition begins here: at 40 Hz it takes 1.0 dB from 100 Hz, 0.2 dB from 250 up."""

BAND_HZ = 40.0
"""Upper edge of the input band: what would fold below it must be gone ..."""

REJECTION_DB = 45.0
"""... by at least 40 dB, measured; the design aims higher since at 500 Hz it has only 7 taps."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive samples without a gap."""

    start: int
    """Absolute index of the first sample."""
    x: NDArray[np.float64]
    """``(n,)`` mV."""

    @property
    def stop(self) -> int:
        """Index after the last sample."""
        return self.start + len(self.x)


LARGEST_DENOMINATOR = 10**9

EXACT_PHASES = 25_000
"""Taps are tabled for so many phases at the most; of a ratio that has more (a rate with three decimals or
more) they lie between two of ..."""

PHASES = 1024
"""... so many, by a straight line: off by less than 1e-6 of the kernel's peak, but for the small step at its
ends, which moves by a 1024th of a sample.  Where an output lies is exact all the same."""


@cache
def rational(rate_hz: float) -> Fraction:
    """A nominal rate as the fraction that its decimal text stands for (129.91 Hz is 12991/100).

    Exact up to nine decimals, so that nothing drifts however long a stream is.  A rate with more, such as
    a measured one, is met within 1e-9 Hz: a thirtieth of a sample in a year.
    """
    return Fraction(repr(float(rate_hz))).limit_denominator(LARGEST_DENOMINATOR)


def kernel(t_s: NDArray[np.float64], source_hz: float, target_hz: float) -> NDArray[np.float64]:
    """The converter's continuous impulse response: a Kaiser-windowed sinc, 1 at its peak.

    Parameters
    ----------
    t_s : array
        Times relative to the output sample, seconds.
    source_hz, target_hz : float
        The stop band starts where the lower of both rates would mirror into `BAND_HZ`.

    Notes
    -----
    Length and shape after Kaiser (1974): ``beta = 0.5842 (A - 21)^0.4 + 0.07886 (A - 21)`` and
    ``length = (A - 7.95) / (2.285 * 2 pi * width)`` for A dB of rejection.
    """
    half_s = half_length_s(source_hz, target_hz)
    cutoff_hz = (PASS_HZ + min(source_hz, target_hz) - BAND_HZ) / 2
    beta = 0.5842 * (REJECTION_DB - 21) ** 0.4 + 0.07886 * (REJECTION_DB - 21)
    inside = np.abs(t_s) < half_s
    taper = np.i0(beta * np.sqrt(np.where(inside, 1 - (t_s / half_s) ** 2, 0.0))) / np.i0(beta)
    return np.where(inside, np.sinc(2 * cutoff_hz * t_s) * taper, 0.0)


def half_length_s(source_hz: float, target_hz: float) -> float:
    """Half the length of `kernel`: the longest that an output can wait for its input."""
    width_hz = min(source_hz, target_hz) - BAND_HZ - PASS_HZ
    return (REJECTION_DB - 7.95) / (2.285 * 2 * pi * width_hz) / 2


@compiled
def _convert(
    history: NDArray[np.float64],
    base: int,
    phase: int,
    taps: NDArray[np.float64],
    reach: int,
    up: int,
    down: int,
    out: NDArray[np.float64],
) -> None:
    """Fill ``out``; its first sample lies ``phase / up`` behind ``history[base]``."""
    between = len(taps) != up
    for i in range(len(out)):
        left = base - reach
        total = 0.0
        # Taps beyond the history are zero for this phase: `push` waited for all others.
        n = min(taps.shape[1], len(history) - left)
        if between:
            at = phase / up * (len(taps) - 1)
            row = int(at)
            part = at - row
            for j in range(n):
                tap = taps[row, j] + part * (taps[row + 1, j] - taps[row, j])
                total += tap * history[left + j]
        else:
            for j in range(n):
                total += taps[phase, j] * history[left + j]
        out[i] = total
        base += down // up
        phase += down % up
        if phase >= up:
            base, phase = base + 1, phase - up


class RateConverter:
    """Converts a stream from one rate to another.

    Parameters
    ----------
    source_hz, target_hz : float
        Nominal rates, taken as rational numbers.

    Raises
    ------
    InputError
        Where a rate lies outside `SOURCE_HZ`.
    """

    def __init__(self, source_hz: float, target_hz: float) -> None:
        for rate_hz in (source_hz, target_hz):
            if not SOURCE_HZ[0] <= rate_hz <= SOURCE_HZ[1]:
                low, high = SOURCE_HZ
                raise InputError(
                    f"a rate of {rate_hz:g} Hz cannot be used: choose a source of {low:g} to {high:g} Hz"
                )
        ratio = rational(target_hz) / rational(source_hz)
        self._up, self._down = ratio.numerator, ratio.denominator
        same = ratio == 1
        half = 0.0 if same else half_length_s(source_hz, target_hz) * source_hz  # in input samples
        between = self._up > EXACT_PHASES
        half += between / PHASES  # to the second of the two phases
        self._wait = int(np.ceil(half * self._up)) + same  # in phases: 1/up of an input sample
        self._reach = int(np.ceil(half))
        phases = PHASES if between else self._up
        self._taps = np.ones((1, 1))
        if not same:
            self._taps = _polyphase(phases, phases + between, self._reach, source_hz, target_hz)
        self.delay_s = (self._wait - 1) / self._up / source_hz
        """From an output's instant to the newest input sample that it can depend on, at the most."""
        self._history: NDArray[np.float64] = np.empty(0)
        self._first = 0  # index of history[0]
        self._stop = 0  # index after the newest input sample
        self._k = 0  # next output
        self._open = False

    @property
    def ratio(self) -> tuple[int, int]:
        """Numerator and denominator of the target's rate over the source's."""
        return self._up, self._down

    def count(self, samples: int) -> int:
        """How many outputs start before input sample ``samples`` does: ``ceil(samples * ratio)``."""
        return -(-samples * self._up // self._down)

    def needs(self, k: int) -> int:
        """Index after the newest input sample that output ``k`` waits for."""
        return -(-(k * self._down + self._wait) // self._up)

    def push(self, start: int, x: NDArray[np.float64]) -> list[Run]:
        """Take input samples ``start, start + 1, ...``; return what has become certain.

        Parameters
        ----------
        start : int
            Absolute index of ``x[0]``; a jump forward ends the segment before it.
        x : array (n,)
            mV, finite.
        """
        if not len(x):
            return []
        runs: list[Run] = []
        if self._open and start != self._stop:
            runs = self.finish()
        if not self._open:
            self._begin(start, x[0])
        self._history = np.concatenate((self._history, x))
        self._stop = start + len(x)
        # Output k at position k * down / up needs every input before that position plus the wait.
        return runs + self._emit((self._stop * self._up - self._wait) // self._down + 1)

    def finish(self) -> list[Run]:
        """End the segment: hold its last sample and return the outputs that still wait."""
        if not self._open:
            return []
        self._history = np.concatenate((self._history, np.full(self._reach + 1, self._history[-1])))
        runs = self._emit(self.count(self._stop))
        self._open = False
        return runs

    def _begin(self, start: int, first_mv: float) -> None:
        self._history = np.full(self._reach + 1, first_mv)
        self._first = start - len(self._history)
        self._k = self.count(start)
        self._open = True

    def _emit(self, until: int) -> list[Run]:
        if until <= self._k:
            return []
        run = Run(self._k, np.empty(until - self._k))
        base, phase = divmod(self._k * self._down, self._up)
        _convert(
            self._history, base - self._first, phase, self._taps, self._reach, self._up, self._down, run.x
        )
        self._k = until
        keep_from = min(self._k * self._down // self._up - self._reach, self._stop - 1)
        if keep_from > self._first:
            self._history = self._history[keep_from - self._first :]
            self._first = keep_from
        return [run]


@lru_cache(64)  # all records of an archive share few; what it returns is never written to
def _polyphase(
    phases: int, count: int, reach: int, source_hz: float, target_hz: float
) -> NDArray[np.float64]:
    """The kernel at the first ``count`` of so many phases: ``(count, 2 * reach + 1)``.

    Every phase sums to one, so that an offset (millivolts, where an ECG is tenths) makes no ripple.
    """
    offset = np.arange(-reach, reach + 1)[None, :] - np.arange(count)[:, None] / phases
    taps = kernel(offset / source_hz, source_hz, target_hz)
    return np.ascontiguousarray(taps / taps.sum(axis=1, keepdims=True))
