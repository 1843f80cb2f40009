# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the time of every hop went: collects the stamps of a session and adds them up.

Everything is a difference of instants along one way, so that the parts add up to the whole: from the
instant of a sample, through what the algorithm owes, the packet, the transport and the program, to the
instant at which a sink, or the screen, had it.
"""

from __future__ import annotations

import heapq
import math
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.core.network.spec import ModelSpec
from streamer.core.stream import Frame, Stamps
from streamer.core.timing.breakdown import ALGORITHM, CORE, KINDS, SCREEN, SOURCE, LatencyBreakdown
from streamer.session.histogram import Histogram

PROGRAM = ("queue", *CORE, "release")
"""From arrival until the frame was put into the sinks' queues."""

WHOLES = ("felt", "end_to_end", "source", "queue", "path", "inference", "delivery", "screen")
"""What is counted second by second, for a comparison: ``path`` is the core but for inference,
``delivery`` from the finished frame until the sink had taken it, ``felt`` from sample to end."""

MOST_BLOCKS = 120
"""So many stretches of time are told apart; where there are more, each two become one."""

WORST = 24
"""So many of the slowest hops are kept whole, ..."""

TRACED_S = 30.0
"""... and all of the last so many seconds."""

BIN_ERROR = 0.01
_LOG_FACTOR = 2 * math.log1p(BIN_ERROR)
_SMALLEST_MS = 1e-3


def bins_of(ms: NDArray[np.float64]) -> NDArray[np.int64]:
    """The log-spaced bins of durations; each is read at `middle_ms`, within 1 % of them."""
    inside = np.clip(ms, _SMALLEST_MS, 1e6)
    return (np.log(inside / _SMALLEST_MS) / _LOG_FACTOR).astype(np.int64)


def middle_ms(bins: NDArray[np.int64]) -> NDArray[np.float64]:
    """The durations that bins stand for."""
    return np.asarray(_SMALLEST_MS * np.exp((bins + 0.5) * _LOG_FACTOR))


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop's way to one sink."""

    start: int
    """Index of its first sample, at the model's rate."""
    began_s: float
    """Instant of its average sample, monotonic seconds."""
    parts_ms: Mapping[str, float]
    """By stage, in order; they add up to the whole."""
    arrival_s: float
    end_s: float
    stamps: Stamps
    put_s: float
    taken_s: float
    done_s: float

    @property
    def end_to_end_ms(self) -> float:
        """From arrival to the end, ms."""
        return 1e3 * (self.end_s - self.arrival_s)


@dataclass(slots=True)
class Block:
    """What was measured within a stretch of the session."""

    at_s: float
    """Since the session's start."""
    seconds: float
    counts: dict[str, Counter[int]] = field(default_factory=dict)
    """Of `WHOLES`, by bin."""
    worst_ms: float = 0.0
    """The slowest hop, arrival to end."""
    memory_mb: float = 0.0
    """Resident, at its most."""
    cpu_s: dict[str, float] = field(default_factory=dict)
    """By thread."""
    waiting: Counter[str] = field(default_factory=Counter)
    """Items in each queue, at their most."""

    def take(self, later: Block) -> None:
        """Become one with the block that follows."""
        self.seconds += later.seconds
        for name, counts in later.counts.items():
            self.counts.setdefault(name, Counter()).update(counts)
        self.worst_ms = max(self.worst_ms, later.worst_ms)
        self.memory_mb = max(self.memory_mb, later.memory_mb)
        for thread, spent_s in later.cpu_s.items():
            self.cpu_s[thread] = self.cpu_s.get(thread, 0.0) + spent_s
        self.waiting |= later.waiting

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "at_s": round(self.at_s, 3),
            "seconds": round(self.seconds, 3),
            "worst_ms": round(self.worst_ms, 4),
            "memory_mb": round(self.memory_mb, 2),
            "cpu_s": {name: round(value, 4) for name, value in self.cpu_s.items()},
            "waiting": dict(self.waiting),
            "counts": {
                name: [[int(b), n] for b, n in sorted(counts.items())] for name, counts in self.counts.items()
            },
        }


_Row = tuple[str, Frame, float, float, float]


