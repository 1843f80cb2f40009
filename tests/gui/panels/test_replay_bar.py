# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math

import pytest
from PyQt6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from gui.panels.replay_bar import SPEEDS, ReplayBar, next_speed
from gui.theme import LIGHT
from tests.gui.a_controller import APlayer


class Rig:
    def __init__(self, qtbot: QtBot, player: APlayer | None) -> None:
        self.sought: list[float] = []
        self.said: list[str] = []
        self.bar = ReplayBar(self.sought.append, self.said.append)
        self.player = player
        qtbot.addWidget(self.bar.widget)
        self.bar.apply_theme(LIGHT)
        self.bar.widget.resize(900, 34)
        self.bar.control(player)


@pytest.fixture
def rig(qtbot: QtBot) -> Rig:
    return Rig(qtbot, APlayer())


def player_of(rig: Rig) -> APlayer:
    assert rig.player is not None
    return rig.player


def test_a_live_source_has_no_bar(qtbot: QtBot) -> None:
    rig = Rig(qtbot, None)
    assert rig.bar.widget.isHidden() and not rig.bar.paused
    rig.bar.play_or_pause()
    rig.bar.change_speed(1)
    rig.bar.jump(10)
    assert not rig.sought


def test_play_and_pause(rig: Rig, qtbot: QtBot) -> None:
    player = player_of(rig)
    assert "Pause" in rig.bar.play_button.text()
    qtbot.mouseClick(rig.bar.play_button, Qt.MouseButton.LeftButton)
    assert player.paused and rig.bar.paused and "Play" in rig.bar.play_button.text()
    rig.bar.play_or_pause()
    assert not player.paused


def test_speeds_go_up_and_down_by_steps_and_stay_within(rig: Rig, qtbot: QtBot) -> None:
    player = player_of(rig)
    for _ in range(9):
        qtbot.mouseClick(rig.bar.faster_button, Qt.MouseButton.LeftButton)
    assert player.speed == 8 and rig.bar.speed_label.text() == "8×"
    seen = []
    for _ in range(9):
        qtbot.mouseClick(rig.bar.slower_button, Qt.MouseButton.LeftButton)
        seen.append(player.speed)
    assert seen[:5] == list(reversed(SPEEDS))[1:] and player.speed == 0.25


@pytest.mark.parametrize(
    ("speed", "down", "up"), [(1.5, 1, 2), (math.inf, 8, 8), (0.1, 0.25, 0.25), (20, 8, 8)]
)
def test_from_other_speeds_the_next_step_is_a_usual_one(speed: float, down: float, up: float) -> None:
    assert (next_speed(speed, -1), next_speed(speed, 1)) == (down, up)


def test_a_speed_that_is_refused_is_said(rig: Rig) -> None:
    player_of(rig).fixed = True
    rig.bar.change_speed(1)
    assert rig.said == ["it cannot be played so"] and player_of(rig).speed == 1


def test_the_bar_says_where_it_is(rig: Rig) -> None:
    player_of(rig).position_s = 45.0
    rig.bar.refresh()
    assert rig.bar.place_label.text() == "0:45 / 1:00" and rig.bar.slider.value() == 750


def test_a_click_on_the_slider_seeks_there(rig: Rig, qtbot: QtBot) -> None:
    rig.bar.widget.show()
    slider = rig.bar.slider
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(slider.width() // 2, slider.height() // 2))
    assert rig.sought == [pytest.approx(30.0, abs=1.0)]


def test_a_drag_seeks_once_where_it_ends(rig: Rig, qtbot: QtBot) -> None:
    rig.bar.widget.show()
    slider = rig.bar.slider
    middle = slider.height() // 2
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=QPoint(6, middle))
    for x in range(10, slider.width() * 3 // 4, 20):
        qtbot.mouseMove(slider, QPoint(x, middle))
        rig.bar.refresh()  # the clock must not pull the handle from under the hand
    assert not rig.sought
    qtbot.mouseRelease(slider, Qt.MouseButton.LeftButton, pos=QPoint(slider.width() * 3 // 4, middle))
    assert len(rig.sought) == 1 and rig.sought[0] > 35


def test_jumps_stay_within_the_recording(rig: Rig) -> None:
    player_of(rig).position_s = 5.0
    rig.bar.jump(-10)
    player_of(rig).position_s = 55.0
    rig.bar.jump(10)
    assert rig.sought == [0.0, 59.0]


def test_what_never_ends_has_no_slider_but_can_be_jumped_in(qtbot: QtBot) -> None:
    rig = Rig(qtbot, APlayer(None))
    player_of(rig).position_s = 4000.0
    rig.bar.refresh()
    assert rig.bar.slider.isHidden() and rig.bar.place_label.text() == "1:06:40"
    rig.bar.jump(10)
    assert rig.sought == [4010.0]


def test_what_has_ended_begins_again(rig: Rig) -> None:
    ended = True
    rig.bar.control(rig.player, lambda: ended)
    assert "Again" in rig.bar.play_button.text()
    rig.bar.play_or_pause()
    assert rig.sought == [0.0] and not player_of(rig).paused
    ended = False
    rig.bar.refresh()
    assert "Pause" in rig.bar.play_button.text()
