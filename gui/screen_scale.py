# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a millimetre is on the screen where a window stands, also after it was moved to another one."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QEvent, QObject
from PyQt6.QtGui import QScreen
from PyQt6.QtWidgets import QWidget

from gui.paper.geometry import screen_px_per_mm


class ScreenScale(QObject):
    """Follows a window from screen to screen.

    Parameters
    ----------
    px_per_mm : float or None
        Logical pixels to a millimetre, if they are known better than screens state them.
    moved : callable
        Takes the pixels to a millimetre of the screen to which the window was moved.
    """

    def __init__(self, window: QWidget, px_per_mm: float | None, moved: Callable[[float], None]) -> None:
        super().__init__(window)
        self._window = window
        self._moved = moved
        self._stated = px_per_mm
        self._followed = False
        self.px_per_mm, self.words = self._of(window.screen())
        """Logical pixels to a millimetre, and how they are known."""
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 - Qt's name
        """Once it is shown it has a handle, which says when the screen changes."""
        if event is not None and event.type() == QEvent.Type.Show and not self._followed:
            handle = self._window.windowHandle()
            if handle is not None:
                self._followed = True
                handle.screenChanged.connect(self.to)
        return False

    def to(self, screen: QScreen | None) -> None:
        """The window stands on this screen now."""
        self.px_per_mm, self.words = self._of(screen)
        self._moved(self.px_per_mm)

    def _of(self, screen: QScreen | None) -> tuple[float, str]:
        if self._stated is not None:
            return self._stated, "as set"
        if screen is None:
            px_per_mm, known = screen_px_per_mm(0, 0, 0, 0)
        else:
            pixels, size = screen.size(), screen.physicalSize()
            px_per_mm, known = screen_px_per_mm(pixels.width(), pixels.height(), size.width(), size.height())
        return px_per_mm, "screen's stated size" if known else "96 dpi assumed"
