# SPDX-License-Identifier: GPL-3.0-or-later
"""The monitor's window: takes what the inbox holds thirty times a second and shows it."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import replace

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QCloseEvent, QContextMenuEvent, QKeyEvent, QKeySequence
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QMainWindow, QMenu, QVBoxLayout, QWidget

from gui.actions import Action, Actions
from gui.hold_back import HoldBack
from gui.inbox import Inbox
from gui.listener import Listener
from gui.paper import GAINS_MM_PER_MV, LAYOUTS, SPEEDS_MM_PER_S, Scale, screen_px_per_mm, step
from gui.paper_view import Look, PaperView
from gui.theme import DARK, LIGHT
from gui.trace_buffer import TraceBuffer
from streamer.stream import Event, Frame, State, StreamInfo

FRAMES_PER_S = 30
KEPT_S = 60.0
"""Seconds of signal kept for the screen."""

RESEARCH_USE = "Research use, not for diagnosis. Eleven of the twelve leads are estimates."

_QUIET_S = 2.0
"""After so long without a sample the header says so."""


class MonitorWindow(QMainWindow):
    """Twelve traces and what there is to say about them.

    Whoever adds a part to it puts a widget into `banner` (above the paper), `column` (to its right) or
    `below`, hears the stream with `listen`, and adds what can be done to `table`.  ``follow`` shows
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
        self._listeners: list[Listener] = []

        if px_per_mm is None:
            px_per_mm, known = self._ask_screen()
            self._scale_from = "screen's stated size" if known else "96 dpi assumed"
        else:
            self._scale_from = "as set"
        self.paper = PaperView(info, Look(Scale(px_per_mm), LAYOUTS["6x2"], LIGHT))

        self.source_label = QLabel()
        self.lead_label = QLabel()
        self.state_label = QLabel()
        self.scale_label = QLabel()
        self.model_label = QLabel()
        self.health_label = QLabel()
        self.research_label = QLabel(RESEARCH_USE)
        self.news_label = QLabel()
        self.frozen_label = QLabel()
        self.help_label = QLabel(self.paper)
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

    def follow(self, inbox: Inbox, info: StreamInfo, model_text: str, algorithmic_latency_ms: float) -> None:
        """Show this stream from now on, and nothing more of the one before."""
        self._inbox = inbox
        self._info = info
        self._algorithmic_latency_ms = algorithmic_latency_ms
        self._buffer: TraceBuffer | None = None
        self._hold_back: HoldBack | None = None
        self._newest: tuple[float, Frame] | None = None
        self._frozen: tuple[TraceBuffer, float, float] | None = None
        self._state = State.WAITING
        self._news = " · ".join(info.notes)
        self.source_label.setText(f"{info.source}   {info.device}".strip())
        self.model_label.setText(model_text)
        self.setWindowTitle(f"mecg monitor: {info.source}")
        self.frozen_label.hide()
        self.lead_label.setProperty("warning", not info.is_lead_i)
        self.paper.follow(info)
        for listener in self._listeners:
            listener.begin(info, inbox.description)
        self._tell()

    def listen(self, listener: Listener) -> None:
        """Let a part of the window hear what comes from now on."""
        self._listeners.append(listener)
        listener.begin(self._info, self._inbox.description)
        listener.dress(self.paper.look.theme)

    def tick(self) -> None:
        """Take what came and show it; the timer calls this."""
        now_s = time.monotonic()
        ended = self._inbox.closed  # asked first: nothing comes after it
        for at_s, item in self._inbox.take():
            if isinstance(item, Event):
                self._hear(item)
            else:
                self._take(at_s, item)
        if ended:
            self._state = State.ENDED
        self._show(now_s)
        self._ticks += 1
        if self._ticks % (FRAMES_PER_S // 5) == 0:
            self._tell()
            for listener in self._listeners:
                listener.tell(now_s)

    def _take(self, at_s: float, frame: Frame) -> None:
        if self._buffer is None or self._hold_back is None or frame.rate_hz != self._buffer.rate_hz:
            self._buffer = TraceBuffer(frame.rate_hz, KEPT_S)
            self._hold_back = HoldBack(frame.rate_hz)
        self._buffer.push(frame)
        self._hold_back.arrived(at_s, frame.start, frame.stop)
        if self._newest is None and self._state is State.WAITING:
            self._state = State.LIVE
        self._newest = at_s, frame
        for listener in self._listeners:
            listener.frame(at_s, frame)

    def _hear(self, event: Event) -> None:
        for listener in self._listeners:
            listener.event(event)
        if event.state is not None:
            self._state = event.state
        if event.kind != "beat":
            self._news = event.text

    def _show(self, now_s: float) -> None:
        if self._hold_back is None or self._buffer is None:
            return
        edge_s = self._hold_back.edge_s(now_s)
        if self._frozen is None:
            self.paper.show_signal(self._buffer, edge_s)

    # ---- what is said

    def _tell(self) -> None:
        theme, scale = self.paper.look.theme, self.paper.look.scale
        now_s = time.monotonic()
        # Records name Lead I in many ways ("i", "MDC_ECG_LEAD_I"); a person reads one.
        lead = f"lead {'I' if self._info.is_lead_i else self._info.lead} measured"
        if self._info.inverted:
            lead += ", inverted"
        if not self._info.is_lead_i:
            lead += ": input is not Lead I"
        self.lead_label.setText(lead)
        age_s = self._age_s(now_s)
        state, alarming = self._state.value, self._state in (State.STALE, State.RECONNECTING)
        if self._state is State.LIVE and self._newest is not None and self._newest[1].settling.any():
            state = "live, settling"
        if self._state is not State.ENDED and age_s > _QUIET_S:
            state, alarming = f"{state}: no sample for {age_s:.0f} s", True
        self.state_label.setText(f"● {state}")
        self.state_label.setStyleSheet(f"color: {theme.warning if alarming else theme.ink}")
        self.scale_label.setText(f"{scale.mm_per_s:g} mm/s   {scale.mm_per_mv:g} mm/mV")
        self.scale_label.setToolTip(f"{scale.px_per_mm:.3f} px/mm ({self._scale_from})")
        said = []
        if self._newest is not None and self._state is not State.ENDED:
            said.append(f"newest sample {age_s:.2f} s old")
        said.append(f"algorithmic latency {self._algorithmic_latency_ms:.0f} ms")
        if self._hold_back is not None and self._buffer is not None:
            said.append(f"hold-back {1e3 * self._hold_back.hold_back_s:.0f} ms")
            lost = self._buffer.lost
            said.append(f"lost {lost} samples ({lost / self._buffer.rate_hz:.2f} s)" if lost else "lost 0")
        if self._inbox.dropped:
            said.append(f"not shown {self._inbox.dropped}")
        self.health_label.setText("   ".join(said))
        news = self._news
        if self._scale_from != "screen's stated size":
            news = f"{news}   grid: {self._scale_from}".strip()
        self.news_label.setText(f"{news}   ? keys".strip())
        if self._frozen is not None:
            self.frozen_label.setText(f"FROZEN for {now_s - self._frozen[2]:.0f} s   Space lets go")

    def _age_s(self, now_s: float) -> float:
        """How long ago the newest sample was taken, or came, where nobody knows when it was taken."""
        if self._newest is None:
            return 0.0
        at_s, frame = self._newest
        taken_s = frame.device_s + (frame.leads_mv.shape[1] - 1) / frame.rate_hz
        for since_s in (taken_s, frame.arrival_s, at_s):
            if math.isfinite(since_s):
                return max(0.0, now_s - since_s)
        return 0.0

    # ---- what a person does

    def _add_actions(self) -> None:
        self.table.add(
            Action(
                ("Space",),
                "Time",
                "Freeze",
                "freeze the picture, and let it go; data still flow",
                lambda: self.freeze(not self.frozen),
            ),
            Action(("+", "="), "Paper", "Larger", "gain up: 2.5, 5, 10, 20 mm/mV", lambda: self._gain(1)),
            Action(("-",), "Paper", "Smaller", "gain down", lambda: self._gain(-1)),
            Action(("]",), "Paper", "Faster", "paper speed up: 12.5, 25, 50 mm/s", lambda: self._speed(1)),
            Action(("[",), "Paper", "Slower", "paper speed down", lambda: self._speed(-1)),
            Action(("L",), "Paper", "Next layout", "layout: 6x2, 12x1", self._next_layout),
            Action(("D",), "Paper", "Dark or light", "dark, light", self._next_theme),
            Action(
                ("Ctrl+Up",),
                "Paper",
                "Longer millimetre",
                "size of a millimetre, up by 1 %: hold a ruler to the grid",
                lambda: self._resize_mm(1.01),
            ),
            Action(
                ("Ctrl+Down",),
                "Paper",
                "Shorter millimetre",
                "size of a millimetre, down by 1 %",
                lambda: self._resize_mm(1 / 1.01),
            ),
            Action(("?", "F1"), "Window", "Keys", "these keys", self.show_help),
            Action(("Esc",), "Window", "Back", "close what is open", self.back),
            Action(("Q", "Ctrl+W", "Ctrl+Q"), "Window", "Close", "close the window", self.close),
        )

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
        if event is None:
            return
        menu, group = QMenu(self), ""
        for action in self.table:
            if action.group != group:
                group = action.group
                menu.addSection(group)
            item = menu.addAction(f"{action.name}\t{action.keys[0]}")
            if item is not None:
                item.triggered.connect(lambda _, do=action.do: do())
        menu.exec(event.globalPos())

    def show_help(self) -> None:
        """Show the keys, or hide them."""
        self.help_label.setText(self.table.as_html())
        self.help_label.adjustSize()
        self.help_label.setVisible(not self.help_label.isVisible())

    def back(self) -> None:
        """Close what is open."""
        self.help_label.hide()

    def _gain(self, by: int) -> None:
        scale = self.paper.look.scale
        self._rescale(replace(scale, mm_per_mv=step(GAINS_MM_PER_MV, scale.mm_per_mv, by)))

    def _speed(self, by: int) -> None:
        scale = self.paper.look.scale
        self._rescale(replace(scale, mm_per_s=step(SPEEDS_MM_PER_S, scale.mm_per_s, by)))

    def _resize_mm(self, factor: float) -> None:
        self._scale_from = "as set"
        scale = self.paper.look.scale
        self._rescale(replace(scale, px_per_mm=scale.px_per_mm * factor))

    def _next_layout(self) -> None:
        names = list(LAYOUTS)
        now = next(name for name in names if LAYOUTS[name] == self.paper.look.layout)
        layout = LAYOUTS[names[(names.index(now) + 1) % len(names)]]
        self.paper.look = replace(self.paper.look, layout=layout)
        self._redraw()

    def _next_theme(self) -> None:
        theme = LIGHT if self.paper.look.theme is DARK else DARK
        self.paper.look = replace(self.paper.look, theme=theme)
        self._dress()
        self._redraw()

    def freeze(self, frozen: bool) -> None:
        """Hold the picture still, or let it go; data are taken all the same."""
        if not frozen:
            self._frozen = None
        elif self._buffer is not None and self._hold_back is not None:
            now_s = time.monotonic()
            self._frozen = copy.deepcopy(self._buffer), self._hold_back.edge_s(now_s), now_s
        self.frozen_label.setVisible(self._frozen is not None)
        self._tell()

    @property
    def frozen(self) -> bool:
        """Whether the picture is held still."""
        return self._frozen is not None

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Stop, and tell whoever waits for it, once."""
        self._timer.stop()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()
        super().closeEvent(event)

    # ---- how it looks

    def _rescale(self, scale: Scale) -> None:
        self.paper.look = replace(self.paper.look, scale=scale)
        self._redraw()

    def _redraw(self) -> None:
        self.paper.clear_signal()
        if self._frozen is not None:
            self.paper.show_signal(self._frozen[0], self._frozen[1])
        else:
            self._show(time.monotonic())

    def _ask_screen(self) -> tuple[float, bool]:
        screen = self.screen()
        if screen is None:
            return screen_px_per_mm(0, 0, 0, 0)
        pixels, size = screen.size(), screen.physicalSize()
        return screen_px_per_mm(pixels.width(), pixels.height(), size.width(), size.height())

    def _assemble(self) -> None:
        for label in (self.source_label, self.state_label, self.scale_label, self.research_label):
            label.setProperty("heavy", True)
        for label in (self.model_label, self.health_label, self.news_label):
            label.setProperty("soft", True)
        # Words of the source's making must neither push the window wide nor be taken for markup.
        for label in (self.source_label, self.lead_label, self.model_label, self.news_label):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setMinimumWidth(40)
        top = _bar(
            self.source_label, self.lead_label, None, self.frozen_label, self.state_label, self.scale_label
        )
        second = _bar(self.model_label, None, self.health_label)
        foot = _bar(self.research_label, None, self.news_label)
        whole = QWidget()
        whole.setObjectName("whole")
        rows = QVBoxLayout(whole)
        rows.setContentsMargins(0, 6, 0, 6)
        rows.setSpacing(4)
        rows.addLayout(top)
        rows.addLayout(second)
        rows.addLayout(self.banner)
        across = QHBoxLayout()
        across.setSpacing(0)
        across.addWidget(self.paper, 1)
        across.addLayout(self.column)
        rows.addLayout(across, 1)
        rows.addLayout(self.below)
        rows.addLayout(foot)
        self.setCentralWidget(whole)
        self.frozen_label.setObjectName("frozen")
        self.frozen_label.hide()
        self.help_label.setObjectName("help")
        self.help_label.move(60, 60)
        self.help_label.hide()

    def _dress(self) -> None:
        theme = self.paper.look.theme
        self.setStyleSheet(
            f"""
            QWidget#whole {{ background: {theme.bar}; }}
            QLabel {{ color: {theme.ink}; font-size: 14px; }}
            QLabel[heavy="true"] {{ font-weight: bold; }}
            QLabel[soft="true"] {{ color: {theme.soft_ink}; font-size: 13px; }}
            QLabel[warning="true"] {{ color: {theme.warning}; font-weight: bold; }}
            QLabel#frozen {{ background: {theme.warning}; color: {theme.bar}; font-weight: bold;
                             padding: 0px 10px; border-radius: 4px; }}
            QLabel#help {{ background: {theme.bar}; border: 1px solid {theme.soft_ink};
                           border-radius: 6px; padding: 14px; }}
            """
        )
        self.help_label.adjustSize()
        for listener in self._listeners:
            listener.dress(theme)


def _bar(*labels: QLabel | None) -> QHBoxLayout:
    """Labels in a row; None is the room between them."""
    row = QHBoxLayout()
    row.setContentsMargins(12, 0, 12, 0)
    row.setSpacing(18)
    for label in labels:
        if label is None:
            row.addStretch(1)
        else:
            row.addWidget(label)
    return row


def _spellings(event: QKeyEvent) -> tuple[str, ...]:
    """What a key stroke is called: by what it writes ("+"), and by Qt's name ("Shift+=")."""
    name = QKeySequence(event.keyCombination()).toString(QKeySequence.SequenceFormat.PortableText)
    return event.text().upper(), name
