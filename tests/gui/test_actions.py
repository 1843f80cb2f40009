# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from gui.actions import Action, Actions


def nothing() -> None:
    pass


def test_a_key_does_one_thing() -> None:
    table = Actions()
    table.add(Action(("L",), "Paper", "layout", "the next layout", nothing))
    with pytest.raises(ValueError, match="L does something else"):
        table.add(Action(("X", "L"), "Paper", "other", "another", nothing))


def test_an_action_is_found_by_any_spelling_of_its_key() -> None:
    table = Actions()
    plus = Action(("+", "="), "Paper", "larger", "gain up", nothing)
    table.add(plus, Action(("Space",), "Time", "freeze", "hold", nothing))
    assert table.for_key("+", "Shift+=") is plus
    assert table.for_key("", "Space") is not None
    assert table.for_key("", "") is None
    assert table.for_key("9", "9") is None


def test_the_help_holds_every_key_and_no_markup_of_anybody() -> None:
    table = Actions()
    table.add(
        *(
            Action((key,), group, key, f"does {key} <b>", nothing)
            for key, group in zip("ABCD", "xyxz", strict=True)
        )
    )
    assert [action.group for action in table] == ["x", "x", "y", "z"]
    text = table.as_html()
    assert all(f"does {key} &lt;b&gt;" in text for key in "ABCD")
