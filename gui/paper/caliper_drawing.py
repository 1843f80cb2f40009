# SPDX-License-Identifier: GPL-3.0-or-later
"""Calipers as they are drawn on the paper."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from gui.paper.calipers import Calipers
from gui.paper.sheet import Sheet

_ARM_PX = 60
"""How far a level reaches to each side of its point."""


def draw_calipers(painter: QPainter, calipers: Calipers, sheet: Sheet, ratio: float) -> None:
    """Draw both points and what lies between them, in logical px; ``ratio`` is the screen's px to one."""
    of_lead = sheet.area_of(calipers.begin.lead)
    if of_lead is None:
        return
    theme = sheet.look.theme
    area = QRectF(QPointF(of_lead.left, of_lead.top) / ratio, QPointF(of_lead.right, of_lead.bottom) / ratio)
    seen = [sheet.place(spot) for spot in (calipers.begin, calipers.end)]
    places = [None if place is None else QPointF(*place) / ratio for place in seen]
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
