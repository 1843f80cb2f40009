# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person's calibration does to each lead: measured, generic and personal on one paper."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from PyQt6.QtCore import QPointF, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen, QPixmap, QWheelEvent
from PyQt6.QtWidgets import QSizePolicy, QWidget

from gui.controller import CalibrationPreview
from gui.panels.header import RESEARCH_USE
from gui.paper.geometry import BASELINE, GAINS_MM_PER_MV, Layout, LeadArea, Scale, lay_out, shown_s
from gui.paper.grid import Words, draw_grid, label
from gui.paper.trace_strip import polygon
from gui.theme import LIGHT, Theme
from streamer.core.leads import LEADS
from streamer.core.signal.runs import true_runs

LAYOUT = Layout((LEADS[:3], LEADS[3:6], LEADS[6:9], LEADS[9:]))
"""As the monitor's 3x4, each area the same stretch of time."""

WORSE = 1.05
"""An error that grows by more stands in the colour of warnings."""

_TEXT_MM = 3.6
_HEAD_MM, _FOOT_MM = 11.0, 5.0
_DASHES = [4.0, 3.0]
_LABEL_MM = {False: 5.0, True: 9.0}
"""Of a row, for its words: a name and its errors; in two lines where there are those across halves."""
_REACH = 0.1
"""So much of a row a lead may reach into the one below."""


def fitting_scale(preview: CalibrationPreview, px_per_mm: float, height_px: float) -> Scale:
    """25 mm/s, and the largest gain at which no lead reaches into the words above it, or far below."""
    scale = Scale(px_per_mm)
    every = np.concatenate([preview.truth_mv, preview.generic_mv, preview.personal_mv])
    every = every[np.isfinite(every).any(axis=1)]
    if not every.size:
        return scale
    low_mv, high_mv = np.nanpercentile(every, (0.1, 99.9), axis=1)
    row_mm = (height_px / px_per_mm - _HEAD_MM - _FOOT_MM) / LAYOUT.rows
    above_mm, below_mm = BASELINE * row_mm - _LABEL_MM[preview.same], (1 - BASELINE + _REACH) * row_mm
    fits = [
        gain
        for gain in GAINS_MM_PER_MV
        if gain * high_mv.max() <= above_mm and -gain * low_mv.min() <= below_mm
    ]
    return replace(scale, mm_per_mv=fits[-1] if fits else GAINS_MM_PER_MV[0])


def draw_before_after(
    preview: CalibrationPreview, from_s: float, width: int, height: int, px_per_mm: float, theme: Theme
) -> QPixmap:
    """The picture, of so many px: words, twelve areas from an instant on, and what must not be forgotten.

    Parameters
    ----------
    preview : CalibrationPreview
    from_s : float
        Where the areas begin, seconds after the first sample that is shown.
    width, height : int
        px
    px_per_mm : float
    theme : Theme
    """
    scale = fitting_scale(preview, px_per_mm, height)
    head, foot = round(_HEAD_MM * px_per_mm), round(_FOOT_MM * px_per_mm)
    picture = QPixmap(max(1, width), max(1, height))
    picture.fill(QColor(theme.bar))
    painter = QPainter(picture)
    tall = max(1, height - head - foot)
    areas = lay_out(LAYOUT, width, tall, scale)
    painter.save()
    painter.translate(0, head)
    painter.drawPixmap(0, 0, draw_grid(width, tall, areas, scale, theme))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    for area in areas:
        _draw_area(painter, preview, from_s, area, scale, theme, tall)
    for area in areas:
        words = label(_words(preview, area.lead, theme), area, scale, theme, painter.font(), False)
        painter.drawPixmap(words.rect.topLeft(), words.picture)
    painter.restore()
    _draw_words(painter, preview, from_s, areas, scale, theme, (width, height, head, foot))
    painter.end()
    return picture


def _draw_area(
    painter: QPainter,
    preview: CalibrationPreview,
    from_s: float,
    area: LeadArea,
    scale: Scale,
    theme: Theme,
    tall: int,
) -> None:
    painter.setClipRect(QRectF(area.left, 0, area.right - area.left, tall))
    first = max(0, math.floor(from_s * preview.rate_hz))
    stop = min(preview.truth_mv.shape[1], first + math.ceil(shown_s(area, scale) * preview.rate_hz) + 2)
    x = area.left + (np.arange(first, stop) / preview.rate_hz - from_s) * scale.px_per_s
    k = LEADS.index(area.lead)
    dashed = QPen(QColor(theme.soft_ink), 0)
    dashed.setDashPattern(_DASHES)
    lines = (
        (preview.truth_mv, QPen(QColor(theme.truth), 0), (-1.0, 0.0, 1.0)),
        (preview.generic_mv, dashed, (0.0,)),
        (preview.personal_mv, QPen(QColor(theme.reconstructed), 0), (0.0,)),
    )
    for leads_mv, pen, strokes in lines:
        painter.setPen(pen)
        y = area.baseline - leads_mv[k, first:stop].astype(np.float64) * scale.px_per_mv
        for a, b in true_runs(np.isfinite(y)):
            for offset in strokes:
                painter.drawPolyline(polygon(x[a:b], y[a:b] + offset))
    painter.setClipping(False)


