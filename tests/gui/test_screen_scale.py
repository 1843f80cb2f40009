# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import dataclass

import pytest
from PyQt6.QtCore import QSize, QSizeF
from PyQt6.QtGui import QFont
from pytestqt.qtbot import QtBot

from gui.paper.geometry import LAYOUTS, Scale, lay_out
from gui.paper.grid import Words, label
from gui.signal.inbox import Inbox
from gui.theme import LIGHT
from gui.window import MonitorWindow
from streamer.core.stream import StreamInfo


@dataclass
class AScreen:
    width: int
    wide_mm: float

    def size(self) -> QSize:
        return QSize(self.width, self.width * 9 // 16)

    def physicalSize(self) -> QSizeF:  # noqa: N802 - Qt's name
        return QSizeF(self.wide_mm, self.wide_mm * 9 / 16)


def window_of(qtbot: QtBot, px_per_mm: float | None) -> MonitorWindow:
    window = MonitorWindow(Inbox(), StreamInfo("a", 250.0), "", 0.0, lambda: None, px_per_mm)
    window.timer.stop()
    qtbot.addWidget(window)
    window.show()
    return window


def test_a_millimetre_follows_the_window_to_another_screen(qtbot: QtBot) -> None:
    window = window_of(qtbot, None)
    for width, wide_mm in ((1920, 480.0), (3840, 480.0), (1600, 320.0)):
        window.screen_scale.to(AScreen(width, wide_mm))  # type: ignore[arg-type]
        assert window.paper.look.scale.px_per_mm == pytest.approx(width / wide_mm)


def test_one_that_was_set_stays(qtbot: QtBot) -> None:
    window = window_of(qtbot, 4.0)
    window.screen_scale.to(AScreen(3840, 480.0))  # type: ignore[arg-type]
    assert window.paper.look.scale.px_per_mm == 4.0
    other = window_of(qtbot, None)
    other.do.millimetre(1.01)
    by_hand = other.paper.look.scale.px_per_mm
    other.screen_scale.to(AScreen(3840, 480.0))  # type: ignore[arg-type]
    assert other.paper.look.scale.px_per_mm == by_hand


@pytest.mark.parametrize("layout", list(LAYOUTS))
@pytest.mark.parametrize("ratio", [1.0, 1.25, 1.5, 2.0])
@pytest.mark.parametrize("size", [(800, 480), (1280, 720), (1920, 1080), (3840, 2160)])
def test_a_lead_s_name_grows_with_the_screen_s_scale_factor(
    qtbot: QtBot, size: tuple[int, int], ratio: float, layout: str
) -> None:
    tall = []
    for factor in (1.0, ratio):
        scale = Scale(3.0 * factor)
        areas = lay_out(LAYOUTS[layout], size[0] * factor, size[1] * factor, scale)
        words = [Words("aVR", LIGHT.ink, name=True), Words("reconstructed", LIGHT.ink)]
        one = label(words, areas[1], scale, LIGHT, QFont(), False, factor)
        tall.append(one.rect.height())
        assert one.rect.width() <= areas[1].right - areas[1].left
    assert tall[1] == pytest.approx(ratio * tall[0], rel=0.12)
