# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets on the grid of samples: what is lost is counted to the sample, and nothing is invented."""

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.live.clock import ComparedClock
from devices.live.timeline import Timeline
from streamer.core.events import Dropped, Event, Notice, SamplesLost
from streamer.core.stream import Chunk

Said = TypeVar("Said", bound=Event)

N = 73


def samples(start: int, n: int) -> np.ndarray:
    return np.arange(start, start + n).astype(np.float32)


@dataclass
class Run:
    """A device, a link and what the timeline made of them."""

    timeline: Timeline
    rate_hz: float = 130.0
    n: int = N
    jitter_s: float = 0.0
    tick_s: float = 0.0
    anchor_last: bool = True
    shift_s: float = 599_616_000.0
    seed: int = 1
    chunks: list[Chunk] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    last_s: float = 0.0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def packet(self, number: int, copies: int = 1) -> None:
        start = number * self.n
        anchor = self.n - 1 if self.anchor_last else 0
        stamp_s = (start + anchor) / self.rate_hz + self.shift_s
        if self.tick_s:
            stamp_s = math.floor(stamp_s / self.tick_s) * self.tick_s
        delay_s = self.random.expovariate(1 / self.jitter_s) if self.jitter_s else 0.0
        self.last_s = max(self.last_s, 1000 + (start + self.n) / self.rate_hz * (1 + 40e-6) + delay_s)
        for _ in range(copies):
            for item in self.timeline.place(samples(start, self.n), stamp_s, self.last_s, anchor):
                if isinstance(item, Chunk):
                    self.chunks.append(item)
                else:
                    self.events.append(item)

    def packets(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.packet(number)

    def true_starts(self) -> bool:
        first = int(self.chunks[0].lead_mv[0])
        return all(chunk.start == int(chunk.lead_mv[0]) - first for chunk in self.chunks)

    def said(self, kind: type[Said]) -> list[Said]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate_hz", [128.0, 128.05, 129.91, 130.0, 131.0, 131.95])
def test_the_true_rate_is_learnt_and_no_gap_invented(rate_hz: float, seed: int) -> None:
    """A 20th of the packets lost, 100 ms of jitter, up to 1.5 % off."""
    run = Run(Timeline(130.0), rate_hz, jitter_s=0.1, seed=seed)
    kept = [i for i in range(1000) if i in (0, 999) or run.random.random() > 0.05]
    run.packets(kept)
    assert run.true_starts()
    assert run.timeline.rate_hz == pytest.approx(rate_hz, abs=1e-3)
    counts = run.timeline.counts
    assert counts.samples + counts.lost == 1000 * N
    assert counts.lost == sum(event.count for event in run.said(SamplesLost))
    assert counts.jumps == 0


@pytest.mark.parametrize("rate_hz", [125.0, 250.0, 500.0, 512.0])
def test_stamps_of_whole_milliseconds_do(rate_hz: float) -> None:
    run = Run(
        Timeline(rate_hz, 1e-3),
        rate_hz * 1.001,
        n=16,
        jitter_s=0.05,
        tick_s=1e-3,
        anchor_last=False,
        shift_s=5,
    )
    run.packets(i for i in range(3000) if i in (0, 2999) or run.random.random() > 0.05)
    assert run.true_starts()
    assert run.timeline.counts.samples + run.timeline.counts.lost == 3000 * 16
    steps_s = np.diff([c.device_s - c.start / rate_hz / 1.001 for c in run.chunks[300:]])
    assert np.abs(steps_s).max() < 1e-3


def test_a_gap_of_an_hour_is_counted_to_the_sample() -> None:
    run = Run(Timeline(130.0), 129.91, jitter_s=0.1)
    run.packets(range(200))
    run.packets(range(6600, 6700))
    assert run.true_starts()
    (lost,) = run.said(SamplesLost)
    assert lost.count == 6400 * N


def test_packets_that_come_twice_or_late_are_dropped_and_counted() -> None:
    run = Run(Timeline(130.0))
    for numbers in (range(100), [99, 98, 90], [101, 100, 102, 101, 103]):
        run.packets(numbers)
    assert [c.start for c in run.chunks] == [i * N for i in (*range(100), 101, 102, 103)]
    counts = run.timeline.counts
    assert (counts.duplicate, counts.late, counts.lost, counts.jumps) == (4, 1, N, 0)
    assert sum(event.count for event in run.said(Dropped)) == 5


@pytest.mark.parametrize("jump_s", [-3600.0, -30.0, -1.0, -0.3, 1.0, 30.0, 3600.0, 3e8])
def test_a_clock_that_jumps_costs_no_sample(jump_s: float) -> None:
    run = Run(Timeline(130.0), 129.5, jitter_s=0.05)
    run.packets(range(100))
    run.shift_s += jump_s
    run.packets(range(100, 300))
    assert run.true_starts()
    counts = run.timeline.counts
    assert (counts.lost, counts.jumps, counts.late) == (0, 1, 0)
    assert np.ptp([c.device_s - c.start / 129.5 for c in run.chunks[50:]]) < 0.03


@settings(max_examples=60, deadline=None)
@given(
    begun=st.integers(1, 60),
    repeats=st.integers(1, 3),
    times=st.integers(1, 8),
    apart=st.integers(1, 20),
    jitter_s=st.sampled_from([0.0, 0.02, 0.05]),
    rate_hz=st.floats(128, 131.95),
    seed=st.integers(0, 100),
)
def test_stamps_that_repeat_and_then_leap_lose_nothing(
    begun: int, repeats: int, times: int, apart: int, jitter_s: float, rate_hz: float, seed: int
) -> None:
    """From the second frame on: a clock that stood still for some frames has not jumped over samples."""
    run = Run(Timeline(130.0), rate_hz, jitter_s=jitter_s, seed=seed)
    number = begun
    run.packets(range(begun))
    for _ in range(times):
        for k in range(repeats):
            run.shift_s -= N / rate_hz  # the stamp of the frame before, again
            run.packet(number + k)
        run.shift_s += repeats * N / rate_hz
        number += repeats
        run.packets(range(number, number + apart))
        number += apart
    assert run.timeline.counts.lost == run.timeline.counts.late == 0
    assert run.true_starts()
    assert run.timeline.counts.samples == number * N


@pytest.mark.parametrize("jitter_s", [0.0, 0.05])
@pytest.mark.parametrize("begun", [8, 20, 100])
def test_a_stamp_that_leaps_ahead_and_is_then_repeated_loses_nothing(begun: int, jitter_s: float) -> None:
    run = Run(Timeline(130.0), jitter_s=jitter_s)
    run.packets(range(begun))
    run.shift_s += N / 130
    run.packet(begun)
    run.shift_s -= N / 130
    run.packets(range(begun + 1, begun + 30))
    assert run.timeline.counts.lost == run.timeline.counts.late == 0
    assert run.true_starts()


def test_a_restarted_clock_is_bridged_by_the_arrivals() -> None:
    """Switched off for a minute: its stamps begin in 2019 again."""
    run = Run(Timeline(130.0), 129.91, jitter_s=0.05)
    run.packets(range(200))
    run.shift_s = 599_616_000 - 310 * N / 129.91
    run.packets(range(310, 500))
    counts = run.timeline.counts
    assert counts.jumps == 1
    assert abs(counts.lost - 110 * N) < 130 * 0.5
    assert "jumped" in run.said(Notice)[0].text


def test_an_early_restart_is_bridged_too() -> None:
    """On for 4 s, off for a minute, on for 10 s: the stamp is later, but too little."""
    run = Run(Timeline(130.0))
    run.packets(range(8))
    run.shift_s -= 50
    run.packets(range(110, 130))
    assert abs(run.timeline.counts.lost - 102 * N) < 130 * 0.5


def test_another_rate_is_told_from_lost_packets() -> None:
    run = Run(Timeline(250.0, 1e-3), 125.0, n=16, tick_s=1e-3, anchor_last=False)
    run.packets(range(7))
    assert run.timeline.other_rate_hz is None
    run.packets(range(7, 10))
    assert run.timeline.other_rate_hz == pytest.approx(125, rel=0.01)
    lossy = Run(Timeline(130.0))
    for number in range(400):
        if lossy.random.random() > 0.3:
            lossy.packet(number)
        assert lossy.timeline.other_rate_hz is None


def test_gaps_at_reconnections_are_no_rate() -> None:
    run = Run(Timeline(130.0))
    for number in range(0, 400, 10):
        run.timeline.reconnected()
        run.packet(number)
    assert run.timeline.other_rate_hz is None
    assert run.true_starts()


@settings(deadline=None)
@given(
    fates=st.lists(
        st.sampled_from(["come"] * 12 + ["lost"] * 2 + ["twice", "swap"]), min_size=20, max_size=120
    ),
    rate_hz=st.floats(128, 131.95),
    jitter_s=st.sampled_from([0.0, 0.02, 0.1]),
)
def test_whatever_happens_on_the_way_each_sample_is_where_it_was_or_counted(
    fates: list[str], rate_hz: float, jitter_s: float
) -> None:
    run = Run(Timeline(130.0), rate_hz, jitter_s=jitter_s)
    run.packets(range(3))
    number = 3
    for fate in fates:
        if fate == "swap":
            run.packets([number + 1, number])
            number += 2
            continue
        if fate != "lost":
            run.packet(number, copies=2 if fate == "twice" else 1)
        number += 1
    run.packet(number)
    assert run.true_starts()
    counts = run.timeline.counts
    assert counts.samples + counts.lost == (number + 1) * N
    assert counts.duplicate == fates.count("twice")
    assert counts.late == fates.count("swap")


@settings(max_examples=60, deadline=None)
@given(
    waited_s=st.floats(0.0, 8.0),
    rate_hz=st.sampled_from([125.0, 130.0, 250.0, 500.0]),
    packet_s=st.floats(0.01, 0.115),
    tick_s=st.sampled_from([0.0, 0.001]),
    lost=st.sets(st.integers(4, 120), max_size=30),
)
def test_what_is_lost_from_a_backlog_is_lost_and_its_clock_has_not_jumped(
    waited_s: float, rate_hz: float, packet_s: float, tick_s: float, lost: set[int]
) -> None:
    """A program that takes a while to begin reads what has waited meanwhile at once."""
    run = Run(Timeline(rate_hz, tick_s), rate_hz, max(round(packet_s * rate_hz), 1), tick_s=tick_s)
    run.last_s = 1000 + waited_s
    gone = {k for k in lost if k - 1 not in lost}  # two packets are shorter than what a jump shows by
    run.packets(k for k in range(130) if k not in gone)
    assert run.said(Notice) == [] and run.true_starts()
    assert sum(event.count for event in run.said(SamplesLost)) == len(gone) * run.n


@settings(max_examples=30, deadline=None)
@given(
    held_s=st.floats(10.1, 40.0),
    n=st.sampled_from([1, 4, 50]),
    every=st.integers(2, 60),
    stamped_by=st.sampled_from(["arrivals", "comparison"]),
)
def test_what_is_missing_from_what_was_held_for_long_is_missing_and_no_clock_has_jumped(
    held_s: float, n: int, every: int, stamped_by: str
) -> None:
    """The reader, or the link, was held; then all comes at once, each n-th packet left out by the sender."""
    clock = ComparedClock(1000.0 - 7.0) if stamped_by == "comparison" else None
    timeline, rate_hz = Timeline(500.0, clock=clock), 500.0
    free, last = round(4 * rate_hz / n), round((4 + held_s + 1) * rate_hz / n)
    released_s = 1000 + free * n / rate_hz + held_s
    chunks: list[Chunk] = []
    lost = 0
    for number in range(last):
        if number % every == 1 and number not in (free - 1, free):
            continue
        due_s = 1000 + (number + 1) * n / rate_hz
        stamp_s = 7 + (number * n + n - 1) / rate_hz
        for item in timeline.place(
            samples(number * n, n), stamp_s, max(due_s, released_s) if number >= free else due_s, n - 1
        ):
            assert isinstance(item, Chunk | SamplesLost)
            if isinstance(item, Chunk):
                chunks.append(item)
            else:
                lost += item.count
    assert {int(chunk.lead_mv[0]) - chunk.start for chunk in chunks} == {0}
    assert lost == chunks[-1].stop - sum(len(chunk.lead_mv) for chunk in chunks)
