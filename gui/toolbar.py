# SPDX-License-Identifier: GPL-3.0-or-later
"""The bar of buttons above the paper, made from the table of actions."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QMenu, QToolBar, QToolButton, QWidget

from gui.actions import Action, Actions
from gui.menus import add_items
from gui.theme import LEAST_PX

BUTTONS = ("Connect", "Record", "Freeze", "Layout", "Gain", "Speed", "Measured leads", "Page", "Alarms")
"""In the order in which they stand; several actions of one button are a menu below it."""


class ActionBar(QToolBar):
    """A button for each word of `BUTTONS` that an action names; what does not fit is behind an arrow.

    Parameters
    ----------
    done : callable
        Called after each action.
    """

    def __init__(self, table: Actions, parent: QWidget, done: Callable[[], object]) -> None:
        super().__init__("Actions", parent)
        self._table, self._done = table, done
        self._checks: list[tuple[QToolButton, Callable[[], bool]]] = []
        self.buttons: dict[str, QToolButton] = {}
        self.setObjectName("actions")
        self.setMovable(False)
        self.setFloatable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setAccessibleName("Actions")
        row = self.layout()
        if row is not None:
            row.setContentsMargins(0, 2, 0, 0)

    def fill(self) -> None:
        """Make the buttons again, after actions were added."""
        self.clear()
        self._checks.clear()
        self.buttons.clear()
        for word in BUTTONS:
            actions = [action for action in self._table if action.button == word]
            if actions:
                self.buttons[word] = button = self._button(word, actions)
                self.addWidget(button)
        self.refresh()

    def refresh(self) -> None:
        """Bring the pressed buttons up to date."""
        for button, checked in self._checks:
            if button.isChecked() != checked():
                button.setChecked(checked())

    def _button(self, word: str, actions: list[Action]) -> QToolButton:
        button = QToolButton(self)
        button.setText(word)
        button.setAccessibleName(word)
        button.setMinimumHeight(LEAST_PX)  # of its width too it would be squeezed
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys with the paper
        named = [f"{action.what} ({', '.join(action.keys)})" for action in actions if action.keys]
        button.setToolTip("\n".join(named))
        button.setAccessibleDescription("; ".join(named))
        only = actions[0]
        if len(actions) > 1:
            menu = QMenu(button)
            add_items(menu, actions, self._done)
            button.setMenu(menu)
            button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
            return button
        button.clicked.connect(lambda: self._press(only))
        if only.checked is not None:
            button.setCheckable(True)
            self._checks.append((button, only.checked))
        return button

    def _press(self, action: Action) -> None:
        action.do()
        self._done()
        self.refresh()
