# SPDX-License-Identifier: MIT
"""Hands out samples that are already there as if they came live: the clock of every replay."""

from __future__ import annotations

import dataclasses
import math
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from streamer.core.errors import Field, InputError
from streamer.core.events import Event, SamplesLost, Seam, SpeedChanged, State, StateChanged
from streamer.core.stream import Chunk, Samples

Read = Callable[[int, int], tuple[Samples, Samples | None]]
"""Samples ``start`` to ``stop``: the lead ``(n,)`` and, or None, the reference ``(12, n)``, in mV."""

Leap = Callable[[int], int]
"""The first sample from ``start`` on that there is."""

_CHUNK_S = 0.02
_BLOCK_S = 4.0
"""How much is read at a time: much more than a chunk, so that a read costs little."""
_SEED = 12


@dataclass(frozen=True, slots=True)
class Drop:
    """What a replay leaves out on purpose, to rehearse a bad link; the same at every run."""

    share: float
    """Of the packets, above 0 and below 1."""
    burst_s: float = 0.0
    """Length of the stretches that are left out, seconds; 0 is single packets, each by itself."""

    @classmethod
    def parse(cls, text: str) -> Drop:
        """Read ``5%`` (single packets at random) or ``5%:2s`` (stretches of 2 s, 5 % in all).

        Raises
        ------
        InputError
            Any other text, a share that is not above 0 and below 100 %, a stretch over an hour.
        """
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*(?::\s*(\d+(?:\.\d+)?)\s*s)?\s*", text, re.ASCII)
        share, burst_s = (float(match[1]) / 100, float(match[2] or 0)) if match else (0.0, 0.0)
        if not (match and 0 < share < 1 and burst_s <= 3600 and (burst_s or match[2] is None)):
            raise InputError(
                f"{text!r} says not what to drop: give 5% (single packets) or 5%:2s (stretches of 2 s)"
            )
        return cls(share, burst_s)

    def takes(self, packet: int, packet_s: float) -> bool:
        """Whether packet number ``packet`` of ``packet_s`` seconds is left out; the first never is.

        A stretch is whole packets, once at a random place in each ``burst_s / share`` seconds.
        """
        if packet == 0:
            return False
        if not self.burst_s:
            return bool(np.random.default_rng((_SEED, packet)).random() < self.share)
        burst = max(1, round(self.burst_s / packet_s))
        slot, place = divmod(packet, max(burst + 1, round(burst / self.share)))
        room = max(burst + 1, round(burst / self.share)) - burst
        first = int(np.random.default_rng((_SEED, slot)).integers(room + 1))
        return first <= place < first + burst

    def __str__(self) -> str:
        stretches = f"in stretches of {self.burst_s:g} s" if self.burst_s else "singly"
        return f"{100 * self.share:g} % of the packets, {stretches}"


@dataclass(frozen=True, slots=True)
class Replay:
    """How something that is already there is to be played."""

    speed: float = 1.0
    """1 is real time, 2 twice as fast; `math.inf` hands over whenever it is asked."""
    start_s: float = 0.0
    """Where in the recording to begin, seconds; the stream's own index begins at 0 all the same."""
    loop: bool = False
    """From the end on again with ``start_s``; the index goes on rising."""
    drop: Drop | None = None
    """What to leave out."""
    lead_in_s: float = 0.0
    """The first so many seconds are handed over at once, stamped as if they had just been played: who goes
    to a place in a recording has the filters settled and a picture there."""

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise InputError(f"a speed of {self.speed:g} cannot be played; give one above 0, or max")
        if not 0 <= self.start_s < math.inf:
            raise InputError(f"a start at {self.start_s:g} s cannot be played; give 0 or more seconds")

    def length(self, rate_hz: float, samples: int | None) -> int | None:
        """How many of ``samples`` samples are played before the end, or before they come again.

        Raises
        ------
        InputError
            The start lies behind the end.
        """
        if samples is None:
            return None
        length = samples - round(self.start_s * rate_hz)
        if length <= 0:
            raise InputError(
                f"it ends after {samples / rate_hz:.1f} s, before the start at {self.start_s:g} s",
                Field.START,
            )
        return length

    def refuse(self, live: str) -> None:
        """For live sources, whose samples cannot be asked for again.

        Raises
        ------
        InputError
            Anything but as it comes was asked for.
        """
        if self != AS_RECORDED:
            raise InputError(f"{live} is live", Field.REPLAY, leave_out=True)

    def notes(self) -> tuple[str, ...]:
        """Sentences for the user: what is not played as it was recorded."""
        said = {
            f"Playing from {self.start_s + self.lead_in_s:g} s on.": self.start_s + self.lead_in_s > 0,
            "At its end it begins again; the place where the ends meet is no heartbeat.": self.loop,
            f"Left out on purpose: {self.drop}.": self.drop is not None,
        }
        return tuple(note for note, applies in said.items() if applies)


