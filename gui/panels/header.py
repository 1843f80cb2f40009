# SPDX-License-Identifier: GPL-3.0-or-later
"""The words above and below the paper."""

from __future__ import annotations

from dataclasses import dataclass

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy

from gui.theme import Theme
from streamer.core.events import State
from streamer.core.stream import StreamInfo

RESEARCH_USE = "Research use, not for diagnosis. Eleven of the twelve leads are estimates."

RECALIBRATE = "recalibrate (C)"


class Elided(QLabel):
    """Words of the source's making: never taken for markup, cut with an ellipsis where there is no room."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """A few letters wide."""
        return QSize(40, super().minimumSizeHint().height())

    def setText(self, text: str | None) -> None:  # noqa: N802 - Qt's name
        """Show these words; whole under the mouse."""
        super().setText(text)
        self.setToolTip("" if text is None else text.replace("<", "‹"))

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Draw what there is room for."""
        painter = QPainter(self)
        room = self.contentsRect()
        shown = QFontMetrics(self.font()).elidedText(self.text(), Qt.TextElideMode.ElideRight, room.width())
        painter.setPen(self.palette().windowText().color())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the stream stands, for its words."""

    state: State
    age_s: float | None
    """Of the newest sample; None before the first."""
    quiet: bool
    """For too long no sample came."""
    settling: bool
    untrusted: bool
    recalibrate: bool
    """Lead I no longer looks like the person's reference."""
    algorithmic_ms: float
    hold_back_ms: float | None
    lost: int
    lost_s: float
    dropped: int
    """Items that the window was too slow for."""
    news: str


class Header:
    """The labels above and below the paper; the window puts them into its rows."""

    def __init__(self) -> None:
        self.source = Elided()
        self.lead = Elided()
        self.state = QLabel()
        self.scale = QLabel()
        self.model = Elided()
        self.recalibrate = QLabel(RECALIBRATE)
        self.health = Elided()
        self.research = QLabel(RESEARCH_USE)
        self.news = Elided()
        self.frozen = QLabel()
        for label in (self.source, self.state, self.scale, self.research, self.recalibrate):
            label.setProperty("heavy", True)
        for label in (self.model, self.health, self.news):
            label.setProperty("soft", True)
        self.frozen.setObjectName("frozen")
        self.frozen.hide()
        self.recalibrate.setProperty("warning", True)
        self.recalibrate.setToolTip("Lead I no longer looks like the reference's")
        self.recalibrate.hide()
        self.above = (
            _bar((self.source, 2), (self.lead, 1), None, self.frozen, self.state, self.scale),
            _bar((self.model, 1), self.recalibrate, None, (self.health, 3)),
        )
        self.under = _bar(self.research, None, (self.news, 3))

    def begin(self, info: StreamInfo, model_text: str) -> None:
        """A stream begins."""
        self.source.setText(f"{info.source}   {info.device}".strip())
        self.model.setText(model_text)
        # Records name Lead I in many ways ("i", "MDC_ECG_LEAD_I"); a person reads one.
        lead = f"lead {'I' if info.is_lead_i else info.lead} measured"
        if info.inverted:
            lead += ", inverted"
        if not info.is_lead_i:
            lead += ": input is not Lead I"
        self.lead.setText(lead)
        self.lead.setProperty("warning", not info.is_lead_i)
        self.frozen.hide()

    def tell(self, how: Standing, theme: Theme) -> None:
        """Say how the stream stands."""
        state, alarming = how.state.value, how.state in (State.STALE, State.RECONNECTING)
        if how.state is State.LIVE and how.settling:
            state = "live, settling"
        if how.untrusted and how.state is State.LIVE:
            state, alarming = "live, input not to be trusted", True
        if how.quiet and how.age_s is not None:
            state, alarming = f"{state}: no sample for {how.age_s:.0f} s", True
        self.recalibrate.setVisible(how.recalibrate)
        self.state.setText(f"● {state}")
        self.state.setStyleSheet(f"color: {theme.warning if alarming else theme.ink}")
        said = []
        if how.age_s is not None and how.state is not State.ENDED:
            said.append(f"newest sample {how.age_s:.2f} s old")
        said.append(f"algorithmic latency {how.algorithmic_ms:.0f} ms")
        if how.hold_back_ms is not None:
            said.append(f"hold-back {how.hold_back_ms:.0f} ms")
            said.append(f"lost {how.lost} samples ({how.lost_s:.2f} s)" if how.lost else "lost 0")
        if how.dropped:
            said.append(f"not shown {how.dropped}")
        self.health.setText("   ".join(said))
        self.news.setText(f"? keys   {how.news}".strip())


def _bar(*labels: QLabel | tuple[QLabel, int] | None) -> QHBoxLayout:
    """Labels in a row, with how eagerly they take room; None is the room between them."""
    row = QHBoxLayout()
    row.setContentsMargins(12, 0, 12, 0)
    row.setSpacing(18)
    for label in labels:
        if label is None:
            row.addStretch(1)
        elif isinstance(label, tuple):
            row.addWidget(label[0], 0)
        else:
            row.addWidget(label)
    return row
