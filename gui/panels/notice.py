# SPDX-License-Identifier: GPL-3.0-or-later
"""One line for the user over the foot of the paper, for a while."""

from __future__ import annotations

import math
import time

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel, QWidget

from gui.theme import Theme

NOTICE_S = 15.0
"""How long a line stays."""


class Notice(QLabel):
    """Lies on another widget; nothing hides it."""

    def __init__(self, below: QWidget) -> None:
        super().__init__(below)
        self._below = below
        self._until_s = math.inf
        self.setObjectName("notice")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.hide()

    def say(self, text: str) -> None:
        """Show a line in place of the last one; an empty one hides it."""
        self._until_s = time.monotonic() + NOTICE_S
        room = self._below.width() - 40
        self.setText(self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, room))
        self.setToolTip(text)
        self.adjustSize()
        self.move(8, self._below.height() - self.height() - 8)
        self.setVisible(bool(text))
        self.raise_()

    def refresh(self, now_s: float) -> None:
        """Hide a line that has stood long enough."""
        if now_s > self._until_s:
            self.say("")

    def apply_theme(self, theme: Theme) -> None:
        """Take on these colours."""
        self.setStyleSheet(
            f"QLabel#notice {{ background: {theme.bar}; color: {theme.ink}; font-size: 14px;"
            f" border: 1px solid {theme.soft_ink}; border-radius: 4px; padding: 5px 10px; }}"
        )
