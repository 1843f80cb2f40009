# SPDX-License-Identifier: GPL-3.0-or-later
"""The monitor's window: takes what came thirty times a second and shows it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QCloseEvent, QContextMenuEvent, QKeyEvent
from PyQt6.QtWidgets import QHBoxLayout, QMainWindow, QMenu, QStackedWidget, QVBoxLayout, QWidget

from gui.actions import Action, Actions
from gui.caliper_commands import CaliperCommands
from gui.dialogs.present import STAGE
from gui.keys import KeyReader
from gui.menus import context_menu, fill_menu_bar
from gui.panels.header import Header, notes_on
from gui.panels.help_overlay import HelpOverlay
from gui.panels.panel import Panel
from gui.paper.commands import PaperCommands
from gui.paper.fit_gain import fitted_gain
from gui.paper.geometry import Scale
from gui.paper.lead_words import beside_names
from gui.paper.look import Look
from gui.paper.view import PaperView
from gui.screen_scale import ScreenScale
from gui.signal.followed_stream import FollowedStream
from gui.signal.history import History
from gui.signal.inbox import Inbox
from gui.theme import stylesheet
from gui.time_commands import TimeCommands
from gui.toolbar import ActionBar
from streamer.core.events import Alarm, Event
from streamer.core.signal.diagnostic_band import LEAST_HZ
from streamer.core.stream import Frame, StreamInfo

FRAMES_PER_S = 30


class MonitorWindow(QMainWindow):
    """Twelve traces and what there is to say about them.

    To add a part, put a widget into `banner` (above the paper), `column` (to its right) or `below`, let it
    hear the stream with `listen`, and add what can be done to `table`.  `follow` shows another stream in
    the same window.

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
        Logical pixels to a millimetre, if they are known better than the screen states them.
    tell : callable, optional
        Takes what the user did in the window to every sink of the session: `Session.tell`.
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
        self._keys, self._ticks = KeyReader(), 0
        self.table = Actions()
        """What the user can do; add to it."""
        self._on_close = on_close
        self._panels: list[Panel] = []

        self.screen_scale = ScreenScale(self, px_per_mm, lambda px_per_mm: self.do.screen_says(px_per_mm))
        self.paper = PaperView(info, Look(Scale(self.screen_scale.px_per_mm)))
        self.do = PaperCommands(self.paper, self._redraw, self._rhythms)
        self._applied_theme = self.paper.look.theme
        self.header = Header()
        self.stage = QStackedWidget()
        """The paper, or what stands in its place; dialogs may cover it, and nothing else."""
        self.help = HelpOverlay(self, self.stage, self.table)
        self.time = TimeCommands(
            self.paper, lambda: self.stream, lambda event: self.tell(event), self._redraw
        )
        self.may_close: Callable[[], bool] = lambda: True
        """Asked before the user closes the window."""
        self.calipers = CaliperCommands(self.paper, lambda: self.stream.seen()[0], self.time.hold)
        self.banner, self.column, self.below = QVBoxLayout(), QVBoxLayout(), QVBoxLayout()
        self.tools = ActionBar(self.table, self, self.refresh)
        self.addToolBar(self.tools)
        self._assemble()
        self._add_actions()
        self.follow(inbox, info, model_text, algorithmic_latency_ms)
        self.show_actions()
        self._apply_theme()

        self.timer = QTimer(self)
        """Calls `tick`; stop it to call `tick` by hand."""
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.timeout.connect(self.tick)
        self.timer.start(1000 // FRAMES_PER_S)

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

        Its first ``lead_in_s`` seconds come at once, which says nothing about how its packets come.
        """
        self.stream = FollowedStream(inbox, info, algorithmic_latency_ms, lead_in_s)
        self.setWindowTitle(f"mecg monitor: {info.source}")
        self.header.start_stream(info, model_text)
        if info.rate_hz < LEAST_HZ and self.paper.look.rhythm == "diagnostic":
            self.paper.look = replace(self.paper.look, rhythm="measured")
        self.paper.follow(info, self.stream.band)
        self.calipers.forget()
        for panel in self._panels:
            panel.start_stream(info, inbox.description)
        self.refresh()

    def listen(self, panel: Panel) -> None:
        """Let a part of the window hear what comes from now on."""
        self._panels.append(panel)
        panel.start_stream(self.stream.info, self.stream.inbox.description)
        panel.apply_theme(self.paper.look.theme)

    def tick(self) -> None:
        """Take what came and show it; the timer calls this."""
        now_s = time.monotonic()
        self.stream.take(self._on_frame, self._on_event)
        self.time.let_go_if_due(now_s)
        self._show(now_s)
        self._ticks += 1
        if self._ticks % (FRAMES_PER_S // 5) == 0:
            self.refresh()
            for panel in self._panels:
                panel.refresh(now_s)
        if self._ticks % FRAMES_PER_S == 0:
            self.fit_gain()
            self._compare()

    def _on_frame(self, at_s: float, frame: Frame) -> None:
        for panel in self._panels:
            panel.frame(at_s, frame)

    def _on_event(self, event: Event, changed: tuple[float, float] | None) -> None:
        if isinstance(event, Alarm):
            self._ticks = -1  # it is shown in this tick
        for panel in self._panels:
            panel.event(event)
        if changed is not None and self.stream.frozen is None:
            self.paper.touch(*changed)

    def _show(self, now_s: float) -> None:
        edge_s = self.stream.edge_s(now_s)
        if edge_s is not None and self.stream.frozen is None:
            self.paper.show_signal(self.stream.history, edge_s)

    def seen(self) -> tuple[History, float]:
        """What the picture is made of, and the instant at its newest end, seconds of the stream."""
        return self.stream.seen()

    # ---- what is said

    def refresh(self) -> None:
        """Bring the words around the paper up to date."""
        scale, now_s = self.paper.look.shown_scale, time.monotonic()
        scale_from = "as set" if self.do.mm_set else self.screen_scale.words
        gain = f"{scale.mm_per_mv:g} mm/mV{' auto' if self.do.auto_gain else ''}"
        self.header.scale.setText(f"{scale.mm_per_s:g} mm/s   {gain}")
        self.header.scale.setToolTip(f"{scale.px_per_mm:.3f} px/mm ({scale_from})")
        news = notes_on(self.stream, self.paper.look, scale_from)
        self.header.refresh(self.stream.status(now_s), news, self.paper.look.theme)
        self.tools.refresh()
        self.header.frozen.setText(self.time.frozen_words(now_s))
        self.header.show_frozen(self.frozen)

    def _compare(self) -> None:
        """Put beside each lead's name what is known of it."""
        self.paper.say(beside_names(self.paper.look, *self.stream.seen()))

    # ---- what the user does

    def _add_actions(self) -> None:
        self.table.add(*self.time.table())
        self.table.add(*self.do.table(), *self.calipers.table())
        self.table.add(
            Action(("?", "F1"), "Window", "Keys", "these keys", self.help.toggle),
            Action(("Esc",), "Window", "Close", "close what is open; all leads again", self.back),
            Action(
                ("F11",),
                "Window",
                "Full screen",
                "the whole screen, or the window again",
                lambda: self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen),
                checked=self.isFullScreen,
            ),
            Action(("Q", "Ctrl+W", "Ctrl+Q"), "Window", "Quit", "close the window", self._quit),
        )
        self.paper.picked.connect(self.do.pick)
        self.paper.opened.connect(self.do.enlarge)
        self.paper.spanned.connect(self.calipers.span)
        self.paper.wheeled.connect(lambda steps: self.time.glance(-0.1 * steps))

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 - Qt's name
        """Do what the table of actions says."""
        if event is None:
            return
        action = self.table.for_key(*self._keys.spellings(event))
        if action is None:
            super().keyPressEvent(event)
            return
        action.do()
        self.refresh()

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:  # noqa: N802 - Qt's name
        """The same table, for the mouse."""
        if event is not None:
            self.menu().exec(event.globalPos())

    def menu(self) -> QMenu:
        """Everything that can be done."""
        return context_menu(self.table, self, self.refresh)

    def show_actions(self) -> None:
        """Make the toolbar, and the menu bar if the platform has one, from the table."""
        self.tools.fill()
        if sys.platform == "darwin":
            bar = self.menuBar()
            if bar is not None:
                fill_menu_bar(bar, self.table, self.refresh)

    def back(self) -> None:
        """Close what is open, one thing at a time: the help, calipers, a lead alone, a selection."""
        if self.help.isVisible():
            self.help.hide()
        elif self.paper.calipers is not None:
            self.paper.calipers = None
        elif self.paper.look.enlarged:
            self.do.toggle_enlarged()
        else:
            self.do.pick("")

    @property
    def frozen(self) -> bool:
        """Whether the picture is held still."""
        return self.stream.frozen is not None

    def _quit(self) -> None:
        if self.may_close():
            self.close()

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Stop, and tell the one that waits for it, once."""
        if event is not None and event.spontaneous() and not self.may_close():
            event.ignore()
            return
        self.timer.stop()
        on_close, self._on_close = self._on_close, lambda: None
        on_close()
        super().closeEvent(event)

    # ---- how it looks

    def _rhythms(self) -> tuple[str, ...]:
        diagnostic = ("diagnostic",) if self.stream.history.diagnostic is not None else ()
        return ("measured", *diagnostic, "II")

    def _redraw(self) -> None:
        """After a change of look: show again what is shown."""
        if self.paper.look.theme is not self._applied_theme:
            self._apply_theme()
        self.fit_gain()
        frozen = self.stream.frozen
        if frozen is not None:
            self.paper.show_signal(frozen.history, frozen.edge_s, linear=frozen.moved)
        else:
            self._show(time.monotonic())
        self._compare()
        self.refresh()

    def fit_gain(self) -> None:
        """Let the gain follow the signal, if the user asked for it."""
        traces, areas, look = self.stream.history.traces, self.paper.sheet.areas, self.paper.look
        if not self.do.auto_gain or traces is None or self.frozen or not areas:
            return
        gain = fitted_gain(traces, areas[0], self.paper.sheet.scale.px_per_mm, look.scale.mm_per_mv)
        if gain != look.scale.mm_per_mv:
            self.paper.look = replace(look, scale=replace(look.scale, mm_per_mv=gain))

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
        self.stage.setObjectName(STAGE)
        self.stage.addWidget(self.paper)
        across.addWidget(self.stage, 1)
        across.addLayout(self.column)
        middle.addLayout(across, 1)
        middle.addLayout(self.below)
        rows.addLayout(middle, 1)
        rows.addLayout(self.header.under)
        self.setCentralWidget(whole)
        self.paper.setFocus()  # else the first button has the focus, and Space presses it

    def _apply_theme(self) -> None:
        theme = self._applied_theme = self.paper.look.theme
        self.setStyleSheet(stylesheet(theme))
        if self.help.isVisible():
            self.help.fit()  # its layout takes 50 ms
        for panel in self._panels:
            panel.apply_theme(theme)
