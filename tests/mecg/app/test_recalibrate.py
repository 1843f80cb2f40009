# SPDX-License-Identifier: GPL-3.0-or-later
"""A calibration that no longer fits is said wherever a session is seen, until it fits again."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import pytest
from pytestqt.qtbot import QtBot

from devices.replay.file import FileReplay
from devices.replay.pacing import Replay
from devices.replay.session import SessionReplay
from gui.panels.header import RECALIBRATE
from gui.panels.number_column import NumberColumn
from gui.signal.inbox import Inbox
from gui.window import MonitorWindow
from mecg.__main__ import main
from mecg.app.options import ModelOptions
from mecg.app.session_builder import core_of, vitals_of
from streamer.core.events import Drift, Event, QualityChanged, SamplesLost
from streamer.core.stream import Chunk, StreamInfo
from streamer.recording.reader import Recording
from streamer.recording.recorder import Recorder
from streamer.session.json_lines import JsonLines
from streamer.session.session import Session
from streamer.session.sink import Sink
from streamer.session.status_line import StatusLine

RECORD = Path(__file__).parents[3] / "recordings" / "ptb-xl" / "00010_hr"
LOUD_S = range(12, 24)
END_S = 60


class LouderForAWhile:
    """A record, over and over, and for 12 s of it three times as large: not what was learned from."""

    def __init__(self, *, lost_s: range = range(0)) -> None:
        self._source = FileReplay(RECORD, replay=Replay(speed=math.inf, loop=True))
        self._lost_s = lost_s

    def open(self) -> StreamInfo:
        return self._source.open()

    def items(self) -> Iterator[Chunk | Event]:
        for item in self._source.items():
            if not isinstance(item, Chunk):
                yield item
                continue
            second = item.start // 500
            if second >= END_S:
                return
            if second in LOUD_S:
                item = dataclasses.replace(item, lead_mv=3 * item.lead_mv)
            if second not in self._lost_s:
                yield item

    def stop(self) -> None:
        self._source.stop()


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("person") / "person.npz"
    assert main(["calibrate", str(RECORD), "--out", str(out)]) == 0
    return out


def run(source: LouderForAWhile, person: Path | None, *sinks: Sink) -> Session:
    info = source.open()
    core, description = core_of(source, info, ModelOptions(), person=person)
    session = Session(source, core, description, vitals=vitals_of(description, core))
    for sink in sinks:
        session.attach(sink)
    assert session.run().failures == {}
    return session


@pytest.fixture(scope="module")
def told(person: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The recording, the JSON lines and the status lines of such a session."""
    lines, status = io.StringIO(), io.StringIO()
    recorder = Recorder(tmp_path_factory.mktemp("recalibrate"), {}, lambda event: None)
    sinks = (recorder, JsonLines(lines, lambda: 0), StatusLine(status, lambda: 0))
    run(LouderForAWhile(), person, *sinks)
    return recorder.path, lines.getvalue(), status.getvalue()


def test_json_says_so_from_the_rise_to_the_end(told: tuple[Path, str, str]) -> None:
    objects = [json.loads(line) for line in told[1].splitlines()]
    rise, end = (line for line in objects if line.get("kind") == "drift")
    assert rise["value"] > 3 and "recalibrate" in rise["text"] and LOUD_S[0] < rise["at_s"] < LOUD_S[-1]
    assert end["value"] == 0 and "fits again" in end["text"] and end["at_s"] > LOUD_S[-1]
    first, last = objects.index(rise), objects.index(end)
    standing = [(i, line["recalibrate"]) for i, line in enumerate(objects) if line["type"] == "status"]
    assert len(standing) == END_S  # one after each second
    assert all(says is (first < i < last) for i, says in standing)
    assert sum(says for _, says in standing) == pytest.approx(end["at_s"] - rise["at_s"], abs=1)


def test_of_a_generic_model_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stream", str(RECORD), "--seconds", "2", "--speed", "max", "--json"]) == 0
    said = capsys.readouterr()
    statuses = [json.loads(line) for line in said.out.splitlines() if '"status"' in line]
    assert statuses and all(line["recalibrate"] is None for line in statuses)
    assert "RECALIBRATE" not in said.err


