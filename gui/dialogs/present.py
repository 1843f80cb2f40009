# SPDX-License-Identifier: GPL-3.0-or-later
"""How dialogs are shown, and the one that only holds a text."""

from __future__ import annotations

from PyQt6.QtCore import QPoint, QRect, Qt
from PyQt6.QtWidgets import QDialog, QStyle, QTextBrowser, QVBoxLayout, QWidget

STAGE = "stage"
"""The name of the part of a window that dialogs may cover."""


def present(dialog: QDialog) -> None:
    """Show a dialog where its keys are heard, even if nothing manages windows, and where it covers neither
    alarms nor the heart rate nor the state.
    """
    place(dialog)
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()


def place(dialog: QDialog) -> None:
    """Over the stage of its window, or left of it or below; no larger than there is room for."""
    parent = dialog.parentWidget()
    stage = None if parent is None else parent.window().findChild(QWidget, STAGE)  # type: ignore[union-attr]
    screen = None if stage is None else stage.screen()
    if stage is None or screen is None:
        return
    if not dialog.testAttribute(Qt.WidgetAttribute.WA_Resized):
        for part in (dialog, *dialog.findChildren(QWidget)):
            part.ensurePolished()  # else the words are measured without their style
        dialog.adjustSize()
    style = dialog.style()
    title = 0 if style is None else style.pixelMetric(QStyle.PixelMetric.PM_TitleBarHeight)
    over = QRect(stage.mapToGlobal(QPoint(0, title)), stage.size())
    room = QRect(over)
    room.setLeft(min(screen.availableGeometry().left(), over.left()))
    room.setBottom(max(screen.availableGeometry().bottom(), over.top() + dialog.minimumSizeHint().height()))
    dialog.resize(dialog.size().boundedTo(room.size()).expandedTo(dialog.minimumSizeHint()))
    at = over.center() - dialog.rect().center()
    dialog.move(
        max(room.left(), min(at.x(), room.right() - dialog.width() + 1)),
        max(room.top(), min(at.y(), room.bottom() - dialog.height() + 1)),
    )


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
