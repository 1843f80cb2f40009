# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot

from gui.controller import CalibrationPreview
from gui.dialogs.before_after import LAYOUT, BeforeAfter, draw_before_after, fitting_scale
from gui.paper.geometry import GAINS_MM_PER_MV, lay_out
from gui.theme import DARK, LIGHT, Theme
from streamer.core.leads import LEADS
from tests.gui.a_controller import a_preview
from tests.gui.a_monitor import ink_of, rgb_of

SIZE = (1240, 600)
PX_PER_MM = 96 / 25.4


KINDS = {"truth_mv": 1.0, "generic_mv": 0.5, "personal_mv": 0.75}
"""How tall each is, as `a_preview` has them."""


def only(*kept: str) -> CalibrationPreview:
    preview = a_preview()
    return a_preview(**{kind: np.full_like(preview.truth_mv, np.nan) for kind in KINDS if kind not in kept})


def drawn(preview: CalibrationPreview, theme: Theme) -> NDArray[np.bool_]:
    """Where a picture differs from one without any trace."""
    seen, bare = (
        rgb_of(draw_before_after(one, 0.0, *SIZE, PX_PER_MM, theme)).astype(int) for one in (preview, only())
    )
    return np.asarray(np.abs(seen - bare).max(axis=2) > 20)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
@pytest.mark.parametrize("kind", KINDS)
def test_each_lead_is_drawn_as_tall_as_it_is(qtbot: QtBot, kind: str, theme: Theme) -> None:
    preview = only(kind)
    scale = fitting_scale(preview, PX_PER_MM, SIZE[1])
    head = round(11 * PX_PER_MM)
    panels = lay_out(LAYOUT, SIZE[0], SIZE[1] - head - round(5 * PX_PER_MM), scale)
    assert sorted(panel.lead for panel in panels) == sorted(LEADS)
    seen = drawn(preview, theme)
    for panel in panels:
        columns = seen[: round(head + panel.bottom), round(panel.left) + 2 : round(panel.right) - 2]
        lowest = np.flatnonzero(columns.any(axis=1))[-1] - head - panel.baseline
        assert lowest == pytest.approx(KINDS[kind] * scale.px_per_mv, abs=3), panel


def test_before_and_after_are_told_apart_from_what_was_measured(qtbot: QtBot) -> None:
    """By colour, and the generic one by its dashes too."""
    theme = LIGHT
    whole = draw_before_after(a_preview(), 0.0, *SIZE, PX_PER_MM, theme)
    for color in (theme.truth, theme.reconstructed, theme.soft_ink):
        assert ink_of(whole, color)[60:].sum() > 200
    assert drawn(only("generic_mv"), theme).sum() < 0.8 * drawn(only("personal_mv"), theme).sum()


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_words_stand_two_millimetres_from_the_edges(qtbot: QtBot, theme: Theme) -> None:
    picture = rgb_of(draw_before_after(a_preview(), 0.0, *SIZE, PX_PER_MM, theme)).astype(int)
    head = picture[: round(11 * PX_PER_MM)]
    columns = np.flatnonzero((np.abs(head - picture[0, 0]).max(axis=2) > 60).any(axis=0))
    assert columns[0] == pytest.approx(2 * PX_PER_MM, abs=2)
    assert SIZE[0] - 1 - columns[-1] == pytest.approx(2 * PX_PER_MM, abs=2)


@pytest.mark.parametrize("height", [400, 600, 900])
@pytest.mark.parametrize("tall_mv", [0.3, 1.0, 3.0, 30.0])
def test_the_gain_is_the_largest_that_keeps_leads_out_of_each_other(height: int, tall_mv: float) -> None:
    preview = a_preview()
    taller = a_preview(
        **{name: tall_mv * getattr(preview, name) for name in ("truth_mv", "generic_mv", "personal_mv")}
    )
    gain = fitting_scale(taller, PX_PER_MM, height).mm_per_mv
    row_mm = (height / PX_PER_MM - 16) / 3
    assert gain in GAINS_MM_PER_MV
    assert gain * tall_mv <= 0.52 * row_mm * 1.01 or gain == GAINS_MM_PER_MV[0]


@pytest.mark.parametrize(
    ("smaller", "gain", "from_px"), [(2.5, 5.0, 256), (5.0, 10.0, 354), (10.0, 20.0, 549)]
)
def test_a_larger_gain_is_taken_as_soon_as_there_is_room(smaller: float, gain: float, from_px: int) -> None:
    """A row holds 1 mV up, below 5 mm of words, and 1 mV down; head and foot take 16 mm of the height."""
    assert fitting_scale(a_preview(), PX_PER_MM, from_px - 3).mm_per_mv == smaller
    assert fitting_scale(a_preview(), PX_PER_MM, from_px + 3).mm_per_mv == gain


def test_it_can_be_moved_along_as_far_as_there_is_anything(qtbot: QtBot) -> None:
    view = BeforeAfter(PX_PER_MM)
    qtbot.addWidget(view)
    view.resize(*SIZE)
    assert view.hidden_s == 0
    view.show_trial(a_preview(20.0), PX_PER_MM)
    moved: list[float] = []
    view.moved.connect(moved.append)
    assert 15 < view.hidden_s < 18
    for request, got in ((4.0, 4.0), (-1.0, 0.0), (99.0, view.hidden_s)):
        view.from_s = request
        assert view.from_s == moved[-1] == got
    view.show_trial(a_preview(1.0), PX_PER_MM)
    assert view.hidden_s == 0 and view.from_s == 0


@pytest.mark.parametrize("seconds", [0.0, 0.01, 1.0])
def test_little_or_nothing_to_show_is_no_error(qtbot: QtBot, seconds: float) -> None:
    for truth in (True, False):
        assert not draw_before_after(a_preview(seconds, truth=truth), 0.0, 400, 300, PX_PER_MM, DARK).isNull()
