# SPDX-License-Identifier: GPL-3.0-or-later
"""Who does not see the window, or has no mouse, finds every control in it, in the bar and in the dialogs."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QLineEdit,
    QTextBrowser,
    QWidget,
)
from pytestqt.qtbot import QtBot

from gui.theme import LEAST_PX
from tests.gui.test_main_panels import Rig

CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QTextBrowser,
)


def name_of(control: QWidget) -> str:
    """What a screen reader says of it: its own name, its words, or its label's."""
    if control.accessibleName() or isinstance(control, QAbstractButton):
        return control.accessibleName() or control.text()  # type: ignore[attr-defined,no-any-return]
    parent = control.parentWidget()
    form = None if parent is None else parent.layout()
    label = form.labelForField(control) if isinstance(form, QFormLayout) else None
    return "" if label is None else label.text()  # type: ignore[attr-defined,no-any-return]


def test_every_control_has_a_name_and_every_button_is_large_enough_to_touch(
    qtbot: QtBot, tmp_path: Path
) -> None:
    rig = Rig(qtbot, tmp_path)
    for key in "ohic":
        rig.key(key)
    rig.qtbot.wait(1)
    for control in rig.window.findChildren(QWidget):
        inner = isinstance(control.parentWidget(), QAbstractSpinBox) or not control.isVisible()
        if inner or control.focusPolicy() == Qt.FocusPolicy.NoFocus or not isinstance(control, CONTROLS):
            continue
        assert name_of(control), control
        if isinstance(control, QAbstractButton) and control.objectName() != "qt_toolbar_ext_button":
            assert control.height() >= LEAST_PX, (control.text(), control.height())
