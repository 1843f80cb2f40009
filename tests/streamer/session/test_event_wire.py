# SPDX-License-Identifier: GPL-3.0-or-later
"""Events keep the form in files and pipes that they had when their kind was a text."""

import dataclasses
import io
import json
import pickle
from enum import Enum
from math import isnan, nan
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.events import (
    Alarm,
    AlarmKind,
    AlarmsSilenced,
    BandsChanged,
    Battery,
    Beat,
    Contact,
    Drift,
    Dropped,
    Event,
    Failed,
    LeftBehind,
    LimitsChanged,
    Marker,
    Notice,
    Quality,
    QualityChanged,
    RecordingStarted,
    SamplesLost,
    Seam,
    SenderSaid,
    SensorRate,
    SpeedChanged,
    State,
    StateChanged,
    Topic,
    Unrecognized,
)
from streamer.core.network.parts import BANDS
from streamer.recording.dataclass_json import plain
from streamer.recording.encoding import unpack_event
from streamer.session.event_wire import WireEvent, alarm_said, from_wire, quality_said, to_wire, words
from streamer.session.json_lines import JsonLines
from tests.streamer.made_session import description

KINDS: tuple[type[Any], ...] = get_args(Event)

# What the program wrote of these before its events had types stands in the file, to the byte: for each
# the line of a session file, of JSON lines, and the marker in LSL.
EVENTS: list[Event] = [
    StateChanged(State.LIVE, "receiving samples", host_s=12.5),
    StateChanged(State.WAITING, "connected", host_s=12.5),
    SamplesLost(5, "5 samples lost (0.04 s)", host_s=12.5),
    Dropped(1, "a packet came twice; the second was dropped", host_s=12.5),
    Dropped(7, "monitor is too slow: 7 items dropped"),
    Failed("recorder", "the disk is full", host_s=12.5),
    LeftBehind("JSON lines"),
    Contact(True, "the strap feels skin", host_s=12.5),
    Contact(False, "the strap feels no skin", host_s=12.5),
    Battery(83, host_s=12.5),
    SensorRate(71, host_s=12.5),
    Marker(at_s=3.25),
    Marker("dizzy, “ü”", at_s=3.25),
    Beat(at_s=1.5, host_s=12.5),
    Beat(61.25, at_s=1.5, host_s=12.5),
    QualityChanged(frozenset(), "quality: good", at_s=4.0),
    QualityChanged(frozenset({Quality.NOISY, Quality.OUT_OF_RANGE}), "noisy: 0.2 mV", at_s=4.0),
    Alarm(AlarmKind.LOW_RATE, True, "39 bpm, below 40", at_s=9.5),
    Alarm(AlarmKind.LOW_RATE, False, at_s=9.5),
    Alarm(AlarmKind.HIGH_RATE, True, "131 bpm, above 120", at_s=9.5),
    Alarm(AlarmKind.HIGH_RATE, False, at_s=9.5),
    Alarm(AlarmKind.ASYSTOLE, True, "no beat for 4 s", at_s=9.5),
    Alarm(AlarmKind.ASYSTOLE, False, at_s=9.5),
    Alarm(AlarmKind.SIGNAL_LOST, True, "an electrode is off", at_s=9.5),
    Alarm(AlarmKind.SIGNAL_LOST, False, at_s=9.5),
    AlarmsSilenced((AlarmKind.ASYSTOLE, AlarmKind.LOW_RATE)),
    LimitsChanged(45.0, 120.5, sound=False),
    Drift(3.5, at_s=6.0),
    Drift(0.0, at_s=6.0),
    RecordingStarted("~/ecg/a.xdf", host_s=12.5),
    Notice(Topic.LINK, "H10 (A0:1) at -60 dBm, MTU 232", host_s=12.5),
    Notice(Topic.CLOCK, "the device's clock jumped by +0.300 s", host_s=12.5),
    Notice(Topic.PLAYBACK, "playing at 2 times the real speed", host_s=12.5),
    Notice(
        Topic.DISK,
        "at this rate the disk is full in 9 minutes, and the recording ends: free some space",
        host_s=12.5,
    ),
    Notice(Topic.REPAIR, "12 bytes of this session could not be read", host_s=12.5),
    Unrecognized("mood", "as told", count=2, number=0.5, at_s=1.0),
    # Older versions read the first as a notice, and the others as they stand.
    Seam(at_s=10.0, host_s=12.5),
    Alarm(AlarmKind.ELECTRODE, True, "the lead is dead flat, or at its rail", at_s=9.5),
    Alarm(AlarmKind.CANNOT_ANALYSE, False, at_s=9.5),
    SpeedChanged(2.0, host_s=12.5),
    BandsChanged("mid", host_s=12.5),
    SenderSaid("alarm: heart rate high: 131 bpm, above 120", host_s=12.5),
]

