# SPDX-License-Identifier: MIT
"""A replay that is held, let go, and played slower and faster while it runs."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from devices.replay.file import FileReplay
from devices.replay.pacing import Replay
from devices.replay.session import SessionReplay
from devices.replay.synthetic import Synthetic
from streamer.core.errors import InputError
from streamer.core.events import SpeedChanged, State, StateChanged
from streamer.core.stream import Chunk
from streamer.session.source import Played

PTB = Path(__file__).parents[3] / "recordings" / "ptb" / "s0010_re"
CHUNK_S = 0.02


class Clock:
    """Time that passes only while somebody waits; ``at`` does something when its moment comes."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.plans: list[tuple[float, object]] = []

    def __call__(self) -> float:
        return self.now_s

    def at(self, after_s: float, what: object) -> None:
        self.plans.append((1000.0 + after_s, what))

    def sleep(self, seconds: float) -> None:
        self.now_s += min(seconds, 0.001)
        for plan in [plan for plan in self.plans if plan[0] <= self.now_s]:
            self.plans.remove(plan)
            plan[1]()  # type: ignore[operator]


def synthetic(clock: Clock, seconds: float = 4.0, **how: object) -> Synthetic:
    source = Synthetic(
        f"?rate=500&seconds={seconds}",
        replay=Replay(**how),  # type: ignore[arg-type]
        clock=clock,
        sleep=clock.sleep,
    )
    source.open()
    return source


def test_every_replay_can_be_controlled() -> None:
    for source in (Synthetic(), FileReplay(PTB), SessionReplay("any")):
        assert isinstance(source, Played)
        assert source.player.speed == 1 and not source.player.paused
        assert source.player.position_s == 0 and source.player.duration_s is None


def test_a_pause_loses_nothing_and_leaves_no_gap() -> None:
    clock = Clock()
    source = synthetic(clock)
    clock.at(1.0, lambda: setattr(source.player, "paused", True))
    clock.at(8.5, lambda: setattr(source.player, "paused", False))
    chunks = [item for item in source.items() if isinstance(item, Chunk)]
    assert all(a.stop == b.start for a, b in pairwise(chunks)) and chunks[-1].stop == 2000
    assert np.array_equal(np.concatenate([c.lead_mv for c in chunks]), source.lead_mv(0, 2000))
    steps = np.diff([c.arrival_s for c in chunks])
    assert np.sum(steps > 0.03) == 1 and steps.max() == pytest.approx(7.5 + CHUNK_S, abs=0.003)
    assert clock.now_s - 1000 == pytest.approx(4.0 + 7.5, abs=0.01)


def test_a_pause_is_told_while_it_lasts() -> None:
    clock = Clock()
    source = synthetic(clock)
    clock.at(1.0, lambda: setattr(source.player, "paused", True))
    clock.at(5.0, lambda: setattr(source.player, "paused", False))
    told = [
        (clock.now_s - 1000, item.text)
        for item in source.items()
        if isinstance(item, StateChanged) and item.state in (State.PAUSED, State.LIVE)
    ]
    assert [text for _, text in told] == ["receiving samples", "paused at 1.0 s", "played on at 1.0 s"]
    assert [at for at, _ in told[1:]] == pytest.approx([1.0, 5.0], abs=0.06)


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 8.0])
def test_another_speed_holds_from_the_next_sample_on(speed: float) -> None:
    clock = Clock()
    source = synthetic(clock)
    clock.at(2.0, lambda: setattr(source.player, "speed", speed))
    chunks = [item for item in source.items() if isinstance(item, Chunk)]
    assert all(a.stop == b.start for a, b in pairwise(chunks)) and chunks[-1].stop == 2000
    assert clock.now_s - 1000 == pytest.approx(2.0 + 2.0 / speed, abs=0.03)
    stamps = np.array([c.device_s for c in chunks])
    assert (np.diff(stamps) > 0).all()
    assert np.diff(stamps)[-20:] == pytest.approx(CHUNK_S / speed, abs=1e-6)
    assert all(c.device_s <= c.arrival_s for c in chunks)


