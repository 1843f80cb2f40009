# SPDX-License-Identifier: MIT
"""Whether the measured lead can be trusted: flat, cut off, noisy, reversed, paced.

Judged twice a second on the stream's own grid: the raw samples, at the source's rate, for what the
filters would hide (rails, dead lines, pacing spikes), the input band for what the model is served
(noise, polarity).  The limits were chosen on folds 1 to 7 of PTB-XL; docs/vitals.md has how each
does on fold 8.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import floor, isnan, nan

import numpy as np
from numpy.typing import NDArray

from streamer.core.events import Quality
from streamer.core.signal.rate import rational
from streamer.core.signal.runs import true_runs
from streamer.core.stream import Chunk, StreamInfo
from streamer.core.vitals.polarity import polarity_score

BLOCK_S = 0.5
"""Between two judgements."""

FLAT_MV, FLAT_S = 0.010, 3.0
"""A line that moves by less for so long is flat."""

DEAD_MV, DEAD_S = 0.002, 1.5
"""A line that moves by less than this for so long has no electrode: an amplifier alone has more noise."""

CLIPPED_S, CLIPPED_SAMPLES, CLIPPED_TIMES = 0.02, 3, 2
"""A rail holds the largest or the smallest sample, exactly, for so long, or for so many samples so many
times in 3 s, ..."""
CLIPPED_STEPS = 12.0
"""... and as long before and after the signal is so many quantisation steps away: a rounded top that a
coarse converter makes level has fallen by 8 there."""

SPIKE_HZ = 400.0
"""Below this rate of the source nothing is said of pacing spikes."""
SPIKE_S, SPIKE_ASIDE_S = 0.004, 0.02
"""Half the width that a spike has at most; what it stands out from is looked at so far aside."""
SPIKE_MV, SPIKE_SHARE, SPIKE_ABOVE = 0.05, 0.5, 16.0
"""It stands out by so much, by this share of all that moves about it (no QRS is so narrow), and by so
much more than the upper quartile of the same measure in 2 s (noise is not so rare)."""
SPIKE_WINDOW_S = 2.0
SPIKES, SPIKES_S = 4, 10.0
"""So many in so long are a pacemaker's."""

NOISE_PART_S, NOISE_SHARE, NOISE_WINDOW_S = 0.04, 0.4, 2.0
"""Fast noise is the RMS of the second difference in parts so long; a share of the parts, less than lies
outside the beats, is quieter."""
NOISE_UV = 0.19
"""Its square over the height of the beats, both in uV: noise that is large in itself and beside the
beats.  White noise 4 dB below the lead's own standard deviation has it in the median record."""
WANDER_S, WANDER_UV = 4.0, 42.0
"""The same of the range of half-second medians in so long: slow noise."""
SEVERE = 4.0
"""So many times either is more than the model has learned from."""

BEATS, LEAST_BEATS = 8, 4
"""The polarity is judged on the mean of the newest beats, of at least so many."""
BEFORE_S, AFTER_S = 0.252, 0.452
"""Of each, what lies so long before and after its R peak."""
REVERSED = -1.0
"""Below this score it is reversed."""

MOST_MV = 25.0
"""No heart makes a signal of so much: the largest beats are of 5 to 8 mV."""

COUNTED, COUNTED_SHARE = 50, 0.9
"""So many steps, nearly all of them the same and none of them nothing, are a counter's."""

RISE_S, FALL_S = 1.0, 3.0
"""A flag rises and ends after its cause was there, or gone, for so long."""
FALL_SHARE = 0.7
"""Gone means: this far below the limit."""

FORGOTTEN_S = 20.0
"""So long after the newest sample every window is empty and nothing more can end: of a longer gap the
rest is leapt over."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, and why the model is out of its range."""

    wrong: frozenset[Quality]
    reasons: tuple[str, ...]

    @property
    def text(self) -> str:
        """One sentence for the user."""
        words = [flag.value for flag in Quality if flag in self.wrong]
        said = ", ".join(words) or "good"
        why = f" ({'; '.join(self.reasons)})" if self.reasons else ""
        return f"quality: {said}{why}"


