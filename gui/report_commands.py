# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user can do about a file without playing it: have its 12-lead page, as `mecg report` makes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from PyQt6 import sip
from PyQt6.QtCore import QObject, QUrl, pyqtSignal
from PyQt6.QtGui import QDesktopServices
from PyQt6.QtWidgets import QFileDialog

from gui.actions import Action
from gui.controller import SessionController
from gui.dialogs.connect import FILTER
from gui.dialogs.page_writer import pages_folder
from gui.error_text import sentence
from gui.other_threads import emit
from gui.window import MonitorWindow
from streamer.core.errors import InputError


def open_file(path: Path) -> None:
    """Show a file with what the system shows such files with."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))


class ReportCommands(QObject):
    """Asks for a file and makes its page, beside the window's own work.

    Parameters
    ----------
    say : callable
        Shows the user one line.
    folder : Path, optional
        For pages; one of the user's documents if not given.
    show : callable, optional
        Shows the page; for tests.
    """

    made = pyqtSignal(object)
    """The paths of a page; emitted by another thread."""
    failed = pyqtSignal(str)
    """Why there is none; emitted by another thread."""

    def __init__(
        self,
        window: MonitorWindow,
        controller: SessionController,
        say: Callable[[str], None],
        folder: Path | None = None,
        show: Callable[[Path], None] = open_file,
    ) -> None:
        super().__init__()
        self._window = window
        self._controller = controller
        self._say = say
        self._folder = folder
        self._show = show
        self.made.connect(self._done)
        self.failed.connect(lambda why: self._tell(f"no page: {why}"))

    def table(self) -> tuple[Action, ...]:
        """Everything."""
        what = "the page of a recording, such as a watch's: PDF and PNG"
        return (Action((), "Source", "Page of a file...", what, self.ask_file, "Page"),)

    def ask_file(self) -> None:
        """Choose a recording and make its page."""
        path, _ = QFileDialog.getOpenFileName(self._window, "A recording to make a page of", "", FILTER)
        if path:
            self.make(path)

    def make(self, path: str) -> None:
        """Make the page of a recording, and show it."""
        self._tell(f"reconstructing {Path(path).name} ...")
        folder = self._folder or pages_folder()

        def work() -> None:
            try:
                files = self._controller.report(path, folder)
            except (InputError, OSError) as error:
                emit(self.failed, sentence(error))
            else:
                emit(self.made, files)

        threading.Thread(target=work, name="report", daemon=True).start()

    def _done(self, files: tuple[Path, ...]) -> None:
        self._tell(f"page written: {', '.join(map(str, files))}")
        if not sip.isdeleted(self._window):
            self._show(files[0])

    def _tell(self, text: str) -> None:
        if not sip.isdeleted(self._window):  # it may have been closed meanwhile
            self._say(text)
