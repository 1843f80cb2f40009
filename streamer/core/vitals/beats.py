# SPDX-License-Identifier: MIT
"""Heart beats as they come: a causal R-peak detector.

After Pan and Tompkins, "A Real-Time QRS Detection Algorithm", IEEE Trans. Biomed. Eng. 32 (1985):
band-pass, slope, square, moving integration, two adaptive levels, refractory time, T-wave slope
test and search-back.  The band-pass is one resonator, so that any rate will do; levels also fall
after 3 s without a beat, so that a loose electrode does not silence it for good.  The levels are learned
from the slowest heart's longest interval, and what was held back meanwhile is looked through with them:
of less, all may be P and T waves.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.core.signal.runs import true_runs

CENTRE_HZ, QUALITY = 13.0, 0.9
"""Of the resonator: where QRS has its energy and T waves and muscle have less."""
INTEGRATION_S = 0.10
REFRACTORY_S = 0.18
T_WAVE_S = 0.36
"""A second peak within this of a beat is a T wave where it is less than half as steep."""
LEARN_S = 4.2
"""Of 15 beats a minute with some to spare: so much signal has a QRS, however slow the heart."""
LEAST_S = 1.5
"""A whole piece may be shorter than that, not than this."""
WAKE_S = 1.5
"""After a pause in which the level has fallen it rises to half of each peak for so long."""
SEARCH_BACK = 1.66
"""After this many mean RR intervals without a beat the largest missed peak counts at half the level."""
FORGET_S = 3.0
ABOVE_NOISE = 12.0
"""So far above the noise's peaks the beats' level stays when it falls: noise never comes to be beats."""
LEAST = 5e-5
"""Nor does it fall below this, (mV per sample)^2 at 250 Hz: one beat in 200 is weaker (docs/vitals.md)."""
TRAIN = 6
"""After 3 s without a beat so many peaks, alike and regular, are the beats, however much larger what the
level was learned from: something touched the electrodes meanwhile, or they were moved."""
ALIKE = 2.0
"""Within this factor of their mean (all between them lies below 1 over it), ..."""
APART_S = 0.25, 2.5
"""... so far apart, ..."""
REGULAR = 0.15
"""... each interval by so much at the most from the one before it, ..."""
TRAIN_LEAST = 4.0
"""... and so many times `LEAST`: P waves that go on alone are no beats."""
BRIDGE_S = 2.0
BRIDGES = 64
"""So many of the newest are remembered: a beat is found up to a few seconds after it."""
ASIDE_S = 0.10
"""The R peak is looked for within this of the steepest stretch."""

# Places in the float state.
_Y1, _Y2, _X1, _X2, _SUM, _SIGNAL, _NOISE, _TOP, _RR, _SLOPE, _MISSED, _TRAIN, _GAP = range(13)
# Places in the integer state.
_SEEN, _TOP_AT, _LAST, _MISSED_AT, _WOKE, _TRAIN_AT, _TRAIN_LONG = range(7)


@compiled
def _in_train(top: float, gap_s: float, f: NDArray[np.float64], k: NDArray[np.int64], at: int) -> int:
    """Add a peak that was no beat to the train of such peaks; returns how many stand in it now."""
    if top * ALIKE < f[_TRAIN] and gap_s <= APART_S[1]:
        return int(k[_TRAIN_LONG])  # a T wave, a P wave: it lies between
    if top > ALIKE * f[_TRAIN] or gap_s < APART_S[0] or gap_s > APART_S[1]:
        f[_TRAIN], k[_TRAIN_LONG] = top, 1
    elif k[_TRAIN_LONG] > 1 and abs(gap_s - f[_GAP]) > REGULAR * f[_GAP]:
        f[_TRAIN], k[_TRAIN_LONG] = top, 2
    else:
        f[_TRAIN] += 0.25 * (top - f[_TRAIN])
        k[_TRAIN_LONG] += 1
    f[_GAP] = gap_s
    k[_TRAIN_AT] = at
    return int(k[_TRAIN_LONG])


@compiled
def _find_r(ring: NDArray[np.float64], at: int, aside: int, seen: int) -> int:
    """The sample around ``at`` that stands out most from its surroundings' mean."""
    size = len(ring)
    first, last = max(at - aside, 0, seen - size + 1), min(at + aside, seen)
    mean = 0.0
    for i in range(first, last + 1):
        mean += ring[i % size]
    mean /= last - first + 1
    best = first
    for i in range(first, last + 1):
        if abs(ring[i % size] - mean) > abs(ring[best % size] - mean):
            best = i
    return best


@compiled
def _power(
    value: float,
    place: int,
    gain: float,
    a1: float,
    a2: float,
    ring_e: NDArray[np.float64],
    f: NDArray[np.float64],
) -> float:
    """The mean square of the band's slope over `INTEGRATION_S`; ``value`` takes its ``place`` in them."""
    y = gain * (value - f[_X2]) - a1 * f[_Y1] - a2 * f[_Y2]
    slope = y - f[_Y1]
    f[_X2], f[_X1], f[_Y2], f[_Y1] = f[_X1], value, f[_Y1], y
    energy = slope * slope
    f[_SUM] += energy - ring_e[place]
    ring_e[place] = energy
    return float(max(f[_SUM], 0.0) / len(ring_e))