def test_from_as_fast_as_it_goes_to_real_time_and_back() -> None:
    clock = Clock()
    source = synthetic(clock, speed=math.inf)
    stops = []
    for item in source.items():
        if isinstance(item, Chunk):
            stops.append((clock.now_s - 1000, item.stop))
            if item.stop == 500:
                source.player.speed = 1
            if item.stop == 1000:
                source.player.speed = math.inf
    assert dict(map(reversed, stops))[500] == 0  # type: ignore[arg-type]
    assert stops[-1][1] == 2000 and stops[-1][0] == pytest.approx(1.0, abs=0.03)


def test_a_speed_that_cannot_be_played_is_refused_and_changes_nothing() -> None:
    source = synthetic(Clock())
    for speed in (0.0, -1.0, math.nan):
        with pytest.raises(InputError, match="cannot be played"):
            source.player.speed = speed
    assert source.player.speed == 1


def test_the_position_is_the_recording_s_own() -> None:
    clock = Clock()
    source = synthetic(clock, start_s=1.0)
    for item in source.items():
        if isinstance(item, Chunk) and item.stop == 500:
            assert source.player.duration_s == 4.0
            assert source.player.position_s == 2.0
    assert source.player.position_s == 4.0


def test_in_a_loop_the_position_goes_round() -> None:
    source = synthetic(Clock(), seconds=2.0, start_s=1.0, loop=True)
    places = []
    for item in source.items():
        if isinstance(item, Chunk):
            places.append(source.player.position_s)
            if item.stop > 1700:
                source.stop()
    assert min(places) == 1.0 and 1.9 < max(places) < 2.0


def test_a_paused_replay_can_be_stopped() -> None:
    clock = Clock()
    source = synthetic(clock)
    clock.at(1.0, lambda: setattr(source.player, "paused", True))
    clock.at(2.0, source.stop)
    items = list(source.items())
    assert isinstance(items[-1], StateChanged) and items[-1].state is State.ENDED
    assert clock.now_s - 1000 == pytest.approx(2.0, abs=0.06)


@pytest.mark.parametrize("speed", [1.0, 2.0, math.inf])
def test_what_is_set_before_it_plays_holds_from_the_beginning(speed: float) -> None:
    clock = Clock()
    source = synthetic(clock)
    source.player.speed = speed
    source.player.paused = True
    clock.at(3.0, lambda: setattr(source.player, "paused", False))
    chunks = [item for item in source.items() if isinstance(item, Chunk)]
    assert chunks[-1].stop == 2000 and chunks[0].arrival_s - 1000 >= 3.0
    assert clock.now_s - 1000 == pytest.approx(3.0 + 4.0 / speed, abs=0.06)


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("speed", [0.5, 1.0, 4.0])
def test_a_lead_in_is_there_at_once_and_the_rest_in_its_time(paused: bool, speed: float) -> None:
    clock = Clock()
    source = synthetic(clock, speed=speed, lead_in_s=2.0)
    source.player.paused = paused
    clock.at(5.0, lambda: setattr(source.player, "paused", False))
    chunks = [item for item in source.items() if isinstance(item, Chunk)]
    assert all(a.stop == b.start for a, b in pairwise(chunks)) and chunks[-1].stop == 2000
    assert {c.arrival_s for c in chunks if c.stop <= 1000} == {1000.0}
    later = [c for c in chunks if c.stop > 1000]
    assert later[0].arrival_s >= 1000.0 + 5.0 * paused
    assert clock.now_s - 1000 == pytest.approx(5.0 * paused + 2.0 / speed, abs=0.08)
    assert np.diff([c.device_s for c in chunks[:90]]) == pytest.approx(CHUNK_S / speed)
    assert all(c.device_s <= c.arrival_s for c in chunks)


def test_it_is_paused_behind_its_lead_in_and_stands_there() -> None:
    clock = Clock()
    source = synthetic(clock, start_s=1.0, lead_in_s=2.0)
    source.player.paused = True
    clock.at(3.0, source.stop)
    items = list(source.items())
    assert [i.stop for i in items if isinstance(i, Chunk)][-1] == 1000 and source.player.position_s == 3.0
    states = [item.state for item in items if isinstance(item, StateChanged)]
    assert states == [State.CONNECTING, State.LIVE, State.PAUSED, State.ENDED]


def test_another_speed_is_told() -> None:
    clock = Clock()
    source = synthetic(clock)
    clock.at(1.0, lambda: setattr(source.player, "speed", 2.0))
    told = [item.speed for item in source.items() if isinstance(item, SpeedChanged)]
    assert told == [2.0]
