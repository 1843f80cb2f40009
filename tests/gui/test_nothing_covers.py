# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that opens covers the alarms, the heart rate, whether alarms sound, or the state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt6.QtCore import QPoint, QRect
from PyQt6.QtWidgets import QApplication, QDialog, QWidget
from pytestqt.qtbot import QtBot

from streamer.core.events import Alarm, AlarmKind, Beat, State, StateChanged
from streamer.core.stream import Frame
from tests.gui.test_main_panels import Rig

MakeFrame = Callable[..., Frame]

SIZES = [(800, 480), (1024, 600), (1280, 720), (1920, 1080), (3840, 2160)]


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def rig(request: pytest.FixtureRequest, qtbot: QtBot, tmp_path: Path, frame: MakeFrame) -> Rig:
    rig = Rig(qtbot, tmp_path)
    rig.window.resize(*request.param)
    rig.tick(StateChanged(State.LIVE, "live"), frame(0, 2500), Beat(72.0, at_s=9.5))
    rig.tick(Alarm(AlarmKind.LOW_RATE, True, "39 bpm, below 40"), Alarm(AlarmKind.SIGNAL_LOST, True, "stale"))
    rig.qtbot.wait(1)
    return rig


def place_of(part: QWidget) -> QRect:
    return QRect(part.mapToGlobal(QPoint(0, 0)), part.size())


def kept_free(rig: Rig) -> dict[str, QRect]:
    banner, numbers, header = rig.panels.alarms.banner, rig.panels.numbers, rig.window.header
    parts = {
        "alarms": banner.widget,
        "rate": numbers.bpm_label,
        "bell": banner.bell,
        "state": header.state,
    }
    assert all(part.isVisible() and part.width() and part.height() for part in parts.values())
    return {name: place_of(part) for name, part in parts.items()}


def opened(rig: Rig, before: set[QWidget]) -> list[QWidget]:
    """What is seen now and was not, but for what stands within something else that is."""
    now = {one for one in rig.window.findChildren(QWidget) if one.isVisible()} - before
    now |= {one for one in QApplication.topLevelWidgets() if one.isVisible() and one is not rig.window}
    return [one for one in now if one.parentWidget() not in now]


@pytest.mark.parametrize("open_it", ["?", "o", "h", "i", "c", "w", "m", "notice"])
def test_nothing_that_opens_covers_what_must_be_seen(rig: Rig, open_it: str) -> None:
    before = {one for one in rig.window.findChildren(QWidget) if one.isVisible()}
    if open_it == "notice":
        rig.panels.notice.say("a line " * 100)
    else:
        rig.key(open_it)
    rig.tick()
    rig.qtbot.wait(1)
    new = opened(rig, before)
    assert new, "something opened"
    for one in new:
        seen = place_of(one)
        if not isinstance(one, QDialog):  # a part of the window is cut where its parent ends
            parent = one.parentWidget()
            assert parent is not None
            seen &= place_of(parent)
        for name, place in kept_free(rig).items():
            assert not seen.intersects(place), f"{type(one).__name__} covers {name}"


def test_a_dialog_comes_back_whole_and_beside_them_when_the_window_has_moved(rig: Rig) -> None:
    for at in (QPoint(0, 0), QPoint(40, 60)):
        rig.window.move(at)
        rig.key("h")
        rig.qtbot.wait(1)
        dialog = rig.panels.alarms.limits
        assert not any(place_of(dialog).intersects(place) for place in kept_free(rig).values())
        assert dialog.height() >= dialog.minimumSizeHint().height()
        dialog.close()
