# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be connected to, live: sensors, streams, recent sources, files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QHideEvent, QShowEvent
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gui.controller import OnScan, SourceRequest
from gui.settings import source_of_file
from gui.theme import Theme, dialog_style
from streamer.session.source import ScanResult

KINDS = {"ble": "Bluetooth", "lsl": "LSL"}
PLACEMENTS = (("not stated", None), ("on both arms", "arms"), ("on the chest", "chest"))
FILTER = "Recordings (*.hea *.dat *.xdf);;All files (*)"

_SOURCE = Qt.ItemDataRole.UserRole


class ConnectDialog(QDialog):
    """Looks for sources as long as it is shown; emits `chosen`.

    Parameters
    ----------
    scan : callable
        As `gui.controller.SessionController.scan`.
    recent : callable
        The sources that were opened before, newest first.
    """

    chosen = pyqtSignal(object)
    """A `SourceRequest`."""

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
        self.setWindowTitle("Connect")
        self.resize(640, 440)
        self.list = QTreeWidget()
        self.list.setHeaderLabels(["Name", "Over", "Rate", "Signal", "Source"])
        self.list.setRootIsDecorated(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.groups = {key: self._group(name) for key, name in (*KINDS.items(), ("recent", "Recent"))}
        self.status = QLabel()
        self.status.setProperty("soft", True)
        self.status.setWordWrap(True)
        self.status.setTextFormat(Qt.TextFormat.PlainText)
        self.source_edit, self.lead_edit = QLineEdit(), QLineEdit()
        self.source_edit.setPlaceholderText("lsl:NAME, polar:ADDRESS, wfdb:RECORD, synthetic:?bpm=72 ...")
        self.lead_edit.setPlaceholderText("I")
        self.lead_edit.setMaximumWidth(90)
        self.invert_box = QCheckBox("polarity turned")
        self.placement_box = QComboBox()
        for text, _ in PLACEMENTS:
            self.placement_box.addItem(text)
        self.open_button, self.connect_button = QPushButton("Open file..."), QPushButton("Connect")
        self.cancel_button = QPushButton("Cancel")
        self.connect_button.setDefault(True)
        self._assemble()
        self._found.connect(self._show_found)
        self.list.itemSelectionChanged.connect(self._picked)
        self.list.itemDoubleClicked.connect(lambda item, column: self._connect())
        self.source_edit.textChanged.connect(self._enable)
        self.connect_button.clicked.connect(self._connect)
        self.cancel_button.clicked.connect(self.reject)
        self.open_button.clicked.connect(self.ask_file)
        self._enable()

    def _group(self, name: str) -> QTreeWidgetItem:
        group = QTreeWidgetItem(self.list, [name])
        group.setFirstColumnSpanned(True)
        group.setFlags(Qt.ItemFlag.ItemIsEnabled)
        group.setExpanded(True)
        return group

    def _assemble(self) -> None:
        header = self.list.header()
        if header is not None:
            header.setStretchLastSection(True)
            header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        fields = QGridLayout()
        fields.addWidget(QLabel("Source"), 0, 0)
        fields.addWidget(self.source_edit, 0, 1, 1, 5)
        fields.addWidget(QLabel("Lead"), 1, 0)
        fields.addWidget(self.lead_edit, 1, 1)
        fields.addWidget(self.invert_box, 1, 2)
        fields.addWidget(QLabel("Electrodes"), 1, 3)
        fields.addWidget(self.placement_box, 1, 4)
        fields.setColumnStretch(5, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.open_button)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.connect_button)
        whole = QVBoxLayout(self)
        whole.addWidget(self.list, 1)
        whole.addWidget(self.status)
        whole.addLayout(fields)
        whole.addLayout(buttons)

    def apply_theme(self, theme: Theme) -> None:
        """Take on these colours."""
        self.setStyleSheet(dialog_style(theme))

    # ---- looking

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802 - Qt's name
        """Begin to look."""
        super().showEvent(event)
        self._seen.clear()
        self._problems.clear()
        for key in KINDS:
            self.groups[key].takeChildren()
        self._fill("recent", [(source, "", "", "", source) for source in self._recent()])
        self._say_status()
        if self._stop is None:
            self._stop = self._scan(self._found.emit)
        self.list.setFocus()

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
                KINDS[kind] + ("" if one.ecg else ", no ECG"),
                "" if one.rate_hz is None else f"{one.rate_hz:g} Hz",
                "" if one.rssi is None else f"{one.rssi} dBm",
                one.source,
            )
            for one in sorted(seen, key=lambda one: (not one.ecg, -(one.rssi or -999), one.name))
        ]
        self._fill(kind, rows)
        self._say_status()

    def _fill(self, key: str, rows: list[tuple[str, str, str, str, str]]) -> None:
        """Bring a group up to date; what is selected stays selected while it is there."""
        group = self.groups[key]
        now = [tuple(item.text(i) for i in range(5)) for item in _children(group)]
        if now == rows:
            return
        chosen = self._chosen_source()
        self.list.blockSignals(True)
        group.takeChildren()
        for row in rows:
            item = QTreeWidgetItem(group, list(row))
            item.setData(0, _SOURCE, row[4])
            item.setToolTip(0, row[4] or row[0])
            if row[0] == row[4]:
                item.setText(4, "")  # a recent one has no other name
            item.setDisabled(not row[4])
            if chosen and row[4] == chosen:
                item.setSelected(True)
        self.list.blockSignals(False)

    def _say_status(self) -> None:
        said = [
            self._problems.get(kind) or ("" if self._seen.get(kind) else f"{name}: looking ...")
            for kind, name in KINDS.items()
        ]
        self.status.setText("\n".join(one for one in said if one) or "still looking; the list is live")

    # ---- choosing

    def _chosen_source(self) -> str:
        chosen = self.list.selectedItems()
        return str(chosen[0].data(0, _SOURCE) or "") if chosen else ""

    def _picked(self) -> None:
        source = self._chosen_source()
        if source:
            self.source_edit.setText(source)

    def _enable(self) -> None:
        self.connect_button.setEnabled(bool(self.source_edit.text().strip()))

    def _connect(self) -> None:
        source = self.source_edit.text().strip()
        if source:
            self._choose(source)

    def ask_file(self) -> None:
        """Open a recording from a file."""
        path, _ = QFileDialog.getOpenFileName(self, "Open a recording", "", FILTER)
        if path:
            self._choose(source_of_file(path) or f"wfdb:{path}")

    def _choose(self, source: str) -> None:
        placement = PLACEMENTS[self.placement_box.currentIndex()][1]
        lead = self.lead_edit.text().strip() or None
        self.accept()
        self.chosen.emit(SourceRequest(source, lead, self.invert_box.isChecked(), placement))


def _children(group: QTreeWidgetItem) -> list[QTreeWidgetItem]:
    items = (group.child(i) for i in range(group.childCount()))
    return [item for item in items if item is not None]


def _one_line(text: str) -> str:
    """Names come from the air."""
    return "".join(c if c.isprintable() else "?" for c in text)[:60]
