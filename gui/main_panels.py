# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything around the paper, plugged into the window: numbers, alarms, sources, replay, page, about."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from PyQt6 import sip
from PyQt6.QtCore import QObject, Qt, pyqtSignal
from PyQt6.QtWidgets import QDialog, QLabel, QTextBrowser, QVBoxLayout

from gui.actions import Action
from gui.controller import GENERIC, Person, RunningSession, SessionController, SourceRequest
from gui.dialogs.alarm_limits import LimitsDialog
from gui.dialogs.calibrate import CalibrateDialog, person_in
from gui.dialogs.connect import ConnectDialog
from gui.dialogs.file_drop import FileDrop
from gui.dialogs.model_limits import limits_of
from gui.dialogs.page_writer import Write, in_another_process, page_of, pages_folder, write_beside
from gui.dialogs.source_opener import SourceSwitch
from gui.panels.alarm_banner import AlarmBanner
from gui.panels.alarms import Alarms
from gui.panels.beeper import Tone
from gui.panels.latency import LastMinute
from gui.panels.latency_panel import LatencyPanel
from gui.panels.number_column import NumberColumn
from gui.panels.replay_bar import JUMP_S, ReplayBar
from gui.settings import Settings, plain, restored
from gui.theme import Theme, dialog_style
from gui.window import MonitorWindow
from streamer.core.events import Event, LimitsChanged
from streamer.core.stream import Frame, StreamInfo
from streamer.core.vitals.vitals import Limits
from streamer.session.description import SessionDescription

NOTICE_S = 15.0
"""So long a line for the user stays."""


class _PageNews(QObject):
    written = pyqtSignal(object)
    failed = pyqtSignal(str)


