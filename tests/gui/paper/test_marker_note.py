# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands beside a marker stays in its column, whole if there is room."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from PyQt6.QtGui import QFont, QFontMetrics
from PyQt6.QtWidgets import QApplication

from gui.paper.trace_strip import NOTE_GAP_PX, note_beside

NOTES = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=60)


@settings(deadline=None)
@given(text=NOTES, width=st.integers(60, 900), part=st.floats(0, 1, exclude_max=True))
@example("dizzy, sat up", 117, 0.54)
@example("00NO,[cm", 72, 0.890625)  # it just fits
def test_a_note_is_cut_at_no_edge_of_its_column(
    qapp: QApplication, text: str, width: int, part: float
) -> None:
    font = QFont()
    font.setPixelSize(12)
    metrics = QFontMetrics(font)
    x, wide = int(part * width), metrics.horizontalAdvance(text)
    begins, note = note_beside(text, x, width, 320, metrics)
    assert begins >= 0 and begins + metrics.horizontalAdvance(note) <= width
    assert begins >= x + NOTE_GAP_PX or begins + metrics.horizontalAdvance(note) <= x - NOTE_GAP_PX
    if wide <= max(min(x, 320), min(width - x, 320)) - NOTE_GAP_PX:
        assert note == text
