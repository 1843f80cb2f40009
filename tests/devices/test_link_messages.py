# SPDX-License-Identifier: GPL-3.0-or-later
"""Every message that a link can end with stands in docs/links.md, and nothing else stands there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.devices.link_messages import messages

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "links.md"


def rows() -> dict[str, list[str]]:
    """By message, the other cells of its row."""
    table = DOCUMENT.read_text("utf-8").split("## Every message", 1)[1]
    return {
        match[1]: [cell.strip() for cell in match[2].split("|")[:2]]
        for match in re.finditer(r"^\| `([^`]*)` \|(.*)$", table, re.MULTILINE)
    }


def test_the_code_is_read() -> None:
    assert len(messages()) > 60


def test_every_message_of_the_code_is_in_the_table_and_the_other_way_round() -> None:
    told, listed = messages(), rows()
    missing = {text: place for text, place in told.items() if text not in listed}
    assert not missing, "write a row in docs/links.md for each"
    assert not set(listed) - set(told), "no code says this any more"


def test_every_row_says_why_and_what_to_do() -> None:
    assert [text for text, (why, do) in rows().items() if len(why) < 8 or len(do) < 8] == []
