# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that is dropped on a window is taken if something here can open it; all else falls through."""

from __future__ import annotations

import pytest
from PyQt6.QtCore import QMimeData, QPointF, Qt, QUrl
from PyQt6.QtGui import QDropEvent
from PyQt6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from gui.dialogs.file_drop import FileDrop

FILE = QUrl.fromLocalFile("/records/one.edf")


@pytest.mark.parametrize(
    ("urls", "taken"),
    [
        ([FILE], ["edf:/records/one.edf"]),
        ([FILE, QUrl.fromLocalFile("/records/two.edf")], ["edf:/records/one.edf"]),
        ([QUrl.fromLocalFile("/records/letter.txt")], []),
        ([QUrl("https://example.org/records/one.edf")], []),
        ([], []),
    ],
    ids=["a file", "the first of two", "no recording", "a page of the web", "words"],
)
def test_what_is_dropped_is_taken_if_it_is_a_file_that_can_be_opened(
    qtbot: QtBot, urls: list[QUrl], taken: list[str]
) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    drop = FileDrop(window, lambda path: f"edf:{path}" if path.endswith(".edf") else None)
    found: list[str] = []
    drop.dropped.connect(found.append)
    data = QMimeData()
    data.setUrls(urls)
    nothing = Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(1, 1), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, nothing)
    assert drop.eventFilter(window, event) == bool(taken)
    assert found == taken
