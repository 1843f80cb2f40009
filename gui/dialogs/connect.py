# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be connected to, live: sensors, streams, recent sources, files."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gui.controller import OnScan, SourceRequest
from gui.dialogs.present import present
from gui.dialogs.source_list import SourceList
from gui.error_text import sentence
from gui.settings import source_of_file
from gui.theme import Theme, dialog_style
from streamer.core.errors import Field, InputError
from streamer.core.units import mv_per_step

PLACEMENTS = (("not stated", None), ("on both arms", "arms"), ("on the chest", "chest"))
_FILES = "*.hea *.dat *.mat *.xdf *.csv *.tsv *.txt *.json *.edf *.bdf *.atc *.dcm *.ecg *.zip"
UNITS = ("uV", "mV", "V", "nV")
FILTER = f"Recordings ({_FILES});;All files (*)"


def hz_of(text: str) -> float:
    """A sampling rate as the user writes it.

    Raises
    ------
    InputError
        It is none.
    """
    number = text.strip().removesuffix("Hz").strip()
    try:
        rate_hz = float(number)
    except ValueError:
        rate_hz = math.nan
    if not 0 < rate_hz < math.inf:
        raise InputError(f"{text!r} is no sampling rate: give samples a second, such as 250", Field.RATE)
    return rate_hz


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
        self.setWindowTitle("Connect")
        self.resize(640, 440)
        self.list = SourceList(scan, recent)
        self.answer = QLabel()
        """What became of the last choice."""
        self.answer.setWordWrap(True)
        self.answer.setTextFormat(Qt.TextFormat.PlainText)
        self.source_edit, self.lead_box = QLineEdit(), QComboBox()
        self.lead_box.setEditable(True)
        self.lead_box.setMinimumWidth(110)
        self.lead_edit = self.lead_box.lineEdit() or QLineEdit()
        self.unit_box, self.rate_edit = QComboBox(), QLineEdit()
        self.unit_box.setEditable(True)
        self.unit_box.addItems(("", *UNITS))
        self.unit_edit = self.unit_box.lineEdit() or QLineEdit()
        for part, name in (
            (self.source_edit, "Source"),
            (self.lead_box, "Measured lead"),
            (self.lead_edit, "Measured lead"),
            (self.unit_box, "Unit of its numbers"),
            (self.unit_edit, "Unit of its numbers"),
            (self.rate_edit, "Sampling rate in Hz"),
        ):
            part.setAccessibleName(name)
        for edit in (self.unit_edit, self.rate_edit):
            edit.setPlaceholderText("as it states")
        self.source_edit.setPlaceholderText("lsl:NAME, polar:ADDRESS, wfdb:RECORD, synthetic:?bpm=72 ...")
        self.lead_edit.setPlaceholderText("I")
        self.invert_box = QCheckBox("polarity turned")
        self.placement_box = QComboBox()
        self.placement_box.setAccessibleName("Electrodes")
        for text, _ in PLACEMENTS:
            self.placement_box.addItem(text)
        self.open_button, self.connect_button = QPushButton("Open file..."), QPushButton("Connect")
        self.cancel_button = QPushButton("Cancel")
        self.connect_button.setDefault(True)
        self._assemble()
        self.list.itemSelectionChanged.connect(self._picked)
        self.list.itemDoubleClicked.connect(lambda item, column: self._connect())
        self.source_edit.textChanged.connect(self._enable)
        self.connect_button.clicked.connect(self._connect)
        self.cancel_button.clicked.connect(self.reject)
        self.open_button.clicked.connect(self.ask_file)
        self._enable()

    def _assemble(self) -> None:
        fields = QGridLayout()
        fields.addWidget(QLabel("Source"), 0, 0)
        fields.addWidget(self.source_edit, 0, 1, 1, 5)
        fields.addWidget(QLabel("Lead"), 1, 0)
        fields.addWidget(self.lead_box, 1, 1)
        fields.addWidget(self.invert_box, 1, 2)
        fields.addWidget(QLabel("Electrodes"), 1, 3)
        fields.addWidget(self.placement_box, 1, 4)
        fields.addWidget(QLabel("Unit"), 2, 0)
        fields.addWidget(self.unit_box, 2, 1)
        self.unit_box.setToolTip("of a source that does not state it: uV, mV, or how many mV a step is")
        fields.addWidget(QLabel("Rate, Hz"), 2, 3)
        fields.addWidget(self.rate_edit, 2, 4)
        self.rate_edit.setToolTip("of a source that does not state it")
        fields.setColumnStretch(5, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.open_button)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.connect_button)
        whole = QVBoxLayout(self)
        whole.addWidget(self.list, 1)
        whole.addWidget(self.list.status)
        whole.addWidget(self.answer)
        whole.addLayout(fields)
        whole.addLayout(buttons)

    def apply_theme(self, theme: Theme) -> None:
        """Take on these colours."""
        self.setStyleSheet(dialog_style(theme))

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802 - Qt's name
        """Nothing is being opened from here yet."""
        super().showEvent(event)
        self.answer.hide()
        self.list.setFocus()

    # ---- choosing

    def _picked(self) -> None:
        source = self.list.chosen_source()
        if source:
            self.source_edit.setText(source)

    def _enable(self) -> None:
        self.connect_button.setEnabled(bool(self.source_edit.text().strip()))

    def _connect(self) -> None:
        source = self.source_edit.text().strip()
        if source:
            self._choose(source)

    def ask_file(self, title: str = "Open a recording") -> None:
        """Open a recording from a file."""
        path, _ = QFileDialog.getOpenFileName(self, title, "", FILTER)
        if path:
            self._choose(source_of_file(path) or f"wfdb:{path}")

    def _choose(self, source: str) -> None:
        placement = PLACEMENTS[self.placement_box.currentIndex()][1]
        lead = self.lead_edit.text().strip() or None
        unit, rate = self.unit_edit.text().strip(), self.rate_edit.text().strip()
        try:
            unit_mv = mv_per_step(unit) if unit else None
            rate_hz = hz_of(rate) if rate else None
        except InputError as error:
            self._answer(sentence(error), warning=True)
            self._ask(error.field)
            return
        self._answer(f"opening {source} ...", warning=False)
        invert = self.invert_box.isChecked()
        self.chosen.emit(SourceRequest(source, lead, invert, placement, unit_mv=unit_mv, rate_hz=rate_hz))

    # ---- what became of it

    def say_step(self, text: str) -> None:
        """What is being done to open what was chosen."""
        if self.isVisible():
            self._answer(text, warning=False)

    def opened(self) -> None:
        """The source is there: nothing is left to ask."""
        if self.isVisible():
            self.accept()
        self.lead_box.clear()
        self.unit_edit.clear()
        self.rate_edit.clear()

    def refused(
        self, request: SourceRequest, why: str, leads: Sequence[str] = (), about: Field | None = None
    ) -> None:
        """The source waits here for another try, in the field that it is about; with its leads."""
        self.source_edit.setText(request.source)
        self._answer(why, warning=True)
        self.lead_box.clear()
        if leads:
            self.lead_box.addItems(leads)
            self.lead_edit.setText(leads[0])
        if leads or about in (Field.UNIT, Field.RATE):
            if self.isHidden():
                present(self)
                self._answer(why, warning=True)
            self._ask(Field.LEAD if leads else about)

    def _ask(self, about: Field | None) -> None:
        """Put the cursor where the answer goes."""
        asked = {Field.LEAD: self.lead_box, Field.UNIT: self.unit_box, Field.RATE: self.rate_edit}
        if about in asked:
            asked[about].setFocus()

    def _answer(self, text: str, *, warning: bool) -> None:
        self.answer.setProperty("warning", warning)
        self.answer.setStyleSheet(self.answer.styleSheet())  # Qt looks at properties only when it is dressed
        self.answer.setText(text)
        self.answer.show()
