# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands still on the paper: the grid, the calibration marks, and the words beside each trace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen, QPixmap, QPolygonF

from gui.paper.geometry import LeadArea, Scale, calibration_marks
from gui.theme import Theme


def draw_grid(width: int, height: int, areas: Sequence[LeadArea], scale: Scale, theme: Theme) -> QPixmap:
    """Millimetre paper of so many px, with a calibration mark of 1 mV by 200 ms before each row."""
    picture = QPixmap.fromImage(draw_paper(max(1, width), max(1, height), scale.px_per_mm, theme))
    painter = QPainter(picture)
    _draw_marks(painter, areas, scale, theme)
    painter.end()
    return picture


@lru_cache(maxsize=2)
def draw_paper(width: int, height: int, px_per_mm: float, theme: Theme) -> QImage:
    """The lines of 1 and 5 mm alone.

    By rows of memory: as lines, Qt takes 90 ms for a screen of 3840x2160.  The last two are kept, since a
    change of layout or gain leaves the paper as it is.
    """

    def lines(length: int, heavy: bool) -> list[int]:
        steps = range(math.ceil(length / px_per_mm) + 1)
        places = (round(k * px_per_mm) for k in steps if (k % 5 == 0) == heavy)
        return [place for place in places if place < length]

    paper, light, heavy = (QColor(name).rgb() for name in (theme.paper, theme.grid_1_mm, theme.grid_5_mm))
    across = np.full(width, paper, np.uint32)
    across[lines(width, False)] = light
    on_line = np.full(width, light, np.uint32)
    for row in (across, on_line):
        row[lines(width, True)] = heavy
    image = QImage(width, height, QImage.Format.Format_RGB32)  # its rows are whole words: nothing is padded
    memory = image.bits()
    assert memory is not None
    memory.setsize(4 * width * height)
    pixels = np.frombuffer(memory, np.uint32).reshape(height, width)  # type: ignore[call-overload]
    pixels[:] = across
    pixels[lines(height, False)] = on_line
    pixels[lines(height, True)] = heavy
    return image


def draw_margin(paper: QImage, areas: Sequence[LeadArea], scale: Scale, theme: Theme) -> QImage:
    """What lies left of the first column, with its calibration marks; to be laid over the paper."""
    picture = paper.copy(0, 0, max(1, math.ceil(min(area.left for area in areas))), paper.height())
    painter = QPainter(picture)
    _draw_marks(painter, areas, scale, theme)
    painter.end()
    return picture


def _draw_marks(painter: QPainter, areas: Sequence[LeadArea], scale: Scale, theme: Theme) -> None:
    pen = QPen(QColor(theme.soft_ink), 2)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    painter.setPen(pen)
    for mark in calibration_marks(tuple(areas), scale):
        painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in mark]))


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
    words: Sequence[Words],
    area: LeadArea,
    scale: Scale,
    theme: Theme,
    font: QFont,
    framed: bool,
    ratio: float = 1.0,
) -> Label:
    """Words above a area's trace, on ground of their own; in as many lines as the area's width asks for.

    ``ratio`` is the screen's own px to a logical one: no word is smaller than what can be read there.
    """
    least_name_px, least_px = round(15 * ratio), round(11 * ratio)
    name_px = max(least_name_px, round(4.4 * scale.px_per_mm))
    words_px = max(least_px, round(3.3 * scale.px_per_mm))
    if area.bottom - area.top < 3.2 * name_px:
        name_px, words_px = min(name_px, least_name_px), min(words_px, least_px)
    name, small = QFont(font), QFont(font)
    name.setPixelSize(name_px)
    name.setBold(True)
    small.setPixelSize(words_px)
    room, line_px = area.right - area.left - 4, round(1.15 * name_px)
    placed: list[tuple[float, float, QFont, Words]] = []
    x, y, wide = 3.0, 0.0, 0.0
    for some in words:
        face = name if some.name else small
        width = QFontMetricsF(face).horizontalAdvance(some.text)
        if not some.name and width > room - 3:  # rather smaller than cut
            face = QFont(small)
            face.setPixelSize(max(round(9 * ratio), math.floor(words_px * (room - 3) / width)))
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
    at = QPointF(round(area.left) + 1, round(area.top) + 1)
    return Label(tuple(words), QRectF(at.x(), at.y(), picture.width(), picture.height()), picture)
