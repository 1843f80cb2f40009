# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from PyQt6.QtCore import Qt
from pytestqt.qtbot import QtBot

from gui.dialogs.alarm_limits import LimitsDialog
from streamer.core.vitals.vitals import Limits


@pytest.fixture
def asked(qtbot: QtBot) -> tuple[LimitsDialog, list[tuple[Limits, bool]]]:
    dialog, said = LimitsDialog(), list[tuple[Limits, bool]]()
    qtbot.addWidget(dialog)
    dialog.changed.connect(lambda limits, sound: said.append((limits, sound)))
    dialog.ask(Limits(50, 120), sound=True)
    dialog.show()
    return dialog, said


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter])
@pytest.mark.parametrize("box", ["low_box", "high_box", "sound_box"])
def test_return_sets_the_limits_from_every_field(asked, qtbot: QtBot, key: Qt.Key, box: str) -> None:
    dialog, said = asked
    dialog.low_box.setValue(45)
    getattr(dialog, box).setFocus()
    qtbot.keyClick(getattr(dialog, box), key)
    assert said == [(Limits(45, 120), True)]
    assert not dialog.isVisible()


def test_escape_leaves_them_as_they_were(asked, qtbot: QtBot) -> None:
    dialog, said = asked
    dialog.low_box.setValue(45)
    qtbot.keyClick(dialog.low_box, Qt.Key.Key_Escape)
    assert said == [] and not dialog.isVisible()


def test_the_limits_stay_five_bpm_apart(asked) -> None:
    dialog, _ = asked
    for low_bpm in (15, 50, 117, 250, 295):
        dialog.low_box.setValue(low_bpm)
        dialog.high_box.setValue(15)
        assert dialog.low_box.value() == low_bpm
        assert dialog.high_box.value() == low_bpm + 5


def test_what_was_set_before_does_not_narrow_what_is_asked_next(asked) -> None:
    dialog, _ = asked
    dialog.low_box.setValue(200)
    dialog.ask(Limits(40, 100), sound=False)
    assert (dialog.low_box.value(), dialog.high_box.value()) == (40, 100)
    assert not dialog.sound_box.isChecked()
