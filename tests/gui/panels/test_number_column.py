# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from PyQt6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from gui.panels.alarm_banner import AlarmBanner
from gui.panels.alarms import Alarms
from gui.panels.beeper import Beeper
from gui.panels.latency import LastMinute
from gui.panels.number_column import WIDTH, NumberColumn
from gui.theme import DARK, LIGHT
from streamer.core.events import (
    Alarm,
    AlarmKind,
    AlarmsSilenced,
    Battery,
    Beat,
    Drift,
    Event,
    Failed,
    Quality,
    QualityChanged,
    RecordingStarted,
)
from streamer.core.stream import Frame, StreamInfo
from tests.gui.a_controller import description
from tests.gui.panels.test_latency import BUDGET, a_hop, shown

MakeFrame = Callable[..., Frame]
INFO = StreamInfo("wfdb:any", 250.0)


@pytest.fixture
def column(qtbot: QtBot) -> NumberColumn:
    column = NumberColumn()
    qtbot.addWidget(column.widget)
    column.start_stream(INFO, None)
    column.apply_theme(LIGHT)
    column.widget.resize(WIDTH, 430)
    column.widget.show()
    return column


def test_it_says_what_the_numbers_say(column: NumberColumn, frame: MakeFrame) -> None:
    column.event(Beat(61.0, at_s=1.0))
    column.event(Beat(61.0, at_s=2.0))
    column.event(QualityChanged(frozenset({Quality.NOISY, Quality.REVERSED}), ""))
    column.event(Battery(7))
    column.frame(2.3, replace(frame(550, 25), device_s=2.2))
    column.refresh(2.4)
    assert column.bpm_label.text() == "61"
    assert column.values["Lead I"].text() == "noisy, reversed"
    assert column.values["Lead I"].property("wrong") and column.values["Battery"].property("wrong")
    assert column.values["Sample age"].text() == "0.10 s" and not column.values["Sample age"].property(
        "wrong"
    )
    assert "RR 1000 ms" in column.rr_label.text()
    assert column.values["Recording"].text() == "off" and column.values["Model"].text() == "generic"


@pytest.mark.parametrize("drifted", [False, True])
def test_whose_calibration_it_is_is_not_cut(column: NumberColumn, qtbot: QtBot, drifted: bool) -> None:
    about = replace(description(), calibration="s0010_re, calibrated 2026-11-23")
    column.start_stream(INFO, about)
    if drifted:
        column.event(Drift(3.1))
    column.refresh(0.0)
    qtbot.wait(1)
    value = column.values["Model"]
    words = value.text().split()
    assert words[0] == "personal:"
    assert ("recalibrate" in words) is drifted is bool(value.property("wrong"))
    assert all(value.fontMetrics().horizontalAdvance(word) <= value.width() for word in words)
    assert value.height() >= value.heightForWidth(value.width())


def test_what_is_right_again_is_no_longer_marked(column: NumberColumn) -> None:
    column.event(QualityChanged(frozenset({Quality.FLAT}), ""))
    column.refresh(0.0)
    assert LIGHT.warning in _color(column.values["Lead I"])
    column.event(QualityChanged(frozenset(), ""))
    column.refresh(0.0)
    assert column.values["Lead I"].text() == "good"
    assert LIGHT.warning not in _color(column.values["Lead I"])


def _color(label: QLabel) -> str:
    label.ensurePolished()
    return label.palette().windowText().color().name()


def test_a_beat_lights_its_mark_for_a_moment(column: NumberColumn, qtbot: QtBot) -> None:
    dark = column.beat_mark.styleSheet()
    column.event(Beat(61.0, at_s=1.0))
    assert LIGHT.warning in column.beat_mark.styleSheet()
    qtbot.waitUntil(lambda: column.beat_mark.styleSheet() == dark, timeout=2000)


def test_latency_is_what_the_algorithm_owes_and_what_was_measured(column: NumberColumn) -> None:
    column.refresh(0.0)
    assert column.values["Latency, ms"].text() == column.values["p99, ms"].text() == "--"
    column.minute = LastMinute(250.0, 250.0, BUDGET)
    for number in range(50):
        shown(column.minute, a_hop(number))
    column.refresh(0.0)
    assert column.values["Latency, ms"].text() == column.values["p99, ms"].text() == "30"


def test_all_of_it_fits_where_the_window_is_small(column: NumberColumn) -> None:
    column.event(QualityChanged(frozenset(Quality), ""))
    column.event(RecordingStarted("x", host_s=0.0))
    column.event(Failed("recorder", "x", host_s=36_000.0))
    column.refresh(0.0)
    labels = column.widget.findChildren(QLabel)
    assert column.widget.minimumSizeHint().height() <= 430
    for label in labels:
        assert label.geometry().right() <= WIDTH and label.geometry().bottom() <= column.widget.height()
    boxes = [label.geometry() for label in labels]
    assert not any(a.intersects(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_the_banner_shows_and_sounds_and_can_be_silenced(qtbot: QtBot) -> None:
    beeps: list[bool] = []
    reported: list[Event] = []
    banner = AlarmBanner(Alarms(), lambda: beeps.append(True), reported.append)
    qtbot.addWidget(banner.widget)
    banner.apply_theme(DARK)
    banner.start_stream(INFO, None)
    assert not banner.widget.isVisible()
    banner.event(Alarm(AlarmKind.ASYSTOLE, True, "no beat for 4 s"))
    banner.refresh(0.0)
    assert (
        banner.widget.isVisible() and "asystole: no beat for 4 s" in banner.widget.text() and beeps == [True]
    )
    banner.silence()
    assert "silenced" in banner.widget.text() and reported == [AlarmsSilenced((AlarmKind.ASYSTOLE,))]
    banner.event(Alarm(AlarmKind.ASYSTOLE, False))
    assert not banner.widget.isVisible()


def test_without_a_sound_card_the_bell_rings(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[bool] = []
    monkeypatch.setattr("PyQt6.QtWidgets.QApplication.beep", lambda: rung.append(True))
    monkeypatch.setattr(Beeper, "_find", lambda self: None)
    tone = Beeper()
    tone.play()
    tone.play()
    assert rung == [True, True]


def test_without_qtmultimedia_the_bell_rings(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    rung: list[bool] = []
    monkeypatch.setattr("PyQt6.QtWidgets.QApplication.beep", lambda: rung.append(True))
    monkeypatch.setitem(sys.modules, "PyQt6.QtMultimedia", None)
    Beeper().play()
    assert rung == [True]
