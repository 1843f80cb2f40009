# SPDX-License-Identifier: GPL-3.0-or-later
"""Time that runs on over the columns: one layout on the screen and on the page."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from gui.paper.calipers import Spot
from gui.paper.geometry import RHYTHM
from gui.paper.viewport import Course, Viewport
from streamer.core.leads import LEADS
from streamer.core.stream import Frame, StreamInfo
from streamer.export.page_layout import PAGE_S, panels
from tests.gui.a_monitor import RATE_HZ, Monitor, wave_mv

MakeFrame = Callable[..., Frame]


@pytest.mark.parametrize("layout", ["3x4", "6x2", "12x1"])
def test_each_column_goes_on_where_the_one_before_ends(qtbot: QtBot, frame: MakeFrame, layout: str) -> None:
    monitor = Monitor(qtbot, StreamInfo("wfdb:s0010_re", RATE_HZ, lead="i"))
    monitor.wear(layout=layout, sweep=False, consecutive=True)
    monitor.show(frame(0, 5000))
    sheet = monitor.window.paper.sheet
    columns = [a for a in sheet.areas if a.row == 0 and a.lead != RHYTHM]
    spans = []
    for area in columns:
        first, last = (
            sheet.spot(area.left + 0.01, area.baseline),
            sheet.spot(area.right - 0.01, area.baseline),
        )
        assert first is not None and last is not None
        spans.append((first.at_s, last.at_s))
        assert sheet.place(Spot(area.lead, last.at_s, 0.0)) is not None
    for (_, ends_s), (begins_s, _) in pairwise(spans):
        assert begins_s == pytest.approx(ends_s, abs=1.5 / sheet.scale.px_per_s)
    assert spans[-1][1] == pytest.approx(20.0, abs=0.05)
    assert spans[-1][1] - spans[0][0] == pytest.approx(sheet.shown_s, abs=0.05)


@pytest.mark.parametrize("layout", ["3x4", "6x2", "12x1"])
@pytest.mark.parametrize("samples", [100, 1700, 2500, 4100, 5000])
def test_sweeping_the_edge_goes_through_all_columns_one_after_the_other(
    qtbot: QtBot, frame: MakeFrame, layout: str, samples: int
) -> None:
    monitor = Monitor(qtbot, StreamInfo("wfdb:s0010_re", RATE_HZ, lead="i"))
    monitor.wear(layout=layout, sweep=True, consecutive=True)
    for start in range(0, samples, 100):  # as it comes: what was drawn stays
        monitor.show(frame(start, 100))
    sheet = monitor.window.paper.sheet
    per_s, lap = sheet.scale.px_per_s, sheet.viewports[0].course.lap  # type: ignore[union-attr]
    top = [area for area in sheet.areas if area.row == 0 and area.lead != RHYTHM]
    newest = math.floor(samples / RATE_HZ * per_s)
    for column in range(max(0, newest - lap + 30), newest - 2):
        seen = [sheet.place(Spot(area.lead, (column + 0.5) / per_s, 0.0)) for area in top]
        there = [place for place in seen if place is not None]
        assert len(there) == 1 and there[0][0] == pytest.approx(top[0].left + column % lap + 0.5)
        spot = sheet.spot(there[0][0], top[0].baseline)
        assert spot is not None and spot.at_s == pytest.approx((column + 0.5) / per_s)
    for lead in LEADS if layout != "12x1" else ():  # there rows reach into each other
        at_s, mv = monitor.drawn(lead)
        ends_s = samples / RATE_HZ
        seen = np.isfinite(mv) & (at_s < ends_s - 0.1) & (at_s > max(0.02, ends_s - lap / per_s))
        assert not seen.any() or np.median(np.abs(mv[seen] - wave_mv(lead, at_s[seen]))) < 0.05


@given(
    widths=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    edge=st.integers(0, 2000),
    bar=st.integers(0, 20),
)
def test_the_strips_of_a_lap_share_its_columns_and_one_blank_bar(
    widths: list[int], edge: int, bar: int
) -> None:
    lap = sum(widths)
    courses = [Course(width, sum(widths[:k]), lap) for k, width in enumerate(widths)]
    views = [Viewport.on_course(edge, course, bar) for course in courses]
    for column in range(edge - lap + 1, edge + 1):
        seen = [view.place(column) for view in views]
        there = [k for k, x in enumerate(seen) if x is not None]
        assert len(there) == (column > edge - lap + bar)
        for k in there:
            assert seen[k] == column % lap - courses[k].offset
            assert views[k].column(seen[k]) == column  # type: ignore[arg-type]


@pytest.mark.parametrize("sweep", [False, True])
def test_the_strip_below_runs_under_its_columns(qtbot: QtBot, frame: MakeFrame, sweep: bool) -> None:
    monitor = Monitor(qtbot, StreamInfo("wfdb:s0010_re", RATE_HZ, lead="i"))
    monitor.wear(layout="3x4", consecutive=True, sweep=sweep)
    monitor.show(frame(0, 5000))
    sheet = monitor.window.paper.sheet
    strip = sheet.area_of(RHYTHM)
    for area in sheet.areas:
        here, below = sheet.spot(area.left + 0.5, area.baseline), sheet.spot(area.left + 0.5, 0.0, strip)
        assert (here is None) == (below is None)
        if here is None or below is None:
            continue  # in the bar
        assert here.at_s == pytest.approx(below.at_s, abs=1.5 / sheet.scale.px_per_s)
    for lead in LEADS:
        at_s, mv = monitor.drawn(lead)
        seen = np.isfinite(mv)
        assert seen.sum() > 60
        assert np.median(np.abs(mv[seen] - wave_mv(lead, at_s[seen]))) < 0.05


def test_the_page_can_show_the_same_time_in_all_columns() -> None:
    running, same = panels(), panels(consecutive=False)
    assert [(p.lead, p.left_mm, p.baseline_mm) for p in running] == [
        (p.lead, p.left_mm, p.baseline_mm) for p in same
    ]
    assert {(p.from_s, p.to_s) for p in same if not p.rhythm} == {(7.5, PAGE_S)}
    assert {(p.from_s, p.to_s) for p in panels(consecutive=False, length_s=4.0) if not p.rhythm} == {
        (1.5, 4.0)
    }
