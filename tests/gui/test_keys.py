# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from PyQt6.QtCore import QEvent, Qt
from PyQt6.QtGui import QKeyEvent

from gui.keys import KeyReader

Key, Held = Qt.Key, Qt.KeyboardModifier
L_KEY, Q_KEY, M_KEY, SLASH, BRACKET, R_KEY = 38, 16, 50, 53, 26, 19
"""Scan codes of a PC keyboard: where these keys lie on a US one."""


def stroke(key: int, text: str, scan: int, held: Held = Held.NoModifier, virtual: int = 0) -> QKeyEvent:
    return QKeyEvent(QEvent.Type.KeyPress, key, held, scan, virtual, 0, text)


def spelled(
    reader: KeyReader, key: int, text: str, scan: int, held: Held = Held.NoModifier
) -> tuple[str, ...]:
    return reader.spellings(stroke(key, text, scan, held))


@pytest.mark.parametrize(("platform", "offset"), [("windows", 0), ("xcb", 8), ("wayland", 8)])
@pytest.mark.parametrize("letter", ["д", "λ", "ך"])
def test_a_letter_of_another_script_counts_by_its_place(platform: str, offset: int, letter: str) -> None:
    assert "L" in spelled(KeyReader(platform), ord(letter.upper()), letter, L_KEY + offset)


def test_control_counts_by_its_place_too() -> None:
    control = Held.ControlModifier
    assert "Ctrl+R" in spelled(KeyReader("xcb"), ord("К"), "", R_KEY + 8, control)


def test_a_letter_with_control_is_not_the_letter_alone() -> None:
    assert spelled(KeyReader("cocoa"), Key.Key_R, "r", 1, Held.ControlModifier) == ("", "Ctrl+R")


def test_alt_gr_writes() -> None:
    alt_gr = Held.ControlModifier | Held.AltModifier
    assert "[" in spelled(KeyReader("windows"), Key.Key_BracketLeft, "[", 6, alt_gr)


def test_a_latin_letter_counts_by_what_it_writes_and_by_nothing_else() -> None:
    # On a French keyboard A lies where Q does, and M where the semicolon does.
    assert spelled(KeyReader("xcb"), Key.Key_A, "a", Q_KEY + 8) == ("A", "A")
    assert spelled(KeyReader("xcb"), Key.Key_M, "m", 39 + 8) == ("M", "M")


def test_a_comma_where_m_lies_is_no_marker_on_a_french_keyboard() -> None:
    assert "M" not in spelled(KeyReader("xcb"), Key.Key_Comma, ",", M_KEY + 8)


def test_a_dead_key_where_the_bracket_lies_is_the_bracket() -> None:
    assert "[" in spelled(KeyReader("windows"), Key.Key_Dead_Circumflex, "", BRACKET)


def test_a_slash_where_q_lies_is_q_on_a_hebrew_keyboard_alone() -> None:
    reader = KeyReader("xcb")
    assert "Q" not in spelled(reader, Key.Key_Slash, "/", Q_KEY + 8)
    spelled(reader, ord("ך"), "ך", L_KEY + 8)
    assert "Q" in spelled(reader, Key.Key_Slash, "/", Q_KEY + 8)
    spelled(reader, Key.Key_L, "l", L_KEY + 8)
    assert "Q" not in spelled(reader, Key.Key_Slash, "/", Q_KEY + 8)


def test_the_question_mark_is_found_under_a_cyrillic_keyboard() -> None:
    reader = KeyReader("xcb")
    spelled(reader, ord("Д"), "д", L_KEY + 8)
    assert "?" in spelled(reader, Key.Key_Comma, ",", SLASH + 8, Held.ShiftModifier)


def test_macs_virtual_keys_are_read_with_a_at_nought() -> None:
    reader = KeyReader("cocoa")
    assert "A" in reader.spellings(stroke(ord("Ф"), "ф", 1, virtual=0))
    assert "L" in reader.spellings(stroke(ord("Д"), "д", 1, virtual=37))
    assert reader.spellings(stroke(ord("Ф"), "ф", 0, virtual=0)) == ("Ф", "Ф")
