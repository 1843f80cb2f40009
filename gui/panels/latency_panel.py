# SPDX-License-Identifier: GPL-3.0-or-later
"""The waterfall of the last minute: where each millisecond between the heart and the screen went."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget

from gui.panels.latency import Bar, Summary
from gui.theme import LIGHT, Theme

SHORTEST_MS = 0.05
"""What is shorter on average is reported together, at the end."""

_ROW, _LABEL, _VALUE, _EDGE, _HEAD = 19, 128, 76, 12, 50
_SIZE = (560, _HEAD + 15 * _ROW + _EDGE)


def rows_of(summary: Summary) -> list[tuple[str, str, float, float]]:
    """Stage, kind, start and length in ms of what is worth a row."""
    shown = [bar for bar in summary.bars if bar.mean_ms >= SHORTEST_MS]
    short = [bar for bar in summary.bars if bar.mean_ms < SHORTEST_MS]
    rows = [(bar.stage, bar.kind, bar.from_ms, bar.mean_ms) for bar in shown]
    total_ms = sum(bar.mean_ms for bar in short)
    if short:
        rows.append(
            (f"{len(short)} shorter ones", "program", _end(summary.bars) - max(total_ms, 0.0), total_ms)
        )
    return rows


def _end(bars: tuple[Bar, ...]) -> float:
    return bars[-1].from_ms + bars[-1].mean_ms if bars else 0.0


class LatencyPanel(QWidget):
    """Lies over a corner of the paper."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.theme: Theme = LIGHT
        self._summary: Summary | None = None
        self.setFixedSize(*_SIZE)
        self.hide()

    def show_summary(self, summary: Summary) -> None:
        """Draw this."""
        self._summary = summary
        self.update()

    def place(self) -> None:
        """Into the lower right corner of what it lies on."""
        below = self.parentWidget()
        if below is not None:
            self.setFixedSize(min(_SIZE[0], below.width() - 16), min(_SIZE[1], below.height() - 16))
            x, y = below.width() - self.width() - 8, below.height() - self.height() - 8
            self.move(max(0, x), max(0, y))

    def words(self) -> str:
        """The heading."""
        summary = self._summary
        if summary is None or not summary.hops:
            return "Nothing was measured yet: samples need stamps, and paint."
        return (
            f"a sample on the screen is {summary.felt_mean_ms:.0f} ms old (p99 {summary.felt_p99_ms:.0f}); "
            f"since its arrival {summary.seen_p50_ms:.0f} ms (p99 {summary.seen_p99_ms:.0f})"
        )

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw the bars."""
        theme, summary = self.theme, self._summary
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.bar))
        painter.setPen(QColor(theme.soft_ink))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        self._write(painter, 13, True, theme.ink, (_EDGE, 6, self.width() - 2 * _EDGE, 20), "The last minute")
        self._write(
            painter, 12, False, theme.soft_ink, (_EDGE, 26, self.width() - 2 * _EDGE, 18), self.words()
        )
        if summary is None or not summary.hops:
            return
        colors = {
            "algorithm": theme.reconstructed,
            "source": theme.warning,
            "program": theme.ink,
            "screen": theme.soft_ink,
        }
        room = self.width() - 2 * _EDGE - _LABEL - _VALUE
        scale = room / max(_end(summary.bars), 1e-9)
        rows = rows_of(summary)
        tall = min(_ROW, (self.height() - _HEAD) // max(len(rows), 1))  # all of them, on any screen
        for i, (stage, kind, from_ms, mean_ms) in enumerate(rows):
            y = _HEAD + i * tall
            self._write(painter, min(12, tall), False, theme.ink, (_EDGE, y, _LABEL, tall), stage)
            bar = QRectF(_EDGE + _LABEL + from_ms * scale, y + 3, max(mean_ms * scale, 1.0), tall - 6)
            painter.fillRect(bar, QColor(colors[kind]))
            box = (self.width() - _EDGE - _VALUE, y, _VALUE, tall)
            self._write(painter, min(12, tall), False, theme.ink, box, f"{mean_ms:.2f} ms", right=True)

    def _write(
        self,
        painter: QPainter,
        size: int,
        bold: bool,
        color: str,
        box: tuple[int, int, int, int],
        text: str,
        *,
        right: bool = False,
    ) -> None:
        font = QFont(self.font())
        font.setPixelSize(size)
        font.setBold(bold)
        painter.setFont(font)
        painter.setPen(QColor(color))
        side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
        painter.drawText(QRectF(*box), side | Qt.AlignmentFlag.AlignVCenter, text)
