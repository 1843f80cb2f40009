# SPDX-License-Identifier: GPL-3.0-or-later
"""What other threads tell the window: nothing any more once the program ends.

Python waits for some of them as it ends, after Qt has taken itself apart: a signal that is emitted then
ends the process with a segmentation fault.
"""

from __future__ import annotations

import atexit
import threading

from PyQt6.QtCore import pyqtBoundSignal

_lock = threading.RLock()  # a slot in the same thread may emit in turn
_ending = threading.Event()


def emit(signal: pyqtBoundSignal, *what: object) -> None:
    """Emit a signal from another thread than the window's, unless its object or all of Qt has gone."""
    with _lock:
        if _ending.is_set():
            return
        try:
            signal.emit(*what)
        except RuntimeError:  # its object has gone with the window
            return


@atexit.register  # after the import of Qt, so it is called before Qt goes
def _end() -> None:
    with _lock:
        _ending.set()
