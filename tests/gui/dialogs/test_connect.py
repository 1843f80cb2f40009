# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import threading

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from gui.controller import SourceRequest
from gui.dialogs.connect import ConnectDialog
from gui.theme import DARK
from streamer.core.errors import Field
from tests.gui.a_controller import AController, Seen

STRAP = Seen("polar:00:11", name="Polar H10 1234")
STREAM = Seen("lsl:ECG", kind="lsl", name="ECG", rssi=None, rate_hz=500.0)


class Rig:
    def __init__(self, qtbot: QtBot) -> None:
        self.controller = AController()
        self.recent = ["wfdb:old", "synthetic:"]
        self.dialog = ConnectDialog(self.controller.scan, lambda: self.recent)
        self.chosen: list[SourceRequest] = []
        self.dialog.chosen.connect(self.chosen.append)
        self.qtbot = qtbot
        qtbot.addWidget(self.dialog)
        self.dialog.apply_theme(DARK)
        self.dialog.show()

    def find(self, kind: str, *seen: Seen, problem: str = "") -> None:
        """As a scan does: from another thread."""
        found = self.controller.found
        assert found is not None
        thread = threading.Thread(target=found, args=(kind, seen, problem))
        thread.start()
        thread.join()
        self.qtbot.wait(1)

    def names(self, key: str) -> list[str]:
        group = self.dialog.list.groups[key]
        return [group.child(i).text(0) for i in range(group.childCount())]  # type: ignore[union-attr]

    def pick(self, key: str, i: int) -> None:
        self.dialog.list.setCurrentItem(self.dialog.list.groups[key].child(i))


@pytest.fixture
def rig(qtbot: QtBot) -> Rig:
    return Rig(qtbot)


def test_what_is_found_appears_side_by_side_and_what_is_gone_goes(rig: Rig) -> None:
    assert not rig.names("ble") and not rig.names("lsl") and "looking" in rig.dialog.list.status.text()
    rig.find("lsl", STREAM)
    rig.find("ble", STRAP)
    assert rig.names("lsl") == ["ECG"] and rig.names("ble") == ["Polar H10 1234"]
    rig.find("ble")
    assert rig.names("ble") == [] and rig.names("lsl") == ["ECG"]


def test_each_kind_has_its_name_in_full_and_is_open(rig: Rig) -> None:
    """A narrow first column cuts what is in it; a group's name runs across all."""
    assert set(rig.dialog.list.groups) > {"ble", "lsl", "recent"}
    for group in rig.dialog.list.groups.values():
        assert group.text(0) and group.isFirstColumnSpanned() and group.isExpanded()


def test_what_cannot_be_scanned_says_so_and_hinders_nothing_else(rig: Rig) -> None:
    rig.find("ble", problem="there is no Bluetooth here")
    rig.find("lsl", STREAM)
    assert "there is no Bluetooth here" in rig.dialog.list.status.text() and rig.names("lsl") == ["ECG"]


def test_a_port_can_be_picked_and_what_cannot_says_why_not(rig: Rig) -> None:
    port = Seen(
        "serial:COM3",
        "port",
        "Uno",
        rssi=None,
        rate_hz=None,
        ecg=False,
        what="serial port",
        why_not="state its rate",
    )
    rig.find("port", port)
    rig.find("lsl", Seen("", "lsl", "fast", rssi=None, rate_hz=8192.0, why_not="too fast"))
    rig.find("ble", Seen("polar:1", battery=7))
    item, fast, strap = (rig.dialog.list.groups[key].child(0) for key in ("port", "lsl", "ble"))
    assert item is not None and fast is not None and strap is not None
    assert not item.isDisabled() and "state its rate" in item.text(5) and "no ECG" not in item.text(1)
    assert fast.isDisabled() and "too fast" in fast.text(5)
    assert "7 %" in strap.text(3)


def test_it_looks_only_while_it_is_shown(rig: Rig) -> None:
    assert rig.controller.scans == 1
    rig.dialog.reject()
    assert rig.controller.found is None
    rig.dialog.show()
    assert rig.controller.scans == 2 and rig.controller.found is not None


def test_the_nearest_ecg_comes_first_and_what_cannot_be_read_cannot_be_picked(rig: Rig) -> None:
    far = Seen("polar:2", name="far", rssi=-90)
    other = Seen("", name="no ECG", rssi=-30, ecg=False)
    rig.find("ble", other, far, STRAP)
    assert rig.names("ble") == ["Polar H10 1234", "far", "no ECG"]
    assert rig.dialog.list.groups["ble"].child(2).isDisabled()  # type: ignore[union-attr]


def test_what_was_picked_stays_picked_while_the_list_lives(rig: Rig) -> None:
    rig.find("lsl", STREAM)
    rig.pick("lsl", 0)
    assert rig.dialog.source_edit.text() == "lsl:ECG"
    rig.find("lsl", Seen("lsl:A", kind="lsl", name="A"), STREAM)
    assert rig.dialog.list.chosen_source() == "lsl:ECG"
    rig.qtbot.keyClick(rig.dialog, Qt.Key.Key_Return)
    assert rig.chosen == [SourceRequest("lsl:ECG")]


def test_it_stays_open_until_the_source_is_there(rig: Rig) -> None:
    rig.dialog.source_edit.setText("lsl:ECG")
    rig.qtbot.keyClick(rig.dialog, Qt.Key.Key_Return)
    assert rig.dialog.isVisible() and "lsl:ECG" in rig.dialog.answer.text()
    rig.dialog.refused(rig.chosen[0], "nobody sends it")
    assert rig.dialog.isVisible() and rig.dialog.answer.text() == "nobody sends it"
    rig.qtbot.keyClick(rig.dialog, Qt.Key.Key_Return)
    rig.dialog.opened()
    assert rig.dialog.isHidden() and len(rig.chosen) == 2


