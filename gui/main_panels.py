# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything around the paper, plugged into the window: numbers, alarms, sources, replay, page, latency."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gui.actions import Action
from gui.alarm_commands import AlarmCommands
from gui.band_commands import BandCommands
from gui.controller import SessionController
from gui.dialogs.model_limits import limits_of
from gui.dialogs.page_writer import Write, in_another_process
from gui.dialogs.present import TextDialog
from gui.page_commands import PageCommands
from gui.panels.latency import LastMinute
from gui.panels.latency_panel import LatencyPanel
from gui.panels.notice import Notice
from gui.panels.number_column import NumberColumn
from gui.record_commands import RecordCommands
from gui.report_commands import ReportCommands
from gui.settings import Settings, look_from_table, look_to_table
from gui.source_commands import SourceCommands
from gui.theme import Theme, dialog_style
from gui.window import MonitorWindow
from streamer.core.events import Event
from streamer.core.stream import Frame, StreamInfo
from streamer.session.description import SessionDescription


class MainPanels:
    """The parts beside the paper of one window; a `gui.panels.panel.Panel`.

    Parameters
    ----------
    window : MonitorWindow
        Plugged into.
    controller : SessionController
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
        controller: SessionController,
        settings: Settings,
        beep: Callable[[], None] | None = None,
        pages: Path | None = None,
        write: Write = in_another_process,
    ) -> None:
        self._window = window
        self._controller = controller
        self._settings = settings
        self._minute: LastMinute | None = None
        self._ticks = 0
        self.notice = Notice(window.paper)
        self.numbers = NumberColumn()
        self.latency = LatencyPanel(window.paper)
        self.model_limits = TextDialog("What this can and cannot show", window)
        self.alarms = AlarmCommands(window, controller, settings, self.numbers, beep)
        self.sources = SourceCommands(window, controller, settings, self._say)
        self.record = RecordCommands(window, controller, self._say, self.numbers.numbers.not_recording)
        self.bands = BandCommands(window, controller, self.notice.say)
        self.pages = PageCommands(window, controller, self.notice.say, pages, write)
        self.reports = ReportCommands(window, controller, self._say, pages)
        self.sources.start.page_wanted.connect(self.reports.ask_file)
        self._plug_in()

    def _plug_in(self) -> None:
        window = self._window
        window.banner.addWidget(self.alarms.banner.widget)
        window.column.addWidget(self.numbers.widget)
        window.below.addWidget(self.sources.replay.widget)
        window.table.add(
            *self.sources.table(),
            *self.reports.table(),
            *self.record.table(),
            *self.alarms.table(),
            *self.bands.table(),
            *self._window_table(),
        )
        window.show_actions()
        for part in (self.numbers, self.alarms.banner, self):
            window.listen(part)
        kept = self._settings.get("look", {})
        window.do.restore(look_from_table(window.paper.look, kept), mm_set="px_per_mm" in kept)
        self._look = look_to_table(window.paper.look, mm_set=window.do.mm_set)

    def _window_table(self) -> tuple[Action, ...]:
        def act(keys: tuple[str, ...], name: str, what: str, do: Callable[[], object]) -> Action:
            return Action(keys, "Window", name, what, do)

        return (
            Action(
                ("P",),
                "Window",
                "Page",
                "the last 10 s as a page: PDF and PNG",
                self.pages.write_page,
                "Page",
            ),
            act(("W",), "Latency", "where the time of the last minute went", self.show_latency),
            act(("I",), "Limits of the model", "what ST and pacing spikes can show", self.show_model_limits),
        )

    def _say(self, text: str) -> None:
        """One line for the user, beside whatever stands on the stage."""
        self.notice.say(text)
        self.sources.start.say(text)

    def _keep_look(self) -> None:
        look = look_to_table(self._window.paper.look, mm_set=self._window.do.mm_set)
        if look != self._look:
            self._look = look
            self._settings.keep("look", look)

    def show_model_limits(self) -> None:
        """Show what the model's card says of its limits."""
        self.model_limits.show_markdown(limits_of(self._controller.card))

    # ---- latency

    def show_latency(self) -> None:
        """Show the latency breakdown of the last minute, or hide it."""
        self.latency.setVisible(self.latency.isHidden())
        self._refresh_latency()

    def painted(self, stop: int, drawn_s: float, done_s: float) -> None:
        """All samples before ``stop`` are on the screen; `gui.panels.latency.LastMinute.painted`."""
        if self._minute is not None:
            self._minute.painted(stop, drawn_s, done_s)

    def _refresh_latency(self) -> None:
        if self.latency.isVisible() and self._minute is not None:
            self.latency.show_summary(self._minute.summary())
            self.latency.place()
            self.latency.raise_()

    # ---- `gui.panels.panel.Panel`

    def start_stream(self, info: StreamInfo, description: SessionDescription | None) -> None:
        """Another stream: its latency is measured, and alarms are raised, from now on."""
        self.alarms.watch()
        self._minute = (
            None
            if description is None
            else LastMinute(info.rate_hz, description.rate_hz, description.latency)
        )
        self.numbers.minute = self._minute

    def frame(self, at_s: float, frame: Frame) -> None:
        """A frame came."""
        running = self._controller.running
        in_time = running.player is None or running.player.speed == 1
        # What comes while the picture is frozen is painted late on purpose.
        timed = in_time and not self._window.frozen and frame.stop > running.lead_in_s * frame.rate_hz
        if self._minute is not None and timed:
            self._minute.came(at_s, frame)
        self.numbers.minute = self._minute if in_time else None
        self.sources.opener.lives()

    def event(self, event: Event) -> None:
        """Nothing."""

    def refresh(self, now_s: float) -> None:
        """Bring all parts up to date."""
        self._ticks += 1
        if self._ticks % 5 == 0:
            self._refresh_latency()
        self.sources.refresh()
        self.record.refresh()
        self._keep_look()
        self.notice.refresh(now_s)

    def apply_theme(self, theme: Theme) -> None:
        """Take on these colours."""
        self.sources.apply_theme(theme)
        self.alarms.limits.apply_theme(theme)
        self.model_limits.setStyleSheet(dialog_style(theme))
        self.latency.theme = theme
        self.notice.apply_theme(theme)
