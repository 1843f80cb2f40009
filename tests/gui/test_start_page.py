# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from gui.controller import SourceRequest
from streamer.core.errors import Field
from streamer.core.stream import Frame
from tests.gui.a_controller import Seen
from tests.gui.test_main_panels import Rig

MakeFrame = Callable[..., Frame]


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Rig:
    return Rig(qtbot, tmp_path, first="", players=False)


def test_a_window_without_a_source_asks_for_one_and_then_shows_the_paper(rig: Rig, frame: MakeFrame) -> None:
    start = rig.panels.sources.start
    assert start.isVisible() and not rig.window.paper.isVisible()
    assert rig.settings.recent == []
    QTest.mouseClick(start.bundled_button, Qt.MouseButton.LeftButton)
    rig.qtbot.waitUntil(lambda: rig.window.paper.isVisible())
    assert rig.controller.opened == [SourceRequest("wfdb:bundled")] and start.isHidden()
    rig.tick(frame(0, 500))
    assert rig.window.seen()[1] == 2.0


def test_its_list_leaves_the_letters_to_the_window_and_then_the_paper_has_the_keys(rig: Rig) -> None:
    start = rig.panels.sources.start
    start.list.setFocus()
    QTest.keyClicks(start.list, "?")
    assert rig.window.help.isVisible()
    QTest.mouseClick(start.bundled_button, Qt.MouseButton.LeftButton)
    rig.qtbot.waitUntil(lambda: rig.window.paper.isVisible())
    assert rig.window.focusWidget() is rig.window.paper


def test_a_window_with_a_source_shows_no_start_page(qtbot: QtBot, tmp_path: Path) -> None:
    rig = Rig(qtbot, tmp_path)
    assert rig.panels.sources.start.isHidden() and rig.window.paper.isVisible()


def test_it_looks_only_while_it_is_seen_and_lists_what_is_in_sight(rig: Rig) -> None:
    start, found = rig.panels.sources.start, rig.controller.found
    assert found is not None
    found("ble", [Seen("polar:00:11", name="Polar H10")], "")
    rig.qtbot.waitUntil(lambda: start.list.groups["ble"].childCount() == 1)
    assert not start.connect_button.isEnabled()
    start.list.setCurrentItem(start.list.groups["ble"].child(0))
    QTest.mouseClick(start.connect_button, Qt.MouseButton.LeftButton)
    rig.qtbot.waitUntil(lambda: rig.controller.running.request.source == "polar:00:11")
    rig.qtbot.waitUntil(lambda: rig.window.paper.isVisible())
    assert rig.controller.found is None


def test_what_is_refused_is_said_there_and_it_stays(rig: Rig) -> None:
    rig.controller.refuse = "no such record: look again"
    QTest.mouseClick(rig.panels.sources.start.bundled_button, Qt.MouseButton.LeftButton)
    rig.qtbot.waitUntil(lambda: "no such record" in rig.panels.sources.start.answer.text())
    assert rig.panels.sources.start.isVisible()


def test_a_file_is_chosen_from_there(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: ("/r/a.hea", ""))
    QTest.mouseClick(rig.panels.sources.start.file_button, Qt.MouseButton.LeftButton)
    rig.qtbot.waitUntil(lambda: rig.controller.opened == [SourceRequest("wfdb:/r/a")])


def test_a_file_from_a_watch_becomes_a_page_that_is_shown_and_nothing_is_played(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Path] = []
    monkeypatch.setattr(rig.panels.reports, "_show", shown.append)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: ("/r/watch.csv", ""))
    QTest.mouseClick(rig.panels.sources.start.watch_button, Qt.MouseButton.LeftButton)
    rig.qtbot.waitUntil(lambda: bool(shown))
    assert rig.controller.reported == ["/r/watch.csv"] and shown[0].name == "a.pdf"
    assert rig.controller.opened == [] and rig.panels.sources.start.isVisible()
    assert "a.pdf" in rig.panels.sources.start.answer.text()


def test_why_a_file_becomes_no_page_is_said(rig: Rig) -> None:
    rig.controller.refuse = "there is no ECG in it"
    rig.panels.reports.make("/r/watch.csv")
    rig.qtbot.waitUntil(lambda: "there is no ECG in it" in rig.panels.sources.start.answer.text())


def test_without_a_source_nothing_is_said_to_be_measured_or_played(rig: Rig, frame: MakeFrame) -> None:
    rig.tick()
    header = rig.window.header
    assert not any(label.isVisible() for label in (header.lead, header.state, header.health))
    QTest.mouseClick(rig.panels.sources.start.bundled_button, Qt.MouseButton.LeftButton)
    rig.qtbot.waitUntil(lambda: rig.window.paper.isVisible())
    rig.tick(frame(0, 500))
    assert header.lead.isVisible() and "REPLAY" in header.state.text() and header.state.isVisible()


def test_a_source_without_lead_i_has_its_leads_offered_at_once(rig: Rig) -> None:
    rig.controller.refuse, rig.controller.refuse_field = "it has no lead I, only MLII, V5", Field.LEAD
    rig.controller.choices = ("MLII", "V5")
    rig.panels.sources.open(SourceRequest("wfdb:100"))
    dialog = rig.panels.sources.connect_dialog
    rig.qtbot.waitUntil(dialog.isVisible)
    rig.controller.refuse = ""
    QTest.mouseClick(dialog.connect_button, Qt.MouseButton.LeftButton)
    rig.qtbot.waitUntil(dialog.isHidden)
    assert rig.controller.opened[-1] == SourceRequest("wfdb:100", "MLII")
