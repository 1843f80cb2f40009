# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from gui.paper.geometry import LAYOUTS
from gui.theme import LEAST_PX
from gui.toolbar import BUTTONS
from streamer.core.stream import Frame
from tests.gui.test_main_panels import Rig

MakeFrame = Callable[..., Frame]


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Rig:
    return Rig(qtbot, tmp_path)


def items(menu: QMenu) -> dict[str, QAction]:
    return {item.text().partition("\t")[0]: item for item in menu.actions()}


def test_every_button_stands_in_its_order_and_names_its_keys(rig: Rig) -> None:
    buttons = rig.window.tools.buttons
    assert list(buttons) == [word for word in BUTTONS if word in buttons]
    assert {"Connect", "Freeze", "Layout", "Gain", "Speed", "Measured leads", "Page", "Alarms"} <= set(
        buttons
    )
    for word, button in buttons.items():
        keys = [action.keys[0] for action in rig.window.table if action.button == word and action.keys]
        assert keys and all(key in button.toolTip() for key in keys)
        assert button.accessibleName() == word
        assert min(button.width(), button.height()) >= LEAST_PX


def test_a_button_does_what_its_key_does_and_shows_that_it_is_on(rig: Rig, frame: MakeFrame) -> None:
    rig.tick(frame(0, 2500))
    freeze = rig.window.tools.buttons["Freeze"]
    QTest.mouseClick(freeze, Qt.MouseButton.LeftButton)
    assert rig.window.frozen and freeze.isChecked()
    rig.key(" ")
    assert not rig.window.frozen and not freeze.isChecked()


def test_a_click_on_a_button_leaves_the_keys_with_the_paper(rig: Rig, frame: MakeFrame) -> None:
    rig.tick(frame(0, 2500))
    QTest.mouseClick(rig.window.tools.buttons["Measured leads"], Qt.MouseButton.LeftButton)
    focused = rig.window.focusWidget()
    assert focused is rig.window.paper
    QTest.keyClick(focused, Qt.Key.Key_Space)
    assert rig.window.frozen


def test_the_menu_has_every_action_once_by_group_with_check_marks_that_hold(rig: Rig) -> None:
    menu = rig.window.menu()
    groups = {item.text(): item.menu() for item in menu.actions()}
    assert list(groups) == list(dict.fromkeys(action.group for action in rig.window.table))
    found = [name for below in groups.values() if below is not None for name in items(below)]
    assert sorted(found) == sorted(action.name for action in rig.window.table)
    paper = groups["Paper"]
    assert paper is not None
    assert items(paper)["3x4"].isChecked() and not items(paper)["6x2"].isChecked()
    items(paper)["6x2"].trigger()
    again = next(item.menu() for item in rig.window.menu().actions() if item.text() == "Paper")
    assert again is not None
    assert [name for name in LAYOUTS if items(again)[name].isChecked()] == ["6x2"]


def test_the_menu_is_in_the_colours_of_the_theme(rig: Rig) -> None:
    for _ in range(2):
        menu = rig.window.menu()
        menu.ensurePolished()
        assert menu.grab().toImage().pixelColor(8, 3).name() == rig.window.paper.look.theme.bar
        rig.key("d")


def test_f11_fills_the_screen_and_lets_go(rig: Rig) -> None:
    QTest.keyClick(rig.window, Qt.Key.Key_F11)
    assert rig.window.isFullScreen()
    QTest.keyClick(rig.window, Qt.Key.Key_F11)
    assert not rig.window.isFullScreen()
