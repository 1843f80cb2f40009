# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user can do in the window: one table, of which keys, menu and help are made; no Qt."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby

_COLUMN_PX = 290
"""Of the help, at least: as many columns as fit, three at most."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can be done.

    To add one: ``window.table.add(Action(("N",), "Paper", "note", "what it does", self.do_it))``.
    """

    keys: tuple[str, ...]
    """As printed on the key ("L", "+", "?") or as Qt spells it ("Space", "Ctrl+Up", "Esc"); the first is
    the one that the help shows first.  A letter means both cases.  None: it is in the menus only."""
    group: str
    """Under which heading of the help and the menu it stands."""
    name: str
    """A few words, for the menu."""
    what: str
    """What it does, for the help."""
    do: Callable[[], object]
    button: str = ""
    """The word on the toolbar's button, one of `gui.toolbar.BUTTONS`; empty if it has none."""
    checked: Callable[[], bool] | None = None
    """Whether what it switches is on; None if it switches nothing."""


class Actions:
    """All actions, in the order in which they were added within their groups."""

    def __init__(self) -> None:
        self._all: list[Action] = []

    def add(self, *actions: Action) -> None:
        """Add some.

        Raises
        ------
        ValueError
            A key is taken.
        """
        for action in actions:
            taken = {key for known in self._all for key in known.keys} & set(action.keys)
            if taken:
                raise ValueError(f"{action.name}: {', '.join(sorted(taken))} does something else already")
            self._all.append(action)

    def __iter__(self) -> Iterator[Action]:
        groups = list(dict.fromkeys(action.group for action in self._all))
        return iter(sorted(self._all, key=lambda action: groups.index(action.group)))

    def for_key(self, *spellings: str) -> Action | None:
        """The action of a key stroke, of which Qt knows more than one spelling ("Shift+=" and "+")."""
        return next((action for action in self._all if set(spellings) & set(action.keys)), None)

    def as_html(self, width_px: int = 1000) -> str:
        """A table of keys and what they do, for a label of that width; read down its columns."""
        rows = []
        with_keys = (action for action in self if action.keys)
        for name, some in groupby(with_keys, key=lambda action: action.group):
            rows.append(f"<tr><td colspan=2><b>{html.escape(name)}</b></td></tr>")
            for action in some:
                keys = "&nbsp; ".join(html.escape(key) for key in action.keys)
                rows.append(f"<tr><td><b>{keys}</b></td><td>{html.escape(action.what)}</td></tr>")
        columns = min(3, max(1, width_px // _COLUMN_PX))
        tall = -(-len(rows) // columns)
        cells = "".join(
            f"<td width={width_px // columns} style='padding-right: 12px'>"
            f"<table cellpadding=2>{''.join(rows[first : first + tall])}</table></td>"
            for first in range(0, len(rows), tall)
        )
        return f"<table width={width_px} style='font-size: 12px'><tr>{cells}</tr></table>"
