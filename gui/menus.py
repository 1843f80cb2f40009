# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of actions as menus: one for each group, with check marks and keys."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

from PyQt6.QtWidgets import QMenu, QMenuBar, QWidget

from gui.actions import Action, Actions


def context_menu(table: Actions, parent: QWidget, done: Callable[[], object]) -> QMenu:
    """Everything that can be done, a submenu for each group; ``done`` is called after each action."""
    menu = QMenu(parent)
    _fill(menu, table, done)
    return menu


def fill_menu_bar(bar: QMenuBar, table: Actions, done: Callable[[], object]) -> None:
    """The same across the top, in place of what was there."""
    bar.clear()
    _fill(bar, table, done)


def add_items(menu: QMenu, actions: list[Action], done: Callable[[], object]) -> None:
    """One item for each action, whose check mark holds when the menu is opened."""
    items = []
    for action in actions:
        item = menu.addAction(f"{action.name}\t{action.keys[0]}" if action.keys else action.name)
        if item is None:
            continue
        item.setToolTip(action.what)
        item.triggered.connect(lambda _, do=action.do: (do(), done()))
        if action.checked is not None:
            item.setCheckable(True)
            items.append((item, action.checked))

    def check() -> None:
        for item, checked in items:
            item.setChecked(checked())

    menu.aboutToShow.connect(check)
    check()


def _fill(menu: QMenu | QMenuBar, table: Actions, done: Callable[[], object]) -> None:
    for group, actions in groupby(table, key=lambda action: action.group):
        below = menu.addMenu(group)
        if below is not None:
            add_items(below, list(actions), done)
