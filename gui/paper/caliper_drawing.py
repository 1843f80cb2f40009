# SPDX-License-Identifier: GPL-3.0-or-later
"""Calipers as they are drawn on the paper."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from gui.paper.calipers import Calipers
from gui.theme import Theme

_ARM_PX = 60
"""How far a level reaches to each side of its point."""


def draw_calipers(
    painter: QPainter, calipers: Calipers, places: list[QPointF | None], area: QRectF, theme: Theme
) -> None:
    """Draw both points and what lies between them.

    Parameters
    ----------
    places : list
        Where each of the two points is seen, logical px; None if it is not.
    area : QRectF
        The lead's area that can be seen, logical px.
    """
    painter.setPen(QPen(QColor(theme.ink), 1, Qt.PenStyle.DashLine))
    for place in places:
        if place is not None:
            painter.drawLine(QPointF(place.x(), area.top()), QPointF(place.x(), area.bottom()))
            across = max(area.left(), place.x() - _ARM_PX), min(area.right(), place.x() + _ARM_PX)
            painter.drawLine(QPointF(across[0], place.y()), QPointF(across[1], place.y()))
    last = places[1] or places[0]
    if last is None:
        return
    font = QFont(painter.font())
    font.setPixelSize(15)
    font.setBold(True)
    metrics = QFontMetricsF(font)
    wide, tall = metrics.horizontalAdvance(calipers.words()) + 14, metrics.height() + 8
    viewport = painter.viewport()
    x = min(max(last.x() + 8, 0.0), viewport.width() - wide)
    y = min(area.bottom(), viewport.height()) - tall
    painter.setFont(font)
    painter.setPen(QPen(QColor(theme.ink), 1))
    painter.setBrush(QColor(theme.bar))
    box = QRectF(x, y, wide, tall)
    painter.drawRect(box)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, calipers.words())
