# SPDX-License-Identifier: GPL-3.0-or-later
"""A bed says what its session said: nothing old as if it were new, no alarm lost."""

from __future__ import annotations

import json
import math
import struct
import time

import numpy as np
import pytest

from gui.panels.alarms import Alarms
from gui.panels.numbers import Numbers
from streamer.core.events import (
    Alarm,
    AlarmKind,
    AlarmsSilenced,
    Beat,
    Event,
    LimitsChanged,
    Quality,
    QualityChanged,
    SenderSaid,
    State,
    StateChanged,
)
from streamer.core.network.network import Network
from streamer.session.alarm_words import SILENCE_S
from tests.ward.a_bed import a_description, a_frame
from ward import wire
from ward.bed import OLD_S, Bed, Beds


def a_bed(network: Network) -> tuple[Bed, list[Event]]:
    bed, told = Bed(3, "Bed 3"), []
    sink = bed.sink(told.append)
    sink.open(a_description(network))
    return bed, told


def test_before_the_first_sample_everything_is_unknown_and_old() -> None:
    status = Bed(1, "Bed 1").status(time.monotonic())
    assert status.old and math.isnan(status.bpm) and status.quality is None and status.description is None
    json.loads(wire.statuses([status], frozenset()))


def test_a_rate_is_shown_only_while_samples_and_beats_come(network: Network) -> None:
    bed, _ = a_bed(network)
    bed.frame(a_frame(0))
    bed.event(Beat(71.6, at_s=0.0))
    now_s = time.monotonic()
    assert bed.status(now_s).bpm == 71.6 and not bed.status(now_s).old
    later = bed.status(now_s + OLD_S + 0.1)
    assert later.old and math.isnan(later.bpm)
    bed.frame(a_frame(250 * 5))  # 5 s of signal without a beat
    assert math.isnan(bed.status(time.monotonic()).bpm)


def test_what_a_bed_says_stays_as_it_was_and_nobody_who_looks_can_change_it(network: Network) -> None:
    """Several threads hold the same."""
    bed, _ = a_bed(network)
    bed.event(Alarm(AlarmKind.ASYSTOLE, True, "no beat for 4 s"))
    status = bed.status(0)
    (alarm,) = status.alarms
    for holder, name in ((status, "alarms"), (alarm, "silenced"), (alarm, "text")):
        with pytest.raises(AttributeError):
            setattr(holder, name, ())
    bed.event(AlarmsSilenced((AlarmKind.ASYSTOLE,)))
    assert status.alarms == (alarm,) and not alarm.silenced and bed.status(0).alarms[0].silenced


def test_what_the_sender_says_stands_beside_the_beds_own_and_goes_with_the_sender(network: Network) -> None:
    log: list[Event] = []
    bed = Bed(3, "Bed 3", log=lambda number, event: log.append(event))
    bed.sink(log.append).open(a_description(network))
    rises = SenderSaid("alarm: heart rate high: 131 bpm, above 120")
    bed.event(rises)
    bed.event(SenderSaid("quality: noisy (0.2 mV)"))
    bed.frame(a_frame(0))  # a sample here says nothing of what stands there
    assert bed.status(0).bedside == ("heart rate high: 131 bpm, above 120", "quality noisy (0.2 mV)")
    assert not bed.status(0).alarms
    assert json.loads(wire.statuses([bed.status(0)], frozenset()))["beds"][0]["bedside"]
    bed.event(SenderSaid("quality: good"))
    bed.event(SenderSaid("marker: dizzy"))
    assert bed.status(0).bedside == ("heart rate high: 131 bpm, above 120",)
    bed.event(StateChanged(State.RECONNECTING, "the sender is gone"))
    assert bed.status(0).bedside == ()
    assert rises in log and log[-1] == SenderSaid("alarm: heart rate high: over")


def test_alarms_stand_until_they_end_the_urgent_first_and_silence_holds_for_what_stood(
    network: Network,
) -> None:
    bed, told = a_bed(network)
    bed.event(Alarm(AlarmKind.HIGH_RATE, True, "140 bpm, above 120"))
    bed.event(Alarm(AlarmKind.ASYSTOLE, True, "no beat for 4 s"))
    assert [alarm.kind for alarm in bed.status(0).alarms] == [AlarmKind.ASYSTOLE, AlarmKind.HIGH_RATE]
    assert bed.silence() and not bed.status(0).alarms[0].silenced  # the session has not said so yet
    (silenced,) = told
    assert isinstance(silenced, AlarmsSilenced)
    bed.event(silenced)
    assert all(alarm.silenced for alarm in bed.status(0).alarms) and not bed.silence()
    bed.event(Alarm(AlarmKind.ASYSTOLE, False))
    bed.event(Alarm(AlarmKind.ASYSTOLE, True, "again"))
    assert not any(alarm.silenced for alarm in bed.status(0).alarms)  # what is more urgent breaks it


def test_a_session_that_fails_is_a_lost_signal_until_the_next_one_brings_a_sample(network: Network) -> None:
    bed, told = a_bed(network)
    bed.frame(a_frame(0))
    bed.event(Alarm(AlarmKind.LOW_RATE, True, "39 bpm, below 50"))
    bed.end(State.RECONNECTING, "the link broke")
    kinds = {alarm.kind for alarm in bed.status(0).alarms}
    assert kinds == {AlarmKind.LOW_RATE, AlarmKind.SIGNAL_LOST}
    assert not bed.silence()  # nobody would hear it
    bed.sink(told.append).open(a_description(network))
    bed.frame(a_frame(0, valid=False))
    assert {alarm.kind for alarm in bed.status(0).alarms} == kinds
    bed.frame(a_frame(5))
    assert bed.status(0).alarms == ()