LINES = (Path(__file__).parent / "events_as_written.txt").read_text("utf-8").splitlines()
WRITTEN = list(zip(EVENTS, LINES[::3], LINES[1::3], LINES[2::3], strict=True))


def in_a_file(event: Event) -> str:
    return json.dumps(plain(to_wire(event)), allow_nan=False)


def same(one: Event, other: Event) -> bool:
    """Equal, nan being itself."""
    return type(one) is type(other) and all(
        a == b or (a != a and b != b)
        for a, b in (
            (getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one)
        )
    )


@pytest.mark.parametrize("number", range(len(WRITTEN)))
def test_the_session_file_holds_what_it_always_held(number: int) -> None:
    event, in_file, _, _ = WRITTEN[number]
    assert in_a_file(event) == in_file


@pytest.mark.parametrize("number", range(len(WRITTEN)))
def test_a_json_line_is_what_it_always_was(number: int) -> None:
    event, _, line, _ = WRITTEN[number]
    out = io.StringIO()
    lines = JsonLines(out, lambda: 0)
    about = description()
    lines.open(dataclasses.replace(about, stream=dataclasses.replace(about.stream, live=True)))
    lines.event(event)
    assert out.getvalue().splitlines()[-1] == line


@pytest.mark.parametrize("number", range(len(WRITTEN)))
def test_a_marker_in_lsl_and_annotations_reads_as_it_always_did(number: int) -> None:
    event, _, _, marker = WRITTEN[number]
    assert words(event) == marker


@pytest.mark.parametrize("number", range(len(WRITTEN)))
def test_what_older_versions_recorded_is_read_as_its_class(number: int) -> None:
    event, in_file, _, _ = WRITTEN[number]
    assert same(unpack_event(in_file), event)


def test_events_of_older_files_had_fewer_fields() -> None:
    old = unpack_event('{"kind": "beat", "text": "", "host_s": 2.0, "state": null, "count": 0}')
    assert same(old, Beat(host_s=2.0))


def test_the_examples_hold_every_kind() -> None:
    assert {type(event) for event, *_ in WRITTEN} == set(KINDS)


@pytest.mark.parametrize(
    "wire",
    [
        WireEvent("alarm", "too green: 5 mm", value=1.0),
        WireEvent("alarm", "no colon", value=0.0),
        WireEvent("silence", "alarm silenced: too green"),
        WireEvent("limits", "alarm limits: none"),
        WireEvent("limits", "alarm limits: low to high bpm, sound on"),
        WireEvent("heart rate", "fast"),
        WireEvent("recording", "to a tape"),
        WireEvent("failed", "it broke"),
        WireEvent("state", "nobody knows"),
        WireEvent("quality", "so so"),
        WireEvent("contact", "perhaps"),
        WireEvent("battery", "half", value=12.5),
        WireEvent("battery", "unknown"),
        WireEvent("drift", "unknown"),
        WireEvent("mood", "", 3.0, State.LIVE, 4, 5.0, 6.0, frozenset({Quality.FLAT})),
    ],
)
def test_what_fits_no_class_survives_as_it_stands_in_the_file(wire: WireEvent) -> None:
    event = from_wire(wire)
    assert isinstance(event, Unrecognized)
    assert plain(to_wire(event)) == plain(wire)