AS_RECORDED = Replay()
"""From the beginning to the end, at real speed, nothing left out."""


class Playback:
    """Plays samples against one absolute start, so that waiting times never add up to a drift.

    While it plays, any thread may pause it and change its speed (`streamer.session.source.Player`); what is
    played goes on at the next sample, with nothing lost: the index has no gap, the stamps have one.

    Parameters
    ----------
    replay : Replay
        How.
    chunk_samples : int, optional
        Samples to a chunk; 20 ms worth of them if not given.
    clock, sleep : callable
        Monotonic seconds, and what waits for some of them; for tests.

    """

    def __init__(
        self,
        replay: Replay = AS_RECORDED,
        chunk_samples: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        if chunk_samples is not None and chunk_samples < 1:
            raise ValueError("a chunk has at least one sample")
        self._replay = replay
        self._chunk_samples = chunk_samples
        self._clock = clock
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._lock = threading.Lock()
        self._speed = replay.speed
        self._paused = False
        self._rate_hz = math.nan
        self._duration_s: float | None = None
        self._length: int | None = None
        self._next = 0
        self._held = 0  # while paused, nothing from this sample on is handed over
        # Sample number `_anchor` was, or would have been, due at `_anchor_s`.
        self._anchor, self._anchor_s = 0.0, math.nan
        self._said_held = False
        self._news: deque[Event] = deque()

    def stop(self) -> None:
        """End `play`, within 50 ms if it is waiting."""
        self._stopped.set()

    # ---- `streamer.session.source.Player`

    @property
    def speed(self) -> float:
        """1 is real time; raises an `InputError` where it is set to what is not above 0."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        dataclasses.replace(self._replay, speed=speed)  # refuses what cannot be played
        with self._lock:
            if speed != self._speed:
                self._let_go()
                self._speed = speed
                self._news.append(SpeedChanged(speed, host_s=self._clock()))

    @property
    def paused(self) -> bool:
        """Whether it is held; setting it holds it, or lets it go on."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        with self._lock:
            if paused != self._paused:
                self._let_go()
                self._paused = paused

    @property
    def position_s(self) -> float:
        """How far into the recording it has played, seconds."""
        return self._place_s()

    @property
    def duration_s(self) -> float | None:
        """Length of the whole recording, seconds; None if there is no end, or before `play`."""
        return self._duration_s

    def _place_s(self) -> float:
        if not self._rate_hz > 0:
            return self._replay.start_s
        played = self._next % self._length if self._replay.loop and self._length else self._next
        return (round(self._replay.start_s * self._rate_hz) + played) / self._rate_hz

    def _let_go(self) -> None:
        """From here on the clock counts again; the lock is held."""
        if math.isnan(self._anchor_s):
            return  # it has not begun
        self._held = self._next
        now_s = self._clock()
        if not self._paused and math.isfinite(self._speed):
            played = self._anchor + (now_s - self._anchor_s) * self._rate_hz * self._speed
            self._anchor = min(max(played, self._next - 1.0), float(self._next))
        else:
            self._anchor = max(self._anchor, self._next - 1.0)
        self._anchor_s = now_s

    def _due_s(self, sample: int) -> float:
        """When a sample's turn comes, monotonic seconds; never while it is held."""
        with self._lock:
            if self._paused and sample >= self._held:
                return math.inf
            return self._anchor_s + (sample - self._anchor) / (self._rate_hz * self._speed)

    # ---- the iterating thread

    def play(
        self, read: Read, rate_hz: float, samples: int | None, leap: Leap | None = None
    ) -> Iterator[Chunk | Event]:
        """Chunks, each when the instant of its last sample has passed, and events.

        A chunk that is left out (`Replay.drop`) is a jump of the index and a `SamplesLost` event, a pause a
        change of the state, another speed a ``replay`` event.

        Parameters
        ----------
        read : callable
            Gives the samples.
        rate_hz : float
            Their rate.
        samples : int or None
            How many there are; None is no end.
        leap : callable, optional
            Where it knows of long gaps they take no time at the highest speed.

        Raises
        ------
        InputError
            As `Replay.length`, at the first item.
        """
        replay = self._replay
        length = replay.length(rate_hz, samples)
        end = None if replay.loop else length
        yield self._state(State.CONNECTING, "opening the recording")
        chunk = self._chunk_samples or max(1, round(rate_hz * _CHUNK_S))
        block = chunk * max(1, round(rate_hz * _BLOCK_S / chunk))
        origin = round(replay.start_s * rate_hz)
        with self._lock:
            self._rate_hz, self._length = rate_hz, length
            self._duration_s = None if samples is None else samples / rate_hz
            self._held = round(replay.lead_in_s * rate_hz)
            self._anchor, self._anchor_s = float(self._held), self._clock()
        block_start = block_stop = start = lost = 0
        while end is None or start < end:
            if leap is not None and math.isinf(self._speed) and not replay.loop:
                start += (leap(origin + start) - origin - start) // chunk * chunk
            stop = start + chunk if end is None else min(start + chunk, end)
            if stop > block_stop:
                block_start, block_stop = start, start + block if end is None else min(start + block, end)
                lead_mv, reference_mv = _read_round(read, origin, length, block_start, block_stop)
            while not self._wait(stop - 1) and self._news:
                yield from self._tell_news()
            if self._stopped.is_set():
                break
            yield from self._tell_news()
            self._next = stop
            if start == 0:
                yield self._state(State.LIVE, "receiving samples")
            for lap in _laps(start, stop, length):
                yield Seam(host_s=self._clock(), at_s=lap / rate_hz)
            if replay.drop is not None and replay.drop.takes(start // chunk, chunk / rate_hz):
                lost += stop - start
            else:
                if lost:
                    yield self._lost(lost, rate_hz)
                    lost = 0
                now = self._clock()
                here = slice(start - block_start, stop - block_start)
                taken_s = min(self._due_s(start), now)
                yield Chunk(
                    start=start,
                    lead_mv=lead_mv[here],
                    device_s=taken_s if math.isfinite(self._speed) else now,
                    arrival_s=now,
                    reference_mv=None if reference_mv is None else reference_mv[:, here],
                )
            start = stop
        if lost:
            yield self._lost(lost, rate_hz)
        ended = "stopped" if self._stopped.is_set() else "the recording has ended"
        yield self._state(State.ENDED, f"{ended} after {start / rate_hz:.1f} s")

    def _wait(self, sample: int) -> bool:
        """Wait for a sample's turn; False if stopped instead, or if there is something to tell."""
        while not self._stopped.is_set() and not self._news:
            left = self._due_s(sample) - self._clock()
            if math.isinf(left) != self._said_held:
                self._said_held = not self._said_held
                state, text = (State.PAUSED, "paused") if self._said_held else (State.LIVE, "played on")
                self._news.append(self._state(state, f"{text} at {self._place_s():.1f} s"))
                break
            if left <= 0:
                return True
            self._sleep(min(left, 0.05))
        return False

    def _tell_news(self) -> Iterator[Event]:
        while self._news:
            yield self._news.popleft()

    def _state(self, state: State, text: str) -> Event:
        return StateChanged(state, text, host_s=self._clock())

    def _lost(self, count: int, rate_hz: float) -> Event:
        text = f"{count} samples ({count / rate_hz:.2f} s) left out on purpose"
        return SamplesLost(count, text, host_s=self._clock())


def _laps(start: int, stop: int, length: int | None) -> range:
    """The samples from ``start`` to ``stop`` at which what is played begins again."""
    return range(max(-(-start // length), 1) * length, stop, length) if length else range(0)


def _read_round(
    read: Read, origin: int, length: int | None, start: int, stop: int
) -> tuple[Samples, Samples | None]:
    """Samples of the playing: ``origin`` is its first, and comes again after ``length`` samples."""
    if length is None or stop <= length:
        return read(origin + start, origin + stop)
    pieces = []
    while start < stop:
        place = start % length
        count = min(stop - start, length - place)
        pieces.append(read(origin + place, origin + place + count))
        start += count
    references = [reference for _, reference in pieces if reference is not None]
    return (
        np.concatenate([lead for lead, _ in pieces]),
        np.concatenate(references, axis=1) if references else None,
    )
