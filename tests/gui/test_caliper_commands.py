# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from PyQt6.QtCore import QPointF, Qt
from PyQt6.QtTest import QTest
from pytestqt.qtbot import QtBot

from gui.paper.calipers import Calipers, Spot
from gui.paper.geometry import RHYTHM
from streamer.core.events import Beat
from streamer.core.stream import Frame, StreamInfo
from tests.gui.a_monitor import RATE_HZ, Monitor

MakeFrame = Callable[..., Frame]
Left = Qt.MouseButton.LeftButton


@pytest.fixture
def monitor(qtbot: QtBot, frame: MakeFrame) -> Monitor:
    monitor = Monitor(qtbot, StreamInfo("wfdb:s0010_re", RATE_HZ, lead="i"))
    monitor.show(frame(0, 2500))
    monitor.send(" ")
    return monitor


def span(lead: str, from_s: float, to_s: float) -> Calipers:
    return Calipers(Spot(lead, from_s, 0.0), Spot(lead, to_s, 0.0))


@pytest.mark.parametrize("rr_ms", [400.0, 800.0, 1000.0, 1500.0])
@pytest.mark.parametrize("qt_ms", [280.0, 400.0, 520.0])
def test_qt_is_corrected_by_bazett_and_by_fridericia(qt_ms: float, rr_ms: float) -> None:
    calipers = Calipers(Spot("II", 1.0, 0.0), Spot("II", 1.0 + qt_ms / 1e3, 0.0), "QT", rr_ms=rr_ms)
    bazett, fridericia = calipers.qtc_ms or (np.nan, np.nan)
    assert bazett == pytest.approx(qt_ms / np.sqrt(rr_ms / 1e3))
    assert fridericia == pytest.approx(qt_ms / np.cbrt(rr_ms / 1e3))
    assert f"{bazett:.0f}" in calipers.words() and f"{fridericia:.0f}" in calipers.words()


def test_without_rr_there_is_no_corrected_qt() -> None:
    assert Calipers(Spot("II", 1.0, 0.0), Spot("II", 1.4, 0.0), "QT").qtc_ms is None


@pytest.mark.parametrize(
    ("lead", "rhythm", "estimate"),
    [
        ("I", "measured", False),
        ("V2", "measured", True),
        (RHYTHM, "measured", False),
        (RHYTHM, "diagnostic", False),
        (RHYTHM, "II", True),
    ],
)
def test_they_say_on_which_lead_they_measure_and_whether_it_is_an_estimate(
    lead: str, rhythm: str, estimate: bool
) -> None:
    said = span(lead, 1.0, 1.4).where(rhythm)
    assert ("estimate" in said) == estimate
    assert (rhythm if lead == RHYTHM and estimate else "I" if not estimate else lead) in said


def test_rr_is_measured_first_and_corrects_qt_then(monitor: Monitor) -> None:
    do, paper = monitor.window.calipers, monitor.window.paper
    monitor.send("y")
    do.span(span("I", 2.0, 2.64))
    assert paper.calipers is not None and paper.calipers.measure == "RR"
    monitor.send("y")
    do.span(span("V2", 3.0, 3.4))
    assert paper.calipers.measure == "QT" and paper.calipers.rr_ms == pytest.approx(640.0)
    monitor.send("y")
    assert paper.calipers.measure == "interval"


def test_else_the_beats_give_rr(qtbot: QtBot, frame: MakeFrame) -> None:
    monitor = Monitor(qtbot, StreamInfo("wfdb:s0010_re", RATE_HZ, lead="i"))
    for at_s, rr_s in ((1.0, math.nan), (1.9, 0.9), (2.7, 0.8)):
        monitor.inbox.event(Beat(70.0, rr_s, at_s=at_s))
    monitor.show(frame(0, 2500))
    monitor.send("yy")
    monitor.window.calipers.span(span("II", 2.66, 3.05))
    calipers = monitor.window.paper.calipers
    assert calipers is not None and calipers.rr_ms == pytest.approx(800.0, abs=5.0)
    monitor.inbox.event(Beat(70.0, at_s=3.1))  # behind lost samples
    monitor.show(frame(2500, 10))
    monitor.window.calipers.span(span("II", 3.06, 3.45))
    calipers = monitor.window.paper.calipers
    assert calipers is not None and calipers.rr_ms is None


