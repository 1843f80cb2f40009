# SPDX-License-Identifier: GPL-3.0-or-later
"""What the window shows before there is a source: what is in sight, what was opened before, and a file."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from gui.controller import OnScan, SourceRequest
from gui.dialogs.source_list import SourceList
from gui.theme import Theme, dialog_style

LEAST_PX = 40
"""Height of a button here, for fingers."""


class StartPage(QWidget):
    """Emits `chosen`, `file_wanted` or `page_wanted`; stands in the place of the paper.

    Parameters
    ----------
    scan : callable
        As `gui.controller.SessionController.scan`.
    recent : callable
        The sources that were opened before, newest first.
    bundled : str
        The SOURCE of the bundled recording; empty if there is none.
    """

    chosen = pyqtSignal(object)
    """A `SourceRequest`."""
    file_wanted = pyqtSignal(str)
    """The user wants to choose a file to play; what to ask for."""
    page_wanted = pyqtSignal()
    """The user wants to choose a file and have its page."""

    def __init__(
        self, scan: Callable[[OnScan], Callable[[], None]], recent: Callable[[], list[str]], bundled: str
    ) -> None:
        super().__init__()
        self.setObjectName("start")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.list = SourceList(scan, recent)
        self.answer = QLabel()
        """What became of the last choice."""
        self.answer.setWordWrap(True)
        self.answer.setTextFormat(Qt.TextFormat.PlainText)
        self.answer.setProperty("warning", True)
        self.answer.hide()
        self.connect_button = QPushButton("Connect")
        self.bundled_button = QPushButton("Play the bundled recording")
        self.file_button = QPushButton("Open a recording...")
        self.watch_button = QPushButton("Reconstruct a file from my watch...")
        self.bundled_button.setVisible(bool(bundled))
        self.connect_button.setEnabled(False)
        self.list.itemSelectionChanged.connect(
            lambda: self.connect_button.setEnabled(bool(self.list.chosen_source()))
        )
        self.list.itemDoubleClicked.connect(lambda item, column: self._choose(self.list.chosen_source()))
        self.connect_button.clicked.connect(lambda: self._choose(self.list.chosen_source()))
        self.bundled_button.clicked.connect(lambda: self._choose(bundled))
        self.file_button.clicked.connect(lambda: self.file_wanted.emit("Open a recording"))
        self.watch_button.clicked.connect(lambda: self.page_wanted.emit())
        self._assemble()

    def _assemble(self) -> None:
        heading = QLabel("Where does Lead I come from?")
        heading.setObjectName("heading")
        below = {
            self.file_button: "played; or drop a file anywhere on this window",
            self.watch_button: "as a page: PDF and PNG",
        }
        left, right, both = QVBoxLayout(), QVBoxLayout(), QHBoxLayout()
        left.addWidget(self.list, 1)
        left.addWidget(self.list.status)
        left.addWidget(self.connect_button)
        buttons = (self.file_button, self.watch_button, self.bundled_button)
        for button in (self.connect_button, *buttons):
            button.setMinimumHeight(LEAST_PX)
        for button in buttons:
            right.addWidget(button)
            if button in below:
                words = QLabel(below[button])
                words.setProperty("soft", True)
                words.setWordWrap(True)
                right.addWidget(words)
        right.addStretch(1)
        both.setSpacing(18)
        both.addLayout(left, 3)
        both.addLayout(right, 2)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(18, 10, 18, 10)
        whole.addWidget(heading)
        whole.addWidget(self.answer)
        whole.addLayout(both, 1)

    def say(self, text: str) -> None:
        """Show what became of the last choice, in a line or two."""
        self.answer.setText(text)
        self.answer.setVisible(bool(text))

    def apply_theme(self, theme: Theme) -> None:
        """Take on these colours."""
        self.setStyleSheet(
            f"{dialog_style(theme)} QWidget#start {{ background: {theme.bar}; }}"
            " QLabel#heading { font-size: 22px; font-weight: bold; }"
        )

    def _choose(self, source: str) -> None:
        if source:
            self.chosen.emit(SourceRequest(source))