def events() -> st.SearchStrategy[Event]:
    """Any event that the program can make."""
    names = st.text("abcdefgh JSON", min_size=1)
    number = st.floats(-(2.0**49), 2.0**49, width=32) | st.just(nan)  # as far as a file is read
    by_field: dict[str, st.SearchStrategy[Any]] = {
        "host_s": number,
        "at_s": number,
        "bands": st.sampled_from(BANDS),
        "bpm": st.floats(20, 300) | st.just(nan),
        "rr_s": st.just(nan),  # a replay finds beats again
        "distance": st.floats(0, 100),
        "speed": st.floats(0.01, 100),
        "low_bpm": st.integers(15, 100).map(float),
        "high_bpm": st.integers(100, 300).map(float),
        "percent": st.integers(0, 100),
        "count": st.integers(0, 10**9),
        "part": names,
        "why": st.text(),
        "marker": st.text(),
        "text": st.text(),
        "name": names.map("new ".__add__),
        "path": st.text(),
        "number": number,
    }

    def of(kind: type[Any]) -> st.SearchStrategy[Any]:
        hints = {field.name: str(field.type) for field in dataclasses.fields(kind)}
        enums: dict[str, st.SearchStrategy[Any]] = {
            "State": st.sampled_from(State),
            "State | None": st.none() | st.sampled_from(State),
            "Topic": st.sampled_from(Topic),
            "AlarmKind": st.sampled_from(AlarmKind),
            "bool": st.booleans(),
            "frozenset[Quality]": st.frozensets(st.sampled_from(Quality)),
            "frozenset[Quality] | None": st.none() | st.frozensets(st.sampled_from(Quality)),
            "tuple[AlarmKind, ...]": st.lists(st.sampled_from(AlarmKind), min_size=1).map(tuple),
        }
        fields = {name: by_field[name] if name in by_field else enums[hint] for name, hint in hints.items()}
        if kind is SensorRate:
            fields["bpm"] = st.integers(1, 300)
        if kind is Seam:  # it is at an instant of the stream, always
            fields["at_s"] = st.floats(0, 2.0**40)
        made = st.builds(kind, **fields)
        if kind is Alarm:  # an alarm that ends has no reason
            made = made.map(lambda alarm: alarm if alarm.rises else dataclasses.replace(alarm, why=""))
        return made

    return st.one_of(*map(of, KINDS))


@given(st.sampled_from(AlarmKind), st.booleans(), st.text("abc 12,:", min_size=1))
def test_an_alarm_that_a_sender_says_is_understood(alarm: AlarmKind, rises: bool, why: str) -> None:
    event = Alarm(alarm, rises, (" ".join(why.split()) or "why") if rises else "")
    assert same(alarm_said(SenderSaid(words(event))) or Marker(), event)
    assert quality_said(SenderSaid(words(event))) is None


def test_what_a_sender_says_of_its_lead_is_understood_and_nothing_else_is() -> None:
    wrong = QualityChanged(frozenset({Quality.NOISY}), "quality: noisy (0.2 mV)")
    assert quality_said(SenderSaid(words(wrong))) == "quality noisy (0.2 mV)"
    assert quality_said(SenderSaid(words(QualityChanged(frozenset(), "quality: good")))) == ""
    for text in ("", "alarm", "alarm: too green: 5 mm", "quality", "marker: alarm: asystole: me", "x: y"):
        assert alarm_said(SenderSaid(text)) is None and quality_said(SenderSaid(text)) is None


@given(events())
def test_every_event_comes_back_from_its_wire_form(event: Event) -> None:
    assert same(unpack_event(in_a_file(event)), event)


# ---- the law of the classes


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_is_a_frozen_class_whose_fields_have_names_of_their_own(kind: type[Any]) -> None:
    assert dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert hasattr(kind, "__slots__") and not issubclass(kind, Enum)
    assert {field.name for field in dataclasses.fields(kind)}.isdisjoint({"kind", "value", "type"})
    assert {"host_s", "at_s"} <= {field.name for field in dataclasses.fields(kind)}
    assert kind.__dict__.get("text") is not None


def test_a_new_event_has_happened_nowhere_yet() -> None:
    assert isnan(Marker().host_s) and isnan(Marker().at_s)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_equals_its_copy_and_no_other_whatever_is_not_known(event: Event) -> None:
    """NaN is not equal to NaN, and which Python makes an exception for one and the same NaN differs."""
    copied = pickle.loads(pickle.dumps(event))
    assert copied == event and hash(copied) == hash(event) and copied in [event]
    for field in dataclasses.fields(event):
        another = "low" if field.name == "bands" else object()
        assert dataclasses.replace(event, **{field.name: another}) != event
    assert event != "another" and EVENTS.count(event) == 1
