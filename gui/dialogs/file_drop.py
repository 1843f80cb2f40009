# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are dropped on a window."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QEvent, QObject, pyqtSignal
from PyQt6.QtGui import QDropEvent
from PyQt6.QtWidgets import QWidget

from gui.settings import source_of_file


class FileDrop(QObject):
    """Takes a file that something here can open, and no other, wherever on the window it is dropped.

    Parameters
    ----------
    window : QWidget
    known : callable, optional
        What a path stands for, None if nothing here can open it; a SOURCE if not given.
    """

    dropped = pyqtSignal(str)
    """What the file stands for."""

    def __init__(self, window: QWidget, known: Callable[[str], str | None] = source_of_file) -> None:
        super().__init__(window)
        self._known = known
        window.setAcceptDrops(True)
        window.installEventFilter(self)
        for part in window.findChildren(QWidget):
            part.setAcceptDrops(False)  # else it would take what is dropped, and do nothing with it

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 - Qt's name
        """See what comes over the window."""
        if not isinstance(event, QDropEvent):
            return False
        data = event.mimeData()
        urls = [] if data is None else data.urls()
        found = self._known(urls[0].toLocalFile()) if urls and urls[0].isLocalFile() else None
        if found is None:
            return False
        event.acceptProposedAction()
        if event.type() == QEvent.Type.Drop:
            self.dropped.emit(found)
        return True