def _words(preview: CalibrationPreview, lead: str, theme: Theme) -> list[Words]:
    """A lead's name, and its errors before and after."""
    k = LEADS.index(lead)
    words = [Words(lead, theme.ink, name=True)]
    for named, found in (
        ("", preview.rmse_mv),
        ("across halves ", preview.halves_mv if preview.same else None),
    ):
        if found is None or not np.isfinite(found[:, k]).all():
            continue
        before, after = found[:, k]
        color = theme.warning if after > WORSE * before else theme.ink if not named else theme.soft_ink
        if lead == "I" and np.isclose(before, after):
            words.append(Words(f"measured; RMSE {after:.3f} mV", color))
        else:
            words.append(Words(f"{named or 'RMSE '}{before:.3f} → {after:.3f} mV", color))
    return words


def _draw_words(
    painter: QPainter,
    preview: CalibrationPreview,
    from_s: float,
    areas: tuple[LeadArea, ...],
    scale: Scale,
    theme: Theme,
    size: tuple[int, int, int, int],
) -> None:
    width, height, head, foot = size
    bold, plain = QFont(painter.font()), QFont(painter.font())
    for font in (bold, plain):
        font.setPixelSize(max(11, round(_TEXT_MM * scale.px_per_mm)))
    bold.setBold(True)
    edge, line = 2 * scale.px_per_mm, head / 2
    painter.setFont(bold)
    painter.setPen(QColor(theme.warning if preview.same else theme.ink))
    about = preview.about[:1].upper() + preview.about[1:]
    if preview.same and preview.has_truth:
        about += ": it flatters, the figures across halves do not"
    metrics = QFontMetricsF(bold)
    about = metrics.elidedText(about, Qt.TextElideMode.ElideRight, width - 2 * edge)
    painter.drawText(QPointF(edge, 0.72 * line), about)
    painter.setFont(plain)
    metrics, x = QFontMetricsF(plain), edge
    legend = [("generic: before", theme.soft_ink), ("personal: after", theme.reconstructed)]
    if preview.has_truth:
        legend.insert(0, ("measured", theme.truth))
    for text, color in legend:
        pen = QPen(QColor(color), 2)
        if color == theme.soft_ink:
            pen.setDashPattern([3.0, 2.0])
        painter.setPen(pen)
        painter.drawLine(QPointF(x, 1.5 * line), QPointF(x + 24, 1.5 * line))
        painter.drawText(QPointF(x + 30, 1.72 * line), text)
        x += 30 + metrics.horizontalAdvance(text) + 18
    first_s = preview.start_s + from_s
    to_s = min(first_s + shown_s(areas[0], scale), preview.start_s + preview.seconds)
    shown = f"{first_s:.1f} to {to_s:.1f} s   {scale.mm_per_s:g} mm/s   {scale.mm_per_mv:g} mm/mV"
    painter.setPen(QColor(theme.ink))
    painter.drawText(QPointF(width - edge - metrics.horizontalAdvance(shown), 1.72 * line), shown)
    painter.drawText(QPointF(edge, height - 0.28 * foot), RESEARCH_USE)


class BeforeAfter(QWidget):
    """Shows a preview; the wheel, or a change of `from_s`, moves along it."""

    moved = pyqtSignal(float)
    """It shows what begins here, seconds after the first sample that is shown."""

    def __init__(self, px_per_mm: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(320, 200)
        self.theme = LIGHT
        self._px_per_mm = px_per_mm
        self._trial: CalibrationPreview | None = None
        self._from_s = 0.0
        self._picture: tuple[object, QPixmap] | None = None

    @property
    def preview(self) -> CalibrationPreview | None:
        """What is shown."""
        return self._trial

    def show_trial(self, preview: CalibrationPreview | None, px_per_mm: float) -> None:
        """Show another, from its beginning, or nothing."""
        self._trial, self._px_per_mm, self._from_s = preview, px_per_mm, 0.0
        self.update()
        self.moved.emit(0.0)

    @property
    def hidden_s(self) -> float:
        """How much of it does not fit: the latest `from_s`."""
        if self._trial is None:
            return 0.0
        area = lay_out(LAYOUT, self.width(), self.height(), Scale(self._px_per_mm))[0]
        return max(0.0, self._trial.seconds - shown_s(area, Scale(self._px_per_mm)))

    @property
    def from_s(self) -> float:
        """Where the areas begin, seconds after the first sample that is shown."""
        return self._from_s

    @from_s.setter
    def from_s(self, seconds: float) -> None:
        seconds = min(max(seconds, 0.0), self.hidden_s)
        if seconds != self._from_s:
            self._from_s = seconds
            self.update()
            self.moved.emit(seconds)

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802 - Qt's name
        """Half a second a step."""
        if event is not None:
            self.from_s -= event.angleDelta().y() / 240

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Copy the picture, drawn again where anything changed."""
        painter = QPainter(self)
        if self._trial is None:
            painter.fillRect(self.rect(), QColor(self.theme.paper))
            return
        ratio = self.devicePixelRatioF()
        size = round(self.width() * ratio), round(self.height() * ratio)
        key = (id(self._trial), self._from_s, size, self._px_per_mm, self.theme)
        if self._picture is None or self._picture[0] != key:
            picture = draw_before_after(self._trial, self._from_s, *size, self._px_per_mm * ratio, self.theme)
            picture.setDevicePixelRatio(ratio)
            self._picture = key, picture
        painter.drawPixmap(0, 0, self._picture[1])