def test_a_source_without_the_lead_offers_the_leads_that_it_has(rig: Rig) -> None:
    rig.dialog.hide()
    rig.dialog.refused(SourceRequest("wfdb:100"), "it has no lead I", ("MLII", "V5"))
    assert rig.dialog.isVisible() and rig.dialog.answer.text() == "it has no lead I"
    assert [rig.dialog.lead_box.itemText(i) for i in range(2)] == ["MLII", "V5"]
    rig.qtbot.mouseClick(rig.dialog.connect_button, Qt.MouseButton.LeftButton)
    assert rig.chosen == [SourceRequest("wfdb:100", "MLII")]
    rig.dialog.opened()
    assert rig.dialog.lead_edit.text() == ""


def test_recent_sources_and_typed_ones_can_be_opened(rig: Rig) -> None:
    assert rig.names("recent") == ["wfdb:old", "synthetic:"]
    rig.pick("recent", 0)
    rig.qtbot.mouseClick(rig.dialog.connect_button, Qt.MouseButton.LeftButton)
    rig.dialog.show()
    rig.dialog.source_edit.clear()
    assert not rig.dialog.connect_button.isEnabled()
    rig.qtbot.keyClicks(rig.dialog.source_edit, "synthetic:?bpm=50")
    rig.qtbot.keyClick(rig.dialog.source_edit, Qt.Key.Key_Return)
    assert [request.source for request in rig.chosen] == ["wfdb:old", "synthetic:?bpm=50"]


def test_lead_polarity_and_placement_go_with_it(rig: Rig) -> None:
    rig.dialog.source_edit.setText("polar:00:11")
    rig.qtbot.keyClicks(rig.dialog.lead_edit, "II")
    rig.dialog.invert_box.setChecked(True)
    rig.dialog.placement_box.setCurrentIndex(1)
    rig.qtbot.mouseClick(rig.dialog.connect_button, Qt.MouseButton.LeftButton)
    assert rig.chosen == [SourceRequest("polar:00:11", "II", True, "arms")]


@pytest.mark.parametrize(
    ("unit", "rate", "mv", "hz"),
    [
        ("uV", "", 1e-3, None),
        ("", "250", None, 250.0),
        ("0.0005", "130 Hz", 5e-4, 130.0),
        (" mV ", " ", 1, None),
    ],
)
def test_unit_and_rate_go_with_it_and_are_for_this_source_only(
    rig: Rig, unit: str, rate: str, mv: float | None, hz: float | None
) -> None:
    rig.dialog.source_edit.setText("lsl:x")
    rig.dialog.unit_edit.setText(unit)
    rig.dialog.rate_edit.setText(rate)
    rig.qtbot.mouseClick(rig.dialog.connect_button, Qt.MouseButton.LeftButton)
    assert rig.chosen == [SourceRequest("lsl:x", unit_mv=mv, rate_hz=hz)]
    rig.dialog.opened()
    assert rig.dialog.unit_edit.text() == rig.dialog.rate_edit.text() == ""


@pytest.mark.parametrize(("unit", "rate"), [("mmHg", ""), ("", "often"), ("", "-1"), ("", "inf")])
def test_a_unit_or_rate_that_is_none_is_answered_at_once(rig: Rig, unit: str, rate: str) -> None:
    rig.dialog.source_edit.setText("lsl:x")
    rig.dialog.unit_edit.setText(unit)
    rig.dialog.rate_edit.setText(rate)
    rig.qtbot.mouseClick(rig.dialog.connect_button, Qt.MouseButton.LeftButton)
    assert rig.chosen == [] and (unit or rate) in rig.dialog.answer.text()


@pytest.mark.parametrize("about", [Field.UNIT, Field.RATE])
def test_a_source_that_states_no_unit_or_rate_asks_for_it_in_its_field(rig: Rig, about: Field) -> None:
    rig.dialog.hide()
    rig.dialog.refused(SourceRequest("lsl:x"), "it states none", about=about)
    asked = rig.dialog.unit_box if about is Field.UNIT else rig.dialog.rate_edit
    assert rig.dialog.isVisible() and rig.dialog.answer.text() == "it states none"
    rig.qtbot.waitUntil(lambda: asked.hasFocus() or not rig.dialog.isActiveWindow())


def test_each_step_of_connecting_is_shown_while_it_is_made(rig: Rig) -> None:
    rig.dialog.source_edit.setText("polar:")
    rig.qtbot.mouseClick(rig.dialog.connect_button, Qt.MouseButton.LeftButton)
    for step in ("looking for a Polar H10", "found it"):
        rig.dialog.say_step(step)
        assert rig.dialog.answer.text() == step and rig.dialog.answer.isVisible()


def test_escape_connects_nothing(rig: Rig) -> None:
    rig.find("lsl", STREAM)
    rig.pick("lsl", 0)
    rig.qtbot.keyClick(rig.dialog, Qt.Key.Key_Escape)
    assert not rig.chosen and rig.dialog.isHidden()


def test_a_file_can_be_opened(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: ("/r/a.hea", ""))
    rig.qtbot.mouseClick(rig.dialog.open_button, Qt.MouseButton.LeftButton)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: ("", ""))
    rig.dialog.ask_file()
    assert [request.source for request in rig.chosen] == ["wfdb:/r/a"]


def test_names_from_the_air_are_one_line_of_plain_text(rig: Rig) -> None:
    rig.find("ble", Seen("polar:1", name="<b>x</b>\nsecond\x1b[31m" + "y" * 200))
    (name,) = rig.names("ble")
    assert name.startswith("<b>x</b>?second?") and len(name) <= 60 and "\n" not in name