def test_a_handle_moves_one_end_and_leaves_the_other(monitor: Monitor) -> None:
    paper = monitor.window.paper
    monitor.window.calipers.span(span("V2", 4.0, 5.0))
    end = paper.place(Spot("V2", 5.0, 0.0))
    assert end is not None
    QTest.mousePress(paper, Left, pos=end.toPoint())
    QTest.mouseMove(paper, (end + QPointF(40, 0)).toPoint())
    QTest.mouseRelease(paper, Left, pos=(end + QPointF(40, 0)).toPoint())
    calipers = paper.calipers
    assert calipers is not None and calipers.begin.at_s == pytest.approx(4.0, abs=0.01)
    assert calipers.end.at_s == pytest.approx(5.0 + 40 / paper.sheet.scale.px_per_s, abs=0.02)


def test_marching_out_draws_the_interval_along_the_lead_and_nothing_beside_it(monitor: Monitor) -> None:
    monitor.window.calipers.span(span("V2", 4.0, 4.5))
    before = monitor.picture()
    monitor.send("z")
    changed = (monitor.picture() != before).any(axis=2)
    area, paper = monitor.area("V2"), monitor.window.paper
    rows = np.flatnonzero(changed.any(axis=1))
    assert len(rows) and rows.min() >= area.top - 1 and rows.max() <= area.bottom + 1
    for at_s in (3.0, 3.5, 5.0, 6.0):
        place = paper.place(Spot("V2", at_s, 0.0))
        if place is not None:
            assert changed[:, round(place.x()) - 1 : round(place.x()) + 2].any()


def test_a_wheel_notch_freezes_for_a_while_only_and_calipers_hold_it(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor.send(" ")
    assert not monitor.window.frozen
    monitor.window.paper.wheeled.emit(1)
    assert monitor.window.frozen and "goes on in" in monitor.words()
    now_s = time.monotonic()
    monkeypatch.setattr("gui.window.time.monotonic", lambda: now_s + 60.0)
    monitor.window.tick()
    assert not monitor.window.frozen
    monitor.window.paper.wheeled.emit(1)
    monitor.window.calipers.span(span("V2", 4.0, 5.0))
    monkeypatch.setattr("gui.window.time.monotonic", lambda: now_s + 600.0)
    monitor.window.tick()
    assert monitor.window.frozen


def test_what_space_froze_stays_frozen_whatever_the_wheel_does(monitor: Monitor) -> None:
    monitor.window.paper.wheeled.emit(1)
    monitor.window.time.let_go_if_due(1e12)
    assert monitor.window.frozen


@pytest.mark.parametrize("back", [0, 1, 2, 3, 5, 7])
def test_a_marker_on_a_picture_that_was_looked_back_in_is_drawn_where_it_was_set(
    monitor: Monitor, back: int
) -> None:
    window = monitor.window
    for _ in range(back):
        window.time.look_back(-0.237)
    before = monitor.picture()
    window.time.mark(window.seen()[1], "here")
    changed = (monitor.picture() != before).any(axis=2)
    columns = np.flatnonzero(changed.sum(axis=0) > 0.5 * changed.shape[0])
    right = max(round(area.right) for area in window.paper.sheet.areas)
    assert columns.size and abs(columns.max() - (right - 1)) <= 1
    assert changed.any(axis=0).sum() > 20  # the note too


@pytest.mark.parametrize("measure", ["interval", "RR", "QT"])
@pytest.mark.parametrize("size", [(800, 480), (1280, 720), (1920, 1080)])
def test_what_they_say_is_seen_whole_at_the_paper_s_right_edge(
    qtbot: QtBot, frame: MakeFrame, size: tuple[int, int], measure: str
) -> None:
    monitor = Monitor(qtbot, StreamInfo("wfdb:s0010_re", RATE_HZ, lead="i"), size=size)
    monitor.wear(layout="3x4")
    monitor.show(frame(0, 2500))
    monitor.send(" ")
    paper = monitor.window.paper
    before = monitor.picture()
    edge_s = monitor.window.seen()[1]
    calipers = Calipers(Spot("V5", edge_s - 0.4, 0.0), Spot("V5", edge_s - 0.1, 0.0), measure, rr_ms=800.0)
    paper.calipers = calipers
    changed = (monitor.picture() != before).any(axis=2)
    right = max(area.right for area in paper.sheet.areas)
    columns = np.flatnonzero(changed[round(monitor.area("V5").bottom) - 12])
    assert columns.max() <= right + 1
