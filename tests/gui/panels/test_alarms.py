# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gui.panels.alarms import BEEP_S, Alarms
from gui.panels.beeper import NOTE_S, NOTES, PITCH_HZ, RATE_HZ, REST_S, pulses
from streamer.core.events import Alarm, AlarmKind, SamplesLost


def rise(alarm: AlarmKind, why: str = "because") -> Alarm:
    return Alarm(alarm, True, why)


def end(alarm: AlarmKind) -> Alarm:
    return Alarm(alarm, False)


class SessionController:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.alarms = Alarms(lambda: self.now_s)

    def beeps(self, seconds: float) -> int:
        """How often it beeps when asked five times a second for so long."""
        count = 0
        for _ in range(round(seconds * 5)):
            count += self.alarms.due()
            self.now_s += 0.2
        return count


@given(st.lists(st.tuples(st.sampled_from(AlarmKind), st.booleans())))
def test_what_stands_is_what_rose_and_has_not_ended(told: list[tuple[AlarmKind, bool]]) -> None:
    alarms = Alarms(lambda: 0.0)
    stands: set[AlarmKind] = set()
    for alarm, on in told:
        alarms.event(rise(alarm) if on else end(alarm))
        (stands.add if on else stands.discard)(alarm)
        assert set(alarms.standing) == {rise(one).text for one in stands}
        assert bool(alarms.banner()) == bool(stands)
        assert all(one.value in alarms.banner() for one in stands)


def test_it_beeps_at_once_and_again_until_silenced() -> None:
    controller = SessionController()
    assert controller.beeps(10) == 0
    controller.alarms.event(rise(AlarmKind.HIGH_RATE))
    assert controller.alarms.due()
    assert controller.beeps(20) == 20 / BEEP_S[False] - 1
    event = controller.alarms.silence()
    assert event is not None and event.alarms == (AlarmKind.HIGH_RATE,)
    assert (
        controller.beeps(60) == 0 and controller.alarms.silenced and "silenced" in controller.alarms.banner()
    )


def test_what_is_urgent_beeps_more_often_and_stands_first() -> None:
    controller = SessionController()
    controller.alarms.event(rise(AlarmKind.LOW_RATE))
    controller.alarms.event(rise(AlarmKind.ASYSTOLE, "no beat for 4 s"))
    assert controller.alarms.standing[0] == "asystole: no beat for 4 s" and controller.alarms.urgent
    assert abs(controller.beeps(20) - 20 / BEEP_S[True]) <= 1


def test_a_silenced_alarm_that_rises_anew_sounds_again_and_so_does_another() -> None:
    controller = SessionController()
    controller.alarms.event(rise(AlarmKind.ASYSTOLE))
    controller.alarms.silence()
    assert controller.beeps(10) == 0
    controller.alarms.event(end(AlarmKind.ASYSTOLE))
    assert controller.beeps(10) == 0 and not controller.alarms.banner()
    controller.alarms.event(rise(AlarmKind.ASYSTOLE))
    assert controller.alarms.due()
    controller.alarms.silence()
    controller.alarms.event(rise(AlarmKind.SIGNAL_LOST))
    assert controller.alarms.due() and not controller.alarms.silenced


def test_there_is_nothing_to_silence_twice() -> None:
    controller = SessionController()
    assert controller.alarms.silence() is None
    controller.alarms.event(rise(AlarmKind.ASYSTOLE))
    assert controller.alarms.silence() is not None
    assert controller.alarms.silence() is None


def test_without_sound_the_banner_stays() -> None:
    controller = SessionController()
    controller.alarms.sound = False
    controller.alarms.event(rise(AlarmKind.ASYSTOLE))
    assert (
        controller.beeps(20) == 0
        and "asystole" in controller.alarms.banner()
        and "sound off" in controller.alarms.banner()
    )


def test_other_events_are_no_alarms() -> None:
    controller = SessionController()
    assert not controller.alarms.event(SamplesLost(12, "12 samples lost"))
    assert not controller.alarms.banner()


def test_another_stream_begins_without_alarms() -> None:
    controller = SessionController()
    controller.alarms.event(rise(AlarmKind.ASYSTOLE))
    controller.alarms.clear()
    assert not controller.alarms.banner() and controller.beeps(10) == 0


def test_the_tone_is_a_few_soft_pulses_of_its_pitch() -> None:
    tone = np.frombuffer(pulses(), "<i2").astype(float) / 32767
    note = round(NOTE_S * RATE_HZ)
    assert len(tone) == NOTES * (note + round(REST_S * RATE_HZ))
    spectrum = np.abs(np.fft.rfft(tone[:note] * np.hanning(note)))
    assert abs(np.argmax(spectrum) * RATE_HZ / note - PITCH_HZ) < 10
    assert 0.3 < np.abs(tone).max() <= 1 and abs(tone[0]) < 0.01 and abs(tone[note - 1]) < 0.02
    assert not tone[note : note + 100].any()