class _Steady:
    """A condition that has to last before it counts, both ways."""

    def __init__(self) -> None:
        self.on = False
        self._against = 0

    def judge(self, value: float, limit: float) -> None:
        """Take the newest value of what counts above ``limit``; NaN says nothing."""
        if isnan(value):
            return
        against = value <= FALL_SHARE * limit if self.on else value > limit
        self._against = self._against + 1 if against else 0
        if self._against * BLOCK_S >= (FALL_S if self.on else RISE_S):
            self.on, self._against = not self.on, 0


class _Window:
    """The newest samples of one signal, on its absolute grid; NaN where one is missing."""

    def __init__(self, rate_hz: float, seconds: float) -> None:
        self.rate_hz = rate_hz
        self.samples = np.full(round(seconds * rate_hz), np.nan)
        self.stop = 0
        self._coming: deque[tuple[int, NDArray[np.float32]]] = deque()

    def put(self, start: int, x: NDArray[np.float32]) -> None:
        """Samples that `advance` has not reached yet, or not all of them."""
        self._coming.append((start, x))

    def advance(self, stop: int) -> None:
        """Let the window end at index ``stop``."""
        size = len(self.samples)
        new = min(stop - self.stop, size)
        self.samples[: size - new] = self.samples[new:].copy()
        self.samples[size - new :] = np.nan
        first = stop - size
        while self._coming and self._coming[0][0] < stop:
            start, x = self._coming[0]
            part = x[max(first - start, 0) : stop - start]
            begin = max(start - first, 0)
            self.samples[begin : begin + len(part)] = part
            if start + len(x) > stop:
                break
            self._coming.popleft()
        self.stop = stop

    def newest(self, seconds: float) -> NDArray[np.float64]:
        """The end of the window."""
        return self.samples[len(self.samples) - round(seconds * self.rate_hz) :]


