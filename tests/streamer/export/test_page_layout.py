# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from streamer.core.leads import LEADS
from streamer.export import page_layout as layout

TOLERANCE_MM = 0.1


def near(value: float) -> object:
    return pytest.approx(value, abs=TOLERANCE_MM)


def test_every_lead_has_one_panel_of_two_and_a_half_seconds() -> None:
    twelve = [panel for panel in layout.panels() if not panel.rhythm]
    assert sorted(panel.lead for panel in twelve) == sorted(LEADS)
    for panel in twelve:
        assert panel.to_s - panel.from_s == 2.5
        assert panel.width_mm == near(62.5)


def test_the_columns_follow_each_other_in_time_and_on_paper() -> None:
    by_place = {(panel.row, panel.column): panel for panel in layout.panels() if not panel.rhythm}
    assert [by_place[0, column].lead for column in range(4)] == ["I", "aVR", "V1", "V4"]
    for row in range(3):
        for column in range(3):
            here, after = by_place[row, column], by_place[row, column + 1]
            assert here.to_s == after.from_s
            assert here.left_mm + here.width_mm == near(after.left_mm)
            assert here.baseline_mm == after.baseline_mm


def test_the_rhythm_strip_spans_ten_seconds() -> None:
    (strip,) = [panel for panel in layout.panels() if panel.rhythm]
    assert strip.lead == "I"
    assert strip.width_mm == near(250.0)


def test_everything_lies_on_the_sheet_and_on_heavy_lines() -> None:
    left, top, right, bottom = layout.PAPER_MM
    width, height = layout.SHEET_MM
    assert (width, height) == (297.0, 210.0)
    assert 0 < left < right < width and 0 < top < bottom < height
    assert left == near(width - right)
    for panel in layout.panels():
        assert left < panel.left_mm and panel.left_mm + panel.width_mm < right
        assert (panel.left_mm - left) % 2.5 == near(0.0)
        assert (panel.baseline_mm - top) % 5 == near(0.0)
        assert top < panel.label_mm[1] < panel.baseline_mm


def test_the_calibration_mark_is_1_mv_by_200_ms() -> None:
    marks = layout.calibration_marks()
    assert len(marks) == 4
    rows = {panel.row: panel.baseline_mm for panel in layout.panels()}
    for row, mark in enumerate(marks):
        x, y = mark.T
        top = y == y.min()
        assert y.max() - y.min() == near(10.0)
        assert np.ptp(x[top]) == near(5.0)
        assert y.max() == near(rows[row])
        assert x.max() < min(panel.left_mm for panel in layout.panels())


@pytest.mark.parametrize(("step_mm", "across", "down"), [(1.0, 271, 166), (5.0, 55, 34)])
def test_grid_lines(step_mm: float, across: int, down: int) -> None:
    x, y = layout.grid_lines_mm(step_mm)
    assert (len(x), len(y)) == (across, down)
    assert np.allclose(np.diff(x), step_mm) and np.allclose(np.diff(y), step_mm)
    assert (x[0], x[-1], y[0], y[-1]) == tuple(near(layout.PAPER_MM[edge]) for edge in (0, 2, 1, 3))


@pytest.mark.parametrize("rate_hz", [250.0, 100.0, 500.0, 128.5])
def test_a_trace_stands_where_its_time_and_height_say(rate_hz: float) -> None:
    n = round(10 * rate_hz)
    lead_mv = np.linspace(-1, 1, n, dtype=np.float32)
    for panel in layout.panels():
        x, y = layout.trace_mm(panel, lead_mv, rate_hz)
        first = round((x[0] - panel.left_mm) / 25 * rate_hz + panel.from_s * rate_hz)
        assert panel.left_mm <= x[0] < panel.left_mm + 25 / rate_hz + 1e-6
        assert (
            panel.left_mm + panel.width_mm - 2 * 25 / rate_hz < x[-1] <= panel.left_mm + panel.width_mm + 1e-6
        )
        assert np.allclose(np.diff(x), 25 / rate_hz)
        assert y[0] == near(panel.baseline_mm - 10 * float(lead_mv[first]))


def test_a_short_record_leaves_the_later_panels_empty() -> None:
    lead_mv = np.zeros(250, np.float32)
    sizes = {panel.lead: len(layout.trace_mm(panel, lead_mv, 250.0)[0]) for panel in layout.panels()}
    assert sizes["II"] == 250
    assert sizes["V1"] == 0


def test_a_missing_sample_stays_missing() -> None:
    lead_mv = np.zeros(2500, np.float32)
    lead_mv[100:110] = np.nan
    panel = next(panel for panel in layout.panels() if panel.lead == "II")
    _, y = layout.trace_mm(panel, lead_mv, 250.0)
    assert np.flatnonzero(np.isnan(y)).tolist() == list(range(100, 110))
