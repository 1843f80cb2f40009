# SPDX-License-Identifier: GPL-3.0-or-later
"""When the heart rate raises an alarm, and whether it sounds."""

from __future__ import annotations

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QDialog, QDoubleSpinBox, QFormLayout, QHBoxLayout, QPushButton, QWidget

from gui.theme import Theme, dialog_style
from streamer.core.vitals.vitals import Limits

RANGE_BPM = (15.0, 300.0)
"""What the heart rate can be shown in."""

LEAST_APART_BPM = 5.0


class LimitsDialog(QDialog):
    """Emits `changed` with the limits, and whether alarms sound, when they are accepted."""

    changed = pyqtSignal(object, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Alarm limits")
        self._limits = Limits()
        self.low_box, self.high_box = QDoubleSpinBox(), QDoubleSpinBox()
        for box in (self.low_box, self.high_box):
            box.setDecimals(0)
            box.setSingleStep(5)
            box.setSuffix(" bpm")
        self.low_box.setRange(RANGE_BPM[0], RANGE_BPM[1] - LEAST_APART_BPM)
        self.high_box.setRange(RANGE_BPM[0] + LEAST_APART_BPM, RANGE_BPM[1])
        self.low_box.valueChanged.connect(lambda bpm: self.high_box.setMinimum(bpm + LEAST_APART_BPM))
        self.sound_box = QCheckBox("alarms sound")
        self.set_button, self.cancel_button = QPushButton("Set"), QPushButton("Cancel")
        self.set_button.setDefault(True)
        self.set_button.clicked.connect(self._set)
        self.cancel_button.clicked.connect(self.reject)
        form = QFormLayout(self)
        form.addRow("Heart rate low", self.low_box)
        form.addRow("Heart rate high", self.high_box)
        form.addRow(self.sound_box)
        buttons = QHBoxLayout()
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.set_button)
        form.addRow(buttons)

    def ask(self, limits: Limits, sound: bool) -> None:
        """Fill it with what holds now."""
        self._limits = limits
        self.high_box.setMinimum(RANGE_BPM[0] + LEAST_APART_BPM)
        self.high_box.setValue(limits.high_bpm)
        self.low_box.setValue(limits.low_bpm)
        self.sound_box.setChecked(sound)
        self.low_box.setFocus()
        self.low_box.selectAll()

    def apply_theme(self, theme: Theme) -> None:
        """Take on these colours."""
        self.setStyleSheet(dialog_style(theme))

    def _set(self) -> None:
        limits = Limits(self.low_box.value(), self.high_box.value(), self._limits.asystole_s)
        self.accept()
        self.changed.emit(limits, self.sound_box.isChecked())
