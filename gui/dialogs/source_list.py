# SPDX-License-Identifier: GPL-3.0-or-later
"""The live list of what can be connected to: over Bluetooth, LSL, serial ports, and recent ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PyQt6.QtWidgets import QAbstractItemView, QHeaderView, QLabel, QTreeWidget, QTreeWidgetItem, QWidget

from gui.controller import OnScan
from gui.other_threads import emit
from streamer.session.source import ScanResult

KINDS = {"ble": "Bluetooth", "lsl": "LSL", "port": "Serial port"}

_SOURCE = Qt.ItemDataRole.UserRole


class SourceList(QTreeWidget):
    """Looks for sources as long as it is shown.

    Parameters
    ----------
    scan : callable
        As `gui.controller.SessionController.scan`.
    recent : callable
        The sources that were opened before, newest first.
    """

    _found = pyqtSignal(str, object, str)

    def __init__(
        self,
        scan: Callable[[OnScan], Callable[[], None]],
        recent: Callable[[], list[str]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._scan = scan
        self._recent = recent
        self._stop: Callable[[], None] | None = None
        self._problems: dict[str, str] = {}
        self._seen: dict[str, list[ScanResult]] = {}
        self.setHeaderLabels(["Name", "Over", "Rate", "Signal", "Source", "What it is"])
        self.setAccessibleName("Sources in sight, and recent ones")
        self.setRootIsDecorated(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.groups = {key: self._group(name) for key, name in (*KINDS.items(), ("recent", "Recent"))}
        self.status = QLabel()
        """How the search goes; to be put below the list."""
        self.status.setProperty("soft", True)
        self.status.setWordWrap(True)
        self.status.setTextFormat(Qt.TextFormat.PlainText)
        header = self.header()
        if header is not None:
            header.setStretchLastSection(True)
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self._found.connect(self._show_found)

    def _group(self, name: str) -> QTreeWidgetItem:
        group = QTreeWidgetItem(self, [name])
        group.setFirstColumnSpanned(True)
        group.setFlags(Qt.ItemFlag.ItemIsEnabled)
        group.setExpanded(True)
        return group

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802 - Qt's name
        """Begin to look."""
        super().showEvent(event)
        self._seen.clear()
        self._problems.clear()
        for key in KINDS:
            self.groups[key].takeChildren()
        self._fill("recent", [(source, "", "", "", source, "") for source in self._recent()])
        self._say_status()
        if self._stop is None:
            self._stop = self._scan(partial(emit, self._found))

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802 - Qt's name
        """Look no longer: the radio has better things to do."""
        super().hideEvent(event)
        if self._stop is not None:
            self._stop()
            self._stop = None

    def _show_found(self, kind: str, seen: Sequence[ScanResult], problem: str) -> None:
        if self._stop is None or kind not in KINDS:
            return
        self._problems[kind] = problem
        self._seen[kind] = list(seen)
        rows = [
            (
                _one_line(one.name) or "(no name)",
                KINDS[kind] + ("" if one.ecg or one.what else ", no ECG"),
                "" if one.rate_hz is None else f"{one.rate_hz:g} Hz",
                ", ".join(_link_of(one)),
                one.source,
                _one_line(one.words, 200) if one.why_not or one.what else "",
            )
            for one in sorted(seen, key=lambda one: (not one.ecg, -(one.rssi or -999), one.name))
        ]
        self._fill(kind, rows)
        self._say_status()

    def _fill(self, key: str, rows: list[tuple[str, str, str, str, str, str]]) -> None:
        """Bring a group up to date; what is selected stays selected while it is there."""
        group = self.groups[key]
        now = [tuple(item.text(i) for i in range(6)) for item in _children(group)]
        if now == rows:
            return
        chosen = self.chosen_source()
        self.blockSignals(True)
        group.takeChildren()
        for row in rows:
            item = QTreeWidgetItem(group, list(row))
            item.setData(0, _SOURCE, row[4])
            item.setToolTip(0, row[5] or row[4] or row[0])
            if row[0] == row[4]:
                item.setText(4, "")  # a recent one has no other name
            item.setDisabled(not row[4])
            if chosen and row[4] == chosen:
                item.setSelected(True)
        self.blockSignals(False)

    def _say_status(self) -> None:
        said = [
            self._problems.get(kind) or ("" if self._seen.get(kind) else f"{name}: looking ...")
            for kind, name in KINDS.items()
        ]
        self.status.setText("\n".join(one for one in said if one) or "still looking; the list is live")

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 - Qt's name
        """Letters are keys of the window, not a search in the list."""
        if event is not None and event.text().isprintable() and event.text():
            event.ignore()
            return
        super().keyPressEvent(event)

    def chosen_source(self) -> str:
        """The SOURCE that is selected; empty if there is none."""
        chosen = self.selectedItems()
        return str(chosen[0].data(0, _SOURCE) or "") if chosen else ""


def _children(group: QTreeWidgetItem) -> list[QTreeWidgetItem]:
    items = (group.child(i) for i in range(group.childCount()))
    return [item for item in items if item is not None]


def _link_of(one: ScanResult) -> Iterator[str]:
    """How strong it comes in, and its battery, as far as that is known."""
    if one.rssi is not None:
        yield f"{one.rssi} dBm"
    if one.battery is not None:
        yield f"battery {one.battery} %"


def _one_line(text: str, most: int = 60) -> str:
    """Names come from the air."""
    return "".join(c if c.isprintable() else "?" for c in text)[:most]
