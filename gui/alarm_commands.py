# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user can do about alarms: silence them, set their limits."""

from __future__ import annotations

from collections.abc import Callable

from gui.actions import Action
from gui.controller import SessionController
from gui.dialogs.alarm_limits import LimitsDialog
from gui.dialogs.present import present
from gui.panels.alarm_banner import AlarmBanner
from gui.panels.alarms import Alarms
from gui.panels.beeper import Beeper
from gui.settings import Settings
from gui.window import MonitorWindow
from streamer.core.events import Event, LimitsChanged
from streamer.core.vitals.vitals import Limits


class AlarmCommands:
    """The alarm banner of a window, its limits and its sound.

    Parameters
    ----------
    beep : callable, optional
        Sounds an alarm once, and returns at once.
    """

    def __init__(
        self,
        window: MonitorWindow,
        controller: SessionController,
        settings: Settings,
        beep: Callable[[], None] | None = None,
    ) -> None:
        self._window = window
        self._controller = controller
        self._settings = settings
        alarms = Alarms()
        alarms.sound = settings.get("alarms/sound", True)
        self.banner = AlarmBanner(alarms, beep or Beeper().play, self._report)
        self.limits = LimitsDialog(window)
        self.limits.changed.connect(self._set_limits)

    def table(self) -> tuple[Action, ...]:
        """Everything."""
        return (
            Action(
                ("X",), "Alarms", "Silence", "silence the alarms that stand", self.banner.silence, "Alarms"
            ),
            Action(("H",), "Alarms", "Limits", "heart rate limits, and sound", self.ask_limits, "Alarms"),
        )

    def ask_limits(self) -> None:
        """Ask when alarms are to be raised."""
        self.limits.ask(self._settings.limits, self.banner.alarms.sound)
        present(self.limits)

    def _set_limits(self, limits: Limits, sound: bool) -> None:
        self._settings.limits = limits
        self._settings.keep("alarms/sound", sound)
        self.banner.alarms.sound = sound
        self._controller.running.watch_for(limits)
        self._report(LimitsChanged(limits.low_bpm, limits.high_bpm, sound))

    def _report(self, event: Event) -> None:
        self._window.tell(event)
