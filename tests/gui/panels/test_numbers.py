# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from gui.panels.numbers import NO_BREAK, UNKNOWN, Numbers, duration
from streamer.core.events import (
    Battery,
    Beat,
    Drift,
    Event,
    Failed,
    Quality,
    QualityChanged,
    RecordingStarted,
    SamplesLost,
    State,
    StateChanged,
)
from streamer.core.stream import Frame

MakeFrame = Callable[..., Frame]


def beat(at_s: float, bpm: float = 60.0, rr_s: float = math.nan) -> Event:
    return Beat(bpm, rr_s, at_s=at_s)


@pytest.fixture
def live(frame: MakeFrame) -> Callable[[Numbers, float], None]:
    """Let the stream come up to ``until_s``, its newest sample taken at that monotonic second."""

    def come(numbers: Numbers, until_s: float) -> None:
        stop = round(until_s * 250)
        numbers.frame(until_s, replace(frame(stop - 5, 5), device_s=until_s - 4 / 250))

    return come


Come = Callable[[Numbers, float], None]


def test_the_rate_is_that_of_the_newest_beat(live: Come) -> None:
    numbers = Numbers()
    assert numbers.bpm(0.0) == UNKNOWN
    numbers.event(beat(1.0, math.nan))
    live(numbers, 1.5)
    assert numbers.bpm(1.5) == UNKNOWN
    numbers.event(beat(2.0, 72.4))
    live(numbers, 2.5)
    assert numbers.bpm(2.5) == "72"


def test_no_rate_is_shown_when_beats_or_samples_fail_to_come(live: Come) -> None:
    numbers = Numbers()
    numbers.event(beat(2.0, 72.0))
    live(numbers, 3.0)
    assert numbers.bpm(3.0) == "72"
    assert numbers.bpm(5.1) == UNKNOWN  # no sample for 2 s
    live(numbers, 6.3)
    assert numbers.bpm(6.3) == UNKNOWN  # samples, but no beat for 4.3 s
    numbers.event(beat(6.4, 15.0))
    assert numbers.bpm(6.4) == "15"


def test_intervals_are_those_between_beats_of_the_last_minute() -> None:
    numbers = Numbers()
    for k in range(100):
        numbers.event(beat(0.8 * k, rr_s=0.8))
    (rr,) = numbers.rr_ms()
    assert all(ms == pytest.approx(800) for _, ms in rr)
    assert rr[-1][0] - rr[0][0] <= 60 and len(rr) == pytest.approx(75, abs=1)
    numbers.event(beat(0.8 * 99 + 5.0, rr_s=5.0))  # a pause
    numbers.event(beat(0.8 * 99 + 5.5))  # samples are missing before it, or a replay began again
    numbers.event(beat(0.8 * 99 + 6.5, rr_s=1.0))
    first, second = numbers.rr_ms()  # nothing joins what lies apart
    assert max(ms for _, ms in first) == pytest.approx(800) and [ms for _, ms in second] == [1000]
    assert numbers.rr() == "RR 1000 ms (800-1000)"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (frozenset(), "good"),
        (frozenset({Quality.NOISY}), "noisy"),
        (frozenset({Quality.REVERSED, Quality.FLAT}), "flat, reversed"),
    ],
)
def test_quality_says_all_that_is_wrong(wrong: frozenset[Quality], said: str, live: Come) -> None:
    numbers = Numbers()
    assert numbers.quality(0.0) == ("checking", False)
    numbers.event(QualityChanged(wrong, "a sentence"))
    live(numbers, 1.0)
    assert numbers.quality(1.5) == (said, bool(wrong))
    assert numbers.quality(9.0) == (UNKNOWN, False)  # nobody knows what it would be now


def test_the_age_is_that_of_the_newest_sample_and_grows_when_nothing_comes(live: Come) -> None:
    numbers = Numbers()
    assert numbers.age(5.0) == (UNKNOWN, False)
    live(numbers, 5.0)
    assert numbers.age(5.25) == ("0.25 s", False)
    assert numbers.age(7.1)[1]
    assert numbers.age(5.0 + 754) == ("12:34", True)


