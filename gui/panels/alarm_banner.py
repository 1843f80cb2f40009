# SPDX-License-Identifier: GPL-3.0-or-later
"""The banner above the paper, and the sound that goes with it."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel

from gui.panels.alarms import Alarms
from gui.theme import Theme
from streamer.core.events import Event
from streamer.core.stream import Frame, StreamInfo
from streamer.session.description import SessionDescription


class AlarmBanner:
    """Says what alarms stand, and beeps; a `gui.panels.panel.Panel` with a ``widget``.

    Parameters
    ----------
    beep : callable
        Makes a sound, and returns at once.
    report : callable
        Takes the event of an alarm that was silenced to the session.
    """

    def __init__(self, alarms: Alarms, beep: Callable[[], None], report: Callable[[Event], None]) -> None:
        self.widget = QLabel()
        self.alarms = alarms
        self._beep = beep
        self._report = report
        self.widget.setObjectName("alarm")
        self.widget.setTextFormat(Qt.TextFormat.PlainText)
        self.widget.setMinimumWidth(40)
        self.widget.hide()

    def silence(self) -> None:
        """Keep quiet about what stands."""
        event = self.alarms.silence()
        if event is not None:
            self._report(event)
        self._show()

    # ---- `gui.panels.panel.Panel`

    def start_stream(self, info: StreamInfo, description: SessionDescription | None) -> None:
        """Another stream: nothing stands."""
        self.alarms.clear()
        self._show()

    def frame(self, at_s: float, frame: Frame) -> None:
        """Nothing."""

    def event(self, event: Event) -> None:
        """An alarm rises or ends."""
        if self.alarms.event(event):
            self._show()

    def refresh(self, now_s: float) -> None:
        """Beep where it is time to."""
        if self.alarms.due():
            self._beep()

    def apply_theme(self, theme: Theme) -> None:
        """Take on these colours."""
        self.widget.setStyleSheet(
            f"QLabel#alarm {{ background: {theme.warning}; color: {theme.bar}; font-size: 18px;"
            " font-weight: bold; padding: 5px 12px; }"
        )

    def _show(self) -> None:
        text = self.alarms.banner()
        self.widget.setText(text)
        self.widget.setVisible(bool(text))
