# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.panels.alarms import BEEP_S, Alarms, Sign
from gui.panels.beeper import NOTE_S, NOTES, PITCH_HZ, RATE_HZ, REST_S, pulses
from gui.panels.numbers import Numbers
from streamer.core.events import Alarm, AlarmKind, Beat, Event, SamplesLost, State, StateChanged
from streamer.core.stream import Frame
from streamer.core.vitals.standing import PRIORITIES, Priority
from streamer.session.alarm_words import SILENCE_S
from tests.gui.conftest import make_frame

MakeFrame = Callable[..., Frame]


def rise(alarm: AlarmKind, why: str = "because", at_s: float = math.nan) -> Alarm:
    return Alarm(alarm, True, why, at_s=at_s)


def end(alarm: AlarmKind) -> Alarm:
    return Alarm(alarm, False)


class Bedside:
    """Numbers and alarms on one clock, which is also that of the stream."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.numbers = Numbers()
        self.alarms = Alarms(self.numbers, lambda: self.now_s)

    def hear(self, event: Event) -> None:
        self.numbers.event(event)
        self.alarms.event(event)

    def come(self, until_s: float) -> None:
        """The stream comes up to there."""
        self.now_s = until_s
        stop = round(250 * until_s)
        self.numbers.frame(until_s, replace(make_frame(stop - 5, 5), device_s=until_s - 4 / 250))

    def beeps(self, seconds: float) -> int:
        """How often it beeps when asked five times a second for so long."""
        count = 0
        for _ in range(round(seconds * 5)):
            count += self.alarms.due()
            self.now_s += 0.2
        return count

    def texts(self) -> list[str]:
        rate = self.numbers.bpm(self.now_s)
        return [sign.text for sign in self.alarms.signs(self.now_s, rate)]


@given(st.lists(st.tuples(st.sampled_from(AlarmKind), st.booleans())))
def test_what_stands_is_what_rose_and_has_not_ended(told: list[tuple[AlarmKind, bool]]) -> None:
    bedside = Bedside()
    stands: set[AlarmKind] = set()
    for alarm, on in told:
        bedside.hear(rise(alarm) if on else end(alarm))
        (stands.add if on else stands.discard)(alarm)
        signs = bedside.alarms.signs(0.0, "72")
        assert {sign.alarm for sign in signs} == stands
        assert all(sign.text.startswith(sign.alarm.value) for sign in signs)
        priorities = [PRIORITIES[sign.alarm] for sign in signs]
        assert priorities == sorted(priorities, reverse=True), "the most urgent stands first"


# ---- the number lives


@given(st.lists(st.floats(15, 300), min_size=1, max_size=40), st.booleans(), st.floats(15, 300))
def test_a_rate_alarm_says_the_rate_of_now_the_worst_since_it_rose_its_limit_and_for_how_long(
    rates: list[float], high: bool, before: float
) -> None:
    bedside = Bedside()
    bedside.come(10.0)
    bedside.hear(Beat(before, at_s=10.0))
    kind = AlarmKind.HIGH_RATE if high else AlarmKind.LOW_RATE
    for k, bpm in enumerate(rates):
        at_s = 11.0 + k
        bedside.come(at_s)
        bedside.hear(Beat(bpm, at_s=at_s))
        if k == 0:
            bedside.hear(rise(kind, f"{bpm:.0f} bpm, beyond its limit", at_s=at_s))
        (text,) = bedside.texts()
        worst = (max if high else min)(rates[: k + 1])
        said, worst_said, limit, since = text.split(": ", 1)[1].split(" · ")
        assert said == f"{bedside.numbers.bpm(bedside.now_s)} bpm" == f"{bpm:.0f} bpm"
        assert worst_said.split() == ["highest" if high else "lowest", f"{worst:.0f}"]
        assert limit == ("limit 120" if high else "limit 50")
        assert since == f"0:{k:02}"


@given(st.floats(0.0, 3000.0))
def test_an_asystole_counts_from_the_last_beat_and_goes_on_if_nothing_comes(later_s: float) -> None:
    bedside = Bedside()
    bedside.come(5.0)
    bedside.hear(Beat(72.0, at_s=5.0))
    bedside.come(9.4)
    bedside.hear(rise(AlarmKind.ASYSTOLE, "no beat for 4 s", at_s=9.4))
    bedside.now_s += later_s
    (text,) = bedside.texts()
    minutes, seconds = divmod(int(4.4 + later_s + 1e-9), 60)
    assert f"no beat for {minutes}:{seconds:02} · limit 4 s" in text


def test_time_stands_still_while_a_replay_is_paused() -> None:
    bedside = Bedside()
    bedside.come(9.4)
    bedside.hear(rise(AlarmKind.ASYSTOLE, at_s=9.4))
    bedside.come(15.0)
    bedside.hear(StateChanged(State.PAUSED, "paused"))
    before = bedside.texts()
    bedside.now_s += 60
    assert bedside.texts() == before


def test_a_lost_signal_says_how_the_source_stands_now() -> None:
    bedside = Bedside()
    bedside.come(5.0)
    bedside.hear(StateChanged(State.STALE, ""))
    bedside.hear(rise(AlarmKind.SIGNAL_LOST, "stale", at_s=5.0))
    assert bedside.texts() == ["signal lost: stale · 0:00"]
    bedside.hear(StateChanged(State.RECONNECTING, ""))
    bedside.now_s += 75
    assert bedside.texts() == ["signal lost: reconnecting · 1:15"]
    assert bedside.numbers.bpm(bedside.now_s) == "--"


# ---- how it looks


@pytest.mark.parametrize("alarm", AlarmKind)
def test_it_flashes_as_iec_60601_1_8_has_it(alarm: AlarmKind) -> None:
    """High: 1.4 to 2.8 Hz; medium: 0.4 to 0.8 Hz; both lit for 20 to 60 %; technical ones are steady."""
    sign, seconds = Sign(alarm, ""), 100.0
    lit = [sign.lit(1234.5 + at_s) for at_s in np.arange(0.0, seconds, 0.0123)]
    hz = sum(b and not a for a, b in pairwise(lit)) / seconds
    if sign.technical:
        assert all(lit)
        return
    low_hz, high_hz = (1.4, 2.8) if sign.priority is Priority.HIGH else (0.4, 0.8)
    assert low_hz <= hz <= high_hz and 0.2 <= np.mean(lit) <= 0.6


# ---- sound


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("rise"), st.sampled_from(AlarmKind)),
            st.tuples(st.just("end"), st.sampled_from(AlarmKind)),
            st.tuples(st.just("silence"), st.none()),
            st.tuples(st.just("wait"), st.floats(0.0, 150.0)),
        ),
        max_size=25,
    )
)
def test_what_stands_is_quiet_for_two_minutes_at_most_after_it_was_silenced(
    steps: list[tuple[str, object]],
) -> None:
    """A new alarm sounds at once; one of a higher priority lets the silenced ones sound too."""
    bedside = Bedside()
    quiet_until_s: dict[AlarmKind, float] = {}
    stands: dict[AlarmKind, float] = {}
    for what, of in steps:
        if isinstance(of, AlarmKind) and what == "rise":
            quiet = [alarm for alarm, until_s in quiet_until_s.items() if until_s > bedside.now_s]
            bedside.hear(rise(of))
            assert bedside.alarms.due(), "it sounds at once"
            stands[of] = bedside.now_s
            quiet_until_s.pop(of, None)
            if all(PRIORITIES[of] > PRIORITIES[other] for other in quiet if other != of):
                quiet_until_s.clear()
        elif isinstance(of, AlarmKind):
            bedside.hear(end(of))
            stands.pop(of, None)
            quiet_until_s.pop(of, None)
        elif what == "silence":
            if bedside.alarms.silence() is not None:
                fresh = [alarm for alarm in stands if quiet_until_s.get(alarm, 0.0) <= bedside.now_s]
                assert fresh
                quiet_until_s = dict.fromkeys(stands, bedside.now_s + SILENCE_S)
        else:
            assert isinstance(of, float)
            bedside.now_s += of
        loud = {alarm for alarm in stands if quiet_until_s.get(alarm, 0.0) <= bedside.now_s}
        assert bedside.alarms.silenced == (bool(stands) and not loud)
        assert (bedside.alarms.silent_s > 0) == (len(stands) > len(loud))
        assert bedside.alarms.silent_s <= SILENCE_S
        assert bool(bedside.alarms.sound_words()) == (bedside.alarms.silent_s > 0)


def test_it_beeps_at_once_and_again_until_silenced_and_again_two_minutes_later() -> None:
    bedside = Bedside()
    assert bedside.beeps(10) == 0
    bedside.hear(rise(AlarmKind.HIGH_RATE))
    assert bedside.alarms.due()
    assert bedside.beeps(20) == 20 / BEEP_S[False] - 1
    event = bedside.alarms.silence()
    assert event is not None and event.alarms == (AlarmKind.HIGH_RATE,)
    assert bedside.beeps(SILENCE_S - 1) == 0 and bedside.alarms.silenced
    assert bedside.beeps(11) == 2 and not bedside.alarms.silenced


def test_the_silence_is_shown_counting_down() -> None:
    bedside = Bedside()
    bedside.hear(rise(AlarmKind.HIGH_RATE))
    bedside.alarms.silence()
    shown = []
    for _ in range(121):
        shown.append(bedside.alarms.sound_words())
        bedside.now_s += 1.0
    assert (shown[0], shown[1], shown[75], shown[119], shown[120]) == (
        "silent 2:00",
        "silent 1:59",
        "silent 0:45",
        "silent 0:01",
        "",
    )


def test_what_is_urgent_beeps_more_often() -> None:
    bedside = Bedside()
    bedside.hear(rise(AlarmKind.LOW_RATE))
    bedside.hear(rise(AlarmKind.ASYSTOLE, "no beat for 4 s"))
    assert abs(bedside.beeps(20) - 20 / BEEP_S[True]) <= 1


def test_a_higher_alarm_breaks_the_silence_and_a_lower_one_only_sounds_itself() -> None:
    bedside = Bedside()
    bedside.hear(rise(AlarmKind.LOW_RATE))
    bedside.alarms.silence()
    bedside.hear(rise(AlarmKind.CANNOT_ANALYSE))
    assert bedside.alarms.due() and bedside.alarms.silent_s > 0
    bedside.hear(rise(AlarmKind.ASYSTOLE))
    assert bedside.alarms.due() and bedside.alarms.silent_s == 0 and not bedside.alarms.sound_words()


def test_there_is_nothing_to_silence_twice() -> None:
    bedside = Bedside()
    assert bedside.alarms.silence() is None
    bedside.hear(rise(AlarmKind.ASYSTOLE))
    assert bedside.alarms.silence() is not None
    assert bedside.alarms.silence() is None


def test_without_sound_it_is_quiet_and_says_so_whether_anything_stands_or_not() -> None:
    bedside = Bedside()
    bedside.alarms.sound = False
    assert bedside.alarms.sound_words()
    bedside.hear(rise(AlarmKind.ASYSTOLE))
    assert bedside.beeps(20) == 0 and bedside.texts() and bedside.alarms.sound_words()


def test_other_events_are_no_alarms() -> None:
    bedside = Bedside()
    assert not bedside.alarms.event(SamplesLost(12, "12 samples lost"))
    assert not bedside.texts()


def test_another_stream_begins_without_alarms() -> None:
    bedside = Bedside()
    bedside.hear(rise(AlarmKind.ASYSTOLE))
    bedside.alarms.silence()
    bedside.alarms.clear()
    assert not bedside.texts() and bedside.beeps(10) == 0 and not bedside.alarms.sound_words()


def test_the_tone_is_a_few_soft_pulses_of_its_pitch() -> None:
    tone = np.frombuffer(pulses(), "<i2").astype(float) / 32767
    note = round(NOTE_S * RATE_HZ)
    assert len(tone) == NOTES * (note + round(REST_S * RATE_HZ))
    spectrum = np.abs(np.fft.rfft(tone[:note] * np.hanning(note)))
    assert abs(np.argmax(spectrum) * RATE_HZ / note - PITCH_HZ) < 10
    assert 0.3 < np.abs(tone).max() <= 1 and abs(tone[0]) < 0.01 and abs(tone[note - 1]) < 0.02
    assert not tone[note : note + 100].any()
