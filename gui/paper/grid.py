# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands still on the paper: the grid, the calibration marks, and the words beside each trace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PyQt6.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen, QPixmap, QPolygonF

from gui.paper.geometry import Panel, Scale, calibration_marks
from gui.theme import Theme


def draw_ground(width: int, height: int, panels: Sequence[Panel], scale: Scale, theme: Theme) -> QPixmap:
    """Millimetre paper of so many px, with a calibration mark of 1 mV by 200 ms before each row."""
    picture = QPixmap(max(1, width), max(1, height))
    picture.fill(QColor(theme.paper))
    painter = QPainter(picture)
    mm = scale.px_per_mm
    across, down = math.ceil(width / mm), math.ceil(height / mm)
    for heavy, color in ((False, theme.grid_1_mm), (True, theme.grid_5_mm)):
        painter.setPen(QPen(QColor(color), 0))
        for x in (round(k * mm) + 0.5 for k in range(across + 1) if (k % 5 == 0) == heavy):
            painter.drawLine(QLineF(x, 0, x, height))
        for y in (round(k * mm) + 0.5 for k in range(down + 1) if (k % 5 == 0) == heavy):
            painter.drawLine(QLineF(0, y, width, y))
    pen = QPen(QColor(theme.soft_ink), 2)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    painter.setPen(pen)
    for mark in calibration_marks(tuple(panels), scale):
        painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in mark]))
    painter.end()
    return picture


@dataclass(frozen=True, slots=True)
class Words:
    """A few words of one colour."""

    text: str
    color: str
    name: bool = False
    """A lead's name: larger and bold."""


@dataclass(frozen=True, slots=True)
class Label:
    """Words in their place, as a picture."""

    words: tuple[Words, ...]
    rect: QRectF
    picture: QPixmap

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(words.text for words in self.words)


def label(
    words: Sequence[Words], panel: Panel, scale: Scale, theme: Theme, font: QFont, framed: bool
) -> Label:
    """Words above a panel's trace, on ground of their own; in as many lines as the panel's width asks for."""
    name_px, words_px = max(15, round(4.4 * scale.px_per_mm)), max(11, round(3.3 * scale.px_per_mm))
    if panel.bottom - panel.top < 3.2 * name_px:
        name_px, words_px = min(name_px, 15), min(words_px, 11)
    name, small = QFont(font), QFont(font)
    name.setPixelSize(name_px)
    name.setBold(True)
    small.setPixelSize(words_px)
    room, line_px = panel.right - panel.left - 4, round(1.15 * name_px)
    placed: list[tuple[float, float, QFont, Words]] = []
    x, y, wide = 3.0, 0.0, 0.0
    for some in words:
        face = name if some.name else small
        width = QFontMetricsF(face).horizontalAdvance(some.text)
        if not some.name and width > room - 3:  # rather smaller than cut
            face = QFont(small)
            face.setPixelSize(max(9, math.floor(words_px * (room - 3) / width)))
            width = QFontMetricsF(face).horizontalAdvance(some.text)
        if placed and x + width > room:
            x, y = 3.0, y + (line_px if y == 0 else round(1.2 * words_px))
        placed.append((x, y, face, some))
        x += width + 0.5 * words_px
        wide = max(wide, x)
    tall = y + (line_px if y == 0 else round(1.3 * words_px))
    picture = QPixmap(math.ceil(min(wide, room + 4)), math.ceil(tall + 2))
    ground = QColor(theme.paper)
    ground.setAlphaF(0.65)
    picture.fill(ground)
    painter = QPainter(picture)
    for x, y, face, some in placed:
        painter.setFont(face)
        painter.setPen(QColor(some.color))
        down = 0.82 * line_px if y == 0 else words_px
        painter.drawText(QPointF(x, y + down), some.text)
    if framed:
        painter.setPen(QPen(QColor(theme.ink), 1))
        painter.drawRect(0, 0, picture.width() - 1, picture.height() - 1)
    painter.end()
    at = QPointF(round(panel.left) + 1, round(panel.top) + 1)
    return Label(tuple(words), QRectF(at.x(), at.y(), picture.width(), picture.height()), picture)
