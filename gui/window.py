# SPDX-License-Identifier: GPL-3.0-or-later
"""The monitor's window: takes what the inbox holds thirty times a second and shows it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QCloseEvent, QContextMenuEvent, QKeyEvent, QKeySequence
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QMainWindow, QMenu, QVBoxLayout, QWidget

from gui.actions import Action, Actions
from gui.panels.header import Header, Standing
from gui.panels.marker_note import MarkerNote
from gui.panels.panel import Panel
from gui.paper.agreement_text import compared
from gui.paper.calipers import Calipers
from gui.paper.commands import PaperActions
from gui.paper.geometry import Scale, auto_gain, screen_px_per_mm, shown_s
from gui.paper.look import Look
from gui.paper.view import PaperView
from gui.signal.frozen_view import LookingBack
from gui.signal.history import History
from gui.signal.inbox import Inbox, Measured, Raw
from gui.signal.playout import PlayoutBuffer
from gui.theme import stylesheet
from streamer.core.events import Beat, Drift, Event, Marker, State, StateChanged
from streamer.core.network.alternatives import SHOWN
from streamer.core.signal.diagnostic_band import LEAST_HZ
from streamer.core.stream import Frame, StreamInfo

FRAMES_PER_S = 30

_QUIET_S = 2.0
"""After so long without a sample the header says so."""

_LEAD_IN_SLACK_S = 0.05
"""Of what comes at once the end is taken for packets, so that there is an edge where a replay is held."""

_GAIN_LOOKS_S = 5.0
"""What the gain follows where it follows the signal."""


class MonitorWindow(QMainWindow):
    """Twelve traces and what there is to say about them.

    Whoever adds a part to it puts a widget into `banner` (above the paper), `column` (to its right) or
    `below`, hears the stream with `listen`, and adds what can be done to `table`.  `follow` shows
    another stream in the same window.

    Parameters
    ----------
    inbox : Inbox
        Filled by the run-time.
    info : StreamInfo
        What is being measured.
    model_text : str
        The model, in a few words.
    algorithmic_latency_ms : float
        As `mecg info` states it.
    on_close : callable
        Called once, when the window closes.
    px_per_mm : float, optional
        Logical pixels to a millimetre, where they are known better than the screen states them.
    tell : callable, optional
        Takes what a person did in the window to every sink of the session: `Session.tell`.
    """

    def __init__(
        self,
        inbox: Inbox,
        info: StreamInfo,
        model_text: str,
        algorithmic_latency_ms: float,
        on_close: Callable[[], None],
        px_per_mm: float | None = None,
        tell: Callable[[Event], None] = lambda event: None,
    ) -> None:
        super().__init__()
        self.tell = tell
        self.table = Actions()
        """What a person can do; add to it."""
        self._on_close: Callable[[], None] | None = on_close
        self._ticks = 0
        self._listeners: list[Panel] = []

        if px_per_mm is None:
            px_per_mm, known = self._ask_screen()
            self._scale_from = "screen's stated size" if known else "96 dpi assumed"
        else:
            self._scale_from = "as set"
        self.paper = PaperView(info, Look(Scale(px_per_mm)))
        self.do = PaperActions(self.paper, self._redraw, self._rhythms)
        self._dressed = self.paper.look.theme
        self.header = Header()
        self.help_label = QLabel(self)
        self.note = MarkerNote(self.paper, self.mark)
        self.banner, self.column, self.below = QVBoxLayout(), QVBoxLayout(), QVBoxLayout()
        self._assemble()
        self._add_actions()
        self.follow(inbox, info, model_text, algorithmic_latency_ms)
        self._dress()

        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)
        self._timer.start(1000 // FRAMES_PER_S)

    # ---- what flows

    def follow(
        self,
        inbox: Inbox,
        info: StreamInfo,
        model_text: str,
        algorithmic_latency_ms: float,
        *,
        lead_in_s: float = 0.0,
    ) -> None:
        """Show this stream from now on, and nothing more of the one before.

        Its first ``lead_in_s`` seconds come at once, which tells nothing about how its packets come.
        """
        self._paced_from_s = lead_in_s - algorithmic_latency_ms / 1e3 - _LEAD_IN_SLACK_S
        self._inbox = inbox
        self._info = info
        self._algorithmic_latency_ms = algorithmic_latency_ms
        self._past = History(inbox.description)
        self._hold_back: PlayoutBuffer | None = None
        self._newest: tuple[float, Frame] | None = None
        self._frozen: LookingBack | None = None
        self._state = State.WAITING
        self._recalibrate = False
        self._news = " · ".join(info.notes)
        self.setWindowTitle(f"mecg monitor: {info.source}")
        self.header.begin(info, model_text)
        if info.rate_hz < LEAST_HZ and self.paper.look.rhythm == "diagnostic":
            self.paper.look = replace(self.paper.look, rhythm="measured")
        self.paper.follow(info, self._band())
        for listener in self._listeners:
            listener.begin(info, inbox.description)
        self._tell()

    def _band(self) -> str:
        """The input band in words, as far as it is known."""
        return "" if self._inbox.description is None else self._inbox.description.filters

    def listen(self, listener: Panel) -> None:
        """Let a part of the window hear what comes from now on."""
        self._listeners.append(listener)
        listener.begin(self._info, self._inbox.description)
        listener.dress(self.paper.look.theme)

    def tick(self) -> None:
        """Take what came and show it; the timer calls this."""
        now_s = time.monotonic()
        ended = self._inbox.closed  # asked first: nothing comes after it
        for at_s, item in self._inbox.take():
            if isinstance(item, Frame):
                self._take(at_s, item)
            elif isinstance(item, Measured):
                self._past.truth(item.start, item.leads_mv)
            elif isinstance(item, Raw):
                self._past.diagnostic_trace(item.start, item.rate_hz, item.lead_mv)
            else:
                self._hear(item)
        if ended:
            self._state = State.ENDED
        self._show(now_s)
        self._ticks += 1
        if self._ticks % (FRAMES_PER_S // 5) == 0:
            self._tell()
            for listener in self._listeners:
                listener.tell(now_s)
        if self._ticks % FRAMES_PER_S == 0:
            self._fit_gain()
            self._compare()

    def _take(self, at_s: float, frame: Frame) -> None:
        self._past.frame(frame)
        if frame.stop > self._paced_from_s * frame.rate_hz:
            if self._hold_back is None or (self._newest and self._newest[1].rate_hz != frame.rate_hz):
                self._hold_back = PlayoutBuffer(frame.rate_hz)
            self._hold_back.arrived(at_s, frame.start, frame.stop)
        if self._newest is None and self._state is State.WAITING:
            self._state = State.LIVE
        self._newest = at_s, frame
        for listener in self._listeners:
            listener.frame(at_s, frame)

    def _hear(self, event: Event) -> None:
        for listener in self._listeners:
            listener.event(event)
        match event:
            case StateChanged():
                self._state = event.state
            case Drift():
                self._recalibrate = event.rises
        if not isinstance(event, Beat):
            self._news = event.text
        changed = self._past.event(event)
        if changed is not None and self._frozen is None:
            self.paper.touch(*changed)

    def _show(self, now_s: float) -> None:
        if self._hold_back is None:
            return
        edge_s = self._hold_back.edge_s(now_s)
        if self._frozen is None:
            self.paper.show_signal(self._past, edge_s)

    def seen(self) -> tuple[History, float]:
        """What the picture is made of, and the instant at its newest end, seconds of the stream."""
        if self._frozen is not None:
            return self._frozen.past, self._frozen.edge_s
        return self._past, self._past.stop_s

    # ---- what is said

    def _tell(self) -> None:
        scale, now_s, traces = self.paper.look.shown_scale, time.monotonic(), self._past.traces
        age_s = None if self._newest is None else self._age_s(*self._newest, now_s)
        news = self._news
        if self._scale_from != "screen's stated size" or self.do.mm_set:
            news += f"   grid: {'as set' if self.do.mm_set else self._scale_from}"
        if self.paper.look.truth:
            truth = self._inbox.truth
            has = self._past.has_truth and truth is not None
            news = (
                f"measured leads laid over ({truth.frame}); cov: share in the 90 % band   {news}"
                if has and truth is not None
                else f"the source holds no other measured lead   {news}"
            )
        if self.paper.look.alternatives:
            said = (
                f"thin lines: {SHOWN} plausible alternatives"
                if self._past.has_alternatives
                else "the model knows of no plausible alternatives"
            )
            news = f"{said}   {news}"
        gain = f"{scale.mm_per_mv:g} mm/mV{' auto' if self.do.auto_gain else ''}"
        self.header.scale.setText(f"{scale.mm_per_s:g} mm/s   {gain}")
        self.header.scale.setToolTip(f"{scale.px_per_mm:.3f} px/mm ({self._scale_from})")
        self.header.tell(
            Standing(
                state=self._state,
                age_s=age_s,
                quiet=(age_s or 0.0) > _QUIET_S and self._state not in (State.ENDED, State.PAUSED),
                settling=self._newest is not None and bool(self._newest[1].settling.any()),
                recalibrate=self._recalibrate,
                untrusted=bool(self._past.untrusted) and math.isinf(self._past.untrusted[-1][1]),
                algorithmic_ms=self._algorithmic_latency_ms,
                hold_back_ms=None if self._hold_back is None else 1e3 * self._hold_back.hold_back_s,
                lost=0 if traces is None else traces.lost,
                lost_s=0.0 if traces is None else traces.lost / traces.rate_hz,
                dropped=self._inbox.dropped,
                news=news,
            ),
            self.paper.look.theme,
        )
        if self._frozen is not None:
            back = f"   {self._frozen.back_s:.1f} s back" if self._frozen.back_s else ""
            self.header.frozen.setText(f"FROZEN for {now_s - self._frozen.at_s:.0f} s{back}   Space lets go")

    def _compare(self) -> None:
        """Put beside each lead's name how it agrees with what was measured, where that is laid over it."""
        past, edge_s = self._past, self._past.stop_s
        if self._frozen is not None:
            past, edge_s = self._frozen.past, self._frozen.edge_s
        self.paper.say(compared(past, edge_s) if self.paper.look.truth else {})

    @staticmethod
    def _age_s(at_s: float, frame: Frame, now_s: float) -> float:
        """How long ago the newest sample was taken, or came, where nobody knows when it was taken."""
        taken_s = frame.device_s + (frame.leads_mv.shape[1] - 1) / frame.rate_hz
        since_s = next(when for when in (taken_s, frame.arrival_s, at_s) if math.isfinite(when))
        return max(0.0, now_s - since_s)

    # ---- what a person does

    def _add_actions(self) -> None:
        self.table.add(
            Action(
                ("Space",),
                "Time",
                "Freeze",
                "freeze the picture, and let it go; data still flow",
                self._toggle_frozen,
            ),
            Action(
                ("Left",), "Time", "Back", "1 s back (ten minutes are kept)", lambda: self.look_back(-1.0)
            ),
            Action(("Right",), "Time", "On", "1 s on", lambda: self.look_back(1.0)),
            Action(
                ("PgUp",),
                "Time",
                "A screen back",
                "a screen back; so does the wheel",
                lambda: self.turn(-1.0),
            ),
            Action(("PgDown",), "Time", "A screen on", "a screen on", lambda: self.turn(1.0)),
            Action(("Home",), "Time", "Oldest", "the oldest that is kept", lambda: self.look_back(-math.inf)),
            Action(
                ("End",), "Time", "Newest", "back to where it was frozen", lambda: self.look_back(math.inf)
            ),
            Action(("M",), "Time", "Marker", "a marker, with a note, kept in the recording", self.ask_note),
        )
        self.table.add(*self.do.table())
        self.table.add(
            Action(("?", "F1"), "Window", "Keys", "these keys", self.show_help),
            Action(("Esc",), "Window", "Close", "close what is open; all leads again", self.back),
            Action(("Q", "Ctrl+W", "Ctrl+Q"), "Window", "Quit", "close the window", self.close),
        )
        self.paper.picked.connect(self.do.pick)
        self.paper.opened.connect(self.do.enlarge)
        self.paper.spanned.connect(self._span)
        self.paper.wheeled.connect(lambda steps: self.turn(-0.1 * steps))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 - Qt's name
        """Do what the table of actions says."""
        if event is None:
            return
        action = self.table.for_key(*_spellings(event))
        if action is None:
            super().keyPressEvent(event)
            return
        action.do()
        self._tell()

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:  # noqa: N802 - Qt's name
        """The same table, for the mouse."""
        if event is not None:
            self.menu().exec(event.globalPos())

    def menu(self) -> QMenu:
        """Everything that can be done."""
        menu, group = QMenu(self), ""
        for action in self.table:
            if action.group != group:
                group = action.group
                menu.addSection(group)
            item = menu.addAction(f"{action.name}\t{action.keys[0]}")
            if item is not None:
                item.triggered.connect(lambda _, do=action.do: do())
        return menu

    def show_help(self) -> None:
        """Show the keys, or hide them."""
        self.help_label.setWordWrap(True)  # else no column wraps
        self.help_label.setFixedWidth(self.width() - 16)
        self.help_label.setText(self.table.as_html(self.width() - 60))
        self.help_label.adjustSize()
        self.help_label.move(8, 8)
        self.help_label.setVisible(not self.help_label.isVisible())
        self.help_label.raise_()

    def back(self) -> None:
        """Close what is open, one thing at a time: the help, calipers, a lead alone, a selection."""
        if self.help_label.isVisible():
            self.help_label.hide()
        elif self.paper.calipers is not None:
            self.paper.calipers = None
        elif self.paper.look.enlarged:
            self.do.toggle_enlarged()
        else:
            self.do.pick("")

    def _toggle_frozen(self) -> None:
        self.freeze(self._frozen is None)

    def freeze(self, frozen: bool) -> None:
        """Hold the picture still, or let it go; data are taken all the same."""
        if not frozen:
            self._frozen = None
            self._show(time.monotonic())
        elif self._hold_back is not None and self._frozen is None:
            now_s = time.monotonic()
            self._frozen = LookingBack(self._past, self._hold_back.edge_s(now_s), now_s)
        self.header.frozen.setVisible(self._frozen is not None)
        self._tell()

    @property
    def frozen(self) -> bool:
        """Whether the picture is held still."""
        return self._frozen is not None

    def look_back(self, seconds: float) -> None:
        """Show the picture so much later, earlier where negative; freezes it."""
        self.freeze(True)
        if self._frozen is not None:
            self._frozen.by(seconds, self._shown_s())
            self._redraw()

    def turn(self, screens: float) -> None:
        """The same by screens."""
        self.look_back(screens * self._shown_s())

    def ask_note(self) -> None:
        """Mark this instant, or the newest one that is shown while frozen; asks for a note."""
        if self._newest is not None:
            self.note.open(self._past.stop_s if self._frozen is None else self._frozen.edge_s)

    def mark(self, at_s: float, text: str) -> None:
        """Put a marker at an instant of the stream; it goes to every sink of the session."""
        event = Marker(text or "marker", at_s=at_s)
        self.tell(event)
        for past in (self._past, None if self._frozen is None else self._frozen.past):
            if past is not None:
                past.event(event)
        self.paper.touch(at_s, at_s)

    def _span(self, calipers: Calipers | None) -> None:
        self.paper.calipers = calipers

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Stop, and tell whoever waits for it, once."""
        self._timer.stop()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()
        super().closeEvent(event)

    # ---- how it looks

    def _shown_s(self) -> float:
        return max((shown_s(panel, self.paper.scale) for panel in self.paper.panels), default=1.0)

    def _rhythms(self) -> tuple[str, ...]:
        return ("measured", *(("diagnostic",) if self._past.diagnostic is not None else ()), "II")

    def _redraw(self) -> None:
        """After a change of look: what is shown, anew."""
        if self.paper.look.theme is not self._dressed:
            self._dress()
        self._fit_gain()
        frozen = self._frozen
        if frozen is not None:
            self.paper.show_signal(frozen.past, frozen.edge_s, linear=frozen.moved)
        else:
            self._show(time.monotonic())
        self._compare()
        self._tell()

    def _fit_gain(self) -> None:
        """Let the gain follow the signal, where a person asked for it."""
        traces = self._past.traces
        if not self.do.auto_gain or traces is None or self._frozen is not None or not self.paper.panels:
            return
        seen = traces.view(traces.stop - round(_GAIN_LOOKS_S * traces.rate_hz), traces.stop).leads_mv
        seen = seen[:, np.isfinite(seen).all(axis=0)]
        if not seen.shape[1]:
            return
        panel, look = self.paper.panels[0], self.paper.look
        tall_mv = float(np.ptp(np.percentile(seen, (0.2, 99.8), axis=1), axis=0).max())
        gain = auto_gain(
            tall_mv, (panel.bottom - panel.top) / self.paper.scale.px_per_mm, look.scale.mm_per_mv
        )
        if gain != look.scale.mm_per_mv:
            self.paper.look = replace(look, scale=replace(look.scale, mm_per_mv=gain))

    def _ask_screen(self) -> tuple[float, bool]:
        screen = self.screen()
        if screen is None:
            return screen_px_per_mm(0, 0, 0, 0)
        pixels, size = screen.size(), screen.physicalSize()
        return screen_px_per_mm(pixels.width(), pixels.height(), size.width(), size.height())

    def _assemble(self) -> None:
        whole = QWidget()
        whole.setObjectName("whole")
        rows = QVBoxLayout(whole)
        rows.setContentsMargins(0, 6, 0, 6)
        rows.setSpacing(4)
        for bar in self.header.above:
            rows.addLayout(bar)
        middle = QVBoxLayout()
        middle.setSpacing(0)
        middle.addLayout(self.banner)
        across = QHBoxLayout()
        across.setSpacing(0)
        across.addWidget(self.paper, 1)
        across.addLayout(self.column)
        middle.addLayout(across, 1)
        middle.addLayout(self.below)
        rows.addLayout(middle, 1)
        rows.addLayout(self.header.under)
        self.setCentralWidget(whole)
        self.help_label.setObjectName("help")
        self.help_label.hide()

    def _dress(self) -> None:
        theme = self._dressed = self.paper.look.theme
        self.setStyleSheet(stylesheet(theme))
        self.help_label.adjustSize()
        for listener in self._listeners:
            listener.dress(theme)


def _spellings(event: QKeyEvent) -> tuple[str, ...]:
    """What a key stroke is called: by what it writes ("+"), and by Qt's name ("Shift+=")."""
    name = QKeySequence(event.keyCombination()).toString(QKeySequence.SequenceFormat.PortableText)
    return event.text().upper(), name
