# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbered samples: what is told lost is what was lost, whatever goes round, stalls or comes in bunches."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.live.counted import CountedTimeline, Numbering
from streamer.core.errors import Field, InputError
from streamer.core.events import Event, Notice, SamplesLost
from streamer.core.stream import Chunk

BYTE = Numbering(256)
DAISY = Numbering(256, step=2)
GANGLION = Numbering(100, copies=2)
OLD_GANGLION = Numbering(101, copies=2, lone_zero=True)
EXPLORE = Numbering(256, copies=33)
WIDE = Numbering(2**32)
SOME = settings(deadline=None, max_examples=20)
ALL = {
    "byte": BYTE,
    "Daisy": DAISY,
    "Ganglion": GANGLION,
    "Explore": EXPLORE,
    "wide": WIDE,
}


def number_of(sample: int, numbering: Numbering) -> int:
    """What its sender writes beside a sample."""
    return sample // numbering.copies * numbering.step % numbering.numbers


def play(
    timeline: CountedTimeline,
    samples: list[int],
    numbers: list[int] | None,
    arrivals_s: list[float],
) -> list[Chunk | Event]:
    """Hand over samples that carry their own index as their value, those of one arrival together."""
    said: list[Chunk | Event] = []
    start = 0
    for stop in range(1, len(samples) + 1):
        if stop == len(samples) or arrivals_s[stop] != arrivals_s[start]:
            values = np.array(samples[start:stop], np.float32)
            said += timeline.place(
                values, None if numbers is None else numbers[start:stop], arrivals_s[start]
            )
            start = stop
    return said + timeline.due(math.inf)


def lost(said: list[Chunk | Event]) -> int:
    return sum(item.count for item in said if isinstance(item, SamplesLost))


def chunks(said: list[Chunk | Event]) -> list[Chunk]:
    return [item for item in said if isinstance(item, Chunk)]


def arrivals(
    samples: list[int], rate_hz: float, poll_s: float, stall: tuple[float, float] = (0, 0)
) -> list[float]:
    """When a poll sees them; what is due in a stall comes at its end, as fast as the link can."""
    at = np.array(samples) / rate_hz
    begins, ends = stall[0], stall[0] + stall[1]
    caught_up = ends + (at - begins) / 5
    at = np.where((at >= begins) & (at < caught_up), caught_up, at)
    return (np.ceil(at / poll_s + 1e-9) * poll_s).tolist()


@SOME
@given(
    kind=st.sampled_from(sorted(ALL)),
    rate_hz=st.sampled_from([125.0, 200.0, 250.0, 500.0, 1000.0]),
    poll_s=st.sampled_from([0.005, 0.02, 0.05]),
    gaps=st.lists(st.tuples(st.integers(1, 12), st.integers(1, 40)), max_size=6),
    first=st.integers(0, 600),
)
def test_packages_missing_are_counted_to_the_sample(
    kind: str, rate_hz: float, poll_s: float, gaps: list[tuple[int, int]], first: int
) -> None:
    numbering = ALL[kind]
    packet = numbering.copies
    gone: set[int] = set()
    at = first - first % packet
    begin = at
    for after, count in gaps:
        at += (after + 10) * packet
        gone |= set(range(at, at + min(count, 40) * packet))
        at += min(count, 40) * packet
    every = range(begin, at + 20 * packet)
    samples = [i for i in every if i not in gone]
    numbers = [number_of(i, numbering) for i in samples]
    said = play(CountedTimeline(rate_hz, numbering), samples, numbers, arrivals(samples, rate_hz, poll_s))
    assert lost(said) == len(gone)
    for chunk in chunks(said):
        assert (chunk.lead_mv == np.arange(chunk.start, chunk.stop) + begin).all()


@SOME
@given(first=st.integers(0, 100), count=st.integers(1, 60))
def test_an_old_ganglion_has_one_sample_with_number_0(first: int, count: int) -> None:
    packages = [[0], *([n, n] for n in range(1, 101))] * 4
    kept = packages[: first + 1] + packages[first + 1 + count :]
    gone = sum(map(len, packages[first + 1 : first + 1 + count]))
    numbers = [n for package in kept for n in package]
    before = sum(map(len, packages[: first + 1]))
    samples = [*range(before), *range(before + gone, len(numbers) + gone)]
    said = play(CountedTimeline(200.0, OLD_GANGLION), samples, numbers, arrivals(samples, 200.0, 0.02))
    assert lost(said) == gone


