# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from gui.paper.geometry import (
    FALLBACK_PX_PER_MM,
    GAINS_MM_PER_MV,
    LAYOUTS,
    RHYTHM,
    SPEEDS_MM_PER_S,
    Layout,
    Scale,
    auto_gain,
    calibration_marks,
    lay_out,
    one_lead,
    screen_px_per_mm,
    shown_s,
    step,
)
from streamer.core.leads import LEADS

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


@pytest.mark.parametrize(
    ("px_per_mm", "believed"), [(1.45, False), (1.55, True), (15.9, True), (16.1, False)]
)
def test_a_screen_from_one_and_a_half_to_16_pixels_a_millimetre_is_believed(
    px_per_mm: float, believed: bool
) -> None:
    found = screen_px_per_mm(1600, 1000, 1600 / px_per_mm, 1000 / px_per_mm)
    assert found == (pytest.approx(px_per_mm if believed else FALLBACK_PX_PER_MM), believed)


@pytest.mark.parametrize(("down", "believed"), [(1.04, True), (1.06, False), (0.96, True), (0.94, False)])
def test_pixels_may_be_five_percent_from_square(down: float, believed: bool) -> None:
    assert screen_px_per_mm(1600, 1000, 400, 250 / down)[1] == believed


def test_scale() -> None:
    scale = Scale(4.0, 25.0, 10.0)
    assert (scale.px_per_s, scale.px_per_mv) == (100.0, 40.0)


def test_steps_stay_within_the_values() -> None:
    assert step(GAINS_MM_PER_MV, 10.0, 1) == 20.0
    assert step(GAINS_MM_PER_MV, 20.0, 1) == 20.0
    assert step(SPEEDS_MM_PER_S, 6.25, -1) == 6.25


@pytest.mark.parametrize("name", [*LAYOUTS, "V3"])
@pytest.mark.parametrize("size", [FULL_HD, (1280.0, 630.0), (1024.0, 500.0), (3440.0, 1300.0), (40.0, 30.0)])
@pytest.mark.parametrize("speed", SPEEDS_MM_PER_S)
def test_every_lead_has_its_place(name: str, size: tuple[float, float], speed: float) -> None:
    scale, layout = Scale(3.7, speed), layout_of(name)
    areas = lay_out(layout, *size, scale)
    leads = [area.lead for area in areas if area.lead != RHYTHM]
    assert leads == (list(LEADS) if name in LAYOUTS else ["V3"])
    assert (len(areas) > len(leads)) == layout.rhythm
    for area in areas:
        assert area.left < area.right
    if size != (40.0, 30.0):
        assert max(area.right for area in areas) <= size[0]
        assert max(area.bottom for area in areas) == pytest.approx(size[1])
        assert all(area.top < area.baseline < area.bottom for area in areas)
        for one in areas:
            for other in areas:
                apart = one.bottom <= other.top + 1e-6 or other.bottom <= one.top + 1e-6
                assert one is other or apart or one.right < other.left or other.right < one.left


@pytest.mark.parametrize("name", [*LAYOUTS, "V3"])
def test_baselines_and_edges_lie_on_the_grid(name: str) -> None:
    scale = Scale(3.7)
    for area in lay_out(layout_of(name), *FULL_HD, scale):
        assert area.baseline / 3.7 == pytest.approx(round(area.baseline / 3.7), abs=1e-9)
        for edge in (area.left, area.right):
            assert edge == round(round(edge / 3.7) * 3.7)


def layout_of(name: str) -> Layout:
    return LAYOUTS[name] if name in LAYOUTS else one_lead(name)


def test_six_by_two_shows_ten_seconds_on_a_desk_screen() -> None:
    areas = lay_out(LAYOUTS["6x2"], *FULL_HD, Scale(3.646))
    assert 9.9 <= shown_s(areas[0], Scale(3.646)) <= 10.5
    widths = [area.right - area.left for area in areas]
    assert np.ptp(widths) <= 1


@pytest.mark.parametrize("gain", GAINS_MM_PER_MV)
@pytest.mark.parametrize("speed", SPEEDS_MM_PER_S)
@pytest.mark.parametrize("name", LAYOUTS)
def test_the_calibration_mark_is_mm_true_and_meets_nothing(name: str, speed: float, gain: float) -> None:
    scale = Scale(3.7, speed, gain)
    areas = lay_out(LAYOUTS[name], *FULL_HD, scale)
    marks = calibration_marks(areas, scale)
    assert marks
    baselines = {area.baseline for area in areas}
    for mark in marks:
        x, y = mark.T
        assert np.ptp(y) / 3.7 == pytest.approx(gain, abs=0.1)
        assert np.ptp(x[y == y.min()]) / 3.7 == pytest.approx(0.2 * speed, abs=0.1)
        assert y.max() in baselines
        assert x.min() >= 0 and x.max() < areas[0].left
        assert y.min() >= 0
    ends = sorted((float(mark[:, 1].min()), float(mark[:, 1].max())) for mark in marks)
    for (_, bottom), (top, _) in pairwise(ends):
        assert bottom < top


@pytest.mark.parametrize(
    ("tall_mv", "pitch_mm", "now", "gain"),
    [
        (1.0, 30.0, 10.0, 20.0),
        (3.0, 40.0, 10.0, 10.0),
        (3.0, 20.0, 10.0, 10.0),
        (6.0, 20.0, 10.0, 5.0),
        (40.0, 20.0, 10.0, 2.5),
        (math.nan, 20.0, 10.0, 10.0),
        (0.0, 20.0, 5.0, 5.0),
    ],
)
def test_the_gain_that_fits(tall_mv: float, pitch_mm: float, now: float, gain: float) -> None:
    assert auto_gain(tall_mv, pitch_mm, now) == gain


def test_the_gain_does_not_swing_to_and_fro() -> None:
    for pitch_mm in (10.0, 25.0, 60.0):
        for tall_mv in np.geomspace(0.1, 20, 200):
            gain = auto_gain(float(tall_mv), pitch_mm, 10.0)
            for wobble in (0.93, 1.0, 1.07):
                again = auto_gain(float(tall_mv) * wobble, pitch_mm, gain)
                assert auto_gain(float(tall_mv), pitch_mm, again) == again
