# SPDX-License-Identifier: GPL-3.0-or-later
"""The banner above the paper, which has its place whether an alarm stands or not, and the sound."""

from __future__ import annotations

import time
from collections.abc import Callable

from PyQt6.QtCore import QRectF, QSize, Qt, QTimerEvent
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from gui.panels.alarms import Alarms, Sign
from gui.panels.bell_sign import BellSign
from gui.theme import ALARM_HIGH, ALARM_INKS, ALARM_MEDIUM, ALARM_TECHNICAL, LIGHT, Theme
from streamer.core.events import AlarmKind, Event
from streamer.core.stream import Frame, StreamInfo
from streamer.core.vitals.standing import PRIORITIES, Priority
from streamer.session.alarm_words import MARKS
from streamer.session.description import SessionDescription

HEIGHT_PX = 30
FONTS_PX = (17, 15, 13)
_AROUND_PX = 30
"""Of a sign, beside its words."""
_FLASH_MS = 50


class SignLabel(QLabel):
    """One alarm: in its colour while it is lit, framed in it while it is not; legible in both."""

    def __init__(self) -> None:
        super().__init__()
        self.sign: Sign | None = None
        self.lit = True
        self._timer = 0
        self.theme: Theme = LIGHT
        self.setObjectName("alarm")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.hide()

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """A few letters wide."""
        return QSize(60, super().minimumSizeHint().height())

    @property
    def color(self) -> str:
        """As ``#rrggbb``."""
        if self.sign is None or self.sign.technical:
            return ALARM_TECHNICAL
        return ALARM_HIGH if self.sign.priority is Priority.HIGH else ALARM_MEDIUM

    def show_sign(self, sign: Sign, now_s: float) -> None:
        """Show it as it is now."""
        self.sign = sign
        text = f"{MARKS[sign.priority]} {sign.text}"
        if self.text() != text:
            self.setText(text)
            self.setToolTip(text)
        self.flash(now_s)
        if not self._timer and sign.flashes:
            self._timer = self.startTimer(_FLASH_MS)
        self.show()

    def take_down(self) -> None:
        """It stands no more."""
        self.hide()
        if self._timer:
            self.killTimer(self._timer)
            self._timer = 0

    def timerEvent(self, event: QTimerEvent | None) -> None:  # noqa: N802 - Qt's name
        """Flash more often than the window is brought up to date."""
        self.flash(time.monotonic())

    def flash(self, now_s: float) -> None:
        """Light it, or let it go out, as it is at an instant."""
        lit = self.sign is None or self.sign.lit(now_s)
        if lit != self.lit:
            self.lit = lit
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw the words that there is room for."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color = QColor(self.color)
        painter.setPen(QPen(color, 3))
        painter.setBrush(color if self.lit else QColor(self.theme.bar))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(2, 2, -2, -2), 4, 4)
        painter.setPen(QColor(ALARM_INKS[self.color] if self.lit else self.theme.ink))
        room = self.rect().adjusted(12, 0, -12, 0)
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)


class AlarmBanner:
    """Says what alarms stand, and beeps; a `gui.panels.panel.Panel` with a ``widget``.

    Parameters
    ----------
    beep : callable
        Makes a sound, and returns at once.
    report : callable
        Takes the event of an alarm that was silenced to the session.
    rate : callable
        The heart rate as it stands beside the paper.
    """

    def __init__(
        self,
        alarms: Alarms,
        beep: Callable[[], None],
        report: Callable[[Event], None],
        rate: Callable[[], str],
    ) -> None:
        self.widget = QWidget()
        self.bell = BellSign()
        """To stand beside the heart rate."""
        self.alarms = alarms
        self._beep = beep
        self._report = report
        self._rate = rate
        self.signs = {alarm: SignLabel() for alarm in PRIORITIES}
        self._font_px = 0
        self.sound_label = QLabel()
        self.sound_label.setObjectName("quiet")
        row = QHBoxLayout(self.widget)
        row.setContentsMargins(8, 0, 12, 0)
        row.setSpacing(4)
        for sign in self.signs.values():
            row.addWidget(sign)
        row.addStretch(1)
        row.addWidget(self.sound_label)
        self.widget.setFixedHeight(HEIGHT_PX)

    def silence(self) -> None:
        """Keep quiet about what stands, for a while."""
        event = self.alarms.silence()
        if event is not None:
            self._report(event)
        self.show(time.monotonic())

    # ---- `gui.panels.panel.Panel`

    def start_stream(self, info: StreamInfo, description: SessionDescription | None) -> None:
        """Another stream: nothing stands."""
        self.alarms.clear()
        self.show(time.monotonic())

    def frame(self, at_s: float, frame: Frame) -> None:
        """Nothing."""

    def event(self, event: Event) -> None:
        """An alarm rises or ends; shown with the next `refresh`, which comes at once."""
        self.alarms.event(event)

    def refresh(self, now_s: float) -> None:
        """Bring it up to date, and beep if it is time to."""
        self.show(now_s)
        if self.alarms.due():
            self._beep()

    def apply_theme(self, theme: Theme) -> None:
        """Take on these colours."""
        for label in self.signs.values():
            label.theme = theme
        self.bell.theme = theme
        self.bell.update()
        self.widget.setStyleSheet(
            f"QLabel#quiet {{ color: {theme.ink}; font-size: 14px; font-weight: bold; }}"
        )

    # ---- what is seen

    def show(self, now_s: float) -> None:
        """Show what stands, as it is at an instant (monotonic seconds)."""
        signs = {sign.alarm: sign for sign in self.alarms.signs(now_s, self._rate())}
        for alarm, label in self.signs.items():
            if alarm in signs:
                label.show_sign(signs[alarm], now_s)
            else:
                label.take_down()
        sound, limits = self.alarms.sound_words(), self.alarms.limits
        self.sound_label.setText(
            "" if not signs else f"{sound} (H)" if not self.alarms.sound else sound or "X silences"
        )
        self.bell.say(f"{limits.low_bpm:g}-{limits.high_bpm:g}", sound, off=not self.alarms.sound)
        self._fit()

    def _fit(self) -> None:
        """Write as large as there is room for all words."""
        room = self.widget.width() - self.sound_label.sizeHint().width() - 24
        texts = [label.text() for label in self.signs.values() if not label.isHidden()]
        font = QFont(self.widget.font())
        font.setBold(True)
        for font_px in FONTS_PX:
            font.setPixelSize(font_px)
            metrics = QFontMetrics(font)
            if sum(metrics.horizontalAdvance(text) + _AROUND_PX for text in texts) <= room:
                break
        if font_px != self._font_px:
            self._font_px = font_px
            for label in self.signs.values():
                label.setStyleSheet(f"font-size: {font_px}px; font-weight: bold; padding: 0px 12px;")

    def standing(self) -> tuple[AlarmKind, ...]:
        """What is shown."""
        return tuple(alarm for alarm, label in self.signs.items() if not label.isHidden())
