# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from pytestqt.qtbot import QtBot

from streamer.core.events import RecordingStarted, State, StateChanged
from streamer.core.stream import Frame
from tests.gui.test_main_panels import Rig


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Rig:
    return Rig(qtbot, tmp_path)


def press(rig: Rig) -> None:
    QTest.keyClick(rig.window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    rig.tick()


def test_ctrl_r_records_and_the_button_says_how_long_and_how_much(rig: Rig) -> None:
    button = rig.window.tools.buttons["Record"]
    assert button.text() == "Record"
    press(rig)
    recording = rig.controller.recording
    assert recording.on and button.isChecked() and "REC" in button.text()
    recording.seconds, recording.size = 75.0, 2_340_000
    rig.tick()
    assert "1:15" in button.text() and "2.3 MB" in button.text()
    press(rig)
    assert not recording.on and button.text() == "Record" and not button.isChecked()


@pytest.mark.parametrize("state", [State.ENDED, State.PAUSED, State.STALE, State.RECONNECTING])
def test_the_recording_time_in_the_column_stands_still_if_nothing_comes(
    rig: Rig, frame: Callable[..., Frame], state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    press(rig)
    rig.tick(RecordingStarted("a.xdf", host_s=time.monotonic()), frame(0, 19000), StateChanged(state, "so"))
    now_s = time.monotonic()
    monkeypatch.setattr("gui.window.time.monotonic", lambda: now_s + 600.0)
    rig.tick()
    assert rig.panels.numbers.values["Recording"].text() == "1:16"


def test_a_recording_that_cannot_begin_is_said(rig: Rig) -> None:
    rig.controller.recording.refuse = "nothing can be recorded in /x"
    press(rig)
    assert "/x" in rig.panels.notice.toolTip()


def test_with_nothing_to_record_it_says_so(qtbot: QtBot, tmp_path: Path) -> None:
    rig = Rig(qtbot, tmp_path, first="", players=False)
    press(rig)
    assert rig.panels.sources.start.answer.text()


def test_quit_asks_while_it_records_and_only_then(rig: Rig) -> None:
    asked: list[str] = []

    def no(what: str) -> bool:
        asked.append(what)
        return False

    rig.panels.record._ask = no
    press(rig)
    rig.key("q")
    assert rig.window.isVisible() and len(asked) == 1 and "a.xdf" in asked[0]
    press(rig)
    rig.key("q")
    assert not rig.window.isVisible() and len(asked) == 1


def test_what_ends_the_program_does_not_ask(rig: Rig) -> None:
    rig.panels.record._ask = lambda what: False
    press(rig)
    rig.window.close()
    assert not rig.window.isVisible()
