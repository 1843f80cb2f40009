# SPDX-License-Identifier: GPL-3.0-or-later
"""Random histories of a link, and what must be true of every one of them whatever happened.

A history is told from the sender's side: packets of numbered samples, each with its stamp and the instant at
which it arrives, and the times at which the link, or the sender, is gone.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.core.events import Alarm, AlarmKind, Event, Notice, SamplesLost, Topic
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, StreamInfo
from streamer.core.vitals.vitals import Vitals
from streamer.recording.reader import Recording
from streamer.recording.recorder import Recorder
from streamer.session.description import SessionDescription

SILENCE_S = 2.0
"""After so long without a sample an alarm must stand."""


@dataclass(frozen=True)
class Happening:
    """Something that goes wrong at an instant, s."""

    kind: str
    at_s: float
    amount: float


def history(seed: int, kinds: Sequence[str], seconds: float) -> list[Happening]:
    """Happenings in order, some seconds apart, from when the stream has been looked at."""
    rng = random.Random(seed)
    at_s, happened = 14.0, []
    while at_s < seconds - 12:
        kind = rng.choice(kinds)
        amount = {
            "drop": rng.uniform(0.02, 0.3),
            "silence": rng.uniform(1, 12),
            "stall": rng.uniform(0.3, 1.2),
            "jump": rng.choice([-1, 1]) * 10 ** rng.uniform(0.5, 5),
            "unit": rng.choice([1e3, 1e-3]),
            "restart": rng.uniform(0.3, 14),
        }.get(kind, 0.0)
        happened.append(Happening(kind, at_s, amount))
        at_s += rng.uniform(5, 12) + (abs(amount) if kind in ("silence", "restart") else 0.0)
        at_s += 24 * (kind == "unit")  # until it was noticed, and changes again
    return happened


@dataclass
class Account:
    """What came of a history at our side, checked as it comes.

    Parameters
    ----------
    info : StreamInfo
    network : Network
    folder : Path
        For the recording.
    """

    info: StreamInfo
    network: Network
    folder: Path
    chunks: list[Chunk] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)
    """Stretches of silence without an alarm."""

    def __post_init__(self) -> None:
        self._pipeline = Pipeline(self.info, self.network)
        self._vitals = Vitals(self.network.spec.rate_hz, self.info)
        self._recorder = Recorder(self.folder, {"settings": {}}, lambda event: None)
        self._recorder.open(SessionDescription.of(self.info, self.network.spec, self._pipeline.latency))
        self._lost_since_s: float | None = None
        self._alarm_s: float | None = None

    def take(self, item: Chunk | Event) -> None:
        """Do with it what a session does, one thing after the other."""
        if isinstance(item, Chunk):
            self._see_silence(item.arrival_s)
            self.chunks.append(item)
            self._recorder.chunk(item)
            self._vitals.chunk(item)
            for frame in self._pipeline.push(item):
                self._recorder.frame(frame)
                self._note(self._vitals.push(frame), item.arrival_s)
            return
        self.events.append(item)
        self._recorder.event(item)
        self._note(self._vitals.hear(item), item.host_s)

    def _note(self, events: Sequence[Event], now_s: float) -> None:
        for event in events:
            self._recorder.event(event)
            if isinstance(event, Alarm) and event.alarm is AlarmKind.SIGNAL_LOST:
                self._alarm_s = now_s if event.rises else None

    def _see_silence(self, now_s: float) -> None:
        """At the end of a silence: did the alarm stand, from 2 s on?"""
        if self.chunks and now_s - self.chunks[-1].arrival_s > SILENCE_S + 0.1:
            last_s = self.chunks[-1].arrival_s
            if self._alarm_s is None or self._alarm_s > last_s + SILENCE_S + 0.1:
                self.unsaid.append(f"from {last_s:.2f} to {now_s:.2f} s, alarm at {self._alarm_s}")

    def close(self) -> None:
        """The session has ended."""
        for frame in self._pipeline.finish():
            self._recorder.frame(frame)
        self._recorder.close()

    # ---- what must hold

    @property
    def told_lost(self) -> int:
        return sum(event.count for event in self.events if isinstance(event, SamplesLost))

    @property
    def jumps(self) -> int:
        return sum(b.start - a.stop for a, b in zip(self.chunks, self.chunks[1:], strict=False))

    @property
    def readings(self) -> list[str]:
        return [e.text for e in self.events if isinstance(e, Notice) and e.topic is Topic.READING]

    def about(self, at_s: float) -> list[str]:
        """What was told about this time."""
        return [f"{event.host_s:.2f} {event.text}" for event in self.events if abs(event.host_s - at_s) < 3]

    def check(self, numbers: Sequence[NDArray[np.int64]], within: int) -> None:
        """Every sample under its own number, to `within` samples; and the rest."""
        shift = [int(number[0]) - chunk.start for chunk, number in zip(self.chunks, numbers, strict=True)]
        for chunk, number in zip(self.chunks, numbers, strict=True):
            assert np.array_equal(np.diff(number), np.ones(len(number) - 1)), "a packet stays in order"
            assert len(number) == len(chunk.lead_mv)
        steps = [
            (chunk.start, b - a, self.about(chunk.arrival_s))
            for chunk, a, b in zip(self.chunks[1:], shift, shift[1:], strict=False)
            if b != a
        ]
        assert max(shift) - min(shift) <= within, ("truly lost is not what was told", steps)
        assert self.told_lost == self.jumps
        assert not self.unsaid, "an alarm was missing"
        self._check_recording()

    def _check_recording(self) -> None:
        with Recording.open(self._recorder.path) as recording:
            assert recording.complete
            read = list(recording.chunks())
            ours = np.concatenate([chunk.lead_mv for chunk in self.chunks])
            index = np.concatenate([np.arange(chunk.start, chunk.stop) for chunk in self.chunks])
            there = np.concatenate([np.arange(chunk.start, chunk.stop) for chunk in read])
            assert np.array_equal(index, there)
            assert np.array_equal(ours, np.concatenate([chunk.lead_mv for chunk in read]))
            told = [e.count for e in recording.events if isinstance(e, SamplesLost)]
            assert sum(told) >= self.told_lost
            kept = {e.text for e in recording.events}
            assert {e.text for e in self.events} <= kept
