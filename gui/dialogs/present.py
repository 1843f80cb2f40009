# SPDX-License-Identifier: GPL-3.0-or-later
"""How dialogs are shown, and the one that only holds a text."""

from __future__ import annotations

from PyQt6.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget


def present(dialog: QDialog) -> None:
    """Show a dialog where its keys are heard, even if nothing manages windows."""
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()


class TextDialog(QDialog):
    """A text to read, in Markdown."""

    def __init__(self, title: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.text = QTextBrowser()
        self.text.setOpenExternalLinks(False)
        self.text.setAccessibleName(title)
        self.setWindowTitle(title)
        self.resize(760, 540)
        QVBoxLayout(self).addWidget(self.text)

    def show_markdown(self, markdown: str) -> None:
        """Show it with this text."""
        self.text.setMarkdown(markdown)
        present(self)
