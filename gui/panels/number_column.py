# SPDX-License-Identifier: GPL-3.0-or-later
"""The column of numbers right of the paper."""

from __future__ import annotations

import math
from collections.abc import Callable

from PyQt6.QtCore import QPointF, QSize, Qt, QTimer
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent
from PyQt6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from gui.panels.latency import LastMinute
from gui.panels.numbers import TREND_S, UNKNOWN, Numbers
from gui.theme import LIGHT, Theme
from streamer.core.events import Beat, Event
from streamer.core.stream import Frame, StreamInfo
from streamer.session.description import SessionDescription

WIDTH = 176
_VALUE_PX = 69
"""Of the width, for what stands beside a name."""
BEAT_MS = 120
_P99_EVERY = 5
"""A minute changes slowly, and is long to sort."""

_YIELDS = ("p99, ms", "Latency, ms", "Lost")
"""What gives way, first to last, if the window is too low for all: it stands in the header too."""

_ROWS = ("Lead I", "Sample age", "Lost", "Latency, ms", "p99, ms", "Recording", "Battery", "Model")


class NumberColumn:
    """Heart rate, beat mark, RR trend, and how the stream fares; a `gui.panels.panel.Panel` with a
    ``widget``.
    """

    def __init__(self, numbers: Numbers | None = None) -> None:
        self.widget = _Column(self._fit)
        self.numbers = numbers or Numbers()
        self.minute: LastMinute | None = None
        """Where the latency comes from, while anybody measures it."""
        self._algorithmic_ms = math.nan
        self._ticks = 0
        self._fitted: object = None  # to what height, and to what words
        self.bpm_label = QLabel(UNKNOWN)
        self.bpm_label.setObjectName("bpm")
        self.beat_mark = BeatMark()
        self.under_rate = QHBoxLayout()
        """For what belongs to the rate."""
        self.rr_label = QLabel()
        self.rr_label.setObjectName("rr")
        self.trend = _Trend()
        self.values = {name: QLabel(UNKNOWN) for name in _ROWS}
        self._names: dict[str, QLabel] = {}
        self.widget.setFixedWidth(WIDTH)
        self._assemble()

    def _assemble(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(4)
        top.addWidget(self.bpm_label)
        aside = QVBoxLayout()
        aside.setSpacing(0)
        aside.addStretch(1)
        aside.addWidget(self.beat_mark)
        aside.addWidget(QLabel("bpm"))
        aside.addStretch(1)
        top.addLayout(aside)
        top.addStretch(1)
        self._rows = rows = QGridLayout()
        rows.setHorizontalSpacing(8)
        rows.setVerticalSpacing(3)
        rows.setColumnStretch(1, 1)
        for i, (name, value) in enumerate(self.values.items()):
            label = QLabel(name)
            label.setProperty("soft", True)
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop)
            value.setTextFormat(Qt.TextFormat.PlainText)
            value.setWordWrap(True)
            value.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            rows.addWidget(label, i, 0, Qt.AlignmentFlag.AlignTop)
            self._names[name] = label
            if name == "Model":  # whose calibration takes the width of the column
                rows.addWidget(value, i + 1, 0, 1, 2)
            else:
                rows.addWidget(value, i, 1)
        self._whole = whole = QVBoxLayout(self.widget)
        whole.setContentsMargins(10, 2, 10, 2)
        whole.setSpacing(4)
        whole.addLayout(top)
        whole.addLayout(self.under_rate)
        whole.addWidget(self.rr_label)
        whole.addWidget(self.trend)
        whole.addLayout(rows)
        whole.addStretch(1)

    # ---- `gui.panels.panel.Panel`

    def start_stream(self, info: StreamInfo, description: SessionDescription | None) -> None:
        """Another stream: nothing is known yet."""
        self.numbers.start_stream(info, description)
        self._algorithmic_ms = math.nan if description is None else description.latency.total_ms

    def frame(self, at_s: float, frame: Frame) -> None:
        """A frame came."""
        self.numbers.frame(at_s, frame)

    def event(self, event: Event) -> None:
        """A beat lights its mark at once; all else waits for `refresh`."""
        self.numbers.event(event)
        if isinstance(event, Beat):
            self.beat_mark.light()

    def refresh(self, now_s: float) -> None:
        """Bring the numbers up to date."""
        numbers = self.numbers
        self._say_rate(numbers.bpm(now_s))
        _say(self.rr_label, numbers.rr())
        self.trend.show_intervals(numbers.rr_ms())
        self._say("Lead I", *numbers.quality(now_s))
        self._say("Sample age", *numbers.age(now_s))
        self._say("Lost", numbers.lost(), numbers.lost() != "0")
        self._tell_latency()
        self._say("Recording", *numbers.recording())
        self._say("Battery", numbers.battery(), numbers.battery_percent <= 10)
        self._say("Model", *numbers.model())
        self._fit()

    def _fit(self) -> None:
        """Leave out what there is no room for, once for each height and length of words."""
        heights = tuple(value.heightForWidth(_VALUE_PX) for value in self.values.values())
        if (fitted := (self.widget.height(), heights)) == self._fitted:
            return
        self._fitted = fitted
        for count in range(len(_YIELDS) + 2):
            for k, name in enumerate(_YIELDS):
                for label in (self._names[name], self.values[name]):
                    label.setHidden(k < count)
            self.trend.setHidden(count > len(_YIELDS))
            for layout in (self._rows, self._whole):
                layout.invalidate()
            if self._whole.totalHeightForWidth(WIDTH) <= self.widget.height():
                break
        self._whole.activate()

    def apply_theme(self, theme: Theme) -> None:
        """Take on these colours."""
        self.trend.theme = theme
        self.widget.setStyleSheet(
            f"""
            QLabel {{ color: {theme.ink}; font-size: 13px; }}
            QLabel[soft="true"] {{ color: {theme.soft_ink}; }}
            QLabel[wrong="true"] {{ color: {theme.warning}; font-weight: bold; }}
            QLabel#bpm {{ color: {theme.ink}; font-size: 54px; font-weight: bold; }}
            QLabel#bpm[questionable="true"] {{ color: {theme.soft_ink}; font-size: 44px; }}
            QLabel#rr {{ font-size: 12px; }}
            QLabel#beat {{ font-size: 22px; }}
            """
        )
        self.beat_mark.apply_theme(theme)

    def _say_rate(self, text: str) -> None:
        _say(self.bpm_label, text)
        if bool(self.bpm_label.property("questionable")) != self.numbers.questionable:
            self.bpm_label.setProperty("questionable", self.numbers.questionable)
            self.bpm_label.setStyleSheet(self.bpm_label.styleSheet())

    def _tell_latency(self) -> None:
        if self.minute is None or not math.isfinite(self.minute.now_ms):
            for name in ("Latency, ms", "p99, ms"):
                self._say(name, UNKNOWN)
            self._ticks = 0
            return
        owed = f"{self._algorithmic_ms:.0f} + " if math.isfinite(self._algorithmic_ms) else ""
        self._say("Latency, ms", f"{owed}{self.minute.now_ms:.0f}")
        self._ticks += 1
        if self._ticks % _P99_EVERY == 1:
            self._say("p99, ms", f"{owed}{self.minute.summary().seen_p99_ms:.0f}")

    def _say(self, name: str, text: str, wrong: bool = False) -> None:
        label = self.values[name]
        _say(label, text)
        if bool(label.property("wrong")) != wrong:
            label.setProperty("wrong", wrong)
            label.setStyleSheet(label.styleSheet())  # Qt looks at properties only when it is dressed


