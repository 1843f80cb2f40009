# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user can do about alarms: silence them, set their limits."""

from __future__ import annotations

import time
from collections.abc import Callable

from gui.actions import Action
from gui.controller import SessionController
from gui.dialogs.alarm_limits import LimitsDialog
from gui.dialogs.present import present
from gui.panels.alarm_banner import AlarmBanner
from gui.panels.alarms import Alarms
from gui.panels.beeper import Beeper
from gui.panels.number_column import NumberColumn
from gui.settings import Settings
from gui.window import MonitorWindow
from streamer.core.events import Event, LimitsChanged
from streamer.core.vitals.vitals import Limits


class AlarmCommands:
    """The alarm banner of a window, its limits and its sound.

    Parameters
    ----------
    numbers : NumberColumn
        Has the heart rate, beside which it says whether alarms sound.
    beep : callable, optional
        Sounds an alarm once, and returns at once.
    """

    def __init__(
        self,
        window: MonitorWindow,
        controller: SessionController,
        settings: Settings,
        numbers: NumberColumn,
        beep: Callable[[], None] | None = None,
    ) -> None:
        self._window = window
        self._controller = controller
        self._settings = settings
        alarms = Alarms(numbers.numbers)  # each start is with sound: "off" is remembered by nobody
        alarms.limits = settings.limits
        self.banner = AlarmBanner(alarms, beep or Beeper().play, self._report, numbers.bpm_label.text)
        numbers.under_rate.addWidget(self.banner.bell)
        self.limits = LimitsDialog(window)
        self.limits.changed.connect(self._set_limits)

    def table(self) -> tuple[Action, ...]:
        """Everything."""
        return (
            Action(
                ("X",),
                "Alarms",
                "Silence",
                "silence the alarms that stand, for two minutes",
                self.banner.silence,
                "Alarms",
            ),
            Action(("H",), "Alarms", "Limits", "heart rate limits, and sound", self.ask_limits, "Alarms"),
        )

    def watch(self) -> None:
        """Let the session that runs raise alarms by the limits that are shown."""
        self._controller.running.watch_for(self.banner.alarms.limits)

    def ask_limits(self) -> None:
        """Ask when alarms are to be raised."""
        self.limits.ask(self.banner.alarms.limits, self.banner.alarms.sound)
        present(self.limits)

    def _set_limits(self, limits: Limits, sound: bool) -> None:
        self._settings.limits = limits
        self.banner.alarms.limits, self.banner.alarms.sound = limits, sound
        self.watch()
        self.banner.show(time.monotonic())
        self._report(LimitsChanged(limits.low_bpm, limits.high_bpm, sound))

    def _report(self, event: Event) -> None:
        self._window.tell(event)
