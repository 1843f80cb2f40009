# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user can do about the recording: begin it, end it, and not lose it by closing the window."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtGui import QIcon
from PyQt6.QtWidgets import QMessageBox

from gui.actions import Action
from gui.controller import RecordingStatus, SessionController
from gui.dialogs.present import place
from gui.error_text import sentence
from gui.theme import dialog_style
from gui.window import MonitorWindow
from streamer.core.errors import InputError
from streamer.session.alarm_words import duration


class RecordCommands:
    """Records what a window shows.

    Parameters
    ----------
    say : callable
        Shows the user one line.
    stopped : callable
        Called when a recording was ended here.
    ask : callable, optional
        Whether to quit while it records; for tests.
    """

    def __init__(
        self,
        window: MonitorWindow,
        controller: SessionController,
        say: Callable[[str], None],
        stopped: Callable[[], None],
        ask: Callable[[str], bool] | None = None,
    ) -> None:
        self._window = window
        self._controller = controller
        self._say = say
        self._stopped = stopped
        self._ask = ask or self._ask_user
        window.may_close = self.may_close

    def table(self) -> tuple[Action, ...]:
        """Everything."""
        return (
            Action(
                ("Ctrl+R",),
                "Source",
                "Record",
                "record, and end the recording",
                self.toggle,
                "Record",
                lambda: self._status() is not None,
            ),
        )

    def toggle(self) -> None:
        """Begin a recording, or end it."""
        recording = self._controller.running.recording
        if recording is None:
            self._say("there is nothing to record here: connect a source; a recording shown again is none")
            return
        status = recording.status()
        try:
            if status is None:
                self._say(f"recording to {recording.begin()}")
            else:
                recording.end()
                self._stopped()
                self._say(f"recorded: {status.path}")
        except (InputError, OSError) as error:
            self._say(sentence(error))
        self.refresh()

    def may_close(self) -> bool:
        """Whether the window may be closed; asks while it records."""
        status = self._status()
        return status is None or self._ask(f"{duration(status.seconds)} are recorded in {status.path}")

    def refresh(self) -> None:
        """Say on the button how long and how large the recording is; both stand still if nothing comes."""
        button = self._window.tools.buttons.get("Record")
        if button is None:
            return
        status = self._status()
        text = "Record" if status is None else _words(status)
        if button.text() != text:
            button.setText(text)
        if bool(button.property("recording")) != (status is not None):
            button.setProperty("recording", status is not None)
            button.setStyleSheet(button.styleSheet())  # Qt looks at properties only when it is dressed

    def _status(self) -> RecordingStatus | None:
        recording = self._controller.running.recording
        return None if recording is None else recording.status()

    def _ask_user(self, what: str) -> bool:
        box = QMessageBox(self._window)
        box.setStyleSheet(dialog_style(self._window.paper.look.theme))
        box.setWindowTitle("Quit while recording?")
        box.setText(f"{what}.\nQuit, and close the recording?")
        box.setStandardButtons(QMessageBox.StandardButton.Close | QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        for button in box.buttons():
            button.setIcon(QIcon())  # the words say it
        place(box)
        return box.exec() == QMessageBox.StandardButton.Close


def _words(status: RecordingStatus) -> str:
    return f"● REC {duration(status.seconds)}  {status.size_bytes / 1e6:.1f} MB"
