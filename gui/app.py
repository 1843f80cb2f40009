# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens the monitor.  This module itself needs no Qt, so that it can say what is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from gui.signal.inbox import Inbox
from streamer.core.errors import InputError
from streamer.core.events import Event
from streamer.core.stream import StreamInfo

if TYPE_CHECKING:
    from gui.controller import SessionController
    from gui.window import MonitorWindow

_PROBE = "from PyQt6.QtWidgets import QApplication; import pyqtgraph; QApplication([])"

_LIBRARIES = (
    "apt-get install libegl1 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0 libxkbcommon-x11-0"
)


def why_no_display() -> str | None:
    """One line that says why no window can be opened here, or None if one can.

    Qt ends the whole process where its system libraries are missing or the display does not answer,
    so another process tries first; that takes about a second.
    """
    if any(find_spec(name) is None for name in ("PyQt6", "pyqtgraph")):
        return "the window needs PyQt6 and pyqtgraph: pip install 'mecg-streamer[gui]'"
    if (
        sys.platform.startswith("linux")
        and not os.environ.get("QT_QPA_PLATFORM")
        and not os.environ.get("DISPLAY")
        and not os.environ.get("WAYLAND_DISPLAY")
    ):
        return "no display: neither DISPLAY nor WAYLAND_DISPLAY is set"
    try:
        tried = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, text=True, errors="replace", timeout=60
        )
    except subprocess.TimeoutExpired:
        return "Qt does not answer: it took more than 60 s to start"
    if tried.returncode == 0:
        return None
    lines = [line.strip() for line in tried.stderr.splitlines() if line.strip()]
    for sign in ("ModuleNotFoundError", "ImportError", "could not connect to display"):
        for line in lines:
            if sign in line:
                return f"Qt cannot open a window: {line}"
    if any("platform plugin" in line for line in lines):
        # Qt names one library whichever is missing.
        return f"Qt cannot open a window: system libraries are missing; on Debian or Ubuntu: {_LIBRARIES}"
    why = lines[-1] if lines else f"its preview ended with code {tried.returncode}"
    return f"Qt cannot open a window: {why}"


def load_window() -> None:
    """Load all that the window needs, before samples come that would have to wait for it."""


def run_monitor(
    inbox: Inbox,
    info: StreamInfo,
    model_text: str,
    algorithmic_latency_ms: float,
    *,
    on_close: Callable[[], None],
    screenshot: Path | None = None,
    seconds: float | None = None,
    px_per_mm: float | None = None,
    painted: Callable[[int, float], None] | None = None,
    tell: Callable[[Event], None] = lambda event: None,
    controller: SessionController | None = None,
    settings: Path | None = None,
) -> int:
    """Show the monitor until it is closed; call from the main thread.

    Parameters
    ----------
    inbox : Inbox
        Attached to the session as one of its sinks.
    info, model_text, algorithmic_latency_ms
        For the header.
    on_close : callable
        Called once, when the window closes, however that came about; stop the session there.
    screenshot : Path, optional
        Save a PNG of the window here after ``seconds`` (10 where not given), then close.
    seconds : float, optional
        Close by itself after so long.
    px_per_mm : float, optional
        Logical pixels to a millimetre, where they are known better than the screen states them.
    painted : callable, optional
        As `gui.paper.view.PaperView.painted`.
    tell : callable, optional
        `Session.tell`, for what the user does in the window.
    controller : SessionController, optional
        What composes sessions, for all that stands beside the paper; without one there is only the paper.
    settings : Path, optional
        The file in which the window remembers how it was left; nothing is remembered if not given.

    Returns
    -------
    int
        The exit code: 0, or 130 after Ctrl-C.

    Raises
    ------
    InputError
        The picture cannot be written.
    """
    from PyQt6.QtCore import QEvent, QTimer
    from PyQt6.QtWidgets import QApplication

    from gui.main_panels import MainPanels
    from gui.settings import Settings
    from gui.window import MonitorWindow

    app = QApplication.instance() or QApplication(["mecg"])
    window = MonitorWindow(inbox, info, model_text, algorithmic_latency_ms, on_close, px_per_mm, tell)
    window.resize(1600, 900)
    panels = None if controller is None else MainPanels(window, controller, Settings(settings))

    def on_paint(stop: int, drawn_s: float) -> None:
        if panels is not None:
            panels.painted(stop, drawn_s, time.monotonic())
        if painted is not None:
            painted(stop, drawn_s)

    window.paper.painted = on_paint
    run = _Run(window.close)
    with run.watched():
        try:
            if screenshot is not None or seconds is not None:
                timer = QTimer(window)
                timer.setSingleShot(True)
                timer.timeout.connect(lambda: run.finish(window, screenshot))
                timer.start(round(1000 * (10.0 if seconds is None else seconds)))
            _open(window, maximized=screenshot is None)
            app.exec()
        finally:
            window.close()
            # Here and now: else whichever thread collects Python's garbage takes Qt's widgets apart.
            window.deleteLater()
            app.sendPostedEvents(window, QEvent.Type.DeferredDelete.value)
    if run.error is not None:
        raise run.error
    return 130 if run.interrupted else 0


def _open(window: MonitorWindow, *, maximized: bool) -> None:
    screen = window.screen()
    if not maximized:
        window.show()
        return
    if screen is not None:  # it must still fit if nothing maximises windows
        window.setGeometry(screen.availableGeometry())
    window.showMaximized()


class _Run:
    """How one run of Qt's loop ended: by an error, by Ctrl-C, or as asked."""

    def __init__(self, close: Callable[[], object]) -> None:
        self._close = close
        self.error: BaseException | None = None
        self.interrupted = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Let errors in slots and Ctrl-C close the window while this lasts."""
        hook, sys.excepthook = sys.excepthook, self._fail
        handler = signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            sys.excepthook = hook
            signal.signal(signal.SIGINT, handler)

    def finish(self, window: MonitorWindow, screenshot: Path | None) -> None:
        """Take the picture, if one is asked for, and close."""
        if screenshot is not None and not window.grab().save(str(screenshot), "PNG"):
            self.error = InputError(f"cannot write the picture {screenshot}: choose another place")
        self._close()

    def _fail(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        # Without this PyQt6 aborts the process on the first exception in a slot.
        self.error = self.error or error
        self._close()

    def _interrupt(self, number: int, _: FrameType | None) -> None:
        self.interrupted = True
        self._close()
