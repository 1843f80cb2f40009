# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PyQt6 import sip
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFileDialog, QPushButton
from pytestqt.qtbot import QtBot

from gui.controller import GENERIC, Person
from gui.dialogs.calibrate import CalibrateDialog
from gui.theme import DARK, LIGHT
from streamer.core.errors import Field
from tests.gui.a_controller import APreviews, a_preview
from tests.gui.test_main_panels import Rig as Window
from tests.gui.test_main_panels import drop


class Rig:
    def __init__(self, qtbot: QtBot) -> None:
        self.previews, self.whose = APreviews(), "generic"
        self.used: list[Person] = []
        self.dialog = CalibrateDialog(lambda: self.previews, lambda: self.whose, lambda: 4.0)
        self.dialog.used.connect(self.used.append)
        self.qtbot = qtbot
        qtbot.addWidget(self.dialog)
        self.dialog.apply_theme(DARK)
        self.dialog.resize(1240, 760)
        self.dialog.show()

    def click(self, button: QPushButton) -> None:
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def learn(self) -> None:
        self.click(self.dialog.here_button)
        self.qtbot.waitUntil(lambda: not self.dialog.busy)

    def enabled(self) -> set[str]:
        return {b.text().replace("&", "") for b in self.dialog.findChildren(QPushButton) if b.isEnabled()}


@pytest.fixture
def rig(qtbot: QtBot) -> Rig:
    return Rig(qtbot)


def test_nothing_can_be_used_or_saved_before_there_is_something(rig: Rig) -> None:
    assert rig.enabled() == {"Last 10 s of this source", "Open record or .npz...", "Close"}
    assert "Nothing changes before Use" in rig.dialog.status.text()
    rig.learn()
    assert {"Use", "Save..."} <= rig.enabled() and not rig.used


def test_what_was_learned_is_shown_and_told(rig: Rig) -> None:
    rig.previews.preview = a_preview(warnings=("V3: nearly generic",))
    rig.learn()
    assert rig.dialog.picture.preview is rig.previews.preview and rig.previews.asked == [None]
    assert "0.354 mV generic, 0.177 mV personal (on what is shown" in rig.dialog.status.text()
    assert "V3: nearly generic" in rig.dialog.said.text() and rig.dialog.said.property("warning")
    assert "a recording is closed and another begins" in rig.dialog.said.text()


def test_what_was_learned_from_what_is_shown_is_judged_across_halves(rig: Rig) -> None:
    rig.previews.preview = a_preview(same=True)
    rig.learn()
    assert "0.400 mV generic, 0.200 mV personal (each half" in rig.dialog.status.text()


def test_without_a_truth_the_halves_of_the_reference_are_told_or_nothing(rig: Rig) -> None:
    rig.previews.preview = a_preview(truth=False)
    rig.learn()
    assert "0.400 mV generic" in rig.dialog.status.text()
    rig.previews.preview = a_preview(truth=False, halves_mv=np.full((2, 12), np.nan))
    rig.learn()
    assert "cannot be said" in rig.dialog.status.text()


def test_use_hands_on_the_person_and_closes(rig: Rig) -> None:
    rig.learn()
    rig.qtbot.keyClick(rig.dialog, Qt.Key.Key_Return)
    assert rig.used == [rig.previews.preview.person] and rig.dialog.isHidden()
    rig.dialog.show()
    assert "Use" in rig.enabled()  # for another source too


def test_escape_uses_nothing(rig: Rig) -> None:
    rig.learn()
    rig.qtbot.keyClick(rig.dialog, Qt.Key.Key_Escape)
    assert not rig.used and rig.dialog.isHidden()


def test_back_to_generic_is_there_where_somebody_s_calibration_runs(rig: Rig) -> None:
    assert "Back to generic" not in rig.enabled() and "now: generic" in rig.dialog.now_label.text()
    rig.whose = "personal: a person"
    rig.dialog.hide()
    rig.dialog.show()
    assert "now: personal: a person" in rig.dialog.now_label.text()
    rig.click(rig.dialog.generic_button)
    assert rig.used == [GENERIC]


def test_a_source_that_cannot_teach_says_why_and_may_later(rig: Rig) -> None:
    rig.previews.why_not = "wait for 10 s of this source: 3 s have come"
    rig.qtbot.waitUntil(lambda: not rig.dialog.here_button.isEnabled())
    assert "wait for 10 s" in rig.dialog.now_label.text()
    rig.previews.why_not = ""
    rig.qtbot.waitUntil(rig.dialog.here_button.isEnabled)


def test_a_file_is_chosen_or_dropped(rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: ("/r/a.hea", ""))
    rig.click(rig.dialog.file_button)
    rig.qtbot.waitUntil(lambda: not rig.dialog.busy)
    for name in ("b.npz", "notes.txt"):
        (tmp_path / name).touch()
        assert drop(rig.dialog, [tmp_path / name])
        rig.qtbot.waitUntil(lambda: not rig.dialog.busy)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: ("", ""))
    rig.dialog.ask_file()
    assert rig.previews.asked == [Path("/r/a.hea"), tmp_path / "b.npz", tmp_path / "notes.txt"]


def test_what_is_refused_is_told_and_leaves_what_was_there(rig: Rig) -> None:
    rig.learn()
    rig.previews.refuse, rig.previews.refuse_field = "'100' has no lead 'I', only MLII, V5", Field.LEAD
    rig.dialog.open_file("/r/100.hea")
    rig.qtbot.waitUntil(lambda: not rig.dialog.busy)
    assert rig.dialog.status.text() == "'100' has no lead 'I', only MLII, V5"
    assert rig.dialog.status.property("warning") and rig.dialog.picture.preview is rig.previews.preview
    assert "Use" in rig.enabled()


