# SPDX-License-Identifier: GPL-3.0-or-later
"""Freezing, looking back, measuring and marking, as a person does it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QPoint, QPointF, Qt
from PyQt6.QtGui import QWheelEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.paper.calipers import Calipers, Spot
from gui.signal.frozen_view import FrozenView
from gui.signal.history import KEPT_S, History
from gui.theme import LIGHT
from streamer.core.events import Battery, Beat, Marker, Quality, QualityChanged
from streamer.core.stream import Frame, StreamInfo
from tests.gui.a_monitor import PX_PER_MM, RATE_HZ, Monitor, wave_mv

MakeFrame = Callable[..., Frame]
NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def monitor(qtbot: QtBot, frame: MakeFrame) -> Monitor:
    """With 40 s behind it."""
    monitor = Monitor(qtbot, StreamInfo("wfdb:s0010_re", RATE_HZ, lead="i"))
    monitor.show(*(frame(at, 50) for at in range(0, 10_000, 50)))
    return monitor


def edge_s(monitor: Monitor) -> float:
    return float(monitor.drawn("II")[0][-1])


def test_arrows_pages_and_the_wheel_look_back_and_freeze(monitor: Monitor, frame: MakeFrame) -> None:
    window = monitor.window
    shown_s = window.time.shown_s
    steps = [
        (Qt.Key.Key_Left, 39.0),
        (Qt.Key.Key_Left, 38.0),
        (Qt.Key.Key_Right, 39.0),
        (Qt.Key.Key_PageUp, 39.0 - shown_s),
        (Qt.Key.Key_PageDown, 39.0),
        (Qt.Key.Key_Home, shown_s),
        (Qt.Key.Key_End, 40.0),
        (Qt.Key.Key_Right, 40.0),
    ]
    for key, at_s in steps:
        QTest.keyClick(window, key)
        assert window.frozen
        assert edge_s(monitor) == pytest.approx(at_s, abs=0.02)
        when, mv = monitor.drawn("II")
        seen = np.isfinite(mv)
        seen[-4:] = False
        assert seen.sum() > 300
        assert np.abs(mv - wave_mv("II", when))[seen].max() < 0.03
    QTest.keyClick(window, Qt.Key.Key_Left)
    assert "1.0 s back" in monitor.words()
    paper = window.paper
    wheel = QWheelEvent(
        QPointF(200, 200),
        paper.mapToGlobal(QPointF(200, 200)),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        NONE,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(paper, wheel)
    assert edge_s(monitor) == pytest.approx(39.0 - 0.1 * shown_s, abs=0.02)
    monitor.send(" ")
    assert not window.frozen
    monitor.show(*(frame(at, 50) for at in range(10_000, 10_500, 50)))
    assert edge_s(monitor) == pytest.approx(42.0, abs=0.02)


def test_what_a_person_looks_at_stays_while_ten_minutes_more_come(frame: MakeFrame) -> None:
    history = History()
    history.frame(frame(0, 5000))
    back = FrozenView(history, 20.0, 0.0)
    for at in range(5000, 170_000, 1000):
        history.frame(frame(at, 1000))
    back.to(10.0, 5.0)
    assert back.edge_s == 10.0 and back.back_s == 10.0 and back.moved
    assert back.history.traces is not None and history.traces is not None
    assert np.array_equal(back.history.traces.view(0, 5000).leads_mv, frame(0, 5000).leads_mv)
    assert np.isnan(history.traces.view(0, 5000).leads_mv).all()
    back.oldest(5.0)
    assert back.edge_s == 5.0
    back.newest()
    assert back.edge_s == 20.0


def test_ten_minutes_are_kept_in_bounded_memory(frame: MakeFrame) -> None:
    history = History()
    history.frame(frame(0, 10))
    assert history.traces is not None
    before = history.traces._rows.nbytes
    for at in range(10, round(1.1 * KEPT_S * RATE_HZ), 5000):
        history.frame(frame(at, 5000))
        for k in range(20):
            history.event(Beat(at_s=(at + 250 * k) / RATE_HZ))
    assert history.traces._rows.nbytes == before < 16e6
    assert history.stop_s - history.start_s == KEPT_S
    assert all(mark.at_s >= history.start_s - 20 for mark in history.beats) and len(history.beats) < 700


def drag(monitor: Monitor, begin: QPointF, end: QPointF) -> None:
    paper = monitor.window.paper
    QTest.mousePress(paper, Qt.MouseButton.LeftButton, NONE, begin.toPoint())
    for share in (0.3, 0.7, 1.0):
        QTest.mouseMove(paper, (begin + (end - begin) * share).toPoint())
    QTest.mouseRelease(paper, Qt.MouseButton.LeftButton, NONE, end.toPoint())


@pytest.mark.parametrize("sweep", [False, True])
def test_calipers_read_ms_mv_and_bpm(monitor: Monitor, sweep: bool) -> None:
    monitor.wear(sweep=sweep)
    monitor.show()
    monitor.send(" ")
    area = monitor.area("V2")
    viewport = monitor.window.paper.sheet.viewports[0]
    bar = viewport.edge % viewport.width if sweep else viewport.width
    begin = QPointF(area.left + (30 if bar > 200 else 300), area.baseline)
    drag(monitor, begin, begin + QPointF(20 * PX_PER_MM, -5 * PX_PER_MM))
    calipers = monitor.window.paper.calipers
    assert calipers is not None and calipers.begin.lead == "V2"
    assert calipers.ms == pytest.approx(800, abs=11)
    assert calipers.mv == pytest.approx(0.5, abs=0.03)
    assert (
        calipers.words() == f"{calipers.ms:.0f} ms   {calipers.mv:+.2f} mV   {60_000 / calipers.ms:.0f} bpm"
    )
    place = monitor.window.paper.place(calipers.begin)
    assert place is not None and (place - begin).manhattanLength() < 2
    row = round(begin.y() - 40)
    before = monitor.picture()
    QTest.keyClick(monitor.window, Qt.Key.Key_Escape)
    assert monitor.window.paper.calipers is None
    changed = (before != monitor.picture()).any(axis=2)
    assert changed[:, round(begin.x())].any() and not changed[row - 100 :, 10].any()


def test_calipers_stay_with_the_signal_and_a_click_takes_them_away(monitor: Monitor) -> None:
    monitor.send(" ")
    area = monitor.area("V2")
    begin = QPointF(area.left + 230, area.baseline)
    drag(monitor, begin, begin + QPointF(80, 0))
    calipers = monitor.window.paper.calipers
    assert calipers is not None
    QTest.keyClick(monitor.window, Qt.Key.Key_Left)
    place = monitor.window.paper.place(calipers.begin)
    assert place is not None and place.x() - begin.x() == pytest.approx(25 * PX_PER_MM, abs=2)
    QTest.mouseClick(monitor.window.paper, Qt.MouseButton.LeftButton, NONE, begin.toPoint())
    assert monitor.window.paper.calipers is None


@pytest.mark.parametrize(
    ("ms", "bpm"), [(800.0, 75.0), (200.0, 300.0), (100.0, None), (0.0, None), (7000.0, None)]
)
def test_a_rate_is_said_where_there_could_be_one(ms: float, bpm: float | None) -> None:
    calipers = Calipers(Spot("I", 3.0 + ms / 1e3, 0.1), Spot("I", 3.0, -0.2))
    assert calipers.ms == pytest.approx(ms)
    assert calipers.mv == pytest.approx(-0.3)
    assert calipers.bpm == (None if bpm is None else pytest.approx(bpm))
    assert ("bpm" in calipers.words()) == (bpm is not None)


def test_a_marker_with_its_note_goes_to_every_sink_and_onto_the_paper(monitor: Monitor) -> None:
    monitor.send("m")
    note = monitor.window.time.note
    assert note.isVisible()
    QTest.keyClicks(note, "arm moved, q and all")  # none of these is a key of the window now
    QTest.keyClick(note, Qt.Key.Key_Return)
    assert not note.isVisible() and monitor.closed == 0
    (event,) = monitor.told
    assert isinstance(event, Marker) and event.text == "arm moved, q and all"
    assert event.at_s == pytest.approx(40.0, abs=0.1)
    (mark,) = monitor.window.stream.history.markers
    assert (mark.at_s, mark.text) == (event.at_s, event.text) and np.isnan(mark.bpm)


def test_a_marker_while_looking_back_stands_where_one_looks(monitor: Monitor) -> None:
    QTest.keyClick(monitor.window, Qt.Key.Key_PageUp)
    at_s = edge_s(monitor)
    monitor.send("m")
    QTest.keyClick(monitor.window.time.note, Qt.Key.Key_Return)
    assert monitor.told[0].at_s == pytest.approx(at_s, abs=0.02)
    assert monitor.told[0].text == "marker"
    QTest.keyClick(monitor.window, Qt.Key.Key_Right)
    when, mv = monitor.drawn("II", LIGHT.warning)
    assert np.isfinite(mv[np.abs(when - at_s) < 0.02]).any(), "a line stands there"
    assert not np.isfinite(mv[when < at_s - 0.1]).any()


def test_a_marker_can_be_left_alone(monitor: Monitor) -> None:
    monitor.send("m")
    QTest.keyClick(monitor.window.time.note, Qt.Key.Key_Escape)
    assert not monitor.window.time.note.isVisible() and monitor.told == []
    monitor.send("d")
    assert monitor.window.paper.look.theme is not LIGHT, "the keys are the window's again"


def test_a_stretch_that_is_not_to_be_trusted_begins_and_ends_once(frame: MakeFrame) -> None:
    history = History()
    history.frame(frame(0, 1000))
    off, noisy = frozenset({Quality.NO_CONTACT}), frozenset({Quality.NOISY, Quality.NO_CONTACT})
    assert history.event(QualityChanged(off, "", at_s=1.0)) is not None
    assert history.event(QualityChanged(noisy, "", at_s=2.0)) is None
    assert history.event(QualityChanged(frozenset(), "", at_s=3.0)) is not None
    assert history.event(QualityChanged(frozenset(), "", at_s=3.5)) is None
    assert history.untrusted == [(1.0, 3.0)]
    assert history.event(Battery(50)) is None


@pytest.mark.long
@pytest.mark.parametrize("keys", ["", "llst"])
def test_half_an_hour_leaves_nothing_behind(keys: str) -> None:
    """The whole window, painted, with beats, ribbons and a truth, as fast as it goes."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.screen", "--minutes=30", f"--keys={keys}"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["grew_mb"] < 5
