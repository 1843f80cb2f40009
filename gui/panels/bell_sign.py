# SPDX-License-Identifier: GPL-3.0-or-later
"""The bell beside the heart rate, crossed if alarms do not sound, with the limits of the rate."""

from __future__ import annotations

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from gui.theme import LIGHT, Theme

BELL_PX = 20


class BellSign(QWidget):
    """Says whether alarms sound; always seen, whether one stands or not."""

    def __init__(self) -> None:
        super().__init__()
        self.theme: Theme = LIGHT
        self.limits_label, self.sound_label = QLabel(), QLabel()
        self._off = self._silent = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(BELL_PX)
        self.sound_label.setProperty("wrong", True)
        row = QHBoxLayout(self)
        row.setContentsMargins(BELL_PX + 4, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.limits_label)
        row.addWidget(self.sound_label)
        row.addStretch(1)

    def say(self, limits: str, sound: str, *, off: bool) -> None:
        """Show these limits, and what there is to say of the sound: empty if it is on.

        Parameters
        ----------
        off : bool
            It is off until the user turns it on, not only silent for a while.
        """
        if (limits, sound, off) != (self.limits_label.text(), self.sound_label.text(), self._off):
            self.limits_label.setText(limits)
            self.sound_label.setText(sound)
            self._off, self._silent = off, bool(sound)
            self.setToolTip(f"alarms below and above {limits}, {sound or 'with sound'}: H, Alarms")
            self.setAccessibleName(self.toolTip())
            self.update()

    @property
    def crossed(self) -> bool:
        """Whether the bell is crossed."""
        return self._silent

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw the bell; the cross is of whole lines if the sound is off, of dots if silent for a while."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(BELL_PX / 22, BELL_PX / 22)
        ink = QColor(self.theme.warning if self._silent else self.theme.ink)
        painter.setPen(QPen(ink, 1.6, cap=Qt.PenCapStyle.RoundCap, join=Qt.PenJoinStyle.RoundJoin))
        painter.drawPath(_bell())
        painter.setBrush(ink)
        painter.drawEllipse(QRectF(9, 18.2, 4, 2.4))
        if self._silent:
            style = Qt.PenStyle.SolidLine if self._off else Qt.PenStyle.DotLine
            painter.setPen(QPen(ink, 2.2, style, Qt.PenCapStyle.FlatCap))
            painter.drawLine(QPointF(2, 2), QPointF(20, 20))
            painter.drawLine(QPointF(20, 2), QPointF(2, 20))


def _bell() -> QPainterPath:
    """In a square of 22."""
    path = QPainterPath(QPointF(3, 17))
    path.cubicTo(6, 14, 5, 11, 5.5, 9)
    path.cubicTo(6, 5.5, 8, 3.5, 11, 3.5)
    path.cubicTo(14, 3.5, 16, 5.5, 16.5, 9)
    path.cubicTo(17, 11, 16, 14, 19, 17)
    path.closeSubpath()
    return path
