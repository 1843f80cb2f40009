# SPDX-License-Identifier: GPL-3.0-or-later
"""What users of other programs reported, tried on this window; the table is in docs/monitor.md."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from streamer.core.leads import LEADS
from streamer.core.stream import Frame, StreamInfo
from tests.gui.a_monitor import RATE_HZ, Monitor, wave_mv

MakeFrame = Callable[..., Frame]


@pytest.fixture
def monitor(qtbot: QtBot) -> Monitor:
    return Monitor(qtbot, StreamInfo("wfdb:s0010_re", RATE_HZ, lead="i"))


@pytest.mark.parametrize("keys", ["]", "[", "+", "s", "n"])
def test_a_still_picture_is_drawn_again_at_another_speed_or_gain(
    monitor: Monitor, frame: MakeFrame, keys: str
) -> None:
    """open-ephys/GUI#175: paused, the time scale changed and the signal did not."""
    monitor.show(frame(0, 10_000))
    monitor.send(" ")
    monitor.send(keys)
    at_s, mv = monitor.drawn("V2")
    seen = np.isfinite(mv)
    assert seen.sum() > 100 and 39.0 < at_s[seen].max() <= 40.02
    assert np.median(np.abs(mv[seen][:-4] - wave_mv("V2", at_s[seen])[:-4])) < 0.05


@pytest.mark.parametrize("layout", ["3x4", "6x2", "12x1"])
def test_a_still_picture_holds_every_lead_also_those_that_were_not_seen(
    monitor: Monitor, frame: MakeFrame, layout: str
) -> None:
    """open-ephys/plugin-GUI#666: paused, channels off the screen were gone."""
    monitor.wear(selected="V3", enlarged=True)
    monitor.show(frame(0, 5000))
    monitor.send(" ")
    monitor.wear(enlarged=False, layout=layout)
    assert all(np.isfinite(monitor.drawn(lead)[1]).any() for lead in LEADS)


def test_nothing_is_reset_however_long_it_runs(monitor: Monitor, frame: MakeFrame) -> None:
    """rbei-etas/busmaster#539 and #819: every minute, or 20 s, it began again and the past was lost."""
    for start in range(0, round(650 * RATE_HZ), 12_500):
        monitor.show(frame(start, 12_500))
    monitor.window.time.look_back(-590.0)
    at_s, mv = monitor.drawn("V1")
    seen = np.isfinite(mv)
    assert at_s[seen].min() > 50.0 and at_s[seen].max() < 75.0 and seen.mean() > 0.9


@pytest.mark.parametrize("turn", [120, -120])
def test_the_wheel_looks_back_one_way_and_on_the_other(monitor: Monitor, frame: MakeFrame, turn: int) -> None:
    """neuroethology/bento#156: it moved back in time whichever way it was turned."""
    monitor.show(frame(0, 20_000))
    monitor.window.time.look_back(-20.0)
    before_s = monitor.window.seen()[1]
    paper, none = monitor.window.paper, Qt.MouseButton.NoButton
    middle = QPointF(paper.rect().center())
    held, phase = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    turned = QWheelEvent(middle, middle, QPoint(), QPoint(0, turn), none, held, phase, False)
    QApplication.sendEvent(paper, turned)
    assert (monitor.window.seen()[1] < before_s) == (turn > 0) and monitor.window.seen()[1] != before_s


def test_let_go_the_picture_is_at_the_newest_and_not_where_it_was_held(
    monitor: Monitor, frame: MakeFrame
) -> None:
    """rerun-io/rerun#1964: what Space held and let go again was at neither place."""
    monitor.show(frame(0, 5000))
    monitor.send(" ")
    monitor.show(frame(5000, 5000))
    assert monitor.window.seen()[1] == pytest.approx(20.0, abs=0.1)
    monitor.send(" ")
    monitor.window.tick()
    assert monitor.drawn("V1")[0][-1] == pytest.approx(40.0, abs=0.1)


def test_a_window_that_stood_still_is_up_to_date_at_once(
    monitor: Monitor, frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """epochjs/epoch#61: behind another tab it was never up to date again."""
    monitor.show(frame(0, 500))
    real = time.monotonic
    monkeypatch.setattr("time.monotonic", lambda: real() + 60.0)
    for start in range(500, 500 + round(60 * RATE_HZ), 50):
        monitor.inbox.frame(frame(start, 50))
    monitor.window.tick()
    monkeypatch.setattr("time.monotonic", lambda: real() + 61.0)
    monitor.inbox.frame(frame(500 + round(60 * RATE_HZ), round(RATE_HZ)))
    monitor.window.tick()
    assert monitor.drawn("V1")[0][-1] == pytest.approx(63.0, abs=0.6)
