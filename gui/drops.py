# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings that are dropped on the window."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QObject, pyqtSignal
from PyQt6.QtGui import QDropEvent
from PyQt6.QtWidgets import QWidget

from gui.recent import source_of_file


class Drops(QObject):
    """Takes a file that something here can open, and no other, wherever on the window it is dropped."""

    dropped = pyqtSignal(str)
    """The SOURCE of a file."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        window.setAcceptDrops(True)
        window.installEventFilter(self)
        for part in window.findChildren(QWidget):
            part.setAcceptDrops(False)  # else it would take what is dropped, and do nothing with it

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 - Qt's name
        """See what comes over the window."""
        if not isinstance(event, QDropEvent):
            return False
        source = _source_in(event)
        if source is None:
            return False
        event.acceptProposedAction()
        if event.type() == QEvent.Type.Drop:
            self.dropped.emit(source)
        return True


def _source_in(event: QDropEvent) -> str | None:
    data = event.mimeData()
    urls = [] if data is None else data.urls()
    return source_of_file(urls[0].toLocalFile()) if urls and urls[0].isLocalFile() else None
