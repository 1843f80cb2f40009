# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys, laid over the window."""

from __future__ import annotations

from PyQt6.QtWidgets import QLabel, QWidget

from gui.actions import Actions


class HelpOverlay(QLabel):
    """Hidden until it is asked for."""

    def __init__(self, window: QWidget, table: Actions) -> None:
        super().__init__(window)
        self._window, self._table = window, table
        self.setObjectName("help")
        self.setWordWrap(True)  # else no column wraps
        self.hide()

    def toggle(self) -> None:
        """Show the keys, or hide them."""
        width = self._window.width()
        self.setFixedWidth(width - 16)
        self.setText(self._table.as_html(width - 60))
        self.adjustSize()
        self.move(8, 8)
        self.setVisible(self.isHidden())
        self.raise_()
