# SPDX-License-Identifier: GPL-3.0-or-later
"""The line into which the user writes what a marker is for."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QKeyEvent
from PyQt6.QtWidgets import QLineEdit, QWidget

LONGEST = 120
"""Letters of a note."""


class MarkerNote(QLineEdit):
    """Opened with the instant that is marked; Enter keeps the marker, with or without a note, Esc does not.

    Parameters
    ----------
    keep : callable
        Takes the instant (seconds of the stream) and the note.
    """

    def __init__(self, parent: QWidget, keep: Callable[[float, str], object]) -> None:
        super().__init__(parent)
        self._keep = keep
        self._at_s = 0.0
        self.setMaxLength(LONGEST)
        self.setObjectName("note")
        self.setAccessibleName("note for the marker")
        self.setPlaceholderText("note for the marker; Enter keeps it, Esc does not")
        self.setFixedWidth(420)
        self.returnPressed.connect(self._done)
        self.hide()

    def open(self, at_s: float) -> None:
        """Ask for the note of a marker at this instant."""
        self._at_s = at_s
        self.clear()
        self.move(60, 60)
        self.show()
        self.raise_()
        self.setFocus()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 - Qt's name
        """Esc goes without a marker; nothing typed here is a key of the window."""
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self._leave()
            return
        super().keyPressEvent(event)
        if event is not None:
            event.accept()

    def _done(self) -> None:
        self._leave()
        self._keep(self._at_s, " ".join(self.text().split()))

    def _leave(self) -> None:
        self.hide()
        window = self.window()
        if window is not None:
            window.setFocus()
