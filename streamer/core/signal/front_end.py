# SPDX-License-Identifier: MIT
"""The front end: chunks of the measured lead to stretches of bands at the model's rate.

What a network is served and what it learns from both come out of here, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import SignalError
from streamer.core.signal.filters import BandSplitter, Filters
from streamer.core.signal.rate import RateConverter, Run
from streamer.core.signal.runs import true_runs
from streamer.core.signal.sample_bounds import JUMP_MV, SampleBounds
from streamer.core.stream import Chunk

KEEP_STATE_S = 2.0
"""A gap up to this long keeps the filters' state; after a longer one they start again, and wherever the lead
goes on at another level than an ECG can reach (`JUMP_MV`): an electrode has been moved, or hit a rail."""

SETTLE_S = 2.0
"""For so long after a (re)start samples are marked as settling."""


@dataclass(frozen=True, slots=True)
class BandBlock:
    """Consecutive samples at the model's rate, without a gap."""

    start: int
    """Absolute index of the first sample."""
    bands: NDArray[np.float32]
    """``(4, n)`` mV: the rows of `BandSplitter.ROWS`."""
    settling: NDArray[np.bool_]
    """``(n,)``"""

    @property
    def stop(self) -> int:
        """Index after the last sample."""
        return self.start + len(self.settling)


class FrontEnd:
    """Rate conversion and band filters, across gaps.

    Parameters
    ----------
    source_hz : float
        Nominal rate of the chunks.
    filters : Filters
        The model's.
    rate_hz : float
        The model's.
    converted : callable
        Called whenever samples have got the model's rate and are not filtered yet.

    Raises
    ------
    InputError
        Where the rate cannot be used.
    """

    def __init__(
        self, source_hz: float, filters: Filters, rate_hz: float, converted: Callable[[], None] = lambda: None
    ) -> None:
        self.converter = RateConverter(source_hz, rate_hz)
        self.lost = 0
        """Samples that the source lost or marked invalid, or that no electrode gives, so far, at its rate."""
        self.begin = 0
        """Index of the stream's first sample, at the model's rate."""
        self._rate_hz = rate_hz
        self._bounds = SampleBounds(source_hz)
        self._bands = BandSplitter(filters)
        self._converted = converted
        self._expected: int | None = None  # index of the next input sample
        self._settle = 0  # samples still to be marked as settling
        self._last: Run | None = None  # the newest converted samples
        self._level_mv = 0.0  # the newest usable sample, ...
        self._level_stop = -1  # ... and the index after it
        self._moved = True  # the filters start again with what is converted next

    @property
    def end(self) -> int:
        """Index after the stream's last sample so far, missing ones counted, at the model's rate."""
        return 0 if self._expected is None else self.converter.count(self._expected)

    @property
    def started(self) -> bool:
        """Whether a chunk has come."""
        return self._expected is not None

    def push(self, chunk: Chunk) -> Iterator[BandBlock]:
        """Take a chunk; yield what becomes certain of it.  Missing samples are a jump of the index.

        Raises
        ------
        SignalError
            Where the index goes back: sources drop what is late or double.
        """
        if self._expected is None:
            self.begin = self.converter.count(chunk.start)
        elif chunk.start < self._expected:
            raise SignalError(
                f"a chunk starts at {chunk.start}, the one before it stopped at {self._expected}: "
                "leave out samples that come late or twice",
                "start",
            )
        else:
            self.lost += chunk.start - self._expected
        self._expected = chunk.stop
        runs = true_runs(self._bounds.usable(chunk.start, chunk.lead_mv))
        self.lost += len(chunk.lead_mv) - sum(b - a for a, b in runs)
        return self._stretches(chunk.start, chunk.lead_mv.astype(np.float64), runs)

    def _stretches(
        self, start: int, x: NDArray[np.float64], runs: list[tuple[int, int]]
    ) -> Iterator[BandBlock]:
        for a, b in runs:
            if start + a != self._level_stop and abs(x[a] - self._level_mv) > JUMP_MV:
                yield from self.finish()
                self._moved = True
            self._level_mv, self._level_stop = float(x[b - 1]), start + b
            for run in self.converter.push(start + a, x[a:b]):
                yield self._filter(run)

    def finish(self) -> Iterator[BandBlock]:
        """The stream ended, or this stretch of it: yield what still waited."""
        for run in self.converter.finish():
            yield self._filter(run)

    def hold(self, samples: int) -> NDArray[np.float32] | None:
        """Bands ``(4, samples)`` of the last sample held; None if the stream ended in a gap."""
        if self._last is None or self._last.stop != self.end:
            return None
        return self._bands.split(np.full(samples, self._last.x[-1]))

    def _filter(self, run: Run) -> BandBlock:
        self._converted()
        gap = 0 if self._last is None else run.start - self._last.stop
        if self._moved or gap > KEEP_STATE_S * self._rate_hz:
            self._bands.restart(run.x[0])
            self._settle = round(SETTLE_S * self._rate_hz)
            self._moved = False
        self._last = run
        settling = np.zeros(len(run.x), np.bool_)
        if self._settle:
            settling[: self._settle] = True
            self._settle = max(0, self._settle - len(run.x))
        return BandBlock(run.start, self._bands.split(run.x), settling)