def test_the_end_of_a_source_ends_its_alarms(network: Network) -> None:
    bed, _ = a_bed(network)
    bed.event(Alarm(AlarmKind.LOW_RATE, True, "39 bpm, below 50"))
    bed.end(State.ENDED, "the source has ended")
    assert bed.status(0).alarms == () and bed.status(0).state is State.ENDED


def test_limits_and_sound_of_the_bedside_are_shown(network: Network) -> None:
    bed, _ = a_bed(network)
    bed.event(LimitsChanged(40, 150, sound=False))
    status = bed.status(0)
    assert (status.limits.low_bpm, status.limits.high_bpm, status.sound) == (40, 150, False)


def test_another_session_begins_with_another_epoch_and_none_of_the_old_samples(network: Network) -> None:
    bed, told = a_bed(network)
    bed.frame(a_frame(5000))
    before = bed.cursor()
    bed.sink(told.append).open(a_description(network))
    assert bed.cursor()[0] == before[0] + 1 and bed.piece([0], 0, 10_000) is None
    bed.frame(a_frame(0))
    piece = bed.piece([0], 0, 10_000)
    assert piece is not None and (piece.start, piece.uv.shape) == (0, (1, 5))


def test_samples_while_the_input_is_not_to_be_trusted_are_marked(network: Network) -> None:
    bed, _ = a_bed(network)
    bed.event(QualityChanged(frozenset({Quality.NO_CONTACT}), "no contact"))
    bed.frame(a_frame(0))
    bed.event(QualityChanged(frozenset(), "good"))
    bed.frame(a_frame(5))
    piece = bed.piece([25], 0, 10)
    assert piece is not None and list(piece.uv[0]) == [2] * 5 + [0] * 5


def test_a_block_reads_as_its_layout_says(network: Network) -> None:
    bed, _ = a_bed(network)
    bed.frame(a_frame(70))
    piece = bed.piece([0, 12, 1], 70, 75)
    assert piece is not None
    block = wire.block(piece)
    version, rows, count, number, epoch, start, came_ms, rate_hz = struct.unpack_from("<BBHIIddf", block)
    assert (version, rows, number, epoch, start, rate_hz, count) == (2, 3, 3, 1, 70.0, 250.0, 5)
    assert abs(came_ms / 1e3 - time.time()) < 5
    assert list(block[32:36]) == [0, 12, 1, 0]
    assert np.frombuffer(block, "<i2", offset=36).reshape(3, 5)[:, 0].tolist() == [500, 250, 1000]


def test_a_paused_replay_is_not_old(network: Network) -> None:
    bed, _ = a_bed(network)
    bed.frame(a_frame(0))
    bed.event(StateChanged(State.PAUSED, "held"))
    assert not bed.status(time.monotonic() + 60).old


def test_the_number_of_a_bed_is_never_given_again() -> None:
    beds = Beds()
    first = beds.add("a")
    beds.remove(first)
    assert beds.add("b").number != first.number and beds.get(first.number) is None


def test_silence_ends_after_two_minutes_and_a_more_urgent_alarm_breaks_it(network: Network) -> None:
    now_s = [1000.0]
    bed = Bed(1, "Bed 1", clock=lambda: now_s[0])
    bed.sink(bed.event).open(a_description(network))

    def sounding() -> list[AlarmKind]:
        return [one.kind for one in bed.status(now_s[0]).alarms if not one.silenced]

    bed.event(Alarm(AlarmKind.HIGH_RATE, True, "140 bpm, above 120"))
    assert bed.silence() and sounding() == []
    now_s[0] += SILENCE_S - 1
    assert sounding() == [] and bed.status(now_s[0]).silent_s == 1
    now_s[0] += 2
    assert sounding() == [AlarmKind.HIGH_RATE] and bed.silence()
    bed.event(Alarm(AlarmKind.CANNOT_ANALYSE, True, "noise"))
    assert sounding() == [AlarmKind.CANNOT_ANALYSE]
    bed.event(Alarm(AlarmKind.ASYSTOLE, True, "no beat for 4 s"))
    assert len(sounding()) == 3


def test_an_alarm_reads_as_beside_the_bed(network: Network) -> None:
    bed, _ = a_bed(network)
    bedside_numbers = Numbers()
    bedside = Alarms(bedside_numbers)
    events = (
        Beat(140.0, at_s=0.0),
        Alarm(AlarmKind.HIGH_RATE, True, "140 bpm, above 120", at_s=0.0),
        Beat(151.0, at_s=0.4),
    )
    frame = a_frame(0, 100)
    now_s = time.monotonic()
    bed.frame(frame)
    bedside_numbers.frame(now_s, frame)
    for event in events:
        bed.event(event)
        bedside_numbers.event(event)
        bedside.event(event)
    signs = bedside.signs(now_s, "151")
    assert [one.text for one in bed.status(now_s).alarms] == [sign.text for sign in signs]