def test_the_recording_holds_both(told: tuple[Path, str, str]) -> None:
    with Recording.open(told[0]) as recording:
        drifts = [event for event in recording.events if isinstance(event, Drift)]
    assert [event.rises for event in drifts] == [True, False]
    assert LOUD_S[0] < drifts[0].at_s < LOUD_S[-1] < drifts[1].at_s < END_S


@pytest.mark.parametrize(("start_s", "count"), [(0.0, 2), (LOUD_S[-1], 2), (END_S - 5.0, 0)])
def test_a_session_shown_as_recorded_says_what_was_said_then(
    told: tuple[Path, str, str], start_s: float, count: int
) -> None:
    """Also where it is entered between the two."""
    source = SessionReplay(told[0], replay=Replay(speed=math.inf, start_s=start_s))
    lines = io.StringIO()
    info = source.open()
    core, description = core_of(source, info, ModelOptions(), as_recorded=True)
    session = Session(source, core, description, vitals=vitals_of(description, core))
    session.attach(JsonLines(lines, lambda: 0))
    session.run()
    drifts = [line for line in map(json.loads, lines.getvalue().splitlines()) if line.get("kind") == "drift"]
    assert [line["value"] > 0 for line in drifts] == [True, False][:count]


def test_a_replay_through_the_generic_model_says_nothing_of_it(
    told: tuple[Path, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stream", f"session:{told[0]}", "--speed", "max", "--json"]) == 0
    said = capsys.readouterr()
    assert '"drift"' not in said.out and "recalibrate:" not in said.err


def test_a_gap_does_not_end_it(person: Path) -> None:
    """Nothing was learned of Lead I while nothing came."""
    lines = io.StringIO()
    run(LouderForAWhile(lost_s=range(18, 22)), person, JsonLines(lines, lambda: 0))
    drifts = [line for line in map(json.loads, lines.getvalue().splitlines()) if line.get("kind") == "drift"]
    assert [line["value"] > 0 for line in drifts] == [True, False]
    assert drifts[0]["at_s"] < 18 and drifts[1]["at_s"] > LOUD_S[-1]


def test_the_status_line_says_it_in_front_and_takes_it_back(
    told: tuple[Path, str, str], person: Path
) -> None:
    status = StatusLine(io.StringIO(), lambda: 0)
    info = LouderForAWhile().open()
    _, description = core_of(LouderForAWhile(), info, ModelOptions(), person=person)
    status.open(description)
    assert "RECALIBRATE" not in status.text()
    status.event(Drift(3.1))
    status.event(SamplesLost(5, "5 samples lost"))
    assert status.text().split(" | ")[1] == "RECALIBRATE"
    status.event(Drift(0.0))
    assert "RECALIBRATE" not in status.text()
    status.close()
    assert "RECALIBRATE" not in told[2].splitlines()[-1]


def test_the_window_says_it_beside_whose_it_is_whatever_comes_after(qtbot: QtBot, person: Path) -> None:
    inbox = Inbox()
    source = LouderForAWhile()
    info = source.open()
    _, description = core_of(source, info, ModelOptions(), person=person)
    inbox.open(description)
    window = MonitorWindow(inbox, info, description.model_in_words, 78.0, lambda: None, 4.0)
    column = NumberColumn()
    window.listen(column)
    qtbot.addWidget(window)
    window.show()

    def said() -> tuple[bool, str, bool]:
        for _ in range(6):
            window.tick()
        cell = column.values["Model"]
        return window.header.recalibrate.isVisible(), cell.text(), bool(cell.property("wrong"))

    assert said() == (False, description.whose, False)
    inbox.event(Drift(3.1))
    inbox.event(QualityChanged(frozenset(), "quality: noisy"))
    inbox.event(SamplesLost(5, "5 samples lost"))
    assert said() == (True, f"{description.whose}\nrecalibrate", True)
    assert "lost" in window.header.news.text()
    assert window.header.recalibrate.text() == RECALIBRATE
    inbox.event(Drift(0.0))
    assert said() == (False, description.whose, False)
    inbox.event(Drift(3.1))
    said()
    window.follow(inbox, info, "another model", 78.0)  # another stream: nothing of the one before
    assert said() == (False, description.whose, False)
