# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from gui.paper import (
    FALLBACK_PX_PER_MM,
    GAINS_MM_PER_MV,
    LAYOUTS,
    SPEEDS_MM_PER_S,
    Scale,
    calibration_marks,
    lay_out,
    screen_px_per_mm,
    shown_s,
    step,
    x_of,
)
from streamer.leads import LEADS

FULL_HD = (1920.0, 990.0)


def test_a_screen_that_tells_its_size_is_believed() -> None:
    px_per_mm, known = screen_px_per_mm(1920, 1080, 527, 296)
    assert known
    assert px_per_mm == pytest.approx(3.646, abs=0.01)


@pytest.mark.parametrize(
    "screen",
    [
        (1920, 1080, 0, 0),
        (3840, 2160, 160, 90),  # a television that tells its aspect ratio
        (1920, 1080, 527, 500),
        (1920, 1080, math.nan, 296),
        (1920, 1080, -527, -296),
        (800, 600, 4000, 3000),
        (0, 0, 0, 0),
    ],
)
def test_nonsense_falls_back_to_96_dpi(screen: tuple[float, float, float, float]) -> None:
    px_per_mm, known = screen_px_per_mm(*screen)
    assert not known
    assert px_per_mm == FALLBACK_PX_PER_MM


def test_scale() -> None:
    scale = Scale(4.0, 25.0, 10.0)
    assert (scale.px_per_s, scale.px_per_mv) == (100.0, 40.0)


def test_steps_stay_within_the_values() -> None:
    assert step(GAINS_MM_PER_MV, 10.0, 1) == 20.0
    assert step(GAINS_MM_PER_MV, 20.0, 1) == 20.0
    assert step(SPEEDS_MM_PER_S, 12.5, -1) == 12.5


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("size", [FULL_HD, (1280.0, 700.0), (3440.0, 1300.0), (40.0, 30.0)])
@pytest.mark.parametrize("speed", SPEEDS_MM_PER_S)
def test_every_lead_has_its_place(name: str, size: tuple[float, float], speed: float) -> None:
    scale = Scale(3.7, speed)
    panels = lay_out(LAYOUTS[name], *size, scale)
    assert [panel.lead for panel in panels] == list(LEADS)
    for panel in panels:
        assert panel.left < panel.right
    if size != (40.0, 30.0):
        assert max(panel.right for panel in panels) <= size[0]
        assert max(panel.bottom for panel in panels) == pytest.approx(size[1])
        assert all(panel.top < panel.baseline < panel.bottom for panel in panels)
        columns = {panel.column: panel for panel in panels}
        for column in range(1, len(columns)):
            assert columns[column - 1].right < columns[column].left


@pytest.mark.parametrize("name", LAYOUTS)
def test_baselines_and_edges_lie_on_the_grid(name: str) -> None:
    scale = Scale(3.7)
    for panel in lay_out(LAYOUTS[name], *FULL_HD, scale):
        for place in (panel.baseline, panel.left, panel.right):
            assert place / 3.7 == pytest.approx(round(place / 3.7), abs=1e-9)


def test_six_by_two_shows_ten_seconds_on_a_desk_screen() -> None:
    panels = lay_out(LAYOUTS["6x2"], *FULL_HD, Scale(3.646))
    assert 9.9 <= shown_s(panels[0], Scale(3.646)) <= 10.5
    widths = [panel.right - panel.left for panel in panels]
    assert np.allclose(widths, widths[0])


@pytest.mark.parametrize("gain", GAINS_MM_PER_MV)
@pytest.mark.parametrize("speed", SPEEDS_MM_PER_S)
@pytest.mark.parametrize("name", LAYOUTS)
def test_the_calibration_mark_is_mm_true_and_meets_nothing(name: str, speed: float, gain: float) -> None:
    scale = Scale(3.7, speed, gain)
    panels = lay_out(LAYOUTS[name], *FULL_HD, scale)
    marks = calibration_marks(panels, scale)
    assert marks
    baselines = {panel.baseline for panel in panels}
    for mark in marks:
        x, y = mark.T
        assert np.ptp(y) / 3.7 == pytest.approx(gain, abs=0.1)
        assert np.ptp(x[y == y.min()]) / 3.7 == pytest.approx(0.2 * speed, abs=0.1)
        assert y.max() in baselines
        assert x.min() >= 0 and x.max() < panels[0].left
        assert y.min() >= 0
    ends = sorted((float(mark[:, 1].min()), float(mark[:, 1].max())) for mark in marks)
    for (_, bottom), (top, _) in pairwise(ends):
        assert bottom < top


def test_the_picture_moves_by_whole_pixels() -> None:
    scale = Scale(3.646)
    index = np.arange(1_000_000, 1_000_500, dtype=np.float64)
    rate_hz = 250.0
    edge_s = 1_000_500 / rate_hz
    before = x_of(index, rate_hz, edge_s, scale)
    after = x_of(index, rate_hz, edge_s + 0.0377, scale)
    moved = before - after
    assert np.allclose(moved, round(float(moved[0])), atol=1e-6)
    assert float(moved[0]) == pytest.approx(0.0377 * scale.px_per_s, abs=1.0)
    assert np.allclose(np.diff(before), scale.px_per_s / rate_hz)
    assert -1.0 <= x_of(np.array([edge_s * rate_hz]), rate_hz, edge_s, scale)[0] <= 1.0