class LeadQuality:
    """Judges one measured lead.

    Parameters
    ----------
    rate_hz : float
        Of the frames.
    stream : StreamInfo, optional
        What was said of the source; without it nothing is known of the raw samples.
    """

    def __init__(self, rate_hz: float, stream: StreamInfo | None = None) -> None:
        self.contact = True
        """Set from outside, if the source reports it."""
        self._is_lead_i = stream is None or stream.is_lead_i
        self._lead = "" if stream is None else stream.shown_lead
        self._raw = None if stream is None else _Window(stream.rate_hz, FLAT_S)
        self._band = _Window(rate_hz, WANDER_S)
        self._medians: deque[float] = deque(maxlen=round(WANDER_S / BLOCK_S))
        self._blocks: deque[tuple[float, float]] = deque(maxlen=round(WANDER_S / BLOCK_S))
        self._beats: deque[int] = deque()
        self._shapes: deque[NDArray[np.float64]] = deque(maxlen=BEATS)
        self._spikes: deque[float] = deque()
        self._steady = {
            name: _Steady()
            for name in ("clipped", "noise", "severe", "reversed", "paced", "flat", "unit", "counter")
        }
        self.noise_now = nan
        """The newest judgement of the noise, over its limit: it need not last yet; NaN while unknown."""
        self.dead = False
        """Whether the newest raw samples do not move at all."""
        self.still = False
        """The same of the newest block alone: it may become dead."""
        self._settled = 0  # before it the baseline was not to be trusted
        self._next: int | None = None
        self._stop = 0  # index after the newest sample

    @property
    def counts(self) -> bool:
        """Whether the samples are numbers of samples, and no signal."""
        return self._steady["counter"].on

    @property
    def severe(self) -> bool:
        """Whether there is lasting noise in which no beat can be told."""
        return self._steady["severe"].on and not self._steady["flat"].on

    def chunk(self, chunk: Chunk) -> None:
        """Take raw samples; before the frames that they complete."""
        if self._raw is not None:
            self._raw.put(chunk.start, chunk.lead_mv)

    def beat(self, index: int) -> None:
        """A beat was found, its R peak at ``index`` of the frames."""
        self._beats.append(index)

    def push(
        self, start: int, lead_mv: NDArray[np.float32], settling: NDArray[np.bool_]
    ) -> list[tuple[int, Findings]]:
        """Take samples ``(n,)`` of the input band from absolute index ``start`` on; return the
        judgements that fell due, with their index.
        """
        stop = start + len(lead_mv)
        forgotten = self._stop + round(FORGOTTEN_S * self._band.rate_hz)
        self._stop = stop
        self._band.put(start, lead_mv)
        if settling.any():
            self._settled = stop
        block = round(BLOCK_S * self._band.rate_hz)
        if self._next is None:
            self._next = (start // block + 1) * block
            self._band.stop = start
        judged = []
        while stop >= self._next:
            judged.append((self._next, self._judge(self._next)))
            self._next += block
            if forgotten < self._next < start:
                self._next = max(start // block * block, self._next)
        return judged

    def _judge(self, stop: int) -> Findings:
        self._band.advance(stop)
        judge = self._steady
        if self._raw is not None:
            raw = self._raw
            raw.advance(floor(stop / rational(self._band.rate_hz) * rational(raw.rate_hz)))
            moved_mv = float(np.ptp(raw.samples))
            self.dead = float(np.ptp(raw.newest(DEAD_S))) < DEAD_MV
            self.still = float(np.ptp(raw.newest(BLOCK_S))) < DEAD_MV
            judge["flat"].judge(FLAT_MV / max(moved_mv, 1e-9), 1.0)
            clipped = _is_clipped(raw.samples, raw.rate_hz)
            judge["clipped"].judge(float(clipped), 0.5)
            judge["paced"].judge(self._count_spikes(raw), SPIKES - 0.5)
            judge["counter"].judge(float(_is_counter(raw.samples)), 0.5)
            # Both halves of the window, so that one movement is none: a beat a second is in each.
            halves = np.array_split(raw.samples, 2)
            judge["unit"].judge(min(_span(half) for half in halves), MOST_MV)
        noise = self.noise_now = self._noise()
        judge["noise"].judge(noise, 1.0)
        judge["severe"].judge(noise, SEVERE)
        judge["reversed"].judge(self._reversal(), 1.0)
        return self._findings()

    def _findings(self) -> Findings:
        on = {name for name, steady in self._steady.items() if steady.on}
        wrong = {
            flag
            for flag, there in (
                (Quality.NO_CONTACT, not self.contact),
                (Quality.FLAT, "flat" in on),
                (Quality.SATURATED, "clipped" in on),
                (Quality.NOISY, "noise" in on and "flat" not in on),
                (Quality.REVERSED, "reversed" in on),
            )
            if there
        }
        reasons = tuple(
            text
            for text, there in (
                (f"the input is not Lead I but {self._lead}", not self._is_lead_i),
                ("it counts samples, it is no ECG", "counter" in on),
                ("far too large: the unit must be wrong, or an electrode is off", "unit" in on),
                ("pacing spikes", "paced" in on),
                ("more noise than the model has learned from", "severe" in on),
                ("polarity turned, or arms exchanged", "reversed" in on),
                ("no signal", bool(wrong & {Quality.NO_CONTACT, Quality.FLAT})),
                ("cut off", "clipped" in on),
            )
            if there
        )
        return Findings(frozenset(wrong | ({Quality.OUT_OF_RANGE} if reasons else set())), reasons)

    # ---- measures

    def _noise(self) -> float:
        """Fast or slow noise, over its limit; NaN where a sample is missing."""
        block = self._band.newest(BLOCK_S)
        settled = self._band.stop - len(block) >= self._settled
        self._medians.append(_quantile(block, 0.5) if settled and not isnan(block.sum()) else nan)
        self._blocks.append((float(block.min()), float(block.max())))
        x = self._band.newest(NOISE_WINDOW_S)
        if len(self._blocks) < 3 or isnan(x.sum()):
            return nan
        low, high = np.array(self._blocks).T
        heights = np.maximum(np.maximum(high[2:], high[1:-1]), high[:-2]) - np.minimum(
            np.minimum(low[2:], low[1:-1]), low[:-2]
        )
        height = _quantile(heights[~np.isnan(heights)], 0.5)
        part = round(NOISE_PART_S * self._band.rate_hz)
        curve = np.diff(x, 2)
        parts = curve[len(curve) % part :].reshape(-1, part)
        fast = _quantile((parts * parts).mean(axis=1), NOISE_SHARE)  # squared
        whole = len(self._medians) == self._medians.maxlen and not isnan(sum(self._medians))
        slow = max(self._medians) - min(self._medians) if whole else nan
        worst = max(fast / NOISE_UV, 0.0 if isnan(slow) else slow * slow / WANDER_UV)
        return 1e3 * worst / max(height, FLAT_MV)

    def _reversal(self) -> float:
        """The polarity's score over its limit: above 1 it is reversed; NaN while no beat is new."""
        rate_hz, window, stop = self._band.rate_hz, self._band.samples, self._band.stop
        before, after = round(BEFORE_S * rate_hz), round(AFTER_S * rate_hz)
        new = False
        while self._beats and self._beats[0] + after <= stop:
            first = self._beats.popleft() - before - (stop - len(window))
            shape = window[max(first, 0) : first + before + after]
            if first >= 0 and self._settled <= stop - len(window) + first and not np.isnan(shape).any():
                self._shapes.append(shape.copy())
                new = True
        if not new or not self._is_lead_i or len(self._shapes) < LEAST_BEATS:
            return nan
        return polarity_score(np.mean(self._shapes, axis=0), rate_hz) / REVERSED

    def _count_spikes(self, raw: _Window) -> float:
        if raw.rate_hz < SPIKE_HZ:
            return nan
        aside = round(SPIKE_ASIDE_S * raw.rate_hz)
        x = raw.newest(SPIKE_WINDOW_S)
        first = len(x) - round(BLOCK_S * raw.rate_hz) - aside
        now = raw.stop / raw.rate_hz
        at = [(i - len(x)) / raw.rate_hz + now for i in _spikes(x, raw.rate_hz, first)]
        self._spikes.extend(at)
        while self._spikes and self._spikes[0] < now - SPIKES_S:
            self._spikes.popleft()
        return float(len(self._spikes))


def _span(x: NDArray[np.float64]) -> float:
    """From the smallest to the largest of ``(n,)`` numbers; NaN if none is there."""
    x = x[~np.isnan(x)]
    return float(x.max() - x.min()) if len(x) else nan


def _is_counter(x: NDArray[np.float64]) -> bool:
    """Whether ``(n,)`` numbers go up or down by the same step nearly all the time."""
    steps = np.diff(x[~np.isnan(x)])
    if len(steps) < COUNTED:
        return False
    step = float(np.median(steps))
    rounding = 8 * float(np.finfo(np.float32).eps) * float(np.abs(x).max(initial=0.0, where=~np.isnan(x)))
    even = np.abs(steps - step) <= 0.01 * abs(step) + rounding
    return abs(step) > 4 * rounding and bool(np.mean(even) > COUNTED_SHARE)


def _is_clipped(x: NDArray[np.float64], rate_hz: float) -> bool:
    """Whether ``(n,)`` mV stands at its largest or smallest value as only a rail makes it."""
    x = x[~np.isnan(x)]
    least = max(round(CLIPPED_S * rate_hz), CLIPPED_SAMPLES)
    for y in (x, -x):
        held = y == y.max(initial=-np.inf)
        if np.count_nonzero(held) < CLIPPED_SAMPLES:
            continue
        steps = np.abs(np.diff(y))
        fall = CLIPPED_STEPS * float(steps.min(initial=np.inf, where=steps > 0))
        times = 0
        for first, stop in true_runs(held):
            length = stop - first
            sides = [y[i] for i in (first - length, stop - 1 + length) if 0 <= i < len(y)]
            if length < CLIPPED_SAMPLES or not sides or any(y[first] - side <= fall for side in sides):
                continue
            times += 1
            if length >= least or times >= CLIPPED_TIMES:
                return True
    return False


def _spikes(x: NDArray[np.float64], rate_hz: float, first: int) -> list[int]:
    """The pacing spikes in ``(n,)`` mV from index ``first`` on, less what is too near the end."""
    half, aside = max(round(SPIKE_S * rate_hz), 1), round(SPIKE_ASIDE_S * rate_hz)
    out = np.zeros(len(x))
    out[half:-half] = np.abs(x[half:-half] - 0.5 * (x[2 * half :] + x[: -2 * half]))
    missing = np.isnan(out)
    out[missing] = 0.0
    found = []
    last = len(x) - aside
    likely = first + np.flatnonzero(out[first:last] > SPIKE_MV)
    if not len(likely):
        return []
    least = SPIKE_ABOVE * _quantile(out[~missing], 0.75)
    for i in likely[out[likely] > least].tolist():
        around = slice(max(i - aside, 0), i + aside + 1)
        if out[i] >= out[around].max() and out[i] > SPIKE_SHARE * np.ptp(x[around]):
            found.append(i)
    return found


def _quantile(x: NDArray[np.float64], share: float) -> float:
    """As numpy's, without its care: the nearest of the values."""
    at = round(share * (len(x) - 1))
    return float(np.partition(x, at)[at])