@compiled
def _learn(
    x: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    ring_e: NDArray[np.float64],
    f: NDArray[np.float64],
) -> float:
    """The highest power in samples that `_detect` has not seen."""
    gain, a1, a2 = coefficients
    top = 0.0
    for n in range(len(x)):
        top = max(top, _power(x[n], n % len(ring_e), gain, a1, a2, ring_e, f))
    return top


@compiled
def _detect(
    x: NDArray[np.float64],
    rate_hz: float,
    coefficients: NDArray[np.float64],
    ring_x: NDArray[np.float64],
    ring_e: NDArray[np.float64],
    f: NDArray[np.float64],
    k: NDArray[np.int64],
    beats: NDArray[np.int64],
) -> int:
    found = 0
    gain, a1, a2 = coefficients
    integrate = len(ring_e)
    aside = int(ASIDE_S * rate_hz)
    least = LEAST * (250 / rate_hz) ** 2
    for value in x:
        n = k[_SEEN]
        ring_x[n % len(ring_x)] = value
        level = _power(value, n % integrate, gain, a1, a2, ring_e, f)
        k[_SEEN] = n + 1
        threshold = f[_NOISE] + 0.25 * (f[_SIGNAL] - f[_NOISE])

        # A peak of the integrated energy has passed once it fell to half.
        if level > f[_TOP]:
            f[_TOP], k[_TOP_AT] = level, n
        elif f[_TOP] > 0 and (level < 0.5 * f[_TOP] or n - k[_TOP_AT] > 2 * integrate):
            top, at = f[_TOP], k[_TOP_AT] - integrate // 2
            f[_TOP] = 0.0
            r = _find_r(ring_x, at, aside, n)
            since = (r - k[_LAST]) / rate_hz
            if n - k[_WOKE] < WAKE_S * rate_hz:  # the level had fallen, so that a P wave would do
                f[_SIGNAL] = max(f[_SIGNAL], 0.5 * top)
            t_wave = since < T_WAVE_S and top < 0.25 * f[_SLOPE]
            if since >= REFRACTORY_S and top > threshold and not t_wave:
                beats[found] = r
                found += 1
                if k[_LAST] > 0 and since < 2.0:
                    f[_RR] = since if f[_RR] == 0 else 0.875 * f[_RR] + 0.125 * since
                if since > FORGET_S:
                    k[_WOKE] = n
                # A single giant (an artefact, an ectopic beat) must not raise the level out of reach.
                f[_SIGNAL] += 0.125 * (min(top, 4 * f[_SIGNAL]) - f[_SIGNAL])
                f[_SLOPE] = top
                k[_LAST], f[_MISSED], k[_TRAIN_LONG] = r, 0.0, 0
            elif since >= REFRACTORY_S:
                if not t_wave and top > f[_MISSED]:
                    f[_MISSED], k[_MISSED_AT] = top, r
                # With no beats about, noise that comes in bursts is remembered from burst to burst.
                lull = (n - k[_LAST]) / rate_hz > FORGET_S and top < f[_NOISE]
                f[_NOISE] += (0.01 if lull else 0.125) * (min(top, f[_SIGNAL]) - f[_NOISE])
                train = _in_train(top, (r - k[_TRAIN_AT]) / rate_hz, f, k, r)
                lost = (n - k[_LAST]) / rate_hz > FORGET_S
                if lost and train >= TRAIN and f[_TRAIN] > TRAIN_LEAST * least:
                    f[_SIGNAL], f[_NOISE], k[_TRAIN_LONG] = f[_TRAIN], 0.05 * f[_TRAIN], 0

        quiet = (n - k[_LAST]) / rate_hz
        if f[_MISSED] > 0.5 * threshold and SEARCH_BACK * f[_RR] < quiet <= FORGET_S and f[_RR] > 0:
            beats[found] = k[_MISSED_AT]
            found += 1
            f[_SIGNAL] += 0.25 * (f[_MISSED] - f[_SIGNAL])
            f[_SLOPE] = f[_MISSED]
            k[_LAST], f[_MISSED] = k[_MISSED_AT], 0.0
        elif quiet > FORGET_S and n % int(rate_hz) == 0:
            f[_SIGNAL] = max(0.7 * f[_SIGNAL], ABOVE_NOISE * f[_NOISE], least)
    return found


def beats_in(lead_mv: NDArray[np.float32], rate_hz: float) -> NDArray[np.int64]:
    """The R peaks of a whole piece of one lead, however short it is.

    Parameters
    ----------
    lead_mv : array (n,)
        The input band or the clinical frame; NaN where nothing was measured.
    rate_hz : float

    Returns
    -------
    array (beats,)
        Indices.
    """
    detector = BeatDetector(rate_hz)
    return np.array(detector.push(0, lead_mv) + detector.finish(), np.int64)