class Panels:
    """The parts that stand beside the paper of one window; a `gui.panels.panel.Panel`.

    Parameters
    ----------
    window : MonitorWindow
        Plugged into.
    bench : SessionController
        What composes sessions; one runs already, and the window shows it.
    settings : Settings
        What is remembered.
    beep : callable, optional
        Sounds an alarm once, and returns at once.
    pages : Path, optional
        The folder for pages; one of the user's documents if not given.
    write : callable, optional
        Writes a page; for tests.
    """

    def __init__(
        self,
        window: MonitorWindow,
        bench: SessionController,
        settings: Settings,
        beep: Callable[[], None] | None = None,
        pages: Path | None = None,
        write: Write = in_another_process,
    ) -> None:
        self._window = window
        self._bench = bench
        self._settings = settings
        self._pages = pages
        self._whose = bench.showing.description.whose
        self._write = write
        self._theme = window.paper.look.theme
        self._minute: LastMinute | None = None
        self._ticks = 0
        self.numbers = NumberColumn()
        alarms = Alarms()
        alarms.sound = settings.get("alarms/sound", True)
        self.alarms = AlarmBanner(alarms, beep or Tone().play, self._report)
        self.replay = ReplayBar(self.seek, self.say)
        self.notice = QLabel(window.paper)
        self.notice.setObjectName("notice")
        self._notice_until_s = math.inf
        self.notice.setTextFormat(Qt.TextFormat.PlainText)
        self.notice.hide()
        self.latency = LatencyPanel(window.paper)
        self.limits = LimitsDialog(window)
        self.limits.changed.connect(self._set_limits)
        self.connect_dialog = ConnectDialog(bench.scan, lambda: settings.recent, window)
        self.connect_dialog.chosen.connect(self.open)
        self.calibrate_dialog = CalibrateDialog(
            lambda: bench.trials,
            lambda: bench.showing.description.whose,
            lambda: window.paper.look.scale.px_per_mm,
            window,
        )
        self.calibrate_dialog.used.connect(self.put_to_use)
        self.about_dialog, self.about_text = self._make_about()
        self.switch = SourceSwitch(bench, window)
        self.switch.opened.connect(self._opened)
        self.switch.failed.connect(self._not_opened)
        self.switch.busy.connect(self._busy)
        self._page_news = _PageNews()
        self._page_news.written.connect(lambda paths: self._page_done(f"page written: {_listed(paths)}"))
        self._page_news.failed.connect(self._page_done)
        self._drops = FileDrop(window)
        self._drops.dropped.connect(lambda source: self.open(SourceRequest(source)))
        self._person_drops = FileDrop(window, person_in)
        self._person_drops.dropped.connect(self._calibrate_from)
        self._plug_in()

    def _plug_in(self) -> None:
        window = self._window
        window.banner.addWidget(self.alarms.widget)
        window.column.addWidget(self.numbers.widget)
        window.below.addWidget(self.replay.widget)
        window.table.add(*self._actions())
        showing = self._bench.showing
        showing.watch_for(self._settings.limits)
        self.replay.control(showing.player, lambda: showing.inbox.closed)
        self._settings.opened(showing.wanted.source)
        for part in (self.numbers, self.alarms, self):
            window.listen(part)
        kept = self._settings.get("look", {})
        window.do.restore(restored(window.paper.look, kept), mm_set="px_per_mm" in kept)
        self._look = plain(window.paper.look, mm_set=window.do.mm_set)

    def _keep_look(self) -> None:
        look = plain(self._window.paper.look, mm_set=self._window.do.mm_set)
        if look != self._look:
            self._look = look
            self._settings.keep("look", look)

    def _actions(self) -> tuple[Action, ...]:
        def act(keys: tuple[str, ...], group: str, name: str, what: str, do: Callable[[], object]) -> Action:
            return Action(keys, group, name, what, do)

        return (
            act(("O",), "Source", "Connect", "connect: sensors, streams, recent ones", self.connect_source),
            act(("Ctrl+O",), "Source", "Open file", "open a recording", self.connect_dialog.ask_file),
            act(("K",), "Source", "Play or pause", "play, pause a replay", self.replay.play_or_pause),
            act(("<",), "Source", "Slower", "replay slower", lambda: self.replay.change_speed(-1)),
            act((">",), "Source", "Faster", "replay faster", lambda: self.replay.change_speed(1)),
            act(("Ctrl+Left",), "Source", "10 s back", "10 s back", lambda: self.replay.jump(-JUMP_S)),
            act(("Ctrl+Right",), "Source", "10 s on", "10 s on", lambda: self.replay.jump(JUMP_S)),
            act(("C",), "Source", "Calibrate...", "calibrate: learn this person", self.calibrate),
            act(("G",), "Source", "Back to generic", "back to the generic model", self.back_to_generic),
            act(("X",), "Alarms", "Silence", "silence the alarms that stand", self.alarms.silence),
            act(("H",), "Alarms", "Limits", "heart rate limits, and sound", self.ask_limits),
            act(("P",), "Window", "Page", "the last 10 s as a page: PDF and PNG", self.write_page),
            act(("W",), "Window", "Latency", "where the time of the last minute went", self.show_latency),
            act(
                ("I",), "Window", "Limits of the model", "what ST and pacing spikes can show", self.show_about
            ),
        )

    # ---- sources

    def connect_source(self) -> None:
        """Show what can be connected to."""
        _present(self.connect_dialog)

    def open(self, wanted: SourceRequest) -> None:
        """Show another source; what runs goes on until that one is there."""
        self.switch.open(wanted)

    def seek(self, place_s: float) -> None:
        """The same replay from another place: a new stream."""
        player = self._bench.showing.player
        if player is not None:
            self.open(
                replace(self._bench.showing.wanted, start_s=place_s, speed=player.speed, paused=player.paused)
            )

    def _opened(self, showing: RunningSession) -> None:
        window, about = self._window, showing.description
        window.tell = showing.tell
        self.replay.control(showing.player, lambda: showing.inbox.closed)
        showing.watch_for(self._settings.limits)
        self._settings.opened(showing.wanted.source)
        window.follow(
            showing.inbox,
            about.stream,
            f"{about.model} {about.model_version}",
            about.latency.total_ms,
            lead_in_s=showing.lead_in_s,
        )
        changed, self._whose = about.whose != self._whose, about.whose
        self.say(f"from here on {about.whose}; a session, and a recording, of its own" if changed else "")

    def _not_opened(self, wanted: SourceRequest, why: str) -> None:
        # Commands have options where a window has fields; the source waits there for another try.
        why = re.sub(r"choose( another)? with --lead NAME", "name a lead in Connect (O)", why)
        self.say(f"{wanted.source} was not opened: {why}")
        self.connect_dialog.source_edit.setText(wanted.source)
        if self._bench.showing.inbox.closed:
            self.switch.ended()

    def _busy(self, source: str) -> None:
        if source:
            self.say(f"opening {source} ...")

    # ---- whose calibration

    def calibrate(self) -> None:
        """Show what learns a person."""
        if self.calibrate_dialog.isHidden():
            size = self._window.size()
            self.calibrate_dialog.resize(size.width() - 40, size.height() - 40)
        _present(self.calibrate_dialog)

    def _calibrate_from(self, path: str) -> None:
        self.calibrate()
        self.calibrate_dialog.open_file(path)

    def back_to_generic(self) -> None:
        """Undo what was put to use, or named on the command line."""
        if self._bench.showing.description.calibration:
            self.put_to_use(GENERIC)
        else:
            self.say("it is generic already")

    def put_to_use(self, person: Person) -> None:
        """Show what runs with a person's calibration from now on: a new session, as a seek is."""
        showing = self._bench.showing
        wanted = replace(showing.wanted, person=person)
        if showing.player is not None:
            player = showing.player
            wanted = replace(wanted, start_s=player.position_s, speed=player.speed, paused=player.paused)
        self.open(wanted)

    # ---- alarms

    def ask_limits(self) -> None:
        """Ask when alarms are to be raised."""
        self.limits.ask(self._settings.limits, self.alarms.alarms.sound)
        _present(self.limits)

    def _set_limits(self, limits: Limits, sound: bool) -> None:
        self._settings.limits = limits
        self._settings.keep("alarms/sound", sound)
        self.alarms.alarms.sound = sound
        self._bench.showing.watch_for(limits)
        self._report(LimitsChanged(limits.low_bpm, limits.high_bpm, sound))

    def _report(self, event: Event) -> None:
        self._window.tell(event)

    # ---- page, latency, about

    def write_page(self) -> None:
        """Write what is shown, the last 10 s, beside whatever was written before."""
        past, edge_s = self._window.seen()
        at = datetime.now().astimezone()
        others = self._window.paper.look.alternatives
        page = page_of(past, edge_s, self._bench.showing.description, at, alternatives=others)
        if page is None:
            self.say("there is nothing to put on a page yet")
            return
        self.say("writing the page ...")
        write_beside(
            page,
            at,
            self._pages or pages_folder(),
            self._page_news.written.emit,
            self._page_news.failed.emit,
            self._write,
        )

    def _page_done(self, text: str) -> None:
        if not sip.isdeleted(self._window):  # it may have been closed meanwhile
            self.say(text)

    def show_latency(self) -> None:
        """Show the waterfall, or hide it."""
        self.latency.setVisible(self.latency.isHidden())
        self._tell_latency()

    def painted(self, stop: int, drawn_s: float, done_s: float) -> None:
        """All samples before ``stop`` are on the screen; `gui.panels.latency.LastMinute.painted`."""
        if self._minute is not None:
            self._minute.painted(stop, drawn_s, done_s)

    def _tell_latency(self) -> None:
        if self.latency.isVisible() and self._minute is not None:
            self.latency.show_summary(self._minute.summary())
            self.latency.place()
            self.latency.raise_()

    def show_about(self) -> None:
        """Show what the model's card says of its limits."""
        self.about_text.setMarkdown(limits_of(self._bench.card))
        _present(self.about_dialog)

    def _make_about(self) -> tuple[QDialog, QTextBrowser]:
        dialog, text = QDialog(self._window), QTextBrowser()
        dialog.setWindowTitle("What this can and cannot show")
        dialog.resize(760, 540)
        text.setOpenExternalLinks(False)
        layout = QVBoxLayout(dialog)
        layout.addWidget(text)
        return dialog, text

    # ---- `gui.panels.panel.Panel`

    def begin(self, info: StreamInfo, description: SessionDescription | None) -> None:
        """Another stream: its latency is measured anew."""
        self._minute = (
            None
            if description is None
            else LastMinute(info.rate_hz, description.rate_hz, description.latency)
        )
        self.numbers.minute = self._minute

    def frame(self, at_s: float, frame: Frame) -> None:
        """A frame came."""
        showing = self._bench.showing
        in_time = showing.player is None or showing.player.speed == 1
        # What comes while the picture is frozen is painted late on purpose.
        timed = in_time and not self._window.frozen and frame.stop > showing.lead_in_s * frame.rate_hz
        if self._minute is not None and timed:
            self._minute.came(at_s, frame)
        self.numbers.minute = self._minute if in_time else None
        self.switch.lives()

    def event(self, event: Event) -> None:
        """Nothing."""

    def tell(self, now_s: float) -> None:
        """Bring the bars up to date, and see whether the source is still there."""
        self._ticks += 1
        self.replay.tell()
        if self._ticks % 5 == 0:
            self._tell_latency()
        if self._bench.showing.inbox.closed:
            self.switch.ended()
        self._keep_look()
        if now_s > self._notice_until_s:
            self.say("")

    def dress(self, theme: Theme) -> None:
        """Take on these colours."""
        self.replay.dress(theme)
        self.limits.dress(theme)
        self.connect_dialog.dress(theme)
        self.calibrate_dialog.dress(theme)
        self.about_dialog.setStyleSheet(dialog_style(theme))
        self.latency.theme = theme
        self.notice.setStyleSheet(
            f"QLabel#notice {{ background: {theme.bar}; color: {theme.ink}; font-size: 14px;"
            f" border: 1px solid {theme.soft_ink}; border-radius: 4px; padding: 5px 10px; }}"
        )

    def say(self, text: str) -> None:
        """One line for the user, over the foot of the paper, for a while; nothing hides it."""
        self._notice_until_s = time.monotonic() + NOTICE_S
        room = self._window.paper.width() - 40
        metrics = self.notice.fontMetrics()
        self.notice.setText(metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, room))
        self.notice.setToolTip(text)
        self.notice.adjustSize()
        self.notice.move(8, self._window.paper.height() - self.notice.height() - 8)
        self.notice.setVisible(bool(text))
        self.notice.raise_()


def _present(dialog: QDialog) -> None:
    """Show a dialog where its keys are heard, also where nobody manages windows."""
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()


def _listed(paths: tuple[Path, ...]) -> str:
    """Files that differ in their ends only, in one line."""
    return f"{paths[0].with_suffix('')}{' and '.join(path.suffix for path in paths)}"