@SOME
@given(
    kind=st.sampled_from(["byte", "Daisy", "Ganglion"]),
    poll_s=st.sampled_from([0.005, 0.02, 0.05]),
    begins=st.integers(700, 1200),
    more=st.integers(0, 60),
    rounds=st.integers(0, 4),
)
def test_whole_rounds_are_found_by_the_clock(
    kind: str, poll_s: float, begins: int, more: int, rounds: int
) -> None:
    numbering, rate_hz = ALL[kind], 250.0
    begins -= begins % numbering.copies
    gone = rounds * numbering.round + more * numbering.copies
    samples = [*range(begins), *range(begins + gone, begins + gone + 800)]
    numbers = [number_of(i, numbering) for i in samples]
    said = play(CountedTimeline(rate_hz, numbering), samples, numbers, arrivals(samples, rate_hz, poll_s))
    assert lost(said) == gone


@SOME
@given(
    numbering=st.sampled_from([None, BYTE, GANGLION]),
    poll_s=st.sampled_from([0.005, 0.02, 0.05]),
    begins_s=st.floats(3, 6),
    lasts_s=st.floats(0.1, 1.9),
)
def test_a_stall_that_is_caught_up_loses_nothing(
    numbering: Numbering | None, poll_s: float, begins_s: float, lasts_s: float
) -> None:
    samples = list(range(2500))
    numbers = None if numbering is None else [number_of(i, numbering) for i in samples]
    at = arrivals(samples, 250.0, poll_s, (begins_s, lasts_s))
    said = play(CountedTimeline(250.0, numbering), samples, numbers, at)
    assert lost(said) == 0 and sum(len(chunk.lead_mv) for chunk in chunks(said)) == 2500


@SOME
@given(gone_s=st.floats(0.6, 8), poll_s=st.sampled_from([0.005, 0.02]))
def test_without_numbers_a_long_loss_is_estimated(gone_s: float, poll_s: float) -> None:
    gone = round(gone_s * 250)
    samples = [*range(1000), *range(1000 + gone, 2000 + gone)]
    said = play(CountedTimeline(250.0), samples, None, arrivals(samples, 250.0, poll_s))
    assert abs(lost(said) - gone) <= 250 * (poll_s + 0.01)


@SOME
@given(gone_s=st.floats(0.5, 30), numbered=st.booleans(), again=st.integers(0, 255))
def test_after_a_reconnection_the_arrivals_say_what_is_missing(
    gone_s: float, numbered: bool, again: int
) -> None:
    timeline = CountedTimeline(250.0, BYTE if numbered else None)
    before = list(range(1000))
    play(timeline, before, [i % 256 for i in before] if numbered else None, arrivals(before, 250.0, 0.02))
    timeline.reconnected()
    gone = round(gone_s * 250)
    after = list(range(1000 + gone, 2000 + gone))
    numbers = [(i + again) % 256 for i in range(1000)] if numbered else None
    said = play(timeline, after, numbers, arrivals(after, 250.0, 0.02))
    assert abs(lost(said) - gone) <= 6
    assert sum(len(chunk.lead_mv) for chunk in chunks(said)) == 1000


@SOME
@given(size=st.sampled_from([256, 65536]), start=st.integers(0, 200), gone=st.integers(0, 20))
def test_a_counter_of_unknown_size_goes_round(size: int, start: int, gone: int) -> None:
    begin = size - 600 + start if size > 600 else start
    samples = [*range(400), *range(400 + gone, 1400)]
    numbers = [(begin + i) % size for i in samples]
    said = play(CountedTimeline(250.0, Numbering()), samples, numbers, arrivals(samples, 250.0, 0.02))
    assert lost(said) == gone


@SOME
@given(at=st.integers(300, 3000), gone_s=st.floats(0, 4))
def test_a_counter_that_begins_again_is_said_and_the_clock_says_what_is_missing(
    at: int, gone_s: float
) -> None:
    gone = round(gone_s * 250)
    samples = [*range(at), *range(at + gone, at + gone + 1000)]
    numbers = [*range(at), *range(1000)]
    said = play(CountedTimeline(250.0, Numbering()), samples, numbers, arrivals(samples, 250.0, 0.02))
    assert any(isinstance(item, Notice) for item in said)
    assert abs(lost(said) - gone) <= 130  # what is below 0.5 s is within the jitter of arrivals


@pytest.mark.parametrize("true_hz", [100.0, 125.0, 231.0, 270.0, 500.0])
@pytest.mark.parametrize("numbering", [None, BYTE])
def test_another_rate_is_refused_within_some_seconds(true_hz: float, numbering: Numbering | None) -> None:
    samples = list(range(round(15 * true_hz)))
    numbers = None if numbering is None else [number_of(i, numbering) for i in samples]
    with pytest.raises(InputError, match=f"{true_hz:.3g}") as refused:
        play(CountedTimeline(250.0, numbering), samples, numbers, arrivals(samples, true_hz, 0.02))
    assert refused.value.field is Field.RATE


