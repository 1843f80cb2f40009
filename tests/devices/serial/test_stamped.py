# SPDX-License-Identifier: GPL-3.0-or-later
"""A sketch's own time: what is told lost was lost, whatever a tick is, wherever it goes round."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.serial.lines import Reading
from devices.serial.marks import Marks
from devices.serial.stamped import StampedTimeline, tick_of
from streamer.core.errors import Field, InputError
from streamer.core.events import Event, Notice, SamplesLost
from streamer.core.stream import Chunk

SOME = settings(deadline=None, max_examples=20)


def played(samples: list[int], true_hz: float, tick_s: float, start: int, seed: int) -> list[Chunk | Event]:
    """Lines of a loop that is up to 0.1 period late, at 250 Hz as stated; seen every 20 ms."""
    late = np.random.default_rng(seed).uniform(0, 0.1, len(samples))
    taken_s = (np.array(samples) + late) / true_hz
    ticks = (start + np.floor(taken_s / tick_s)) % 2**32 if tick_s < 1 else np.round(taken_s, 4)
    arrivals = np.ceil(taken_s / 0.02) * 0.02
    timeline = StampedTimeline(250.0, tick_s, "the port")
    said: list[Chunk | Event] = []
    for arrival in np.unique(arrivals):
        here = arrivals == arrival
        said += timeline.place(np.array(samples, np.float32)[here], ticks[here].tolist(), float(arrival))
    return said


@SOME
@given(
    tick_s=st.sampled_from([1e-6, 1e-3, 1.0]),
    before_round=st.integers(0, 2**32 - 1) | st.integers(2**32 - 3000, 2**32 - 1),
    gaps=st.lists(st.tuples(st.integers(5, 300), st.integers(1, 200)), max_size=5),
    off=st.sampled_from([-0.01, -0.002, 0.0, 0.004, 0.01]),
    seed=st.integers(0, 9),
)
def test_losses_are_counted_by_the_time_of_the_sketch(
    tick_s: float, before_round: int, gaps: list[tuple[int, int]], off: float, seed: int
) -> None:
    samples, at = list(range(400)), 400
    for after, gone in gaps:
        samples += range(at, at + after)
        at += after + gone
    samples += range(at, at + 100)
    said = played(samples, 250 * (1 + off), tick_s, before_round, seed)
    assert sum(item.count for item in said if isinstance(item, SamplesLost)) == sum(g for _, g in gaps)
    for chunk in said:
        if isinstance(chunk, Chunk):
            assert (chunk.lead_mv == np.arange(chunk.start, chunk.stop)).all()


@pytest.mark.parametrize("true_hz", [247.0, 253.0])
def test_a_rate_that_is_off_is_said_once(true_hz: float) -> None:
    said = played(list(range(15000)), true_hz, 1e-6, 0, 1)
    (notice,) = [item for item in said if isinstance(item, Notice)]
    assert f"sends {true_hz:.4g}" in notice.text


@given(
    tick_s=st.sampled_from([1e-6, 1e-3, 1.0]),
    rate_hz=st.sampled_from([100.0, 125.0, 250.0]),
    off=st.sampled_from([0.5, 0.8, 0.99, 1.0, 1.01, 1.3, 2.0]),
)
def test_what_a_tick_is_follows_from_the_rate_and_another_rate_is_refused(
    tick_s: float, rate_hz: float, off: float
) -> None:
    ticks = np.arange(200) / (rate_hz * off) / tick_s
    if tick_s < 1:
        ticks = np.floor(ticks)
    if abs(off - 1) < 0.05:
        assert tick_of(ticks.tolist(), rate_hz, "it") == tick_s
        return
    with pytest.raises(InputError) as refused:
        tick_of(ticks.tolist(), rate_hz, "it")
    assert refused.value.field is Field.RATE


@given(numbers=st.lists(st.booleans(), min_size=5, max_size=60), wrong=st.integers(0, 10**9))
def test_a_number_that_leaps_alone_is_left_out_and_leaps_together_are_believed(
    numbers: list[bool], wrong: int
) -> None:
    marks, handed = Marks(1, 250), []
    broken = [
        n for n, bad in enumerate(numbers) if bad and n > 0 and not numbers[n - 1] and n < len(numbers) - 1
    ]
    for n in range(len(numbers)):
        mark = float(10**7 + n * 10**8 + wrong) if n in broken else float(n)
        handed += marks.believed(Reading(float(n), mark))
    assert [reading.mark for reading in handed] == [n for n in range(len(numbers)) if n not in broken]
    assert marks.broken == len(broken)
    restarted = [r for n in range(3) for r in marks.believed(Reading(0.0, float(10**9 * 5 + n)))]
    assert [reading.mark for reading in restarted] == [10**9 * 5 + n for n in range(3)]
