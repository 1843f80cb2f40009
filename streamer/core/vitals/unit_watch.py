# SPDX-License-Identifier: MIT
"""Whether samples are in the unit that they are taken for, by the height of the beats in them.

Between two units of voltage lies a factor of 1000.  Beats of a hundred millivolts no heart makes; beats of a
microvolt, above a line that is quieter than any amplifier, neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.core.signal.runs import true_runs

WINDOWS_S = 4.0, 8.0
"""Of the newest samples: the shorter one knows a change sooner, the longer one finds slow beats."""

_JUDGE_S = 0.5
_SURE = 2
"""So many judgements in a row, of one opinion."""

_BEATS = 3
_STEEP_S, _STEP_S = 0.1, 0.02
"""The energy of steps over so long, means of as many samples, in so long: fast noise is no steepness."""
_STANDS_OUT = 18.0
"""A QRS has so many times the energy of a quiet stretch, the lower quartile (a heart at 200 bpm is not quiet
half of the time); white noise has up to 11 times, in 800 stretches of 8 s."""
_OF_LARGEST = 0.2
_SHORT_S = 0.6
"""A beat from its QRS to its T wave, if both are steep; what is longer is a burst of noise."""
_SHAPE_S, _ALIKE = 0.1, 0.5
"""So far to both sides of its middle a beat is compared with the others; their median correlation."""
_APART_S = 0.2, 2.5
_UNEVEN = 2.2
"""The longest interval and the shortest, the highest beat and the median one, differ by less than this."""

_LEFT = 0.5
"""Behind a beat the line is back where it was, but for this share of the beat."""

_TOO_LARGE_MV = 50.0
"""No heart makes beats of so much: the largest are of 5 to 8 mV."""
_TOO_SMALL_MV = 0.008
_QUIETER_THAN_ANY_MV = 0.0003
"""The second difference of what an amplifier puts out has more than this, RMS: skin alone has 1 uV."""
_HEIGHTS_MV = 0.05, 15.0
"""What the beats must have in the right unit; less than a factor of 1000 lies between the two."""


@dataclass(frozen=True, slots=True)
class WrongUnit:
    """Samples are not in the unit that they were taken for."""

    factor: float
    """To multiply them with: a power of 1000."""
    height_mv: float
    """Of the beats, as taken."""

    @property
    def text(self) -> str:
        """What was seen, for the user."""
        off = {1e3: "a thousand", 1e6: "a million"}.get(max(self.factor, 1 / self.factor), "many thousand")
        size = "small" if self.factor > 1 else "large"
        return f"its beats are of {self.height_mv:.2g} mV, {off} times too {size}"


class UnitWatch:
    """Takes the samples of one lead as they come, and says when they must be in another unit.

    Parameters
    ----------
    rate_hz : float
        Of the samples.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._newest = np.empty(0)
        self._due = 0
        self._opinion = 1.0
        self._times = 0

    def push(self, lead_mv: NDArray[np.float64]) -> WrongUnit | None:
        """Take samples ``(n,)`` mV, as taken so far; NaN is none.

        Returns
        -------
        WrongUnit or None
            The caller corrects the unit from these samples on; what came before is forgotten.
        """
        lead_mv = lead_mv[np.isfinite(lead_mv)]
        size = round(WINDOWS_S[-1] * self._rate_hz)
        self._newest = np.concatenate((self._newest, lead_mv))[-size:]
        self._due += len(lead_mv)
        if self._due < _JUDGE_S * self._rate_hz:
            return None
        self._due = 0
        height_mv, factor = self._judge()
        self._times = self._times + 1 if factor == self._opinion else 1
        self._opinion = factor
        if factor == 1 or self._times < _SURE:
            return None
        self._newest, self._opinion = np.empty(0), 1.0
        return WrongUnit(factor, height_mv)

    def _judge(self) -> tuple[float, float]:
        """Height of the beats, and the factor that makes it a heart's: 1 if it is one, or nothing beats."""
        for seconds in WINDOWS_S:
            x = self._newest[-round(seconds * self._rate_hz) :]
            height_mv = beat_height(x, self._rate_hz)
            if height_mv is None:
                continue
            if _TOO_SMALL_MV < height_mv < _TOO_LARGE_MV:
                return height_mv, 1.0
            if height_mv <= _TOO_SMALL_MV and _quiet_bend(x) > _QUIETER_THAN_ANY_MV:
                return height_mv, 1.0
            for factor in (1e-3, 1e-6, 1e3, 1e6):
                if _HEIGHTS_MV[0] <= height_mv * factor <= _HEIGHTS_MV[1]:
                    return height_mv, factor
        return 0.0, 1.0


