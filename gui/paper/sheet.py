# SPDX-License-Identifier: GPL-3.0-or-later
"""The paper at one size and one look: where each lead stands, the grid, and the traces drawn so far.

Everything here is in the screen's own px; `gui.paper.view` is the widget that shows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from PyQt6.QtCore import QLineF, QRectF
from PyQt6.QtGui import QColor, QPainter, QPen

from gui.paper.calipers import Spot
from gui.paper.geometry import LeadArea, Scale, lay_out, shown_s
from gui.paper.grid import draw_margin, draw_paper
from gui.paper.look import Look
from gui.paper.trace_strip import TraceStrip, mark_size, marker_reach
from gui.paper.viewport import Course, Viewport, column_of
from gui.signal.history import History

BAR_MM = 5.0
"""Blank after a sweeping edge."""


class Sheet:
    """Lead areas on millimetre paper, with a strip of pixel columns for each column of leads.

    Parameters
    ----------
    width, height : int
        px.
    ratio : float
        The screen's own px to a logical one.
    """

    def __init__(self, width: int, height: int, ratio: float, look: Look) -> None:
        scale = look.shown_scale
        self.look = look
        self.scale = Scale(scale.px_per_mm * ratio, scale.mm_per_s, scale.mm_per_mv)
        self.areas = lay_out(look.shown, width, height, self.scale, gap_mm=0 if look.consecutive else 2)
        self._paper = draw_paper(max(1, width), max(1, height), self.scale.px_per_mm, look.theme)
        self._margin = draw_margin(self._paper, self.areas, self.scale, look.theme)
        columns: dict[tuple[float, float], list[LeadArea]] = {}
        for area in self.areas:
            columns.setdefault((area.left, area.right), []).append(area)
        self.strips = tuple(
            TraceStrip(tuple(areas), *_reach(areas, height), self.scale, ratio >= 1.5)
            for areas in columns.values()
        )
        self._edge_s = 0.0
        self.viewports: tuple[Viewport, ...] = ()
        """What of each strip is seen; empty before there is a signal."""

    def clear(self) -> None:
        """Draw no traces."""
        self.viewports = ()
        for strip in self.strips:
            strip.clear()

    def show(self, history: History, edge_s: float, sweep: bool) -> list[QRectF]:
        """Draw what was up to ``edge_s``, seconds of the stream; returns what changed on the paper."""
        self._edge_s = edge_s
        before, self.viewports = self.viewports, self._see(edge_s, sweep)
        changed: list[QRectF] = []
        for strip, was, viewport in zip(self.strips, before or self.viewports, self.viewports, strict=True):
            drawn = strip.cover(viewport, history, self.look)
            if viewport.sweep and before:
                # The bar moved, and unfinished columns were drawn again.
                first = min([was.edge, *(columns[0] for columns in drawn)])
                changed += _boxes(strip, viewport, first, viewport.edge + viewport.bar + 2)
            else:
                changed.append(strip.box)
        return changed

    def touch(self, history: History, from_s: float, to_s: float) -> list[QRectF]:
        """Draw these instants again, since something was said of them; returns what changed."""
        if not self.viewports:
            return []
        per_s, reach = self.scale.px_per_s, marker_reach(self.scale)
        marked = any(from_s <= mark.at_s <= to_s for mark in history.markers)
        before = reach if marked else math.ceil(mark_size(self.scale))
        after = reach if marked else math.ceil(mark_size(self.scale)) + 1
        first = column_of(from_s, per_s) - before
        changed: list[QRectF] = []
        for strip, viewport in zip(self.strips, self.viewports, strict=True):
            stop = (
                column_of(to_s, per_s) + after if math.isfinite(to_s) else column_of(self._edge_s, per_s) + 1
            )
            drawn = strip.again(first, stop, viewport, history, self.look)
            if drawn is not None:
                changed += _boxes(strip, viewport, *drawn)
        return changed

    def paint(self, painter: QPainter, box: QRectF) -> None:
        """Copy the grid and the traces within a box."""
        painter.drawImage(box, self._paper, box)
        margin = box & QRectF(self._margin.rect())
        if not margin.isEmpty():
            painter.drawImage(margin, self._margin, margin)
        for strip, viewport in zip(self.strips, self.viewports, strict=False):
            strip.blit(painter, viewport, box)
        if self.look.consecutive:
            self._draw_ticks(painter)

    def _draw_ticks(self, painter: QPainter) -> None:
        """Between columns, as on the page: here one lead ends and another begins."""
        mm = self.scale.px_per_mm
        painter.setPen(QPen(QColor(self.look.theme.soft_ink), max(1.0, mm / 4)))
        for area in self.areas:
            if area.column > 0:
                for above_mm in (-6.0, 4.0):
                    y = area.baseline + above_mm * mm
                    painter.drawLine(QLineF(area.left, y, area.left, y + 2 * mm))

    @property
    def shown_s(self) -> float:
        """How many seconds the sheet holds, over all columns."""
        longest_s = max(shown_s(area, self.scale) for area in self.areas)
        if self.look.consecutive and not self.look.shown.rhythm:
            return longest_s * len(self.look.shown.columns)
        return longest_s

    # ---- where things are

    def area_of(self, lead: str) -> LeadArea | None:
        """The area of a lead, if it is shown."""
        return self._first(lambda area: area.lead == lead)

    def area_at(self, x: float, y: float) -> LeadArea | None:
        """The area at a point."""
        return self._first(lambda area: area.left <= x < area.right and area.top <= y < area.bottom)

    def spot(self, x: float, y: float, area: LeadArea | None = None) -> Spot | None:
        """What stands at a point, read in that area or in the one there."""
        area = area or self.area_at(x, y)
        if area is None:
            return None
        mv = (area.baseline - y) / self.scale.px_per_mv
        for strip, viewport in zip(self.strips, self.viewports, strict=False):
            if area in strip.areas:
                column = viewport.column(min(max(x - strip.left, 0.0), strip.width - 1e-6))
                return None if column is None else Spot(area.lead, column / self.scale.px_per_s, mv)
        return None

    def place(self, spot: Spot) -> tuple[float, float] | None:
        """Where a spot is seen; None if it is not."""
        for strip, viewport in zip(self.strips, self.viewports, strict=False):
            for area in strip.areas:
                if area.lead == spot.lead:
                    x = viewport.place(spot.at_s * self.scale.px_per_s)
                    y = area.baseline - spot.mv * self.scale.px_per_mv
                    return None if x is None else (strip.left + x, y)
        return None

    def _first(self, fits: Callable[[LeadArea], bool]) -> LeadArea | None:
        return next(filter(fits, self.areas), None)

    def _see(self, edge_s: float, sweep: bool) -> tuple[Viewport, ...]:
        edge, bar = column_of(edge_s, self.scale.px_per_s), round(BAR_MM * self.scale.px_per_mm)
        if self.look.consecutive and self.strips:
            left = min(strip.left for strip in self.strips)
            right = max(strip.left + strip.width for strip in self.strips)
            if sweep:
                courses = (Course(strip.width, strip.left - left, right - left) for strip in self.strips)
                return tuple(Viewport.on_course(edge, course, bar) for course in courses)
            return tuple(
                Viewport(edge - (right - strip.left - strip.width), strip.width, False)
                for strip in self.strips
            )
        return tuple(Viewport(edge, strip.width, sweep, bar) for strip in self.strips)


def _boxes(strip: TraceStrip, viewport: Viewport, first: int, stop: int) -> list[QRectF]:
    """Where columns of the ring stand on the paper."""
    box = strip.box
    if not viewport.sweep or stop - first >= strip.width:
        return [box]
    a, n = first % strip.width, stop - first
    boxes = [QRectF(strip.left + a, box.top(), min(n, strip.width - a), box.height())]
    if a + n > strip.width:
        boxes.append(QRectF(strip.left, box.top(), a + n - strip.width, box.height()))
    return boxes


def _reach(areas: list[LeadArea], height: int) -> tuple[int, int]:
    """From where to where a strip's traces may reach, px.

    Over the whole view, as on paper; but what is as wide as the view, for speed, only half a row up.
    """
    first = areas[0]
    return (math.floor(first.top - 0.5 * (first.bottom - first.top)), height) if first.row else (0, height)
