# SPDX-License-Identifier: GPL-3.0-or-later
"""A ring of pixel columns: each column of the stream is drawn once, whichever way it is shown afterwards.

Drawing all curves of 10 s again took 6 ms a picture on 1920x1080 (2 cores), with the band's ribbon 30 ms
and more; the three or four columns by which a picture differs from the last one take a tenth of that.
A heavier line is a 1 px line drawn more than once: pens of 2 px and more cost ten times as much in Qt.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QBrush, QColor, QFont, QFontMetrics, QPainter, QPen, QPixmap, QPolygonF
from pyqtgraph import functions as pg

from gui.paper.geometry import RHYTHM, LeadArea, Scale
from gui.paper.viewport import Course, Covered, Viewport, column_of
from gui.signal.history import History, Mark
from gui.signal.trace_buffer import envelope
from gui.theme import Theme
from streamer.core.leads import LEADS
from streamer.core.signal.runs import true_runs
from streamer.core.stream import Samples

SEAM = 3
"""Columns at an end of a trace that the next sample may still change."""

_RIBBON_PX = 200
"""Columns of a ribbon that are drawn at once."""

_FINE_PX_PER_MM = 5.0
"""Of a screen on which nobody sees the steps of a ribbon's edge: drawn smooth it would take twice as long."""

_DASH_PX = (7, 4)
"""Of a plausible alternative: drawn, and left out."""

_BAND_DASHES_PX = ((1, 0), (7, 4), (2, 3))
"""The same of what the low, the mid and the high band give."""

BEAT_BELOW_MM = 8.0
"""Where below the rhythm strip's baseline a beat is marked."""

MARKER_TEXT_PX = 320
"""How far to the left of its instant a marker's note may reach, at a text size of 12 px."""

NOTE_GAP_PX = 4
"""Between a marker and its note."""


class Look(Protocol):
    """What a strip asks of `gui.paper.view.Look`."""

    @property
    def theme(self) -> Theme:
        """The colours."""
        ...

    @property
    def ribbon(self) -> bool:
        """Whether the band is drawn."""
        ...

    @property
    def alternatives(self) -> bool:
        """Whether plausible alternatives are drawn below what was reconstructed."""
        ...

    @property
    def parts(self) -> bool:
        """Whether what each band gives is drawn below what was reconstructed."""
        ...

    @property
    def truth(self) -> bool:
        """Whether what was measured is laid over what was reconstructed."""
        ...

    @property
    def rhythm(self) -> str:
        """What the rhythm strip shows: ``measured``, ``diagnostic`` or a lead."""
        ...


@dataclass(frozen=True, slots=True)
class _Rows:
    """One trace between two columns, in mV."""

    index: NDArray[np.float64]
    """Its samples, or two for each pixel, as absolute indices at ``rate_hz``."""
    rate_hz: float
    trace: Samples
    upper: Samples | None
    lower: Samples | None
    alternatives: Samples | None
    """``(count, m)``"""
    given: Samples | None
    """``(bands, m)``: what each of the model's bands gives."""
    truth: Samples | None
    faint: NDArray[np.bool_]


def _enveloped(rows: Samples | None, group: int, start: int) -> Samples | None:
    """As `envelope`, of ``(count, 12, n)``."""
    if rows is None:
        return None
    flat = envelope(rows.reshape(-1, rows.shape[2]), group, start)[1]
    together: Samples = flat.reshape(*rows.shape[:2], -1)
    return together


