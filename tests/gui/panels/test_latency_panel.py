# SPDX-License-Identifier: GPL-3.0-or-later
"""The waterfall as it is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PyQt6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from gui.panels.latency import Bar, Summary
from gui.panels.latency_panel import LatencyPanel
from gui.theme import LIGHT
from tests.gui.a_monitor import rgb_of


def drawn(qtbot: QtBot, size: tuple[int, int], lengths_ms: list[float]) -> NDArray[np.bool_]:
    """Where bars are, on a paper of that size, if the source is the reason for all of them."""
    paper = QWidget()
    qtbot.addWidget(paper)
    paper.resize(*size)
    panel = LatencyPanel(paper)
    panel.place()
    starts = np.concatenate(([0.0], np.cumsum(lengths_ms)[:-1])).tolist()
    bars = tuple(Bar("a stage", "source", *where) for where in zip(starts, lengths_ms, strict=True))
    panel.show_summary(Summary(bars, 80.0, 90.0, 20.0, 30.0, hops=100))
    color = np.array([int(LIGHT.warning[k : k + 2], 16) for k in (1, 3, 5)])
    seen: NDArray[np.bool_] = (rgb_of(panel.grab()) == color).all(axis=2)
    return seen


def test_the_bars_share_all_room_between_their_names_and_their_figures(qtbot: QtBot) -> None:
    seen = drawn(qtbot, (1200, 800), [56.0, 4.0, 20.0])
    assert seen.shape[1] == 560
    rows = [np.flatnonzero(row) for row in seen[[59, 78, 97]]]
    assert [(row[0], row[-1] + 1) for row in rows] == [(140, 372), (372, 389), (389, 472)]


@pytest.mark.parametrize("height", [230, 280, 340, 800])
@pytest.mark.parametrize("stages", [1, 12, 16])
def test_all_bars_have_a_row_on_any_screen(qtbot: QtBot, height: int, stages: int) -> None:
    seen = drawn(qtbot, (1200, height), [10.0] * stages).any(axis=1)
    begun = np.flatnonzero(seen[1:] & ~seen[:-1]) + 1
    assert len(begun) == stages and begun[0] == 53
    assert len(set(np.diff(begun).tolist())) <= 1
    assert not seen[-3:].any()
