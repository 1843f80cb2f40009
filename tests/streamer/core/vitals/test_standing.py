"""What stands, and the worst of it."""

import math

from hypothesis import given
from hypothesis import strategies as st

from streamer.core.events import Alarm, AlarmKind, Beat, SamplesLost
from streamer.core.vitals.standing import PRIORITIES, TECHNICAL, Priority, StandingAlarms

RATES = {AlarmKind.LOW_RATE: min, AlarmKind.HIGH_RATE: max}

STEPS = st.lists(
    st.one_of(st.floats(15, 300), st.just(math.nan), st.tuples(st.sampled_from(AlarmKind), st.booleans())),
    max_size=40,
)


@given(STEPS)
def test_the_worst_is_that_of_all_beats_since_it_rose_the_one_that_raised_it_among_them(steps):
    standing = StandingAlarms()
    since: dict[AlarmKind, list[float]] = {}
    last = math.nan
    for at_s, step in enumerate(steps):
        if isinstance(step, float):
            standing.event(Beat(step, at_s=float(at_s)))
            last = step
            for rates in since.values():
                rates.append(step)
        else:
            alarm, rises = step
            assert standing.event(Alarm(alarm, rises, "why", at_s=float(at_s))) is (rises or alarm in since)
            since.pop(alarm, None)
            if rises:
                since[alarm] = [last]
        assert {one.alarm for one in standing} == since.keys() and len(standing) == len(since)
        for one in standing:
            known = [bpm for bpm in since[one.alarm] if not math.isnan(bpm)]
            if one.alarm in RATES and known:
                assert one.worst_bpm == RATES[one.alarm](known)
            else:
                assert math.isnan(one.worst_bpm)


def test_every_alarm_has_a_priority_and_the_most_urgent_stands_first():
    standing = StandingAlarms()
    for alarm in AlarmKind:
        standing.event(Alarm(alarm, True))
    order = [PRIORITIES[one.alarm] for one in standing]
    assert len(order) == len(AlarmKind) and order == sorted(order, reverse=True)
    assert all(PRIORITIES[alarm] < Priority.HIGH for alarm in TECHNICAL)


def test_other_events_change_nothing_and_another_stream_forgets_all():
    standing = StandingAlarms()
    standing.event(Alarm(AlarmKind.ASYSTOLE, True))
    assert not standing.event(SamplesLost(1, "")) and AlarmKind.ASYSTOLE in standing
    standing.clear()
    assert not len(standing)
