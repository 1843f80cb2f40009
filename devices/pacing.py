# SPDX-License-Identifier: MIT
"""Hands out samples that are already there as if they came live: the clock of every replay."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator

from streamer.errors import InputError
from streamer.stream import Chunk, Event, Samples, State

Read = Callable[[int, int], tuple[Samples, Samples | None]]
"""Samples ``start`` to ``stop``: the lead ``(n,)`` and, or None, the reference ``(12, n)``, in mV."""

_CHUNK_S = 0.02
_BLOCK_S = 4.0
"""How much is read at a time: much more than a chunk, so that a read costs little."""


class Playback:
    """Plays samples against one absolute start, so that waiting times never add up to a drift.

    Parameters
    ----------
    speed : float
        1 is real time, 2 twice as fast; `math.inf` hands over whenever it is asked.
    chunk_samples : int, optional
        Samples to a chunk; 20 ms worth of them if not given.
    clock, sleep : callable
        Monotonic seconds, and what waits for some of them; for tests.

    Raises
    ------
    InputError
        A speed that is not above 0.
    """

    def __init__(
        self,
        speed: float = 1.0,
        chunk_samples: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        if not speed > 0:
            raise InputError(f"a speed of {speed:g} cannot be played; give one above 0, or max")
        if chunk_samples is not None and chunk_samples < 1:
            raise ValueError("a chunk has at least one sample")
        self._speed = speed
        self._chunk_samples = chunk_samples
        self._clock = clock
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait

    def stop(self) -> None:
        """End `play`, within 50 ms if it is waiting."""
        self._stopped.set()

    def play(self, read: Read, rate_hz: float, samples: int | None) -> Iterator[Chunk | Event]:
        """Chunks, each when the instant of its last sample has passed, and the changes of state.

        Parameters
        ----------
        read : callable
            Gives the samples.
        rate_hz : float
            Their rate.
        samples : int or None
            How many there are; None is no end.
        """
        yield self._state(State.CONNECTING, "opening the recording")
        chunk = self._chunk_samples or max(1, round(rate_hz * _CHUNK_S))
        block = chunk * max(1, round(rate_hz * _BLOCK_S / chunk))
        per_second = rate_hz * self._speed
        begun = self._clock()
        block_start = block_stop = start = 0
        while samples is None or start < samples:
            stop = start + chunk if samples is None else min(start + chunk, samples)
            if stop > block_stop:
                block_start, block_stop = (
                    start,
                    start + block if samples is None else min(start + block, samples),
                )
                lead_mv, reference_mv = read(block_start, block_stop)
            if not self._wait(begun + (stop - 1) / per_second):
                break
            if start == 0:
                yield self._state(State.LIVE, "receiving samples")
            now = self._clock()
            here = slice(start - block_start, stop - block_start)
            yield Chunk(
                start=start,
                lead_mv=lead_mv[here],
                device_s=now if math.isinf(self._speed) else begun + start / per_second,
                arrival_s=now,
                reference_mv=None if reference_mv is None else reference_mv[:, here],
            )
            start = stop
        ended = "stopped" if self._stopped.is_set() else "the recording has ended"
        yield self._state(State.ENDED, f"{ended} after {start / rate_hz:.1f} s")

    def _wait(self, until: float) -> bool:
        """Wait for an instant; False if stopped instead."""
        while not self._stopped.is_set():
            left = until - self._clock()
            if left <= 0:
                return True
            self._sleep(min(left, 0.05))
        return False

    def _state(self, state: State, text: str) -> Event:
        return Event("state", text, self._clock(), state)
