# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens sources beside the window's thread, one at a time, and brings a live one back that ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from gui.controller import RunningSession, SessionController, SourceRequest
from gui.error_text import sentence
from gui.other_threads import emit
from streamer.core.errors import InputError

AGAIN_S = (1.0, 2.0, 5.0, 10.0)
"""Before each attempt to open a live source again that ended by itself; the last before all further ones."""


class SourceOpener(QObject):
    """What is asked for while something is being opened replaces what was asked for before."""

    opened = pyqtSignal(object)
    """A `RunningSession` runs."""
    failed = pyqtSignal(object, str)
    """A `SourceRequest` could not be opened, and why, in one line."""
    lacks = pyqtSignal(object, object)
    """A `SourceRequest` was refused for a field that the user can set: the `InputError`; before `failed`."""
    busy = pyqtSignal(str)
    """The SOURCE that is being opened; empty when done."""

    step = pyqtSignal(str)
    """One sentence on what is being done to open a source."""

    _done = pyqtSignal(object, object, object)

    def __init__(
        self,
        controller: SessionController,
        parent: QObject | None = None,
        again_s: tuple[float, ...] = AGAIN_S,
        in_thread: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._again_s = again_s
        self._in_thread = in_thread or _in_thread
        self._next: SourceRequest | None = None
        self._running = False
        self._attempts = 0
        self._done.connect(self._end)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._open_again)

    def open(self, request: SourceRequest) -> None:
        """Open a source as soon as nothing else is being opened."""
        self._attempts = 0
        self._timer.stop()
        self._begin(request)

    def ended(self) -> None:
        """The session that is shown has ended by itself: a live source is opened again, after a while."""
        running = self._controller.running
        if running.player is None and not self._running and not self._timer.isActive():
            wait_s = self._again_s[min(self._attempts, len(self._again_s) - 1)]
            self._attempts += 1
            self._timer.start(round(1e3 * wait_s))

    def lives(self) -> None:
        """Samples come: the next end is a new one."""
        self._attempts = 0

    def _open_again(self) -> None:
        self._begin(self._controller.running.request)

    def _begin(self, request: SourceRequest) -> None:
        if self._running:
            self._next = request
            return
        self._running = True
        self.busy.emit(request.source)
        self._in_thread(lambda: self._work(request))

    def _work(self, request: SourceRequest) -> None:
        """In a thread of its own."""
        try:
            emit(self._done, request, self._controller.open(request, partial(emit, self.step)), None)
        except (InputError, OSError) as error:
            emit(self._done, request, None, error)

    def _end(
        self, request: SourceRequest, running: RunningSession | None, error: InputError | OSError | None
    ) -> None:
        self._running = False
        following, self._next = self._next, None
        if running is not None:
            self.opened.emit(running)
        elif following is None and error is not None:
            if isinstance(error, InputError) and error.field is not None and not error.leave_out:
                self.lacks.emit(request, error)
            self.failed.emit(request, sentence(error))
        self.busy.emit("")
        if following is not None:
            self._begin(following)


def _in_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="opening a source", daemon=True).start()
