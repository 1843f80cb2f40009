"""What stands is in the status line and in the JSON lines, as it is now."""

from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.events import Alarm, AlarmKind, Beat, State, StateChanged
from streamer.core.network.latency import LatencyBudget
from streamer.core.stream import Chunk, StreamInfo
from streamer.session.description import SessionDescription
from streamer.session.status import SessionStatus

RATE_HZ = 250.0


def status() -> SessionStatus:
    info = StreamInfo("test:", RATE_HZ, live=True)
    about = SessionDescription(
        info, "net", "1", RATE_HZ, LatencyBudget(56.0, 0.0, 16.0, 0.0, 72.0, 10.0), "0.5-40 Hz"
    )
    return SessionStatus(about, lambda: 0)


@given(st.lists(st.tuples(st.sampled_from(AlarmKind), st.booleans(), st.floats(15, 300)), max_size=12))
def test_the_status_has_what_stands_for_how_long_and_the_worst_of_it(steps):
    kept, stands, worst = status(), {}, {}
    for k, (alarm, rises, bpm) in enumerate(steps):
        kept.chunk(Chunk(250 * k, np.zeros(250, np.float32)))
        kept.event(Beat(bpm, at_s=k + 1.0))
        worst = {kind: [*rates, bpm] for kind, rates in worst.items()}
        kept.event(Alarm(alarm, rises, "why" if rises else "", at_s=k + 1.0))
        stands.pop(alarm, None)
        worst.pop(alarm, None)
        if rises:
            stands[alarm], worst[alarm] = k + 1.0, [bpm]
        told = {one["alarm"]: one for one in kept.facts()["alarms"]}
        assert told.keys() == {kind.name.lower() for kind in stands}
        for kind, since_s in stands.items():
            one = told[kind.name.lower()]
            assert (one["why"], one["seconds"]) == ("why", k + 1.0 - since_s)
            most = {AlarmKind.LOW_RATE: min, AlarmKind.HIGH_RATE: max}.get(kind)
            assert one["worst_bpm"] == (None if most is None else round(most(worst[kind]), 1))
            assert f"ALARM {kind.value}" in kept.text()
        assert kept.text().count("ALARM") == len(stands)


def test_a_rate_that_is_counted_from_noise_is_marked():
    kept = status()
    kept.event(StateChanged(State.LIVE, ""))
    kept.event(Beat(188.0, at_s=0.0))
    assert "HR 188 " in kept.text()
    kept.event(Alarm(AlarmKind.CANNOT_ANALYSE, True, "too much noise for a heart rate"))
    assert "HR 188? " in kept.text()


def test_the_rate_is_unknown_from_the_loss_of_the_signal_to_the_next_beat():
    """No frame comes meanwhile, by which the beat would grow old."""
    kept = status()
    kept.event(StateChanged(State.LIVE, ""))
    kept.event(Beat(71.0, at_s=0.0))
    kept.event(StateChanged(State.STALE, ""))
    kept.event(Alarm(AlarmKind.SIGNAL_LOST, True, "stale"))
    assert "HR -- " in kept.text() and kept.facts()["hr_bpm"] is None
    kept.event(Alarm(AlarmKind.SIGNAL_LOST, False))
    assert "HR -- " in kept.text()
    kept.event(Beat(72.0, at_s=1.0))
    assert "HR 72 " in kept.text()


@given(st.floats(0.0, 1000.0), st.floats(0.0, 1000.0))
def test_how_long_nothing_has_come_is_kept_at_the_end(silent_s, after_s):
    kept, clock = status(), SimpleNamespace(now_s=1000.0)
    with patch("streamer.session.status.time", SimpleNamespace(monotonic=lambda: clock.now_s)):
        kept.chunk(Chunk(0, np.zeros(250, np.float32), arrival_s=1000.0))
        kept.event(Alarm(AlarmKind.SIGNAL_LOST, True, "no sample", at_s=1.0))
        clock.now_s += silent_s
        kept.event(StateChanged(State.ENDED, "unplugged"))
        clock.now_s += after_s
        (one,) = kept.facts()["alarms"]
    assert abs(one["seconds"] - silent_s) < 0.06
