# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

from pytestqt.qtbot import QtBot

from tests.gui.test_main_panels import Rig

DOCUMENT = Path(__file__).parents[2] / "docs" / "monitor.md"


def test_every_key_of_the_window_is_in_the_document(qtbot: QtBot, tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    named = "".join(rows)
    missing = [
        key for action in Rig(qtbot, tmp_path).window.table for key in action.keys if f"`{key}`" not in named
    ]
    assert missing == []