class TraceStrip:
    """Panels that share their left and right, above each other.

    Parameters
    ----------
    areas : sequence of LeadArea
        All of one column of a layout.
    top, bottom : int
        From where to where traces may reach, px.
    scale : Scale
        In the screen's own px.
    """

    def __init__(self, areas: tuple[LeadArea, ...], top: int, bottom: int, scale: Scale, dense: bool) -> None:
        self.areas = areas
        self.left = round(areas[0].left)
        self.width = max(1, round(areas[0].right) - self.left)
        self._scale = scale
        self._top, self._height = top, max(1, bottom - top)
        self.box = QRectF(self.left, top, self.width, self._height)
        """Where it stands in the view."""
        # A line is 1 px wide; on a dense screen that needs another stroke beside it.
        self._strokes = {
            True: (-0.5, 0.5, 1.5) if dense else (0.0, 1.0),
            False: (0.0, 1.0) if dense else (0.0,),
        }
        self.ring = QPixmap(self.width, self._height)
        self.ring.fill(Qt.GlobalColor.transparent)
        self._blank = True
        self._covered = Covered()

    def clear(self) -> None:
        """Forget what was drawn."""
        if not self._blank:
            self.ring.fill(Qt.GlobalColor.transparent)
            self._blank = True
        self._covered.clear()

    def cover(self, viewport: Viewport, history: History, look: Look) -> list[tuple[int, int]]:
        """Draw what is missing of what is seen; returns the columns, as ``(first, after the last)``."""
        drawn = self._covered.missing(viewport.oldest, viewport.edge + 1)
        for first, stop in drawn:
            self._draw(first, stop, viewport.course, history, look)
        final = column_of(self._final_s(history), self._scale.px_per_s) - SEAM
        self._covered.unfinished(viewport.own(final))
        return drawn

    def again(
        self, first: int, stop: int, viewport: Viewport, history: History, look: Look
    ) -> tuple[int, int] | None:
        """Draw columns of the stream again, as far as they are there; returns which, as `cover` does."""
        first, stop = viewport.own(first), viewport.own(stop)
        first, stop = max(first, self._covered.first), min(stop, self._covered.stop)
        if first >= stop:
            return None
        self._draw(first, stop, viewport.course, history, look)
        return first, stop

    def blit(self, painter: QPainter, viewport: Viewport, rect: QRectF) -> None:
        """Copy what is seen and lies in ``rect`` of the view."""
        for to, at, columns in viewport.pieces():
            piece = QRectF(self.left + to, self._top, columns, self._height) & rect
            if not piece.isEmpty():
                painter.drawPixmap(piece, self.ring, piece.translated(at - to - self.left, -self._top))

    def _final_s(self, history: History) -> float:
        ends = [history.stop_s]
        if history.diagnostic is not None:
            ends.append(history.diagnostic.stop / history.diagnostic.rate_hz)
        return min(ends)

    # ---- drawing

    def _draw(self, first: int, stop: int, course: Course | None, history: History, look: Look) -> None:
        painter = QPainter(self.ring)
        stop = min(stop, first + self.width)
        while first < stop:
            origin = first - first % self.width
            end = min(stop, origin + self.width)
            skipped = 0 if course is None else course.of_stream(origin) - origin
            self._draw_piece(painter, origin + skipped, first + skipped, end + skipped, history, look)
            first = end
        painter.end()
        self._blank = False

    def _draw_piece(
        self, painter: QPainter, origin: int, first: int, stop: int, history: History, look: Look
    ) -> None:
        """Columns of the stream that stand side by side in the ring; ``origin`` is the one at its left."""
        painter.resetTransform()
        painter.translate(0, -self._top)
        box = QRectF(first - origin, self._top, stop - first, self._height)
        painter.setClipRect(box)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        if not self._blank:
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
            painter.fillRect(box, Qt.GlobalColor.transparent)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        self._draw_marks(painter, origin, first, stop, history, look)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        for area, rows in self._rows(first, stop, history, look):
            self._draw_area(painter, origin, area, rows, look)

    def _rows(self, first: int, stop: int, history: History, look: Look) -> list[tuple[LeadArea, _Rows]]:
        if history.traces is None:
            return []
        px_per_s, rate_hz = self._scale.px_per_s, history.traces.rate_hz
        group = int(rate_hz / px_per_s)
        from_s, to_s = (first - SEAM) / px_per_s, (stop + SEAM) / px_per_s
        step = max(1, group)
        start = max(0, math.floor(from_s * rate_hz) // step * step)
        seen = history.traces.view(
            start, min(history.traces.stop, (math.ceil(to_s * rate_hz) // step + 1) * step)
        )
        if not seen.leads_mv.shape[1]:
            return []
        index, every = envelope(np.vstack([seen.leads_mv, seen.measured_mv]), group, seen.start)
        faint = envelope(history.faint(seen)[None].astype(np.float32), group, seen.start)[1][0] > 0
        band = np.isfinite(seen.half_width_mv).any() and look.ribbon
        upper = envelope(seen.leads_mv + seen.half_width_mv, group, seen.start)[1] if band else None
        lower = envelope(seen.leads_mv - seen.half_width_mv, group, seen.start)[1] if band else None
        others = _enveloped(history.alternatives(seen) if look.alternatives else None, group, seen.start)
        given = _enveloped(history.given(seen) if look.parts else None, group, seen.start)
        truth = None
        if look.truth and seen.truth_mv is not None:
            truth = envelope(seen.truth_mv, group, seen.start)[1]
        found = []
        for area in self.areas:
            lead = look.rhythm if area.lead == RHYTHM else area.lead
            if lead == "diagnostic":
                if history.diagnostic is not None:
                    found.append((area, self._diagnostic_rows(history, from_s, to_s)))
                continue
            k = LEADS.index(lead) if lead in LEADS else -1
            ribbon = k > 0 and upper is not None and lower is not None
            found.append(
                (
                    area,
                    _Rows(
                        index,
                        rate_hz,
                        every[k],
                        upper[k] if ribbon and upper is not None else None,
                        lower[k] if ribbon and lower is not None else None,
                        others[:, k] if others is not None and k > 0 else None,
                        given[:, k] if given is not None and k > 0 else None,
                        truth[k] if truth is not None and k >= 0 else None,
                        faint,
                    ),
                )
            )
        return found

    def _diagnostic_rows(self, history: History, from_s: float, to_s: float) -> _Rows:
        assert history.diagnostic is not None
        rate_hz = history.diagnostic.rate_hz
        group = int(rate_hz / self._scale.px_per_s)
        step = max(1, group)
        start = max(0, math.floor(from_s * rate_hz) // step * step)
        mv = history.diagnostic.view(
            start, min(history.diagnostic.stop, (math.ceil(to_s * rate_hz) // step + 1) * step)
        )
        index, rows = envelope(mv[None], group, start)
        return _Rows(index, rate_hz, rows[0], None, None, None, None, None, np.zeros(len(index), np.bool_))

    def _draw_area(self, painter: QPainter, origin: int, area: LeadArea, rows: _Rows, look: Look) -> None:
        theme, per_mv = look.theme, self._scale.px_per_mv
        x = rows.index * (self._scale.px_per_s / rows.rate_hz) - origin
        lead = look.rhythm if area.lead == RHYTHM else area.lead
        measured = lead not in LEADS[1:]

        def y_of(mv: Samples) -> NDArray[np.float64]:
            return area.baseline - mv.astype(np.float64) * per_mv

        if rows.upper is not None and rows.lower is not None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QBrush(QColor(theme.ribbon)))
            smooth = self._scale.px_per_mm < _FINE_PX_PER_MM
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, smooth)
            # What is not to be trusted has none, and no row's reaches into another.
            upper, lower = (
                np.where(rows.faint, np.nan, np.clip(y_of(edge), area.top, area.bottom))
                for edge in (rows.upper, rows.lower)
            )
            self._draw_ribbon(painter, x, upper, lower)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        others: list[tuple[Samples, tuple[int, int]]] = []
        if rows.given is not None:
            others += zip(rows.given, _BAND_DASHES_PX[: len(rows.given)], strict=True)
        if rows.alternatives is not None:
            others += [(one, _DASH_PX) for one in rows.alternatives]
        painter.setPen(QPen(QColor(theme.alternative), 0))
        for one, (drawn, left_out) in others:
            # Dashed for who does not see the hue; by the column, since columns are drawn a few at a time.
            hidden = rows.faint | ((x + origin) % (drawn + left_out) >= drawn)
            self._draw_line(painter, x, np.where(hidden, np.nan, y_of(one)), self._strokes[False])
        if rows.truth is not None:
            painter.setPen(QPen(QColor(theme.truth), 0))
            self._draw_line(painter, x, y_of(rows.truth), self._strokes[False])
        y, strokes = y_of(rows.trace), self._strokes[measured]
        if rows.faint.any():
            # One point in common, so that the line does not break where it changes colour.
            still = rows.faint | np.append(False, rows.faint[:-1])
            painter.setPen(QPen(QColor(theme.settling), 0))
            self._draw_line(painter, x, np.where(still, y, np.nan), strokes)
            y = np.where(rows.faint, np.nan, y)
        painter.setPen(QPen(QColor(theme.measured if measured else theme.reconstructed), 0))
        self._draw_line(painter, x, y, strokes)

    def _draw_ribbon(
        self,
        painter: QPainter,
        x: NDArray[np.float64],
        upper: NDArray[np.float64],
        lower: NDArray[np.float64],
    ) -> None:
        """Between two lines, a few columns at a time: Qt takes ten times as long for one large polygon.

        Each part reaches beyond its columns, which it is clipped to, so that no seam is seen.
        """
        for a, b in true_runs(np.isfinite(upper) & np.isfinite(lower)):
            first, last = math.floor(x[a]), math.ceil(x[b - 1])
            for left in range(first, last, _RIBBON_PX):
                begin = max(a, a + int(np.searchsorted(x[a:b], left - 1)) - 1)
                end = min(b, a + int(np.searchsorted(x[a:b], left + _RIBBON_PX + 1)) + 1)
                painter.save()
                painter.setClipRect(
                    QRectF(left, self._top, _RIBBON_PX, self._height), Qt.ClipOperation.IntersectClip
                )
                there = np.concatenate([x[begin:end], x[begin:end][::-1]])
                both = np.concatenate([upper[begin:end], lower[begin:end][::-1]])
                painter.drawPolygon(polygon(there, both))
                painter.restore()

    @staticmethod
    def _draw_line(
        painter: QPainter, x: NDArray[np.float64], y: NDArray[np.float64], strokes: tuple[float, ...]
    ) -> None:
        for a, b in true_runs(np.isfinite(y)):
            for offset in strokes:
                painter.drawPolyline(polygon(x[a:b], y[a:b] + offset))

    def _draw_marks(
        self, painter: QPainter, origin: int, first: int, stop: int, history: History, look: Look
    ) -> None:
        per_s, theme = self._scale.px_per_s, look.theme
        size = mark_size(self._scale)
        for area in self.areas:
            if area.lead == RHYTHM:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QBrush(QColor(theme.soft_ink)))
                for mark in _between(history.beats, (first - size) / per_s, (stop + size) / per_s):
                    below = area.baseline + BEAT_BELOW_MM * self._scale.px_per_mm
                    x, top = mark.at_s * per_s - origin, min(below, area.bottom - 1.5 * size)
                    painter.drawPolygon(
                        QPolygonF(
                            [
                                QPointF(x, top),
                                QPointF(x + size / 2, top + size),
                                QPointF(x - size / 2, top + size),
                            ]
                        )
                    )
        reach = marker_reach(self._scale)
        font = QFont(painter.font())
        font.setPixelSize(round(reach * 12 / MARKER_TEXT_PX))
        painter.setFont(font)
        pen = QPen(QColor(theme.warning), 1)
        for mark in _between(history.markers, (first - reach) / per_s, (stop + reach) / per_s):
            # In the column of its instant; its note to the left, which is seen at the newest edge too.
            x = column_of(mark.at_s, per_s) - origin
            painter.setPen(pen)
            painter.drawLine(x, self._top, x, self._top + self._height)
            if not 0 <= x < self.width:
                continue  # of another lap, in which its note is written
            begins, note = note_beside(mark.text, x, self.width, reach, painter.fontMetrics())
            for area in (self.areas[0], self.areas[-1])[: len(self.areas)]:
                painter.drawText(QPointF(begins, area.bottom - size), note)


def mark_size(scale: Scale) -> float:
    """Of a beat's mark, px."""
    return max(7.0, 2.0 * scale.px_per_mm)


def marker_reach(scale: Scale) -> int:
    """How far to the left of its instant a marker with its note may reach, px."""
    return round(MARKER_TEXT_PX * max(1.0, scale.px_per_mm / 3.8))


def note_beside(text: str, x: int, width: int, reach: int, metrics: QFontMetrics) -> tuple[int, str]:
    """From which px on a marker's note stands in a column so wide, and as much of it as fits there.

    To the left, which is seen at the newest edge too; to the right if it fits only there, or better.
    """
    wide = metrics.horizontalAdvance(text)
    left, right = (max(0, min(room, reach) - NOTE_GAP_PX) for room in (x, width - x))
    before = wide <= left or right < min(left, wide)
    room = left if before else right
    # Qt measures in fractions of a pixel when it cuts, and would cut what just fits.
    note = text if wide <= room else metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
    return x - NOTE_GAP_PX - metrics.horizontalAdvance(note) if before else x + NOTE_GAP_PX, note


def _between(marks: list[Mark], from_s: float, to_s: float) -> list[Mark]:
    return [mark for mark in marks if from_s <= mark.at_s <= to_s]


def polygon(x: NDArray[np.float64], y: NDArray[np.float64]) -> QPolygonF:
    """Points in px, of which Qt draws a line; finite ones only."""
    points: QPolygonF = pg.create_qpolygonf(len(x))
    memory = pg.ndarray_from_qpolygonf(points)
    memory[:, 0], memory[:, 1] = x, y
    return points
