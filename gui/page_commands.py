# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the last 10 s as a page, beside the window's own work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from PyQt6 import sip
from PyQt6.QtCore import QObject, pyqtSignal

from gui.controller import SessionController
from gui.dialogs.page_writer import Write, in_another_process, page_of, pages_folder, write_beside
from gui.other_threads import emit
from gui.window import MonitorWindow


class PageCommands(QObject):
    """Writes pages of what a window shows.

    Parameters
    ----------
    say : callable
        Shows the user one line.
    folder : Path, optional
        For pages; one of the user's documents if not given.
    write : callable, optional
        Writes a page; for tests.
    """

    written = pyqtSignal(object)
    """The paths of a page; emitted by another thread."""
    failed = pyqtSignal(str)
    """Why a page was not written; emitted by another thread."""

    def __init__(
        self,
        window: MonitorWindow,
        controller: SessionController,
        say: Callable[[str], None],
        folder: Path | None = None,
        write: Write = in_another_process,
    ) -> None:
        super().__init__()
        self._window = window
        self._controller = controller
        self._say = say
        self._folder = folder
        self._write = write
        self.written.connect(lambda paths: self._done(f"page written: {_listed(paths)}"))
        self.failed.connect(self._done)

    def write_page(self) -> None:
        """Write what is shown, the last 10 s, beside the pages written before."""
        history, edge_s = self._window.seen()
        at = datetime.now().astimezone()
        look = self._window.paper.look
        running = self._controller.running
        page = page_of(
            history,
            edge_s,
            running.description,
            at,
            speed=None if running.player is None else running.player.speed,
            alternatives=look.alternatives,
            consecutive=look.consecutive,
        )
        if page is None:
            self._say("there is nothing to put on a page yet")
            return
        self._say("writing the page ...")
        folder = self._folder or pages_folder()
        write_beside(page, at, folder, partial(emit, self.written), partial(emit, self.failed), self._write)

    def _done(self, text: str) -> None:
        if not sip.isdeleted(self._window):  # it may have been closed meanwhile
            self._say(text)


def _listed(paths: tuple[Path, ...]) -> str:
    """Files that differ in their ends only, in one line."""
    return f"{paths[0].with_suffix('')}{' and '.join(path.suffix for path in paths)}"
