# SPDX-License-Identifier: MIT
"""The leads that a source happens to hold beside the measured one, as the estimate's own grid has them.

In the input band, delayed alike, where they come live; in the clinical frame, which needs what comes after,
where the source is a file.  And how well an estimate agrees with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.core.leads import LEADS
from streamer.core.signal.filters import BandSplitter, Filters, forward_backward
from streamer.core.signal.front_end import FrontEnd
from streamer.core.signal.rate import RateConverter
from streamer.core.stream import Chunk, Samples

KEPT_S = 10.0
"""How long `InputBandTruth` remembers: frames come later than their chunks by the latency only."""

BLOCK_S = 20.0
"""How much `ClinicalTruth` makes at a time, ..."""

MARGIN_S = 6.0
"""... with so much on both sides, after which the filters at 0.5 Hz have forgotten where they began."""

AGREES_S = 10.0
"""How much is compared at a time."""

_MEASURED = BandSplitter.ROWS.index("measured")
_LIMB = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}
"""What follows from I and II."""


class InputBandTruth:
    """The other leads of a live source, through the same converter and filters as the measured one.

    Parameters
    ----------
    source_hz : float
        Nominal rate of the chunks.
    filters : Filters
        The model's.
    rate_hz : float
        The model's.
    """

    frame = "input band"
    """In which frame they are."""

    def __init__(self, source_hz: float, filters: Filters, rate_hz: float) -> None:
        self._fronts = [FrontEnd(source_hz, filters, rate_hz) for _ in LEADS]
        self._recorded = np.zeros((len(LEADS), 1), bool)
        self._size = round(KEPT_S * rate_hz)
        self._kept_mv = np.full((len(LEADS), self._size), np.nan, np.float32)
        self._at = np.full((len(LEADS), self._size), -1)  # which index stands in each place

    def push(self, chunk: Chunk) -> None:
        """Take the leads that come with a chunk, if any do."""
        if chunk.reference_mv is None:
            return
        # A lead is recorded from its first sample on, however the chunks are cut.
        seen = np.logical_or.accumulate(np.isfinite(chunk.reference_mv), axis=1) | self._recorded
        self._recorded = seen[:, -1:]
        leads_mv = with_limb_leads(chunk.reference_mv, seen)
        for k, (front, row) in enumerate(zip(self._fronts, leads_mv, strict=True)):
            if front.started or np.isfinite(row).any():
                for stretch in front.push(Chunk(chunk.start, row)):
                    self._keep(k, stretch.start, stretch.bands[_MEASURED])

    def at(self, start: int, stop: int) -> Samples:
        """The leads ``(12, stop - start)`` at the model's rate; NaN where a lead is not known."""
        index = np.arange(start, stop)
        place = index % self._size
        return np.where(self._at[:, place] == index, self._kept_mv[:, place], np.float32(np.nan))

    def _keep(self, k: int, start: int, mv: Samples) -> None:
        index = np.arange(start, start + len(mv))[-self._size :]
        self._kept_mv[k, index % self._size] = mv[-self._size :]
        self._at[k, index % self._size] = index


