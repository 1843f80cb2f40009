# SPDX-License-Identifier: GPL-3.0-or-later
"""The words above and below the paper."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QSize, Qt
from PyQt6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy

from gui.paper.look import Look
from gui.signal.followed_stream import FollowedStream, StreamStatus
from gui.theme import Theme
from streamer.core.events import State
from streamer.core.network.alternatives import SHOWN
from streamer.core.stream import StreamInfo
from streamer.session.description import ST_NOT_TO_BE_READ

RESEARCH_USE = "Research use, not for diagnosis. Eleven of the twelve leads are estimates."

RECALIBRATE = "recalibrate (C)"


class Elided(QLabel):
    """Words of the source's making: never taken for markup, cut with an ellipsis where there is no room.

    Parameters
    ----------
    least_px : int
        So much of them is shown also where there is no room for what stands beside them.
    """

    def __init__(self, least_px: int = 40) -> None:
        super().__init__()
        self._least_px = least_px
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)

    @property
    def words_px(self) -> int:
        """How wide all words are."""
        return super().sizeHint().width()

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As wide as all words, but no wider than it must be."""
        return QSize(min(self._least_px, self.words_px), super().minimumSizeHint().height())

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


class Yielding(Elided):
    """The same, but the first to be cut: it asks for no more than the least, and is given what is left."""

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """The least."""
        return self.minimumSizeHint()

    def setText(self, text: str | None) -> None:  # noqa: N802 - Qt's name
        """Show these words, and leave the room that they do not need."""
        super().setText(text)
        self.setMaximumWidth(self.words_px)

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802 - Qt's name
        """Another font: the words take other room."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.setMaximumWidth(self.words_px)


def notes_on(stream: FollowedStream, look: Look, scale_from: str) -> str:
    """What there is to say below the paper: of what is drawn, of the scale, of the stream."""
    said = []
    if look.alternatives:
        said.append(
            f"thin lines: {SHOWN} plausible alternatives"
            if stream.history.has_alternatives
            else "the model knows of no plausible alternatives"
        )
    if look.parts and stream.history.parts:
        said.append("thin lines: what each band gives; low solid, mid dashed, high dotted; ± holds 90 %")
    if look.truth:
        truth = stream.inbox.truth
        said.append(
            f"measured leads laid over ({truth.frame}); cov: share in the 90 % band"
            if stream.history.has_truth and truth is not None
            else "the source holds no other measured lead"
        )
    about = stream.inbox.description
    if about is not None and about.calibration:
        said.append(ST_NOT_TO_BE_READ)
    said.append(stream.news)
    if scale_from != "screen's stated size":
        said.append(f"grid: {scale_from}")
    return "   ".join(said)


class Header:
    """The labels above and below the paper; the window puts them into its rows."""

    def __init__(self) -> None:
        self.source = Yielding()
        self.lead = Yielding()
        self.clock = Elided(80)
        """When what runs was measured."""
        self.state = Elided(225)
        self.scale = Elided(230)
        """Wide enough for any: a picture whose speed and gain are not known cannot be read."""
        self.model = Yielding()
        self.recalibrate = QLabel(RECALIBRATE)
        self.health = Yielding()
        self.research = QLabel(RESEARCH_USE)
        self.news = Yielding()
        self.frozen = Elided(150)
        for label in (self.source, self.clock, self.state, self.scale, self.research, self.recalibrate):
            label.setProperty("heavy", True)
        for label in (self.model, self.health, self.news):
            label.setProperty("soft", True)
        self.frozen.setObjectName("frozen")
        self.frozen.hide()
        self.recalibrate.setProperty("warning", True)
        self.recalibrate.setToolTip("Lead I no longer looks like the reference's")
        self.recalibrate.hide()
        self.idle = False
        """There is no source: nothing is measured, and nothing stands anywhere."""
        self.above = (
            _bar((self.source, 1), (self.lead, 2), None, self.frozen, self.clock, self.state, self.scale),
            _bar((self.model, 1), self.recalibrate, None, (self.health, 2)),
        )
        self.under = _bar(self.research, None, (self.news, 1))

    def name_model(self, model_text: str) -> None:
        """Say what makes the leads."""
        self.model.setText(model_text)

    def start_stream(self, info: StreamInfo, model_text: str) -> None:
        """A stream begins."""
        self.source.setText(f"{info.source}   {info.device}".strip())
        self.model.setText(model_text)
        # Records name Lead I in many ways ("i", "MDC_ECG_LEAD_I"); the user reads one.
        lead = f"lead {'I' if info.is_lead_i else info.shown_lead} measured"
        if info.inverted:
            lead += ", inverted"
        if not info.is_lead_i:
            lead += ": input is not Lead I"
        self.lead.setText(lead)
        self.lead.setProperty("warning", not info.is_lead_i)
        self.frozen.hide()

    def show_frozen(self, frozen: bool) -> None:
        """What is held still says its own time, in place of the running one."""
        goes, comes = (self.clock, self.frozen) if frozen else (self.frozen, self.clock)
        goes.hide()  # first: both would make a small window wider
        comes.setVisible(frozen or not self.idle)

    def refresh(self, how: StreamStatus, news: str, theme: Theme) -> None:
        """Say how the stream stands."""
        state, alarming = how.words, how.state in (State.STALE, State.RECONNECTING)
        if how.state is State.LIVE and how.settling:
            state = f"{how.words}, settling"
        if how.untrusted and how.state is State.LIVE:
            state, alarming = f"{how.words}, input not trusted", True
        if how.quiet and how.age_s is not None:
            state, alarming = f"{state}: no sample for {how.age_s:.0f} s", True
        for label in (self.lead, self.state, self.health):
            label.setVisible(not self.idle)
        self.recalibrate.setVisible(how.recalibrate)
        self.clock.setText(how.time)
        self.state.setText(f"● {state}")
        self.state.setStyleSheet(f"color: {theme.warning if alarming else theme.ink}")
        said = []
        if how.age_s is not None and how.state is not State.ENDED:
            said.append(f"newest sample {how.age_s:.2f} s old")
        said.append(f"algorithmic latency {how.algorithmic_ms:.0f} ms")
        if how.display_delay_ms is not None:
            said.append(f"display delay {how.display_delay_ms:.0f} ms")
            said.append(f"lost {how.lost} samples ({how.lost_s:.2f} s)" if how.lost else "lost 0")
        if how.dropped:
            said.append(f"not shown {how.dropped}")
        self.health.setText("   ".join(said))
        self.news.setText(f"? keys   {news}".strip())


def _bar(*labels: QLabel | tuple[Yielding, int] | None) -> QHBoxLayout:
    """Labels in a row; of those that give way, who is cut first has the lower number.  None is the room
    between them.
    """
    row = QHBoxLayout()
    row.setContentsMargins(12, 0, 12, 0)
    row.setSpacing(18)
    for label in labels:
        if label is None:
            row.addStretch(1)
        elif isinstance(label, tuple):
            row.addWidget(label[0], 100 ** label[1])
        else:
            row.addWidget(label)
    return row
