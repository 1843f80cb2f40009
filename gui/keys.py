# SPDX-License-Identifier: GPL-3.0-or-later
"""What a key stroke is called, on any keyboard: by what it writes, by Qt's name, by where the key lies."""

from __future__ import annotations

import sys

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QGuiApplication, QKeyEvent, QKeySequence

_ROWS = {2: "1234567890-=", 16: "QWERTYUIOP[]", 30: "ASDFGHJKL;'", 44: "ZXCVBNM,./"}
"""The keys of a US keyboard, by the scan code of the first one in each row."""
_BY_SCAN = {first + k: key for first, row in _ROWS.items() for k, key in enumerate(row)}
_MAC = "ASDFHGZXCV BQWERYT123465=97-80]OU[IP LJ'K;\\,/NM."
"""The same by macOS's virtual key, from 0."""
_SHIFTED = dict(zip("1234567890-=[];',./", '!@#$%^&*()_+{}:"<>?', strict=True))
_XKB_OFFSET = 8
"""X11 and Wayland count scan codes from here."""


class KeyReader:
    """Reads key strokes; remembers whether the keyboard writes another script than Latin.

    Parameters
    ----------
    platform : str, optional
        As `QGuiApplication.platformName`; asked for if not given.
    """

    def __init__(self, platform: str = "") -> None:
        self._platform = platform
        self._foreign = False

    def spellings(self, event: QKeyEvent) -> tuple[str, ...]:
        """What a stroke is called: what it writes ("+"), Qt's name ("Shift+="), the US key that lies there.

        The last only if the stroke writes no Latin letter: Cyrillic, Greek or Hebrew, or nothing, as a dead
        key does.  What it writes in ASCII beside letters ("/" on the Hebrew Q) counts by its place only on a
        keyboard that was seen to write another script: on a French one the comma lies where M is.
        """
        held = event.modifiers()
        control, alt = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
        # macOS writes "r" under Command; Control and Alt together are Windows' AltGr, which writes.
        text = "" if held & control and not held & alt else event.text().upper()
        name = QKeySequence(event.keyCombination()).toString(QKeySequence.SequenceFormat.PortableText)
        letter = text if text.isalpha() else name.rpartition("+")[2]
        if letter.isalpha() and len(letter) == 1:
            self._foreign = not letter.isascii()
        there = self._by_place(event)
        ascii_text = text.isascii() and text.isprintable() and text != ""
        if not there or (letter.isascii() and letter.isalpha()):
            return text, name
        if ascii_text and there[-1].isalpha() and not self._foreign:
            return text, name
        return text, name, there

    def _by_place(self, event: QKeyEvent) -> str:
        platform = self._platform or QGuiApplication.platformName()
        if platform == "cocoa" or (not platform and sys.platform == "darwin"):
            code = event.nativeVirtualKey()
            # There is no scan code; Qt sets 1 to say that the virtual key counts, for A is 0.
            key = _MAC[code] if event.nativeScanCode() and code < len(_MAC) else ""
        else:
            key = _BY_SCAN.get(event.nativeScanCode() - (0 if platform == "windows" else _XKB_OFFSET), "")
        if not key.strip():
            return ""
        held = event.modifiers()
        if held & Qt.KeyboardModifier.ControlModifier:
            return f"Ctrl+{key}"
        return _SHIFTED.get(key, key) if held & Qt.KeyboardModifier.ShiftModifier else key