class ClinicalTruth:
    """The other leads of a file in the clinical frame, block by block.

    Parameters
    ----------
    read : callable
        Samples ``start <= index < stop`` of the stream, as far as there are any: the index of the
        first one, and all leads ``(12, n)`` in mV, NaN where there is none.
    source_hz : float
        Their rate.
    filters : Filters
        The model's.
    rate_hz : float
        The model's.
    """

    frame = "clinical frame"
    """In which frame they are."""

    def __init__(
        self,
        read: Callable[[int, int], tuple[int, Samples]],
        source_hz: float,
        filters: Filters,
        rate_hz: float,
    ) -> None:
        self._read = read
        self._source_hz, self._rate_hz = source_hz, rate_hz
        self._filters = filters
        self._block = round(BLOCK_S * rate_hz)
        self._made: dict[int, Samples] = {}

    def push(self, chunk: Chunk) -> None:
        """Nothing: the file is read ahead."""

    def at(self, start: int, stop: int) -> Samples:
        """The leads ``(12, stop - start)`` at the model's rate; NaN where a lead is not known."""
        pieces = [np.empty((len(LEADS), 0), np.float32)]
        while start < stop:
            number, first = divmod(start, self._block)
            n = min(stop - start, self._block - first)
            pieces.append(self._of(number)[:, first : first + n])
            start += n
        return np.concatenate(pieces, axis=1)

    def _of(self, number: int) -> Samples:
        if number not in self._made:
            for old in sorted(self._made)[:-1]:  # the one before may still be asked for
                del self._made[old]
            self._made[number] = self._make(number * self._block)
        return self._made[number]

    def _make(self, start: int) -> Samples:
        source_hz, rate_hz = self._source_hz, self._rate_hz
        first = math.floor((start / rate_hz - MARGIN_S) * source_hz)
        stop = math.ceil(((start + self._block) / rate_hz + MARGIN_S) * source_hz)
        first, leads_mv = self._read(first, stop)
        block = np.full((len(LEADS), self._block), np.nan, np.float32)
        if leads_mv.shape[1] < 2:
            return block
        recorded: NDArray[np.bool_] = np.logical_or.reduce(np.isfinite(leads_mv), axis=1, keepdims=True)
        leads_mv = with_limb_leads(leads_mv, recorded)
        for k, row in enumerate(leads_mv):
            known = np.isfinite(leads_mv[k])
            if not known.any():
                continue
            converter = RateConverter(source_hz, rate_hz)
            x = np.where(known, row, 0.0).astype(np.float64)
            runs = converter.push(first, x) + converter.finish()
            y = forward_backward(self._filters.clinical, np.concatenate([run.x for run in runs]))
            index = runs[0].start + np.arange(len(y))
            of = np.clip(np.floor(index * (source_hz / rate_hz)).astype(int) - first, 0, len(row) - 1)
            here = np.flatnonzero((index >= start) & (index < start + self._block) & known[of])
            block[k, index[here] - start] = y[here]
        return block


def with_limb_leads(leads_mv: Samples, recorded: NDArray[np.bool_]) -> Samples:
    """The same leads ``(12, n)``, with what follows from I and II if it was not recorded.

    ``recorded`` says of each lead, or of each of its samples, whether it was; what is missing
    there is a gap and stays one.
    """
    follows = np.isfinite(leads_mv[:2]).all(axis=0) & ~recorded
    if not follows[2:6].any():
        return leads_mv
    whole = leads_mv.copy()
    for lead, (of_i, of_ii) in _LIMB.items():
        k = LEADS.index(lead)
        here = follows[k]
        whole[k, here] = of_i * leads_mv[0, here] + of_ii * leads_mv[1, here]
    return whole


@dataclass(frozen=True, slots=True)
class Agreement:
    """How an estimate agrees with what was measured, per lead; NaN where it cannot be said."""

    rmse_mv: NDArray[np.float64]
    """``(12,)``"""
    correlation: NDArray[np.float64]
    """``(12,)``: Pearson's."""
    coverage: NDArray[np.float64]
    """``(12,)``: share of the samples that lie within the band."""


def agreement(estimate_mv: Samples, truth_mv: Samples, half_width_mv: Samples) -> Agreement:
    """Compare ``(12, n)`` with ``(12, n)``, sample by sample, where both are finite.

    Parameters
    ----------
    half_width_mv : array (12, n)
        Half of the band's width; NaN where it is not known.
    """
    found = np.full((3, len(LEADS)), np.nan)
    for k, (estimate, truth, half) in enumerate(zip(estimate_mv, truth_mv, half_width_mv, strict=True)):
        both = np.isfinite(estimate) & np.isfinite(truth)
        if both.sum() < 2:
            continue
        a, b = estimate[both].astype(np.float64), truth[both].astype(np.float64)
        found[0, k] = math.sqrt(float(np.mean((a - b) ** 2)))
        spread = float(a.std() * b.std())
        if spread > 0:
            found[1, k] = float(np.mean((a - a.mean()) * (b - b.mean()))) / spread
        width = half[both]
        if np.isfinite(width).all():
            found[2, k] = float(np.mean(np.abs(a - b) <= width))
    return Agreement(*found)