def test_what_is_paused_is_not_old(live: Come) -> None:
    numbers = Numbers()
    numbers.event(beat(4.5, 72.0))
    numbers.event(QualityChanged(frozenset(), ""))
    live(numbers, 5.0)
    numbers.event(StateChanged(State.PAUSED, "paused at 5.0 s"))
    assert numbers.age(60.0) == ("paused", False)
    assert numbers.bpm(60.0) == "72" and numbers.quality(60.0) == ("good", False)
    numbers.event(StateChanged(State.LIVE, "played on"))
    assert numbers.age(60.0)[1] and numbers.bpm(60.0) == UNKNOWN


def test_the_age_falls_back_to_when_it_came(frame: MakeFrame) -> None:
    numbers = Numbers()
    numbers.frame(10.0, frame(0, 5))
    assert numbers.age_s(10.5) == 0.5
    numbers.frame(10.0, replace(frame(5, 5), arrival_s=9.75))
    assert numbers.age_s(10.0) == 0.25


def test_lost_samples_are_counted_and_begin_anew_with_the_stream(frame: MakeFrame) -> None:
    numbers = Numbers()
    assert numbers.lost() == "0"
    numbers.frame(0.0, frame(0, 50))
    numbers.frame(0.0, frame(50, 500, lost=True))
    assert numbers.lost() == f"500 (2.0{NO_BREAK}s)"
    numbers.frame(0.0, frame(0, 50))
    assert numbers.lost() == "0"


def test_the_battery_is_unknown_until_the_sensor_tells() -> None:
    numbers = Numbers()
    assert numbers.battery() == UNKNOWN
    numbers.event(Battery(83))
    assert numbers.battery() == "83 %"


def test_recording_time_runs_until_the_recorder_fails(frame: MakeFrame) -> None:
    def live(numbers: Numbers, until_s: float) -> None:
        start = 0 if numbers._newest is None else numbers._newest[1].stop
        numbers.frame(until_s, frame(start, round(until_s * 250) - start))

    numbers = Numbers()
    live(numbers, 100.0)
    assert numbers.recording() == ("off", False)
    numbers.event(RecordingStarted("x", host_s=100.0))
    live(numbers, 165.9)
    assert numbers.recording() == ("1:05", False)
    numbers.event(Failed("status line", "its terminal is gone", host_s=170.0))
    live(numbers, 171.0)
    assert numbers.recording() == ("1:11", False)
    live(numbers, 180.0)
    numbers.event(Failed("recorder", "the disk is full", host_s=180.0))
    live(numbers, 1000.0)
    assert numbers.recording() == ("1:20, FAILED", True)


@pytest.mark.parametrize("began_s", [0.0, 8.0, 100.0])
@pytest.mark.parametrize("state", State)
def test_recording_time_is_of_signal_and_stands_still_if_none_comes(
    frame: MakeFrame, state: State, began_s: float
) -> None:
    """As on the button: however long nothing comes, and whatever the state."""
    numbers = Numbers()
    if began_s:
        numbers.frame(1000.0, frame(0, round(began_s * 250)))
    numbers.event(RecordingStarted("x", host_s=1000.0))
    numbers.frame(1000.0, frame(round(began_s * 250), 75 * 250))
    numbers.event(StateChanged(state, "what happened"))
    assert numbers.recording() == ("1:15", False)


def test_another_stream_forgets_all(live: Come) -> None:
    numbers = Numbers()
    numbers.event(beat(1.0, 70))
    numbers.event(QualityChanged(frozenset({Quality.FLAT}), ""))
    live(numbers, 1.2)
    numbers.start_stream(None, None)
    assert numbers.bpm(1.2) == UNKNOWN and numbers.quality(1.2)[0] == "checking" and not numbers.rr_ms()
    assert numbers.model() == ("generic", False)


def test_recalibrate_stays_until_it_fits_again() -> None:
    numbers = Numbers()
    numbers.event(Drift(3.2))
    numbers.event(QualityChanged(frozenset({Quality.NOISY}), ""))
    numbers.event(SamplesLost(5, "5 samples lost"))
    assert numbers.model() == ("generic\nrecalibrate", True)
    numbers.event(Drift(0.0))
    assert numbers.model() == ("generic", False)


def test_durations_read_like_a_clock() -> None:
    assert [duration(s) for s in (0.0, 59.9, 61, 3599, 3661)] == ["0:00", "0:59", "1:01", "59:59", "1:01:01"]
