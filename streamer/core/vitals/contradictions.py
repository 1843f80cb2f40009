# SPDX-License-Identifier: MIT
"""What a live signal itself says against the rate and the lead that it is taken for; each is said once.

The mains hum in it has a known frequency, three limb leads obey a law, and a strap counts beats by itself.
"""

from __future__ import annotations

from collections import deque
from math import isnan

import numpy as np
from numpy.typing import NDArray

from streamer.core.events import Notice, Topic
from streamer.core.leads import LEADS
from streamer.core.stream import Chunk, StreamInfo

SPECTRUM_S = 20.0
"""So much signal at a time shows a line to 0.05 Hz."""

MAINS_HZ = 50.0, 60.0
MAINS_OFF = 0.012
"""The mains keep their frequency within 0.4 % everywhere; a line further off is another, or the rate is."""
MOST_OFF_HZ = 4.5
LINE_ABOVE = 400.0
"""A line has so many times the power of the median about it."""
ALONE, ALONE_HZ = 20.0, (0.6, 5.5)
"""Hum stands alone: it has so many times the power of anything that far from it, on either side.  Beats that
come evenly make lines too, at each multiple of the heart rate: the next is never further off."""
LEAST_MV = 0.005
"""What is smaller is no hum: what rounding to a converter's steps leaves has lines as well."""
AGREE = 0.002
"""Two spectra must show it at the same place, within this share."""

LAW_S, LAW_BROKEN = 8.0, 0.5
"""II - III is I: what is left of it over so long is less than this share of I, unless a label is wrong."""

STRAP_TIMES, STRAP_OFF, STRAP_ALIKE = 3, 0.08, 0.03
"""So many heart rates of the strap in a row are off from ours by this share, by the same."""


class Contradictions:
    """Watches one live stream.

    Parameters
    ----------
    stream : StreamInfo
        What it is taken for.
    """

    def __init__(self, stream: StreamInfo) -> None:
        self._stream = stream
        self._said: set[str] = set()
        self._samples: list[NDArray[np.float32]] = []
        self._collected = 0  # samples in them
        self._count = 0
        self._line_hz: float | None = None
        self._law = np.zeros(3)  # squares of what is left, squares of Lead I, samples
        self._strap: deque[float] = deque(maxlen=STRAP_TIMES)

    def chunk(self, chunk: Chunk) -> list[Notice]:
        """Take raw samples; what is missing between them makes a spectrum begin again."""
        if not self._stream.live:
            return []
        at_s = chunk.stop / self._stream.rate_hz
        whole = not np.isnan(chunk.lead_mv).any()
        if chunk.start != self._count or not whole:
            self._samples, self._collected = [], 0
        self._count = chunk.stop
        if whole:
            self._samples.append(chunk.lead_mv)
            self._collected += len(chunk.lead_mv)
        said = []
        if self._collected >= SPECTRUM_S * self._stream.rate_hz:
            said += self._see_line(np.concatenate(self._samples).astype(np.float64), at_s)
            self._samples, self._collected = [], 0
        return said + self._see_law(chunk, at_s)

    def strap_counts(self, bpm: int, ours_bpm: float) -> list[Notice]:
        """Take the heart rate that the strap counts, and ours; NaN if that is unknown."""
        if isnan(ours_bpm) or not bpm:
            self._strap.clear()
            return []
        self._strap.append(ours_bpm / bpm)
        low, high = min(self._strap), max(self._strap)
        if len(self._strap) < STRAP_TIMES or high - low > STRAP_ALIKE:
            return []
        if not (low > 1 + STRAP_OFF or high < 1 - STRAP_OFF):
            return []
        return self._once(
            "strap",
            f"the strap counts {bpm} beats a minute and this program {ours_bpm:.0f}: see that it is worn "
            "well; if the difference stays, samples come at another rate than stated",
        )

    def _see_line(self, x: NDArray[np.float64], at_s: float) -> list[Notice]:
        line_hz = hum_hz(x, self._stream.rate_hz)
        before, self._line_hz = self._line_hz, line_hz
        if line_hz is None or before is None or abs(line_hz / before - 1) > AGREE:
            return []
        mains_hz = min(MAINS_HZ, key=lambda hz: abs(hz - line_hz))
        off = line_hz / mains_hz - 1
        if abs(off) < MAINS_OFF:
            return []
        rate_hz = self._stream.rate_hz / (1 + off)
        return self._once(
            "mains",
            f"the mains hum lies at {line_hz:.1f} Hz, as it would if {rate_hz:.4g} samples came a second and "
            f"not {self._stream.rate_hz:g}: if so, heart rates and all times are off by {abs(off):.1%}",
            at_s,
        )

    def _see_law(self, chunk: Chunk, at_s: float) -> list[Notice]:
        if chunk.reference_mv is None or "law" in self._said:
            return []
        one, two, three = (chunk.reference_mv[LEADS.index(lead)] for lead in ("I", "II", "III"))
        known = np.isfinite(one + two + three)
        if not known.any():
            return []
        left = (two - three - one)[known].astype(np.float64)
        one = one[known].astype(np.float64)
        steps = np.diff(left), np.diff(one)  # an electrode's offset breaks no law
        self._law += [float(steps[0] @ steps[0]), float(steps[1] @ steps[1]), len(left)]
        if self._law[2] < LAW_S * self._stream.rate_hz:
            return []
        broken = self._law[0] > LAW_BROKEN**2 * self._law[1] > 0
        self._law[:] = 0
        if not broken:
            return []
        return self._once(
            "law",
            "the leads labelled I, II and III do not belong together (I is II - III): a label is wrong, or "
            "an electrode is off",
            at_s,
        )

    def _once(self, what: str, text: str, at_s: float = float("nan")) -> list[Notice]:
        if what in self._said:
            return []
        self._said.add(what)
        return [Notice(Topic.READING, text, at_s=at_s)]


def hum_hz(x: NDArray[np.float64], rate_hz: float) -> float | None:
    """Where near 50 or 60 Hz a narrow line stands in ``(n,)`` samples in mV, Hz; None if there is none."""
    if rate_hz < 2.2 * (MAINS_HZ[-1] + MOST_OFF_HZ):
        return None
    window = np.hanning(len(x))
    power = np.abs(np.fft.rfft((x - x.mean()) * window)) ** 2
    hz = np.fft.rfftfreq(len(x), 1 / rate_hz)
    near = (hz > MAINS_HZ[0] - MOST_OFF_HZ) & (hz < MAINS_HZ[-1] + MOST_OFF_HZ)
    first = int(np.flatnonzero(near)[0])
    at = first + int(np.argmax(power[near]))
    apart_hz = np.abs(hz - hz[at])
    beside = (apart_hz > ALONE_HZ[0]) & (apart_hz < ALONE_HZ[1])
    least = (0.5 * LEAST_MV * window.sum()) ** 2
    if power[at] < max(LINE_ABOVE * np.median(power[near]), ALONE * power[beside].max(), least):
        return None
    # The top of a parabola through three logarithms: a line lies between two places of the spectrum.
    a, b, c = np.log(power[at - 1 : at + 2] + 1e-300)
    return float(hz[at] + 0.5 * (a - c) / (a - 2 * b + c) * (hz[1] - hz[0]))
