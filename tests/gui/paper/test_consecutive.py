# SPDX-License-Identifier: GPL-3.0-or-later
"""Time that runs on over the columns: one layout on the screen and on the page."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from gui.paper.calipers import Spot
from gui.paper.geometry import RHYTHM
from streamer.core.leads import LEADS
from streamer.core.stream import Frame, StreamInfo
from streamer.export.page_layout import PAGE_S, panels
from tests.gui.a_monitor import RATE_HZ, Monitor, wave_mv

MakeFrame = Callable[..., Frame]


@pytest.mark.parametrize("layout", ["3x4", "6x2", "12x1"])
@pytest.mark.parametrize("sweep", [False, True])
def test_each_column_goes_on_where_the_one_before_ends(
    qtbot: QtBot, frame: MakeFrame, layout: str, sweep: bool
) -> None:
    monitor = Monitor(qtbot, StreamInfo("wfdb:s0010_re", RATE_HZ, lead="i"))
    monitor.wear(layout=layout, sweep=sweep, consecutive=True)
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


def test_the_strip_below_runs_under_its_columns(qtbot: QtBot, frame: MakeFrame) -> None:
    monitor = Monitor(qtbot, StreamInfo("wfdb:s0010_re", RATE_HZ, lead="i"))
    monitor.wear(layout="3x4", consecutive=True)
    monitor.show(frame(0, 5000))
    sheet = monitor.window.paper.sheet
    strip = sheet.area_of(RHYTHM)
    for area in sheet.areas:
        here, below = sheet.spot(area.left + 0.5, area.baseline), sheet.spot(area.left + 0.5, 0.0, strip)
        assert here is not None and below is not None
        assert here.at_s == pytest.approx(below.at_s, abs=1.5 / sheet.scale.px_per_s)
    for lead in LEADS:
        at_s, mv = monitor.drawn(lead)
        seen = np.isfinite(mv)
        assert seen.sum() > 100
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