def test_the_window_lives_while_it_learns_and_asks_for_one_thing_at_a_time(rig: Rig) -> None:
    rig.previews.hold.clear()
    began_s = time.monotonic()
    rig.dialog.open_file("/r/a.hea")
    rig.dialog.open_file("/r/b.hea")
    assert time.monotonic() - began_s < 1
    assert "learning from a.hea" in rig.dialog.status.text() and rig.enabled() == {"Close"}
    rig.previews.hold.set()
    rig.qtbot.waitUntil(lambda: not rig.dialog.busy)
    assert rig.previews.asked == [Path("/r/a.hea")] and "Use" in rig.enabled()


def test_a_window_that_closes_while_it_learns_troubles_nobody(qtbot: QtBot) -> None:
    previews = APreviews()
    dialog = CalibrateDialog(lambda: previews, lambda: "generic", lambda: 4.0)
    news = dialog._news
    previews.hold.clear()
    dialog.open_file("/r/a.hea")
    sip.delete(dialog)
    with qtbot.waitSignal(news.tried):
        previews.hold.set()


def test_it_is_saved_where_a_person_says(rig: Rig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rig.learn()
    person = rig.previews.preview.person
    for chosen in ("", str(tmp_path / "a.npz"), str(tmp_path / "b")):
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args, chosen=chosen: (chosen, ""))
        rig.click(rig.dialog.save_button)
    assert rig.previews.saved == [(person, tmp_path / "a.npz"), (person, tmp_path / "b.npz")]
    assert "keep it private" in rig.dialog.status.text()
    rig.click(rig.dialog.save_button)  # "b" again: Qt asked about a file of that name, not about b.npz
    assert len(rig.previews.saved) == 2 and "exists" in rig.dialog.status.text()
    chosen = str(tmp_path / "no such folder" / "c.npz")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (chosen, ""))
    rig.click(rig.dialog.save_button)
    assert "was not written" in rig.dialog.status.text() and rig.dialog.status.property("warning")


def test_the_bar_and_the_picture_move_together(rig: Rig) -> None:
    assert rig.dialog.along.isHidden()
    rig.learn()
    assert rig.dialog.along.isVisible()
    rig.dialog.along.setValue(35)
    assert rig.dialog.picture.from_s == 3.5
    rig.dialog.picture.from_s = 7.0
    assert rig.dialog.along.value() == 70
    rig.previews.preview = a_preview(1.0)
    rig.learn()
    assert rig.dialog.along.isHidden() and rig.dialog.picture.from_s == 0


@pytest.mark.parametrize("size", [(1024, 600), (1280, 800)])
def test_everything_fits(rig: Rig, size: tuple[int, int]) -> None:
    rig.previews.preview = a_preview(warnings=("V3, V4: " + 12 * "a long story, ",) * 2)
    rig.learn()
    rig.dialog.resize(*size)
    rig.qtbot.wait(1)
    assert (rig.dialog.width(), rig.dialog.height()) == size
    assert rig.dialog.picture.height() > 0.45 * size[1]
    rig.dialog.apply_theme(LIGHT)


# ---- in the window


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path) -> Window:
    return Window(qtbot, tmp_path)


def test_a_key_calibrates_what_runs_from_where_it_is_and_another_undoes_it(window: Window) -> None:
    window.player.position_s, window.player.speed, window.player.paused = 30.0, 2.0, True
    window.key("c")
    dialog = window.panels.sources.calibrate_dialog
    assert dialog.isVisible()
    window.qtbot.mouseClick(dialog.here_button, Qt.MouseButton.LeftButton)
    window.qtbot.waitUntil(lambda: not dialog.busy)
    window.qtbot.mouseClick(dialog.use_button, Qt.MouseButton.LeftButton)
    window.qtbot.waitUntil(lambda: "from here on personal: a person" in window.panels.notice.toolTip())
    request = window.controller.opened[0]
    assert request.person is window.controller.previews.preview.person
    assert (request.source, request.start_s, request.speed, request.paused) == ("wfdb:first", 30.0, 2.0, True)
    window.tick()
    assert (
        "personal: a person" in window.words() and "recording, of its own" in window.panels.notice.toolTip()
    )
    window.panels.sources.seek(12.0)
    window.qtbot.waitUntil(lambda: len(window.controller.opened) == 2)
    assert window.controller.opened[1].person is request.person  # a seek changes nobody
    window.qtbot.waitUntil(lambda: not window.panels.sources.opener._running)
    window.key("g")
    window.qtbot.waitUntil(lambda: "from here on generic" in window.panels.notice.toolTip())
    assert window.controller.opened[2].person is GENERIC
    window.key("g")
    assert len(window.controller.opened) == 3 and "generic already" in window.panels.notice.toolTip()


def test_a_calibration_that_is_dropped_on_the_window_is_tried(window: Window, tmp_path: Path) -> None:
    (tmp_path / "person.npz").touch()
    assert drop(window.window, [tmp_path / "person.npz"])
    dialog = window.panels.sources.calibrate_dialog
    window.qtbot.waitUntil(lambda: dialog.picture.preview is not None)
    assert dialog.isVisible() and window.controller.previews.asked == [tmp_path / "person.npz"]
    assert not window.controller.opened


def test_a_calibration_that_cannot_be_used_leaves_what_runs(window: Window) -> None:
    window.controller.refuse = "the calibration is for Lead I, this stream is II"
    window.panels.sources.put_to_use(window.controller.previews.preview.person)
    window.qtbot.waitUntil(lambda: "is for Lead I" in window.words())
    assert window.controller.running.description.whose == "generic"
