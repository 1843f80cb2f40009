# SPDX-License-Identifier: GPL-3.0-or-later
"""The gridded paper with the traces: one still picture, rings of columns above it, words and calipers on top.

While it sweeps only the columns that changed are painted; while it scrolls two copies of each ring are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

from PyQt6.QtCore import QPointF, QRect, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from gui.paper.caliper_drawing import draw_calipers, handle_at
from gui.paper.calipers import Calipers, Spot
from gui.paper.geometry import RHYTHM, LeadArea
from gui.paper.grid import Label, label
from gui.paper.lead_words import lead_words
from gui.paper.look import Look
from gui.paper.sheet import Sheet
from gui.signal.history import History
from streamer.core.stream import StreamInfo


class PaperView(QWidget):
    """Twelve traces on millimetre paper."""

    picked = pyqtSignal(str)
    """A lead was clicked."""
    opened = pyqtSignal(str)
    """A lead was double-clicked."""
    spanned = pyqtSignal(object)
    """The mouse was drawn from a spot to another: `Calipers`."""
    wheeled = pyqtSignal(int)
    """The wheel was turned, in steps; positive is away from the user."""

    def __init__(self, info: StreamInfo, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._info, self._band = info, ""
        self._look = look
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Twelve leads on millimetre paper")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.painted: Callable[[int, float], None] | None = None
        """Called after each paint: index after the newest sample on it, and when it was handed over to be
        drawn, monotonic seconds."""
        self._drawn = (0, math.nan)
        self.labels: tuple[Label, ...] = ()
        self._history: History | None = None
        self._edge_s = math.nan
        self._linear = False
        self._said: Mapping[str, str] = {}
        self._calipers: Calipers | None = None
        self._pressed: Spot | None = None
        self._held: tuple[Spot, bool] | None = None
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

    def show_signal(self, history: History, edge_s: float, *, linear: bool = False) -> None:
        """Draw what was up to ``edge_s``, the stream's time at the newest column.

        Parameters
        ----------
        linear : bool
            Oldest at the left, newest at the right, even if a live picture sweeps.
        """
        if history is not self._history or linear != self._linear:
            self.clear_signal()
            self._history, self._linear = history, linear
        self._edge_s = edge_s
        if history.traces is not None:
            newest = math.floor(edge_s * history.traces.rate_hz) + 1
            self._drawn = min(newest, history.traces.stop), time.monotonic()
        self._update(self.sheet.show(history, edge_s, self._look.sweep and not linear))

    def touch(self, from_s: float, to_s: float) -> None:
        """Something was said of these instants: draw them again."""
        if self._history is not None:
            self._update(self.sheet.touch(self._history, from_s, to_s))

    def clear_signal(self) -> None:
        """Draw no traces."""
        self._history = None
        self.sheet.clear()
        self.update()

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
        painted, self.painted = self.painted, None
        for left, right in merged:
            self.repaint(QRect(left, 0, right - left, height))
        self.painted = painted
        if painted is not None and merged:
            painted(*self._drawn)

    # ---- where things are, in logical px

    def spot(self, at: QPointF, area: LeadArea | None = None) -> Spot | None:
        """What stands at a point of the widget, read in that area or in the one there."""
        ratio = self.devicePixelRatioF()
        return self.sheet.spot(at.x() * ratio, at.y() * ratio, area)

    def area_at(self, at: QPointF) -> LeadArea | None:
        """The area at a point of the widget."""
        ratio = self.devicePixelRatioF()
        return self.sheet.area_at(at.x() * ratio, at.y() * ratio)

    def place(self, spot: Spot) -> QPointF | None:
        """Where a spot is seen; None if it is not."""
        place = self.sheet.place(spot)
        return None if place is None else QPointF(*place) / self.devicePixelRatioF()

    # ---- Qt's events

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Paint, and report it."""
        if event is None:
            return
        ratio = self.devicePixelRatioF()
        painter = QPainter(self)
        painter.scale(1 / ratio, 1 / ratio)
        rect = event.rect()
        box = QRectF(rect.x() * ratio, rect.y() * ratio, rect.width() * ratio, rect.height() * ratio)
        self.sheet.paint(painter, box)
        for words in self.labels:
            part = words.rect & box
            if not part.isEmpty():
                painter.drawPixmap(part, words.picture, part.translated(-words.rect.topLeft()))
        painter.resetTransform()
        if self._calipers is not None:
            draw_calipers(painter, self._calipers, self.sheet, ratio)
        painter.end()
        if self.painted is not None:
            self.painted(*self._drawn)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802 - Qt's name
        """Lay the paper out again."""
        super().resizeEvent(event)
        self._arrange()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Pick a lead; calipers begin here."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self._held = handle_at(self._calipers, self.place, event.position())
        if self._held is not None:
            return
        self._pressed = self.spot(event.position())
        self._emit_lead(self.picked.emit, event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Calipers reach to here."""
        if event is None:
            return
        if self._held is not None:
            fixed, first = self._held
            moved = self.spot(event.position(), self.sheet.area_of(fixed.lead))
            if moved is not None:
                self.spanned.emit(Calipers(moved, fixed) if first else Calipers(fixed, moved))
            return
        if self._pressed is None:
            return
        end = self.spot(event.position(), self.sheet.area_of(self._pressed.lead))
        if end is not None:
            self.spanned.emit(Calipers(self._pressed, end))

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Calipers stay where they are; a click alone takes them away."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        held, self._held = self._held, None
        if held is not None:
            return
        pressed, self._pressed = self._pressed, None
        place = None if pressed is None else self.place(pressed)
        if place is None or (place - event.position()).manhattanLength() < 3:
            self.spanned.emit(None)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Enlarge a lead."""
        if event is not None:
            self._emit_lead(self.opened.emit, event)

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802 - Qt's name
        """Report how far the wheel was turned."""
        if event is not None and event.angleDelta().y():
            self.wheeled.emit(1 if event.angleDelta().y() > 0 else -1)

    def _emit_lead(self, emit: Callable[[str], None], event: QMouseEvent) -> None:
        area = self.area_at(event.position())
        if area is not None and area.lead != RHYTHM:
            emit(area.lead)

    # ---- drawing

    def _arrange(self) -> None:
        ratio = self.devicePixelRatioF()
        self.sheet = Sheet(round(self.width() * ratio), round(self.height() * ratio), ratio, self._look)
        self._label()
        if self._history is not None and math.isfinite(self._edge_s):
            self.show_signal(self._history, self._edge_s, linear=self._linear)
        self.update()

    def _label(self) -> None:
        look = self._look
        self.labels = tuple(
            label(
                lead_words(area, look, self._info, self._band, self._said.get(area.lead, "")),
                area,
                self.sheet.scale,
                look.theme,
                self.font(),
                framed=area.lead == look.selected and not look.enlarged,
                ratio=self.devicePixelRatioF(),
            )
            for area in self.sheet.areas
        )