def of_a_busy_machine(samples: list[int], rate_hz: float, seed: int) -> list[float]:
    """Arrivals that stall for up to 1.2 s again and again, and catch up at once; the first 3 s come late."""
    random, at = np.random.default_rng(seed), np.array(samples) / rate_hz
    end_s = 3.0
    at = np.maximum(at, end_s)
    while end_s < at[-1]:
        begins_s = end_s + random.uniform(0.3, 6)
        end_s = begins_s + random.uniform(0.05, 1.2)
        at = np.where((at > begins_s) & (at < end_s), end_s, at)
    return (np.ceil(at / 0.02 + 1e-9) * 0.02).tolist()


@settings(max_examples=20, deadline=None)
@given(
    true_hz=st.sampled_from([125.0, 200.0, 300.0, 500.0]),
    numbering=st.sampled_from([None, BYTE]),
    seed=st.integers(0, 10**6),
)
def test_another_rate_is_refused_with_the_true_one_on_a_busy_machine(
    true_hz: float, numbering: Numbering | None, seed: int
) -> None:
    samples = list(range(round(60 * true_hz)))
    numbers = None if numbering is None else [number_of(i, numbering) for i in samples]
    said_hz = None
    try:
        play(CountedTimeline(250.0, numbering), samples, numbers, of_a_busy_machine(samples, true_hz, seed))
    except InputError as refused:
        said_hz = float(refused.line.split(" sends about ")[1].split()[0])
    # What comes too slowly and in bursts may as well be losses.
    assert said_hz is not None or true_hz < 250
    assert said_hz is None or abs(said_hz / true_hz - 1) < 0.1


@pytest.mark.parametrize("rates_hz", [(280.0, 420.0), (120.0, 210.0)])
def test_a_rate_that_wanders_and_is_always_another_is_refused(rates_hz: tuple[float, float]) -> None:
    at, come_s = [], 0.0
    for k in range(30):  # each for 2 to 3 s
        come_hz = rates_hz[k % 2]
        at += (come_s + np.arange(round((2 + k % 3 / 2) * come_hz)) / come_hz).tolist()
        come_s = at[-1] + 1 / come_hz
    with pytest.raises(InputError) as refused:
        play(
            CountedTimeline(250.0), list(range(len(at))), None, (np.ceil(np.array(at) / 0.02) * 0.02).tolist()
        )
    assert rates_hz[0] < float(refused.value.line.split(" sends about ")[1].split()[0]) < rates_hz[1]


@settings(max_examples=6, deadline=None)
@given(
    off=st.sampled_from([-0.03, -0.01, 0.0, 0.0, 0.01, 0.03]),
    numbering=st.sampled_from([None, BYTE]),
    seed=st.integers(0, 10**6),
)
def test_what_is_said_of_a_rate_on_a_busy_machine_is_true(
    off: float, numbering: Numbering | None, seed: int
) -> None:
    true_hz = 250 * (1 + off)
    samples = list(range(round(90 * true_hz)))
    numbers = None if numbering is None else [number_of(i, numbering) for i in samples]
    at = of_a_busy_machine(samples, true_hz, seed)
    said = play(CountedTimeline(250.0, numbering), samples, numbers, at)
    told_hz = [float(e.text.split(" sends ")[1].split()[0]) for e in said if isinstance(e, Notice)]
    assert len(told_hz) == (off != 0)
    assert all(abs(hz / true_hz - 1) < 0.005 for hz in told_hz)


@pytest.mark.parametrize("off", [-0.03, -0.01, 0.01, 0.03])
@pytest.mark.parametrize("numbering", [None, BYTE])
def test_a_rate_that_is_a_little_off_is_said_once_and_nothing_is_lost(
    off: float, numbering: Numbering | None
) -> None:
    true_hz = 250 * (1 + off)
    samples = list(range(round(120 * true_hz)))
    numbers = None if numbering is None else [number_of(i, numbering) for i in samples]
    at = arrivals(samples, true_hz, 0.02)
    said = play(CountedTimeline(250.0, numbering), samples, numbers, at)
    notices = [item for item in said if isinstance(item, Notice)]
    assert lost(said) == 0 and len(notices) == 1
    assert abs(float(notices[0].text.split(" sends ")[1].split()[0]) / true_hz - 1) < 0.002
    late = [chunk.arrival_s - chunk.device_s - len(chunk.lead_mv) / true_hz for chunk in chunks(said)]
    assert max(map(abs, late[len(late) // 2 :])) < 0.05  # latencies stay true all the same


@pytest.mark.parametrize("numbering", [None, BYTE])
def test_a_true_rate_is_not_doubted(numbering: Numbering | None) -> None:
    random = np.random.default_rng(1)
    samples = list(range(250 * 200))
    numbers = None if numbering is None else [number_of(i, numbering) for i in samples]
    at = np.array(arrivals(samples, 249.9, 0.02))
    late = random.exponential(0.01, len(np.unique(at)))
    at = np.maximum.accumulate(at + late[np.searchsorted(np.unique(at), at)])
    said = play(CountedTimeline(250.0, numbering), samples, numbers, at.tolist())
    assert not [item for item in said if isinstance(item, Event)]