def _quiet_bend(x: NDArray[np.float64]) -> float:
    """RMS of the smaller half of the second differences: between the beats."""
    sizes = np.sort(np.abs(np.diff(x, 2)))
    return float(np.sqrt(np.mean(sizes[: len(sizes) // 2 + 1] ** 2)))


def beat_height(x: NDArray[np.float64], rate_hz: float) -> float | None:
    """Median height of what beats in ``(n,)`` finite samples; None if nothing does.

    At least three steep, short stretches of one shape stand out, about as high and as far apart as the
    others.
    """
    width, step = max(round(_STEEP_S * rate_hz), 2), max(round(_STEP_S * rate_hz), 1)
    if len(x) < 10 * width:
        return None
    smooth = np.convolve(x, np.ones(step) / step, "valid")
    energy = np.convolve((smooth[step:] - smooth[:-step]) ** 2, np.ones(width) / width, "valid")
    level = max(_STANDS_OUT * float(np.quantile(energy, 0.25)), _OF_LARGEST * float(energy.max()))
    if level <= 0:
        return None
    apart = 0.5 * _APART_S[0] * rate_hz
    stretches: list[tuple[int, int]] = []
    for start, stop in true_runs(energy > level):
        if stretches and start - stretches[-1][1] < apart:
            stretches[-1] = stretches[-1][0], stop
        else:
            stretches.append((start, stop))
    # What lies so near to an end may be part of a beat that the end cuts.
    whole = [(a, b) for a, b in stretches if a > apart and b < len(energy) - apart]
    if len(whole) < _BEATS or max(b - a for a, b in whole) > _SHORT_S * rate_hz:
        return None
    if not _of_one_shape(smooth, [(a + b + width) // 2 for a, b in whole], max(round(_SHAPE_S * rate_hz), 2)):
        return None
    at = np.array([(a + b) / 2 for a, b in whole])
    between_s = np.diff(at) / rate_hz
    heights = np.array([np.ptp(smooth[a : b + width]) for a, b in whole])
    left = np.array([abs(smooth[min(b + width, len(smooth) - 1)] - smooth[a]) for a, b in whole])
    if np.median(left / heights) > _LEFT:
        return None  # steps, of electrodes that move
    middle = float(np.median(heights))
    alike = heights.max() < _UNEVEN * middle and heights.min() > middle / _UNEVEN
    even = between_s.max() < min(_UNEVEN * float(between_s.min()), _APART_S[1])
    return middle if alike and even and between_s.min() > _APART_S[0] else None


def _of_one_shape(x: NDArray[np.float64], middles: list[int], half: int) -> bool:
    """Whether most of what lies ``half`` a stretch to both sides of these samples looks alike."""
    cut = [x[at - half : at + half] for at in middles if half <= at <= len(x) - half]
    if len(cut) < 2:
        return False
    shapes = np.stack(cut)
    shapes -= shapes.mean(axis=1, keepdims=True)
    sizes = np.linalg.norm(shapes, axis=1)
    if not sizes.all():
        return False
    alike = (shapes @ shapes.T / np.outer(sizes, sizes))[np.triu_indices(len(cut), 1)]
    return bool(np.median(alike) > _ALIKE)
