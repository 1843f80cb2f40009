# SPDX-License-Identifier: GPL-3.0-or-later
"""No word is cut at any size of the window; what has no room ends in an ellipsis, whole under the mouse."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QPoint, QRect
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from gui.panels.header import Elided
from gui.theme import LEAST_PX
from streamer.core.events import Alarm, AlarmKind, Beat, Quality, QualityChanged, State, StateChanged
from streamer.core.stream import Frame, StreamInfo
from tests.gui.test_main_panels import Rig

MakeFrame = Callable[..., Frame]

SIZES = [(800, 480), (1024, 600), (1280, 720), (1920, 1080), (3840, 2160)]

LONG = pytest.mark.long


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def rig(request: pytest.FixtureRequest, qtbot: QtBot, tmp_path: Path, frame: MakeFrame) -> Rig:
    rig = Rig(qtbot, tmp_path)
    rig.window.resize(*request.param)
    rig.tick(StateChanged(State.LIVE, "live"), frame(0, 2500))
    rig.qtbot.wait(1)
    return rig


def cut(root: QWidget) -> Iterator[str]:
    """Words of which a part is outside their label or the window."""
    for label in root.findChildren(QLabel):
        if (
            not label.isVisible()
            or not label.text()
            or isinstance(label, Elided)
            or label.objectName() == "keys"
        ):
            continue
        if label.wordWrap():
            if label.heightForWidth(label.width()) > label.height() + 1:
                yield f"{label.text()!r}: {label.heightForWidth(label.width())} px tall in {label.height()}"
        elif label.sizeHint().width() > label.width() + 1:
            yield f"{label.text()!r}: {label.sizeHint().width()} px wide in {label.width()}"
        window = label.window()
        assert window is not None
        box = QRect(label.mapTo(window, QPoint(0, 0)), label.size())
        if not window.rect().adjusted(-1, -1, 1, 1).contains(box):
            yield f"{label.text()!r}: beyond the window"
    for button in root.findChildren(QAbstractButton):
        if button.isVisible() and button.text() and button.sizeHint().width() > button.width() + 1:
            yield f"{button.text()!r}: {button.sizeHint().width()} px wide in {button.width()}"


@pytest.mark.parametrize("keys", ["", " ", "d", "ll", "]]", "w"])
def test_no_word_is_cut(rig: Rig, keys: str) -> None:
    for key in keys:
        rig.key(key)
    rig.tick()
    rig.qtbot.wait(1)
    assert list(cut(rig.window)) == []


@pytest.mark.parametrize("state", State)
def test_the_header_never_makes_the_window_wider_and_shows_state_and_time(rig: Rig, state: State) -> None:
    header, wide = rig.window.header, rig.window.width()
    rig.tick(StateChanged(state, "a reason that is as long as reasons are: " * 5))
    for _ in range(2):  # running, and frozen
        rig.tick()
        rig.qtbot.wait(1)
        assert rig.window.width() == wide and rig.window.minimumSizeHint().width() <= 800
        assert header.state.width() >= min(header.state.sizeHint().width(), 220)
        told = header.frozen if rig.window.frozen else header.clock
        assert told.text() and told.isVisible() and told.width() >= min(told.sizeHint().width(), 80)
        rig.key(" ")


@pytest.mark.parametrize("key", ["", " ", pytest.param("\r", marks=LONG), pytest.param("a", marks=LONG), "]"])
@pytest.mark.parametrize(
    "lead", ["I", pytest.param("MDC_ECG_LEAD_II", marks=LONG), "Brustgurt, Kanal 1, links"]
)
@pytest.mark.parametrize("folders", [pytest.param(0, marks=LONG), pytest.param(1, marks=LONG), 5])
def test_speed_and_gain_are_whole_however_long_the_source_s_name(
    rig: Rig, folders: int, lead: str, key: str
) -> None:
    """Source first, then lead give way to them, and each has what room there is up to its last word."""
    header, name = rig.window.header, "wfdb:" + "/home/someone/with/a/long/name" * folders + "/00195_hr"
    header.start_stream(StreamInfo(name, 250.0, lead, is_lead_i=lead == "I"), "a model " * 3 * folders)
    rig.key(key)
    rig.tick()
    rig.qtbot.wait(1)
    assert rig.window.minimumSizeHint().width() <= 800
    assert header.scale.width() >= header.scale.words_px
    first, then = header.source, header.lead
    told = header.frozen if rig.window.frozen else header.clock
    for label in (told, header.state):
        assert label.width() >= label.words_px or then.width() == then.minimumSizeHint().width()
    if then.width() < then.words_px:  # the lead is cut only after the source has given all
        assert first.width() <= first.minimumSizeHint().width() + 0.02 * rig.window.width()
    if first.width() < first.words_px:  # nothing is left unused beside it
        used = (first, then, told, header.state, header.scale)
        assert sum(one.width() for one in used) + 24 + 18 * 5 >= rig.window.width() - 2


def test_the_help_covers_the_paper_alone_and_can_be_read_to_its_end(rig: Rig) -> None:
    rig.key("?")
    help_, paper = rig.window.help, rig.window.paper
    at = paper.mapTo(rig.window, QPoint(0, 0))
    assert QRect(at, paper.size()).contains(help_.geometry())
    label, bar = help_.widget(), help_.verticalScrollBar()
    assert label is not None and bar is not None
    assert label.height() <= help_.viewport().height() + bar.maximum() + 1  # type: ignore[union-attr]
    assert label.width() <= help_.width()


def test_what_is_wrong_with_the_lead_and_two_alarms_are_said_in_full(rig: Rig) -> None:
    """An asystole into which the signal is lost, and a lead with which three things are wrong, or all."""
    wrong = {Quality.SATURATED, Quality.NOISY, Quality.OUT_OF_RANGE}
    rig.tick(*(Beat(40.0, at_s=at_s) for at_s in (5.0, 6.58, 8.16)))  # RR 1580 ms (1580-1580)
    wrong = wrong if rig.window.height() < 600 else set(Quality)
    rig.tick(Alarm(AlarmKind.ASYSTOLE, True, "no beat for 4 s"), QualityChanged(frozenset(wrong), ""))
    rig.tick(StateChanged(State.RECONNECTING, ""), Alarm(AlarmKind.SIGNAL_LOST, True, "stale"))
    for _ in range(3):
        rig.tick()
        rig.qtbot.wait(1)
    assert list(cut(rig.panels.alarms.banner.widget)) == []
    column = rig.panels.numbers.widget
    assert list(cut(column)) == []
    labels = [label for label in column.findChildren(QLabel) if label.isVisible() and label.text()]
    boxes = [QRect(label.mapTo(column, QPoint(0, 0)), label.size()) for label in labels]
    assert not any(a.intersects(b) for k, a in enumerate(boxes) for b in boxes[:k])
    assert all(box.bottom() < column.height() for box in boxes)


@pytest.mark.parametrize("open_it", ["", "o", "h", "i"])
def test_what_is_made_has_its_place_in_a_window(
    open_it: str, qtbot: QtBot, tmp_path: Path, frame: MakeFrame
) -> None:
    """A label that no layout holds is a window of its own, which nobody sees."""
    before = set(QApplication.topLevelWidgets())
    rig = Rig(qtbot, tmp_path)
    rig.tick(StateChanged(State.LIVE, "live"), frame(0, 2500))
    if open_it:
        rig.key(open_it)
    rig.qtbot.wait(1)
    made = set(QApplication.topLevelWidgets()) - before
    assert rig.window in made
    assert [one for one in made if isinstance(one, QLabel | QPushButton | QAbstractSpinBox | QLineEdit)] == []


@pytest.mark.parametrize("open_it", ["o", "h", "i"])
def test_no_word_of_a_dialog_is_cut(rig: Rig, open_it: str) -> None:
    rig.key(open_it)
    rig.qtbot.wait(1)
    dialogs = [one for one in rig.window.findChildren(QDialog) if one.isVisible()]
    assert dialogs and [words for one in dialogs for words in cut(one)] == []


def test_every_control_has_a_name_and_the_bar_s_are_large_enough_to_touch(rig: Rig) -> None:
    for button in rig.window.findChildren(QAbstractButton):
        if button.isVisible() and button.objectName() != "qt_toolbar_ext_button":
            assert button.text() or button.accessibleName(), button
    replay = rig.panels.sources.replay
    bar = (replay.play_button, replay.slower_button, replay.faster_button)
    for button in (*rig.window.tools.buttons.values(), *bar):
        assert min(button.height(), button.width()) >= LEAST_PX or not button.isVisible()


@pytest.mark.parametrize("factor", [pytest.param("1.25", marks=pytest.mark.long), "2"])
def test_so_it_is_at_other_scale_factors(factor: str) -> None:
    """Of the screen; Qt reads it once, as a process begins."""
    some = "800x480 and (header or dialog or (test_no_word_is_cut and (ll or w)))"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__, "-k", some],
        env=os.environ | {"QT_SCALE_FACTOR": factor},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
