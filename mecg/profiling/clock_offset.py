# SPDX-License-Identifier: GPL-3.0-or-later
"""How much later one stream's stamps are than another's of the same heart: by cross-correlation.

A device's own stamps say nothing of the least delay on the way (nobody can tell an offset of clocks from
it).  A second measurement of the same signal with stamps that can be trusted, does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.core.events import Event
from streamer.core.stream import Chunk, StreamInfo
from streamer.session.source import Source

GRID_HZ = 500.0
BLOCK_S = 5.0
"""The delay is measured in each of so many seconds by itself; their spread gives the interval."""

MOST_S = 5.0
"""The longest delay that is looked for."""

NEAR_S = 0.08
"""Each block's own delay lies so near that of the whole."""

LEAST_CORRELATION = 0.5
LEAST_BLOCKS = 3
_WANDER_S = 0.4


@dataclass(frozen=True, slots=True)
class Delay:
    """How much later, with its 95 % interval."""

    ms: float
    low_ms: float
    high_ms: float
    correlation: float
    """Of the two signals, once shifted."""
    blocks: int

    def as_dict(self) -> dict[str, float | int]:
        """As plain JSON types."""
        return {
            "ms": round(self.ms, 4),
            "low_ms": round(self.low_ms, 4),
            "high_ms": round(self.high_ms, 4),
            "correlation": round(self.correlation, 4),
            "blocks": self.blocks,
        }


class Kept:
    """A source that keeps a copy of what it hands on; follows `streamer.session.source.Source`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._chunks: list[Chunk] = []
        self._rate_hz = 0.0
        self.events: list[Event] = []
        """Everything that was said beside the samples."""

    def open(self) -> StreamInfo:
        """Open the source; raises as it does."""
        info = self._source.open()
        self._rate_hz = info.rate_hz
        return info

    def items(self) -> Iterator[Chunk | Event]:
        """What the source brings."""
        for item in self._source.items():
            if isinstance(item, Chunk):
                self._chunks.append(item)
            else:
                self.events.append(item)
            yield item

    def stop(self) -> None:
        """Ask `items` to end."""
        self._source.stop()

    def signal(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Stamps in seconds and samples in mV, only where both are there."""
        if not self._chunks:
            return np.empty(0), np.empty(0)
        at = [c.device_s + np.arange(len(c.lead_mv)) / self._rate_hz for c in self._chunks]
        t_s, mv = np.concatenate(at), np.concatenate([c.lead_mv for c in self._chunks]).astype(np.float64)
        there = np.isfinite(t_s) & np.isfinite(mv)
        return t_s[there], mv[there]


class Beside:
    """Reads another source in a thread of its own, until it is stopped."""

    def __init__(self, source: Source) -> None:
        self._kept = Kept(source)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._read, name="reference", daemon=True)
        self.info = self._kept.open()

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """End, and return what `Kept.signal` does; raises what ended the source before its time."""
        self._kept.stop()
        self._thread.join(3.0)
        if self._error is not None:
            raise self._error
        return self._kept.signal()

    def _read(self) -> None:
        try:
            for _ in self._kept.items():
                pass
        except Exception as error:  # noqa: BLE001 - raised by `stop`, in the thread that asks
            self._error = error


def measure(
    ours: tuple[NDArray[np.float64], NDArray[np.float64]],
    reference: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> Delay:
    """How much later ``ours`` is stamped than ``reference``; each is stamps in s and samples in mV.

    Raises
    ------
    InputError
        They have too little in common.
    """
    if any(len(t_s) < 2 for t_s, _ in (ours, reference)):
        raise InputError("the reference or the source brought no sample with a stamp: nothing to compare")
    first = max(ours[0].min(), reference[0].min())
    last = min(ours[0].max(), reference[0].max())
    if last - first < LEAST_BLOCKS * BLOCK_S:
        raise InputError(
            f"the source and its reference share {max(last - first, 0.0):.1f} s: measure for "
            f"{LEAST_BLOCKS * BLOCK_S + 5:g} s and more"
        )
    grid = np.arange(first, last, 1 / GRID_HZ)
    a, b = (_without_wander(np.interp(grid, *signal)) for signal in (ours, reference))
    most = round(MOST_S * GRID_HZ)
    whole = _correlation(a, b, most)
    # A steady rhythm fits almost as well a beat later: of equals the nearest is meant.
    peaks = np.flatnonzero(whole >= whole.max() - 0.02)
    lag = int(peaks[np.argmin(np.abs(peaks - most))]) - most
    near = round(NEAR_S * GRID_HZ)
    lag += int(np.argmax(whole[max(lag + most - near, 0) : lag + most + near + 1])) - min(near, lag + most)
    correlation = float(whole[lag + most])
    if correlation < LEAST_CORRELATION:
        raise InputError(
            f"the source and its reference are not the same signal (correlation {correlation:.2f}): "
            "both must measure the same lead of the same heart"
        )
    delays_ms = 1e3 / GRID_HZ * np.array(_by_block(a, b, lag))
    if len(delays_ms) < LEAST_BLOCKS:
        raise InputError("the source and its reference share too little signal: measure for longer")
    draws = np.random.default_rng(1).choice(delays_ms, (2000, len(delays_ms)))
    low, high = np.quantile(np.median(draws, axis=1), (0.025, 0.975))
    return Delay(float(np.median(delays_ms)), float(low), float(high), correlation, len(delays_ms))


def _by_block(a: NDArray[np.float64], b: NDArray[np.float64], lag: int) -> Sequence[float]:
    """The delay of each stretch, in steps of the grid."""
    size, near = round(BLOCK_S * GRID_HZ), round(NEAR_S * GRID_HZ)
    found = []
    for start in range(near + abs(lag), len(b) - size - near - abs(lag), size):
        piece = b[start : start + size]
        spots = range(start + lag - near, start + lag + near + 1)
        values = np.array([_cosine(a[spot : spot + size], piece) for spot in spots])
        i = int(values.argmax())
        if 0 < i < len(values) - 1 and values[i] >= LEAST_CORRELATION:
            left, middle, right = values[i - 1 : i + 2]
            found.append(lag - near + i + (left - right) / 2 / (left - 2 * middle + right))
    return found


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Normalised cross-correlation at lags ``-most .. most``; positive where ``a`` is later."""
    size = 1 << (2 * len(a) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    lags = np.concatenate((product[-most:], product[: most + 1]))
    scale = np.linalg.norm(a) * np.linalg.norm(b)
    return np.asarray(lags / scale if scale else lags)


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    scale = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / scale) if scale else 0.0


def _without_wander(x: NDArray[np.float64]) -> NDArray[np.float64]:
    n = round(_WANDER_S * GRID_HZ) | 1
    kernel = np.full(n, 1 / n)
    return np.asarray(x - np.convolve(np.pad(x, n // 2, mode="edge"), kernel, mode="valid"))
