# SPDX-License-Identifier: GPL-3.0-or-later
"""A golden picture of each layout in both themes: the paper alone, shrunk, so that fonts do not matter much.

python -m tests.gui.paper.test_golden    # makes them again; look at them before you commit them
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QImage, QPixmap
from pytestqt.qtbot import QtBot

from gui.paper.geometry import Scale
from gui.paper.look import Look
from gui.paper.view import PaperView
from gui.signal.history import History
from gui.theme import DARK, LIGHT, Theme
from streamer.core.events import Beat
from streamer.core.leads import LEADS
from streamer.core.stream import Frame, StreamInfo
from tests.gui.a_monitor import RATE_HZ, rgb_of
from tests.gui.signal.test_inbox import described

FOLDER = Path(__file__).parent / "golden"
SIZE = (1120, 560)
WIDTH = 280
OFF = 12.0
"""How far a pixel of the shrunk picture may lie off, of 255."""
FEW = 0.001
"""Share of the pixels that may lie off further; those under words, which are another font's elsewhere, are
not looked at."""

LOOKS = [("3x4", False), ("6x2", False), ("12x1", False), ("3x4", True)]


def beats(start: int, n: int) -> Frame:
    """Beats that differ from lead to lead."""
    t = (np.arange(start, start + n) / RATE_HZ) % 0.8
    beat = np.exp(-(((t - 0.3) / 0.012) ** 2)) + 0.25 * np.exp(-(((t - 0.55) / 0.05) ** 2))
    leads_mv = (np.linspace(-0.8, 1.4, 12)[:, None] * beat).astype(np.float32)
    return Frame(
        start,
        RATE_HZ,
        leads_mv,
        leads_mv[0],
        np.abs(leads_mv) * 0.15 + np.float32(0.01),
        np.ones(n, np.bool_),
        np.full(n, start < 500),
    )


def paper_of(
    qtbot: QtBot, layout: str, theme: Theme, enlarged: bool, without: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The paper, shrunk, as ``(rows, columns, 3)``, and where no words stand."""
    look = Look(Scale(4.0), theme, layout, truth=True, enlarged=enlarged, selected="V2")
    paper = PaperView(StreamInfo("", RATE_HZ), look)
    qtbot.addWidget(paper)
    paper.resize(*SIZE)
    history = History(described(RATE_HZ))
    for start in range(0, 3600, 100):
        frame = beats(start, 100)
        if without is not None:
            frame.leads_mv[without] = 0.0
        history.frame(frame)
        history.truth(start, beats(start, 100).leads_mv * np.float32(1.3))
    for at_s in np.arange(0.3, 14.0, 0.8):
        history.event(Beat(at_s=float(at_s)))
    paper.show_signal(history, 14.0)
    shrunk = paper.grab().scaledToWidth(WIDTH, Qt.TransformationMode.SmoothTransformation)
    bare = np.ones((shrunk.height(), shrunk.width()), np.bool_)
    by = WIDTH / SIZE[0]
    for label in paper.labels:
        rect = label.rect
        rows = slice(int(rect.top() * by), int(rect.bottom() * by) + 3)
        bare[rows, int(rect.left() * by) : int(1.3 * rect.right() * by) + 3] = False
    return rgb_of(shrunk).astype(np.float64), bare


def file_of(layout: str, theme: Theme, enlarged: bool) -> Path:
    return FOLDER / f"{'one' if enlarged else layout}-{theme.name}.png"


def off(seen: NDArray[np.float64], bare: NDArray[np.bool_], file: Path) -> float:
    golden = rgb_of(QPixmap(str(file))).astype(np.float64)
    assert golden.shape == seen.shape
    return float(np.mean((np.abs(seen - golden).max(axis=2) > OFF)[bare]))


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
@pytest.mark.parametrize(("layout", "enlarged"), LOOKS)
def test_each_layout_looks_as_it_did(qtbot: QtBot, layout: str, enlarged: bool, theme: Theme) -> None:
    assert off(*paper_of(qtbot, layout, theme, enlarged), file_of(layout, theme, enlarged)) <= FEW


@pytest.mark.parametrize("layout", ["3x4", "6x2", "12x1"])
def test_a_lead_that_is_missing_would_be_seen(qtbot: QtBot, layout: str) -> None:
    seen = paper_of(qtbot, layout, LIGHT, False, without=LEADS.index("V5"))
    assert off(*seen, file_of(layout, LIGHT, False)) > 2 * FEW


def make() -> None:
    """Draw them all again."""
    from PyQt6.QtWidgets import QApplication

    app = QApplication([])
    assert app is not None

    class Bot:
        def addWidget(self, widget: object) -> None:  # noqa: N802
            self.widget = widget

    FOLDER.mkdir(exist_ok=True)
    for layout, enlarged in LOOKS:
        for theme in (LIGHT, DARK):
            picture, _ = paper_of(Bot(), layout, theme, enlarged)  # type: ignore[arg-type]
            picture = np.ascontiguousarray(picture.astype(np.uint8))
            height, width, _ = picture.shape
            image = QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
            image.save(str(file_of(layout, theme, enlarged)))
            print(file_of(layout, theme, enlarged))


if __name__ == "__main__":
    make()