class _Column(QWidget):
    """Asks to be fitted whenever its size changes; may be lower than all of it needs."""

    def __init__(self, fit: Callable[[], None]) -> None:
        super().__init__()
        self._fit = fit

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """With what cannot be left out."""
        return QSize(WIDTH, 230)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802 - Qt's name
        """Fit it."""
        super().resizeEvent(event)
        self._fit()


class BeatMark(QLabel):
    """A heart that lights up for a moment."""

    def __init__(self) -> None:
        super().__init__("♥")
        self.setObjectName("beat")
        self._theme = LIGHT
        self._off = QTimer(self)
        self._off.setSingleShot(True)
        self._off.timeout.connect(self.go_out)

    def light(self) -> None:
        """A beat came."""
        self.setStyleSheet(f"color: {self._theme.warning}")
        self._off.start(BEAT_MS)

    def go_out(self) -> None:
        """Wait for the next one."""
        self.setStyleSheet(f"color: {self._theme.grid_5_mm}")

    def apply_theme(self, theme: Theme) -> None:
        """Take on these colours."""
        self._theme = theme
        self.go_out()


class _Trend(QWidget):
    """The RR intervals of the last minute, one bar each."""

    def __init__(self) -> None:
        super().__init__()
        self.theme = LIGHT
        self._rr: list[list[tuple[float, float]]] = []
        self.setFixedHeight(46)
        self.setToolTip(f"RR intervals of the last {TREND_S:g} s, 300 to 1500 ms")

    def show_intervals(self, rr: list[list[tuple[float, float]]]) -> None:
        if rr != self._rr:
            self._rr = rr
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        painter = QPainter(self)
        width, height = self.width(), self.height()
        painter.fillRect(0, 0, width, height, QColor(self.theme.paper))
        painter.setPen(QPen(QColor(self.theme.grid_5_mm), 1))
        painter.drawRect(0, 0, width - 1, height - 1)
        if not self._rr:
            return
        newest_s = self._rr[-1][-1][0]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for stretch in self._rr:
            points = [
                QPointF(
                    width - 3 - (newest_s - at_s) / TREND_S * (width - 6),
                    height - 3 - (min(max(ms, 300.0), 1500.0) - 300) / 1200 * (height - 6),
                )
                for at_s, ms in stretch
            ]
            painter.setPen(QPen(QColor(self.theme.reconstructed), 1.2))
            painter.drawPolyline(QPolygonF(points))
        painter.setPen(QPen(QColor(self.theme.ink), 3))
        painter.drawPoint(points[-1])


def _say(label: QLabel, text: str) -> None:
    if label.text() != text:
        label.setText(text)
