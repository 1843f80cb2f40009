# SPDX-License-Identifier: GPL-3.0-or-later
"""Calipers as they are drawn on the paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from gui.paper.calipers import Calipers, Spot
from gui.paper.sheet import Sheet
from gui.theme import Theme

HANDLE_PX = 6.0
"""Radius of the mark at each point, by which it can be moved."""

_LEAST_STEP_PX = 3
"""A shorter interval is not marched out: it would be a grey area."""

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
    if calipers.marching:
        _march(painter, calipers, sheet, ratio, area)
    painter.setPen(QPen(QColor(theme.ink), 1))
    painter.setBrush(QColor(theme.bar))
    for place in places:
        if place is not None:
            painter.drawEllipse(place, HANDLE_PX, HANDLE_PX)
    last = places[1] or places[0]
    if last is not None:
        right = max(area.right for area in sheet.areas) / ratio
        _say(painter, (calipers.words(), calipers.where(sheet.look.rhythm)), last, area, right, theme)


def handle_at(
    calipers: Calipers | None, place_of: Callable[[Spot], QPointF | None], at: QPointF
) -> tuple[Spot, bool] | None:
    """The end that stays if the one at a point is moved, and whether the first moves; None beside both."""
    if calipers is None:
        return None
    for moving, fixed, first in (
        (calipers.begin, calipers.end, True),
        (calipers.end, calipers.begin, False),
    ):
        place = place_of(moving)
        if place is not None and (place - at).manhattanLength() <= 2 * HANDLE_PX:
            return fixed, first
    return None


def _march(painter: QPainter, calipers: Calipers, sheet: Sheet, ratio: float, area: QRectF) -> None:
    """The interval to both sides, as far as the lead is seen."""
    step_s = calipers.ms / 1e3
    if step_s * sheet.scale.px_per_s < _LEAST_STEP_PX:
        return
    painter.setPen(QPen(QColor(sheet.look.theme.ink), 1, Qt.PenStyle.DotLine))
    most = round(area.width() * ratio / (step_s * sheet.scale.px_per_s)) + 1
    for k in range(-most, most + 1):
        spot = replace(calipers.begin, at_s=calipers.begin.at_s + k * step_s)
        place = sheet.place(spot)
        if place is not None:
            x = place[0] / ratio
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))


def _say(
    painter: QPainter, lines: tuple[str, ...], near: QPointF, area: QRectF, right: float, theme: Theme
) -> None:
    font = QFont(painter.font())
    font.setPixelSize(15)
    font.setBold(True)
    metrics = QFontMetricsF(font)
    wide = max(metrics.horizontalAdvance(line) for line in lines) + 14
    tall = metrics.height() * len(lines) + 8
    x = max(min(near.x() + 8, right - wide), 0.0)
    y = max(area.bottom() - tall, 0.0)
    painter.setFont(font)
    painter.setPen(QPen(QColor(theme.ink), 1))
    painter.setBrush(QColor(theme.bar))
    box = QRectF(x, y, wide, tall)
    painter.drawRect(box)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "\n".join(lines))
