# SPDX-License-Identifier: GPL-3.0-or-later
"""The gridded paper with the traces: one still picture, rings of columns above it, words and calipers on top.

While it sweeps only the columns that changed are painted; while it scrolls two copies of each ring are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

from PyQt6.QtCore import QPointF, QRect, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QSizePolicy, QWidget

from gui.paper.calipers import Calipers, Spot
from gui.paper.geometry import RHYTHM, Panel, Scale, lay_out
from gui.paper.grid import Label, Words, draw_ground, label
from gui.paper.look import RHYTHMS, Look
from gui.paper.trace_strip import TraceStrip, mark_size, marker_reach
from gui.paper.viewport import Viewport, column_of
from gui.signal.history import History
from streamer.core.leads import LEADS
from streamer.core.stream import StreamInfo

BAR_MM = 5.0
"""Blank after a sweeping edge."""


class PaperView(QWidget):
    """Twelve traces on millimetre paper."""

    picked = pyqtSignal(str)
    """A lead was clicked."""
    opened = pyqtSignal(str)
    """A lead was double-clicked."""
    spanned = pyqtSignal(object)
    """The mouse was drawn from a spot to another: `Calipers`."""
    wheeled = pyqtSignal(int)
    """The wheel was turned, in steps; positive is away from the person."""

    def __init__(self, info: StreamInfo, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._info, self._band = info, ""
        self._look = look
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.painted: Callable[[int, float], None] | None = None
        """Told after each paint: index after the newest sample on it, and when it was handed over to be
        drawn, monotonic seconds."""
        self._drawn = (0, math.nan)
        self._ground = QPixmap()
        self.panels: tuple[Panel, ...] = ()
        self.labels: tuple[Label, ...] = ()
        self._strips: tuple[TraceStrip, ...] = ()
        self._sights: tuple[Viewport, ...] = ()
        self._past: History | None = None
        self._edge_s = math.nan
        self._linear = False
        self._said: Mapping[str, str] = {}
        self._calipers: Calipers | None = None
        self._pressed: Spot | None = None
        self._arrange()

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Small enough for any screen."""
        return QSize(320, 160)

    def follow(self, info: StreamInfo, band: str = "") -> None:
        """Another stream comes from now on; ``band`` is the input band, such as ``0.5-40 Hz``."""
        self._info, self._band = info, band
        self._said, self._calipers = {}, None
        self.clear_signal()
        self._arrange()

    # ---- how it looks

    @property
    def look(self) -> Look:
        """What it looks like now."""
        return self._look

    @look.setter
    def look(self, look: Look) -> None:
        self._look = look
        self._arrange()

    @property
    def scale(self) -> Scale:
        """The scale on the paper, in the screen's own px."""
        scale = self._look.shown_scale
        return Scale(scale.px_per_mm * self.devicePixelRatioF(), scale.mm_per_s, scale.mm_per_mv)

    def say(self, said: Mapping[str, str]) -> None:
        """Put words beside the names of leads, in place of those from before."""
        if dict(said) != dict(self._said):
            self._said = dict(said)
            self._label()
            self.update()

    @property
    def calipers(self) -> Calipers | None:
        """The two points between which something is measured, if any."""
        return self._calipers

    @calipers.setter
    def calipers(self, calipers: Calipers | None) -> None:
        if calipers != self._calipers:
            self._calipers = calipers
            self.update()

    # ---- what flows

    def show_signal(self, past: History, edge_s: float, *, linear: bool = False) -> None:
        """Draw what was up to ``edge_s``, the stream's time at the newest column.

        Parameters
        ----------
        linear : bool
            Oldest at the left, newest at the right, also where a live picture sweeps.
        """
        if past is not self._past or linear != self._linear:
            self._past, self._linear = past, linear
            self._clear()
        self._edge_s = edge_s
        rate_hz = math.nan if past.traces is None else past.traces.rate_hz
        if past.traces is not None:
            self._drawn = min(math.floor(edge_s * rate_hz) + 1, past.traces.stop), time.monotonic()
        before, self._sights = self._sights, self._see()
        changed: list[QRectF] = []
        for strip, was, sight in zip(self._strips, before or self._sights, self._sights, strict=True):
            drawn = strip.cover(sight, past, self._look)
            if sight.sweep and before:
                # The bar moved, and unfinished columns were drawn again.
                first = min([was.edge, *(columns[0] for columns in drawn)])
                changed += self._boxes(strip, sight, first, sight.edge + sight.bar + 2)
            else:
                changed.append(strip.box)
        self._update(changed)

    def touch(self, from_s: float, to_s: float) -> None:
        """Something was said of these instants: draw them anew."""
        past = self._past
        if past is None or not self._sights:
            return
        per_s, reach = self.scale.px_per_s, marker_reach(self.scale)
        first = column_of(from_s, per_s) - math.ceil(mark_size(self.scale))
        changed: list[QRectF] = []
        for strip, sight in zip(self._strips, self._sights, strict=True):
            stop = column_of(to_s, per_s) + reach if math.isfinite(to_s) else sight.edge + 1
            drawn = strip.again(first, stop, past, self._look)
            if drawn is not None:
                changed += self._boxes(strip, sight, *drawn)
        self._update(changed)

    def clear_signal(self) -> None:
        """Draw no traces."""
        self._past, self._sights = None, ()
        self._clear()

    def _clear(self) -> None:
        self._sights = ()
        for strip in self._strips:
            strip.clear()
        self.update()

    def _see(self) -> tuple[Viewport, ...]:
        scale = self.scale
        edge, bar = column_of(self._edge_s, scale.px_per_s), round(BAR_MM * scale.px_per_mm)
        sweep = self._look.sweep and not self._linear
        return tuple(Viewport(edge, strip.width, sweep, bar) for strip in self._strips)

    def _boxes(self, strip: TraceStrip, sight: Viewport, first: int, stop: int) -> list[QRectF]:
        """Where columns of the ring stand in the view."""
        box = strip.box
        if not sight.sweep or stop - first >= strip.width:
            return [box]
        a, n = first % strip.width, stop - first
        boxes = [QRectF(strip.left + a, box.top(), min(n, strip.width - a), box.height())]
        if a + n > strip.width:
            boxes.append(QRectF(strip.left, box.top(), a + n - strip.width, box.height()))
        return boxes

    def _update(self, boxes: list[QRectF]) -> None:
        """Paint these boxes, by whole columns, one after the other.

        All at once they would be a region, on which Qt is slower by far than on rectangles: it splits the
        work over threads and waits for them (10 ms of a busy machine's time instead of 0.5).
        """
        ratio, height = self.devicePixelRatioF(), self.height()
        merged: list[list[int]] = []
        for left, right in sorted(
            (math.floor(b.left() / ratio), math.ceil(b.right() / ratio)) for b in boxes
        ):
            if merged and left <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], right)
            else:
                merged.append([left, right])
        if sum(right - left for left, right in merged) > 0.5 * self.width():
            self.update()
            return
        told, self.painted = self.painted, None
        for left, right in merged:
            self.repaint(QRect(left, 0, right - left, height))
        self.painted = told
        if told is not None and merged:
            told(*self._drawn)

    # ---- where things are

    def spot(self, at: QPointF, panel: Panel | None = None) -> Spot | None:
        """What stands at a point of the widget (logical px), read in that panel or in the one there."""
        ratio = self.devicePixelRatioF()
        x, y = at.x() * ratio, at.y() * ratio
        panel = panel or self.panel_at(at)
        if panel is None:
            return None
        mv = (panel.baseline - y) / self.scale.px_per_mv
        for strip, sight in zip(self._strips, self._sights, strict=False):
            if panel in strip.panels:
                column = sight.column(min(max(x - strip.left, 0.0), strip.width - 1e-6))
                return None if column is None else Spot(panel.lead, column / self.scale.px_per_s, mv)
        return None

    def panel_at(self, at: QPointF) -> Panel | None:
        """The panel at a point of the widget (logical px)."""
        ratio = self.devicePixelRatioF()
        x, y = at.x() * ratio, at.y() * ratio
        inside = (p for p in self.panels if p.left <= x < p.right and p.top <= y < p.bottom)
        return next(inside, None)

    def place(self, spot: Spot) -> QPointF | None:
        """Where a spot is seen (logical px); None where it is not."""
        ratio = self.devicePixelRatioF()
        for strip, sight in zip(self._strips, self._sights, strict=False):
            for panel in strip.panels:
                if panel.lead == spot.lead:
                    x = sight.place(spot.at_s * self.scale.px_per_s)
                    y = panel.baseline - spot.mv * self.scale.px_per_mv
                    return None if x is None else QPointF((strip.left + x) / ratio, y / ratio)
        return None

    # ---- Qt's events

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Paint, and say so to whoever wants to know."""
        if event is None:
            return
        ratio = self.devicePixelRatioF()
        painter = QPainter(self)
        painter.scale(1 / ratio, 1 / ratio)
        rect = event.rect()
        box = QRectF(rect.x() * ratio, rect.y() * ratio, rect.width() * ratio, rect.height() * ratio)
        painter.drawPixmap(box, self._ground, box)
        for strip, sight in zip(self._strips, self._sights, strict=False):
            strip.blit(painter, sight, box)
        for words in self.labels:
            part = words.rect & box
            if not part.isEmpty():
                painter.drawPixmap(part, words.picture, part.translated(-words.rect.topLeft()))
        painter.resetTransform()
        if self._calipers is not None:
            self._draw_calipers(painter, self._calipers)
        painter.end()
        if self.painted is not None:
            self.painted(*self._drawn)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802 - Qt's name
        """Lay the paper out anew."""
        super().resizeEvent(event)
        self._arrange()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Pick a lead; calipers begin here."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self._pressed = self.spot(event.position())
        panel = self.panel_at(event.position())
        if panel is not None and panel.lead != RHYTHM:
            self.picked.emit(panel.lead)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Calipers reach to here."""
        if event is None or self._pressed is None:
            return
        panel = next((p for p in self.panels if p.lead == self._pressed.lead), None)
        end = self.spot(event.position(), panel)
        if end is not None:
            self.spanned.emit(Calipers(self._pressed, end))

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Calipers stay where they are; a click alone takes them away."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        pressed, self._pressed = self._pressed, None
        place = None if pressed is None else self.place(pressed)
        if place is None or (place - event.position()).manhattanLength() < 3:
            self.spanned.emit(None)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Enlarge a lead."""
        if event is None:
            return
        panel = self.panel_at(event.position())
        if panel is not None and panel.lead != RHYTHM:
            self.opened.emit(panel.lead)

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802 - Qt's name
        """Say how far the wheel was turned."""
        if event is not None and event.angleDelta().y():
            self.wheeled.emit(1 if event.angleDelta().y() > 0 else -1)

    # ---- drawing

    def _arrange(self) -> None:
        ratio, scale = self.devicePixelRatioF(), self.scale
        width, height = round(self.width() * ratio), round(self.height() * ratio)
        self.panels = lay_out(self._look.shown, width, height, scale)
        self._ground = draw_ground(width, height, self.panels, scale, self._look.theme)
        columns: dict[tuple[float, float], list[Panel]] = {}
        for panel in self.panels:
            columns.setdefault((panel.left, panel.right), []).append(panel)
        dense = ratio >= 1.5
        self._strips = tuple(
            TraceStrip(tuple(panels), *_reach(panels, height), scale, dense) for panels in columns.values()
        )
        self._sights = ()
        self._label()
        if self._past is not None and math.isfinite(self._edge_s):
            self.show_signal(self._past, self._edge_s, linear=self._linear)
        self.update()

    def _label(self) -> None:
        self.labels = tuple(
            label(
                self._words(panel),
                panel,
                self.scale,
                self._look.theme,
                self.font(),
                framed=panel.lead == self._look.selected and not self._look.enlarged,
            )
            for panel in self.panels
        )

    def _words(self, panel: Panel) -> list[Words]:
        """The lead's name and how it came to be, and what else is said of it."""
        theme, info = self._look.theme, self._info
        lead = self._look.rhythm if panel.lead == RHYTHM else panel.lead
        if lead not in LEADS:
            name, _, band = RHYTHMS[lead].partition(", ")
            band = f"{band} {self._band}".strip() if lead == "measured" else band
            words = [Words(name, theme.measured, name=True), Words(band, theme.measured)]
            if not info.is_lead_i:
                words = [Words(info.lead, theme.measured, name=True), *words[1:]]
            return words
        if lead == "I":
            measured = "measured" if info.is_lead_i else f"measured: {info.lead}, not Lead I"
            words = [Words("I", theme.measured, name=True), Words(measured, theme.measured)]
        else:
            words = [Words(lead, theme.ink, name=True), Words("reconstructed", theme.reconstructed)]
            if not info.is_lead_i:
                words.append(Words("input is not Lead I", theme.warning))
        if panel.lead != RHYTHM and self._said.get(lead):
            words.append(Words(self._said[lead], theme.truth))
        return words

    def _draw_calipers(self, painter: QPainter, calipers: Calipers) -> None:
        theme = self._look.theme
        panel = next((p for p in self.panels if p.lead == calipers.begin.lead), None)
        places = [self.place(spot) for spot in (calipers.begin, calipers.end)]
        if panel is None:
            return
        ratio = self.devicePixelRatioF()
        painter.setPen(QPen(QColor(theme.ink), 1, Qt.PenStyle.DashLine))
        left, right = panel.left / ratio, panel.right / ratio
        for place in places:
            if place is not None:
                painter.drawLine(
                    QPointF(place.x(), panel.top / ratio), QPointF(place.x(), panel.bottom / ratio)
                )
                across = max(left, place.x() - 60), min(right, place.x() + 60)
                painter.drawLine(QPointF(across[0], place.y()), QPointF(across[1], place.y()))
        last = places[1] or places[0]
        if last is None:
            return
        font = QFont(self.font())
        font.setPixelSize(15)
        font.setBold(True)
        metrics = QFontMetricsF(font)
        wide, tall = metrics.horizontalAdvance(calipers.words()) + 14, metrics.height() + 8
        x = min(max(last.x() + 8, 0.0), self.width() - wide)
        y = min(panel.bottom / ratio, self.height()) - tall
        painter.setFont(font)
        painter.setPen(QPen(QColor(theme.ink), 1))
        painter.setBrush(QColor(theme.bar))
        box = QRectF(x, y, wide, tall)
        painter.drawRect(box)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, calipers.words())


def _reach(panels: list[Panel], height: int) -> tuple[int, int]:
    """From where to where a strip's traces may reach, px.

    Over the whole view, as on paper; but what is as wide as the view, for speed, only half a row up.
    """
    first = panels[0]
    return (math.floor(first.top - 0.5 * (first.bottom - first.top)), height) if first.row else (0, height)