class BeatDetector:
    """Finds R peaks in one lead, of either polarity, about 0.2 s after they happened.

    Parameters
    ----------
    rate_hz : float
        Of the samples; the input band or the clinical frame will do.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        turn = 2 * np.pi * CENTRE_HZ / rate_hz
        alpha = np.sin(turn) / (2 * QUALITY)
        # A band-pass biquad of unit gain at its centre (Bristow-Johnson's cookbook).
        self._coefficients = np.array([alpha, -2 * np.cos(turn), 1 - alpha]) / (1 + alpha)
        self._newest = 0.0
        self._first = self._stop = 0  # index of the first sample, and the one after the newest
        self._wanted = 0  # so many samples more are to be learned from
        self._bridges: deque[tuple[int, int]] = deque(maxlen=BRIDGES)
        """First and last index of the newest: a beat is found in the bridge, or later."""
        self._held: list[NDArray[np.float64]] = []
        self._ring = np.zeros(round(2 * rate_hz))
        self._energy = np.zeros(round(INTEGRATION_S * rate_hz))
        self._floats = np.zeros(13)
        self._integers = np.zeros(7, np.int64)
        self._begin(0)

    def forget(self) -> None:
        """Learn again from the next sample on: what was learned from was no ECG."""
        self._begin(0)

    def push(self, start: int, lead_mv: NDArray[np.float32]) -> list[int]:
        """Take samples ``(n,)`` mV from absolute index ``start`` on; return the beats' indices.

        A gap (a jump of the index, or NaN) of up to 2 s is bridged by a straight line.  Of one over 0.1 s,
        that can hide a beat, no beat is found in it or at its end, where the line is no peak; after one over
        2 s it learns again, for `LEARN_S`: the beats of what it learns from are returned at its end.
        """
        found = []
        for a, b in true_runs(np.isfinite(lead_mv)):
            found += self._push(start + a, lead_mv[a:b].astype(np.float64))
        return self._measured(found)

    def finish(self) -> list[int]:
        """End the signal: the beats of a last stretch that was too short to be learned from alone.

        Its P and T waves may be among them if a slow heart shows no QRS there.
        """
        if sum(map(len, self._held)) < LEAST_S * self._rate_hz:
            return []
        return self._measured(self._learned(0))

    def _measured(self, found: list[int]) -> list[int]:
        """Those beats that no bridge has made."""
        return [at for at in found if not any(first <= at <= last for first, last in self._bridges)]

    def _push(self, start: int, x: NDArray[np.float64]) -> list[int]:
        """The same for a stretch without NaN."""
        came, missing = len(x), start - self._stop
        if self._stop > self._first and 0 < missing <= BRIDGE_S * self._rate_hz:
            bridge = np.linspace(self._newest, x[0], missing + 1, endpoint=False)[1:]
            if missing > ASIDE_S * self._rate_hz:
                self._bridges.append((start - missing, start))
            x = np.concatenate((bridge, x))
            self._floats[_MISSED] = 0.0
        elif missing:
            self._begin(start)
        self._stop = start + came
        self._newest = float(x[-1])
        if self._wanted > 0:
            self._held.append(x)
            self._wanted -= came
            if self._wanted > 0:
                return []
            return self._learned(self._wanted)
        return self._detected(x)

    def _learned(self, beyond: int) -> list[int]:
        """Learn from what was held back, less what is beyond, and look through all of it."""
        x = np.concatenate(self._held)
        self._held.clear()
        self._learn(x[: len(x) + min(beyond, 0)])
        self._wanted = 0
        return self._detected(x)

    def _detected(self, x: NDArray[np.float64]) -> list[int]:
        beats = np.empty(len(x) + 1, np.int64)
        n = _detect(
            x,
            self._rate_hz,
            self._coefficients,
            self._ring,
            self._energy,
            self._floats,
            self._integers,
            beats,
        )
        return [self._first + i for i in beats[:n].tolist()]

    def _learn(self, x: NDArray[np.float64]) -> None:
        """Set the levels by the first samples."""
        state = np.zeros_like(self._floats)
        state[[_X1, _X2]] = self._floats[[_X1, _X2]] = x[0]
        top = _learn(x, self._coefficients, self._energy.copy(), state)
        least = LEAST * (250 / self._rate_hz) ** 2
        # As if a beat were just before them: what comes first may be its T wave.
        self._floats[[_SIGNAL, _NOISE, _SLOPE]] = max(0.5 * top, least), 0.05 * top, top

    def _begin(self, index: int) -> None:
        self._first = self._stop = index
        self._wanted = round(LEARN_S * self._rate_hz)
        self._held.clear()
        for state in (self._ring, self._energy, self._floats, self._integers):
            state.fill(0)
        self._integers[[_WOKE, _TRAIN_AT]] = -(10**9)
