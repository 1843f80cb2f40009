# SPDX-License-Identifier: GPL-3.0-or-later
"""A replay is not a patient: only a live source is called live, in every place that says how it stands."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from devices.lsl.description import About
from devices.registry import SCHEMES, is_live, open_source
from devices.replay.pacing import Replay
from gui.signal.followed_stream import FollowedStream
from gui.signal.inbox import Inbox
from streamer.core.events import Alarm, SpeedChanged, State, StateChanged
from streamer.core.network.latency import LatencyBudget
from streamer.core.stream import Chunk, SourceKind, StreamInfo
from streamer.core.vitals.vitals import Vitals
from streamer.session.description import SessionDescription
from streamer.session.json_lines import JsonLines
from streamer.session.source_words import kind_words, page_words, state_name, state_words
from streamer.session.status import SessionStatus
from tests.gui.a_monitor import Monitor
from tests.gui.conftest import make_frame
from tests.streamer.made_session import description as session_description
from tests.streamer.made_session import items, record

RECORD = "recordings/ptb-xl/00010_hr"


def description(stream: StreamInfo) -> SessionDescription:
    return SessionDescription(stream, "net", "1", 250.0, LatencyBudget(56.0, 0.0, 16.0, 0.0, 72.0, 10.0), "")


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def stream(scheme: str, tmp_path: Path) -> StreamInfo:
    """What a source of this scheme says of itself; what needs a device says what all that need one do."""
    if is_live(f"{scheme}:"):
        return StreamInfo(f"{scheme}:x", 250.0, live=True)
    rest = {"wfdb": RECORD, "file": RECORD, "synthetic": "", "session": ""}[scheme]
    if scheme == "session":
        rest = str(record(tmp_path, items(3.0), session_description())[0])
    return open_source(f"{scheme}:{rest}", replay=Replay(speed=2.0)).open()


def said_of(stream: StreamInfo, qtbot: QtBot) -> Iterator[str]:
    """Every place that says how a stream stands, while its samples come."""
    about, chunk = description(stream), Chunk(0, np.zeros(250, np.float32))
    status = SessionStatus(about, lambda: 0)
    status.chunk(chunk)
    yield status.text()
    out = io.StringIO()
    lines = JsonLines(out, lambda: 0)
    lines.open(about)
    lines.chunk(chunk)
    lines.event(StateChanged(State.LIVE, "receiving samples"))
    lines.frame(make_frame(0, 250))
    for line in map(json.loads, out.getvalue().splitlines()):
        yield from (str(line.get(name)) for name in ("state", "source_kind") if line.get(name))
    followed = FollowedStream(Inbox(), stream, 72.0)
    followed.inbox.frame(make_frame(0, 250))
    followed.take(lambda at_s, frame: None, lambda event, changed: None)
    yield followed.status(0.0).words
    monitor = Monitor(qtbot, stream, about)
    monitor.inbox.event(StateChanged(State.LIVE, "receiving samples"))
    monitor.show(make_frame(0, 500))
    monitor.window.refresh()
    yield monitor.window.header.state.text()


def test_only_a_live_source_is_called_live_and_in_every_place(
    stream: StreamInfo, scheme: str, qtbot: QtBot
) -> None:
    word = stream.kind.value.lower()
    assert (word == "live") == is_live(f"{scheme}:")
    for said in said_of(stream, qtbot):
        assert word in said.lower() and ("live" in said.lower()) == (word == "live"), said


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("speed", [0.25, 1.0, float("inf")])
def test_what_is_not_live_is_named_in_every_state(stream: StreamInfo, state: State, speed: float) -> None:
    words = state_words(state, stream, speed)
    assert ("live" in words) == (stream.live and state is State.LIVE)
    assert stream.live or words.startswith(stream.kind.value)
    assert stream.live or state_name(state, stream) != "live"


def test_what_a_program_makes_is_synthetic_however_it_comes_and_is_played() -> None:
    made = StreamInfo("brainflow:synthetic", 250.0, live=True, synthetic=True)
    for stream in (made, replace(made, live=False), replace(made, live=False, as_recorded=True)):
        assert stream.kind is SourceKind.SYNTHETIC
        assert kind_words(stream, 1.0) == page_words(stream) == "SYNTHETIC"


@pytest.mark.parametrize("kind", SourceKind)
def test_what_a_sender_passes_on_keeps_its_kind_over_the_network(kind: SourceKind) -> None:
    said = f"<desc><acquisition><source_kind>{kind.name.lower()}</source_kind></acquisition></desc>"
    xml = (
        f"<info><name>x</name><channel_count>1</channel_count><nominal_srate>250</nominal_srate>{said}</info>"
    )
    passed_on = About.of(xml).passed_on
    assert StreamInfo("lsl:x", 250.0, live=True, passed_on=passed_on).kind is kind


def test_the_speed_is_that_at_which_it_is_played_now() -> None:
    stream = StreamInfo("wfdb:a", 250.0, speed=2.0)
    followed, status = FollowedStream(Inbox(), stream, 72.0), SessionStatus(description(stream), lambda: 0)
    for event, words in ((StateChanged(State.LIVE, ""), "REPLAY 2x"), (SpeedChanged(0.5), "REPLAY 0.5x")):
        followed.inbox.event(event)
        followed.take(lambda at_s, frame: None, lambda event, changed: None)
        status.event(event)
        assert followed.status(0.0).words == words and status.text().startswith(words)
    assert status.facts()["speed"] == 0.5


@pytest.mark.parametrize("live", [False, True])
def test_the_end_of_a_replay_clears_its_alarms_and_that_of_a_live_stream_none(live: bool) -> None:
    vitals = Vitals(250.0, StreamInfo("x:", 250.0, live=live))
    vitals.chunk(Chunk(0, np.zeros(250, np.float32)))

    def alarms(start: int, stop: int) -> list[Alarm]:
        frames = (make_frame(at, 50, lost=at > 500) for at in range(start, stop, 50))
        return [event for frame in frames for event in vitals.push(frame) if isinstance(event, Alarm)]

    standing = {event.alarm for event in alarms(0, 5000) if event.rises}
    assert standing
    ended = vitals.hear(StateChanged(State.ENDED, "ended"))
    after = [*(event for event in ended if isinstance(event, Alarm)), *alarms(5000, 9000)]
    assert {event.alarm for event in after if not event.rises} == (set() if live else standing)
    assert not any(event.rises for event in after)
