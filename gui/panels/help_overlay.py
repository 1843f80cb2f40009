# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys, laid over the paper and nothing else; what does not fit is scrolled."""

from __future__ import annotations

from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtWidgets import QFrame, QLabel, QScrollArea, QWidget

from gui.actions import Actions

_MARGIN_PX = 8
_FRAME_PX = 44
"""Of the width, for the padding and the scroll bar."""


class HelpOverlay(QScrollArea):
    """Hidden until it is asked for.

    Parameters
    ----------
    window : QWidget
    over : QWidget
        Nothing but this is covered.
    """

    def __init__(self, window: QWidget, over: QWidget, table: Actions) -> None:
        super().__init__(window)
        self._window, self._over, self._table = window, over, table
        self.setObjectName("help")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys are the window's
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Keys")
        self._label = QLabel()
        self._label.setObjectName("keys")
        self._label.setWordWrap(True)  # else no column wraps
        self.setWidget(self._label)
        self.hide()

    def text(self) -> str:
        """What it says, as HTML."""
        return self._label.text()

    def toggle(self) -> None:
        """Show the keys, or hide them."""
        self.fit()
        self.setVisible(self.isHidden())
        self.raise_()

    def fit(self) -> None:
        """Take the place that there is."""
        at = self._over.mapTo(self._window, QPoint(_MARGIN_PX, _MARGIN_PX))
        width = self._over.width() - 2 * _MARGIN_PX
        self.move(at)
        self._label.setText(self._table.as_html(width - _FRAME_PX))
        self._label.setFixedWidth(width - _FRAME_PX // 2)
        self._label.adjustSize()
        self.resize(width, min(self._over.height() - 2 * _MARGIN_PX, self._label.height() + 2))