class LatencyCollector:
    """Adds up what `streamer.session.session.Session` tells of each frame.

    `watch` and `painted` may be called by any thread and only take a note; `digest` works it off.

    Parameters
    ----------
    spec : ModelSpec
        The model's.
    rate_hz : float
        The source's rate.
    end : str
        The sink at which the way of a sample ends.
    screen : bool
        The way goes on to the screen.
    """

    def __init__(self, spec: ModelSpec, rate_hz: float, end: str, *, screen: bool = False) -> None:
        self.end = end
        self._spec = spec
        self._waterfall = LatencyBreakdown(rate_hz, spec.rate_hz, spec.look_ahead, spec.overlap)
        self._screen = screen
        self._notes: deque[_Row] = deque()
        self._paints: deque[tuple[int, float, float]] = deque()
        self._unpainted: list[_Row] = []
        ends = (f"to {end}", end)
        self.way = (*ALGORITHM, *SOURCE, *PROGRAM, *ends, *(SCREEN if screen else ()))
        """The stages of the waterfall, in order."""
        self.stages = {name: Histogram() for name in (*SOURCE, *PROGRAM)}
        """Durations by stage, ms; each sink adds two."""
        self.felt, self.end_to_end, self.jitter = Histogram(), Histogram(), Histogram()
        self.sums_ms = dict.fromkeys(self.way, 0.0)
        """Of all hops in ``whole``."""
        self.whole = 0
        """Hops whose every instant is known."""
        self.worst: list[Hop] = []
        """Slowest first."""
        self.latest: deque[Hop] = deque()
        """Those of the last seconds."""
        self.least_transport_ms = math.inf
        self._previous_s = math.nan

    def watch(self, sink: str, frame: Frame, put_s: float, taken_s: float, done_s: float) -> None:
        """Note a frame's arrival at a sink; `streamer.session.session.Watch`."""
        self._notes.append((sink, frame, put_s, taken_s, done_s))

    def painted(self, stop: int, drawn_s: float) -> None:
        """Note that all samples before ``stop`` are on the screen, given to it at ``drawn_s``."""
        self._paints.append((stop, drawn_s, time.monotonic()))

    def digest(self, block: Block) -> None:
        """Work off all notes; those of the way's end go into ``block`` too."""
        notes = [self._notes.popleft() for _ in range(len(self._notes))]
        ended = self._unpainted
        for note in notes:
            sink, frame, put_s, taken_s, done_s = note
            if frame.stamps is None:
                continue
            if sink == self.end:
                ended.append(note)
            else:
                self._stage(f"to {sink}").add(1e3 * (taken_s - put_s))
                self._stage(sink).add(1e3 * (done_s - taken_s))
        if not self._screen:
            self._unpainted = []
            self._add(ended, [(note[4], note[4]) for note in ended], block)
            return
        paints = [self._paints.popleft() for _ in range(len(self._paints))]
        seen: list[tuple[float, float]] = []
        i = 0
        for note in ended:
            while i < len(paints) and (paints[i][0] < note[1].stop or paints[i][1] < note[4]):
                i += 1
            if i == len(paints):
                break
            seen.append(paints[i][1:])
        self._unpainted = ended[len(seen) :]
        self._add(ended[: len(seen)], seen, block)

    def _stage(self, name: str) -> Histogram:
        return self.stages.setdefault(name, Histogram())

    def _add(self, notes: Sequence[_Row], ends: Sequence[tuple[float, float]], block: Block) -> None:
        # A frame that only the end of the stream completed waited for no sample.
        kept = [(note, end) for note, end in zip(notes, ends, strict=True) if self._waterfall.waited(note[1])]
        if not kept:
            return
        parts = np.array([self._parts_ms(note, end) for note, end in kept])
        wholes = self._wholes_ms(parts)
        for i, name in enumerate(self.way):
            if name not in ALGORITHM:
                histogram = self._stage(name)
                for value in parts[np.isfinite(parts[:, i]), i]:
                    histogram.add(float(value))
        for name, values in wholes.items():
            finite = values[np.isfinite(values)]
            if len(finite):
                block.counts.setdefault(name, Counter()).update(bins_of(finite).tolist())
        for whole, histogram in (("felt", self.felt), ("end_to_end", self.end_to_end)):
            for value in wholes[whole][np.isfinite(wholes[whole])]:
                histogram.add(float(value))
        complete = np.isfinite(parts).all(axis=1)
        self.whole += int(complete.sum())
        for name, total in zip(self.way, parts[complete].sum(axis=0), strict=True):
            self.sums_ms[name] += float(total)
        transport = parts[complete, self.way.index("transport")]
        self.least_transport_ms = min(self.least_transport_ms, *transport.tolist(), math.inf)
        hops = [self._hop(note, end, row) for (note, end), row in zip(kept, parts, strict=True)]
        hop_ms = 1e3 * self._spec.hop / self._spec.rate_hz
        for hop in hops:
            interval_ms = 1e3 * (hop.done_s - self._previous_s)
            self._previous_s = hop.done_s
            if math.isfinite(interval_ms):
                self.jitter.add(abs(interval_ms - hop_ms))
        timed = [hop for hop in hops if math.isfinite(hop.end_to_end_ms)]
        if timed:
            block.worst_ms = max(block.worst_ms, *(hop.end_to_end_ms for hop in timed))
            self.worst = heapq.nlargest(WORST, (*self.worst, *timed), key=lambda hop: hop.end_to_end_ms)
        self.latest.extend(hops)
        while self.latest[-1].done_s - self.latest[0].done_s > TRACED_S:
            self.latest.popleft()

    def _parts_ms(self, note: _Row, end: tuple[float, float]) -> list[float]:
        """Durations along `way`, ms."""
        _, frame, put_s, taken_s, done_s = note
        return self._waterfall.parts_ms(frame, (put_s, taken_s, done_s, *(end if self._screen else ())))

    def _wholes_ms(self, parts: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        def total(names: Iterable[str]) -> NDArray[np.float64]:
            return np.asarray(parts[:, [self.way.index(name) for name in names]].sum(axis=1))

        delivery = ("release", f"to {self.end}", self.end)
        screen = SCREEN if self._screen else ()
        wholes = {
            "felt": parts.sum(axis=1),
            "end_to_end": total((*PROGRAM, *delivery[1:], *screen)),
            "source": total(SOURCE),
            "queue": total(("queue",)),
            "path": total(name for name in CORE if name not in ("inference", "turn")),
            "inference": total(("inference",)),
            "delivery": total(delivery),
        }
        return wholes | ({"screen": total(screen)} if screen else {})

    def _hop(self, note: _Row, end: tuple[float, float], row: NDArray[np.float64]) -> Hop:
        _, frame, put_s, taken_s, done_s = note
        assert frame.stamps is not None
        middle_s = frame.device_s + (frame.stop - 1 - frame.start) / 2 / frame.rate_hz
        parts = dict(zip(self.way, row.tolist(), strict=True))
        end_s = end[1]
        arrived = frame.arrival_s
        return Hop(frame.start, middle_s, parts, arrived, end_s, frame.stamps, put_s, taken_s, done_s)

    def waterfall_ms(self) -> list[dict[str, Any]]:
        """The average sample's way, stage by stage: the means add up to the mean of ``felt``."""
        return [
            {
                "stage": name,
                "kind": KINDS.get(name, "program"),
                "mean": round(self.sums_ms[name] / self.whole, 6) if self.whole else None,
            }
            for name in self.way
        ]


class Blocks:
    """A bounded number of stretches of equal length, however long the session."""

    def __init__(self, seconds: float = 1.0) -> None:
        self._seconds = seconds
        self.all: list[Block] = []

    def at(self, since_s: float) -> Block:
        """The block for what happens now, ``since_s`` seconds after the start."""
        if not self.all or since_s >= self.all[-1].at_s + self._seconds:
            if self.all:
                self.all[-1].seconds = since_s - self.all[-1].at_s
            self.all.append(Block(since_s, 0.0))
            if len(self.all) > MOST_BLOCKS:
                for first, second in zip(self.all[::2], self.all[1::2], strict=False):
                    first.take(second)
                del self.all[1::2]
                self._seconds *= 2
        self.all[-1].seconds = since_s - self.all[-1].at_s
        return self.all[-1]
