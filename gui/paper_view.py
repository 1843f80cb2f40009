# SPDX-License-Identifier: GPL-3.0-or-later
"""The gridded paper with the twelve traces, drawn with pyqtgraph's curves in a plain graphics view.

What costs time was measured (2,500 points a lead, 1920x1000, 2 cores): 12 curves 1 px wide take 6 ms,
antialiased or not; 2 px wide 13 ms, and antialiased 110 ms and more.  So a heavier line is a 1 px line drawn
more than once, and the grid and all that stands still are one picture underneath.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QLineF, QPointF, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
)
from PyQt6.QtWidgets import QFrame, QGraphicsPixmapItem, QGraphicsScene, QGraphicsView, QWidget

from gui.paper import Layout, Panel, Scale, calibration_marks, lay_out, shown_s, x_of
from gui.theme import Theme
from gui.trace_buffer import TraceBuffer, envelope
from streamer.leads import LEADS
from streamer.stream import StreamInfo


class Trace(pg.PlotCurveItem):  # type: ignore[misc]  # pyqtgraph has no type hints
    """A curve in the view's pixels, stroked once for each of ``strokes`` (offsets downwards, px)."""

    def __init__(self) -> None:
        super().__init__(antialias=True)
        self.strokes: tuple[float, ...] = (0.0,)
        self._bounds = QRectF()

    def place(self, bounds: QRectF) -> None:
        """Say once where it may draw, instead of having it measured with every frame."""
        self.prepareGeometryChange()
        self._bounds = bounds

    def boundingRect(self) -> QRectF:  # noqa: N802 - Qt's name
        """The whole view: traces may overlap their neighbours, as on paper."""
        return self._bounds

    def paint(self, painter: QPainter, option: object, widget: QWidget | None = None) -> None:
        """Stroke the curve."""
        for offset in self.strokes:
            painter.translate(0.0, offset)
            super().paint(painter, option, widget)
            painter.translate(0.0, -offset)

    def show_points(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        """Take new points; NaN breaks the line."""
        there = np.isfinite(y)
        whole = bool(there.all())
        self.setVisible(bool(there.any()))
        # 'finite' costs a copy, and skipping the check with NaN among the points draws nothing at all.
        self.setData(x, y, connect="all" if whole else "finite", skipFiniteCheck=whole)


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that a person can change about the paper."""

    scale: Scale
    layout: Layout
    theme: Theme


class PaperView(QGraphicsView):
    """Twelve traces on millimetre paper."""

    # pyqtgraph's items connect to these in whatever view they find themselves.
    sigDeviceRangeChanged = pyqtSignal(object, object)  # noqa: N815
    sigDeviceTransformChanged = pyqtSignal(object)  # noqa: N815

    def __init__(self, info: StreamInfo, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._info = info
        self._look = look
        self._scene = QGraphicsScene(self)
        self._scene.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.setScene(self._scene)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontAdjustForAntialiasing)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.painted: Callable[[int, float], None] | None = None
        """Told after each paint: index after the newest sample on it, and when it was handed over to be
        drawn, monotonic seconds."""
        self._drawn = (0, math.nan)
        self._ground = QPixmap()
        self._labels: list[QGraphicsPixmapItem] = []
        self.panels: tuple[Panel, ...] = ()
        self.traces = {lead: Trace() for lead in LEADS}
        self.settling = {lead: Trace() for lead in LEADS}
        for trace in (*self.settling.values(), *self.traces.values()):
            trace.setVisible(False)
            self._scene.addItem(trace)
        self._arrange()

    @property
    def look(self) -> Look:
        """What it looks like now."""
        return self._look

    @look.setter
    def look(self, look: Look) -> None:
        self._look = look
        self._arrange()

    def follow(self, info: StreamInfo) -> None:
        """Another stream comes from now on."""
        self._info = info
        self.clear_signal()
        self._arrange()

    def show_signal(self, buffer: TraceBuffer, edge_s: float) -> None:
        """Draw what ``buffer`` holds up to ``edge_s``, the stream's time at the right edge."""
        if not self.panels:
            return
        scale, rate_hz = self._look.scale, buffer.rate_hz
        first = max(0, math.ceil((edge_s - shown_s(self.panels[0], scale)) * rate_hz))
        stop = min(math.floor(edge_s * rate_hz) + 1, buffer.stop)
        self._drawn = stop, time.monotonic()
        stretch = buffer.view(first, stop)
        group = int(rate_hz / scale.px_per_s)
        index, leads_mv = envelope(stretch.leads_mv, group, stretch.start)
        x = x_of(index, rate_hz, edge_s, scale)
        settling = None
        if stretch.settling.any():
            _, marks = envelope(stretch.settling[None].astype(np.float32), group, stretch.start)
            settling = marks[0] > 0
        for panel in self.panels:
            y = panel.baseline - leads_mv[LEADS.index(panel.lead)].astype(np.float64) * scale.px_per_mv
            faint = self.settling[panel.lead]
            if settling is None:
                faint.setVisible(False)
            else:
                # One point in common, so that the line does not break where it changes colour.
                still = settling | np.append(False, settling[:-1])
                faint.show_points(x + panel.right, np.where(still, y, np.nan))
                y = np.where(settling, np.nan, y)
            self.traces[panel.lead].show_points(x + panel.right, y)

    def clear_signal(self) -> None:
        """Draw no traces."""
        for trace in (*self.traces.values(), *self.settling.values()):
            trace.setVisible(False)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Paint, and say so to whoever wants to know."""
        super().paintEvent(event)
        if self.painted is not None:
            self.painted(*self._drawn)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802 - Qt's name
        """Lay the paper out anew."""
        super().resizeEvent(event)
        self._arrange()

    def drawBackground(self, painter: QPainter | None, rect: QRectF) -> None:  # noqa: N802 - Qt's name
        """The paper and all that stands still."""
        if painter is not None:
            ratio = self._ground.devicePixelRatio()
            source = QRectF(rect.topLeft() * ratio, rect.size() * ratio)
            painter.drawPixmap(rect, self._ground, source)

    def _arrange(self) -> None:
        width, height = self.width(), self.height()
        scale, theme = self._look.scale, self._look.theme
        bounds = QRectF(0, 0, width, height)
        self._scene.setSceneRect(bounds)
        self.panels = lay_out(self._look.layout, width, height, scale)
        ratio = self.devicePixelRatioF()
        self._ground = QPixmap(max(1, round(width * ratio)), max(1, round(height * ratio)))
        self._ground.setDevicePixelRatio(ratio)
        painter = QPainter(self._ground)
        self._draw_ground(painter, width, height)
        painter.end()
        for item in self._labels:
            self._scene.removeItem(item)
        self._labels = [self._label(panel) for panel in self.panels]
        # Lines are 1 device pixel wide; on a dense screen that needs another stroke beside it.
        dense = ratio >= 1.5
        for lead in LEADS:
            measured = lead == "I"
            for trace, color in (
                (self.traces[lead], theme.measured if measured else theme.reconstructed),
                (self.settling[lead], theme.settling),
            ):
                trace.place(bounds)
                trace.setPen(pg.mkPen(color, width=1))
                if measured:
                    trace.strokes = (-0.5, 0.0, 0.5) if dense else (0.0, 1.0)
                else:
                    trace.strokes = (0.0, 0.5) if dense else (0.0,)
        self.resetCachedContent()
        self.viewport().update()  # type: ignore[union-attr]  # a QGraphicsView always has one

    def _draw_ground(self, painter: QPainter, width: int, height: int) -> None:
        scale, theme = self._look.scale, self._look.theme
        mm = scale.px_per_mm
        painter.fillRect(QRectF(0, 0, width, height), QColor(theme.paper))
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
        for mark in calibration_marks(self.panels, scale):
            painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in mark]))

    def _label(self, panel: Panel) -> QGraphicsPixmapItem:
        """The lead's name and how it came to be, above its trace, on ground of its own."""
        theme = self._look.theme
        name = QFont(self.font())
        name.setPixelSize(15)
        name.setBold(True)
        words = QFont(self.font())
        words.setPixelSize(12)
        parts = [(panel.lead, name, theme.measured if panel.lead == "I" else theme.ink)]
        if panel.lead == "I":
            measured = "measured" if self._info.is_lead_i else f"measured: {self._info.lead}, not Lead I"
            parts.append((measured, words, theme.measured))
        else:
            parts.append(("reconstructed", words, theme.reconstructed))
            if not self._info.is_lead_i:
                parts.append(("input is not Lead I", words, theme.warning))
        widths = [QFontMetricsF(font).horizontalAdvance(text) + 7 for text, font, _ in parts]
        ratio = self.devicePixelRatioF()
        picture = QPixmap(math.ceil(sum(widths) * ratio), math.ceil(19 * ratio))
        picture.setDevicePixelRatio(ratio)
        ground = QColor(theme.paper)
        ground.setAlphaF(0.8)
        picture.fill(ground)
        painter = QPainter(picture)
        x = 3.0
        for (text, font, color), width in zip(parts, widths, strict=True):
            painter.setFont(font)
            painter.setPen(QColor(color))
            painter.drawText(QPointF(x, 14.5), text)
            x += width
        painter.end()
        item = QGraphicsPixmapItem(picture)
        item.setPos(round(panel.left), round(panel.top) + 2)
        item.setZValue(10)
        item.setToolTip(" ".join(text for text, _, _ in parts))
        self._scene.addItem(item)
        return item
