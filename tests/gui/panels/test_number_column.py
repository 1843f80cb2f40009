# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PyQt6.QtGui import QTextLayout
from PyQt6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from gui.panels.alarm_banner import AlarmBanner
from gui.panels.alarms import Alarms
from gui.panels.beeper import Beeper
from gui.panels.latency import LastMinute
from gui.panels.number_column import WIDTH, NumberColumn
from gui.panels.numbers import Numbers
from gui.theme import DARK, LIGHT, Theme
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
from streamer.core.vitals.standing import TECHNICAL
from streamer.core.vitals.vitals import Limits
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
    column.event(Beat(61.0, 1.0, at_s=2.0))
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


def lines(label: QLabel) -> list[str]:
    """What the label says, as it breaks it."""
    layout = QTextLayout(label.text(), label.font())
    layout.beginLayout()
    while (line := layout.createLine()).isValid():
        line.setLineWidth(label.width())
    layout.endLayout()
    placed = [layout.lineAt(k) for k in range(layout.lineCount())]
    assert all(one.naturalTextWidth() <= label.width() for one in placed)
    return [label.text()[one.textStart() : one.textStart() + one.textLength()] for one in placed]


@pytest.mark.parametrize("lost", [1, 12, 250, 2500, 12500, 250 * 60, 250 * 600, 250 * 3600, 250 * 35999])
@pytest.mark.parametrize("percent", [0, 7, 100])
def test_a_number_and_its_unit_stand_on_one_line(
    column: NumberColumn, frame: MakeFrame, lost: int, percent: int
) -> None:
    valid = np.zeros(lost, bool)
    made = replace(frame(0, 1), leads_mv=np.empty((12, 0)), valid=valid, device_s=0.0)
    column.frame(1.0, made)
    column.event(Battery(percent))
    column.refresh(1.0 + 0.5)
    column.widget.grab()
    for name, value in column.values.items():
        assert not any(re.match(r"\s*(s|ms|%)\b", line) for line in lines(value)), (name, lines(value))
    assert f"{lost} (" in column.values["Lost"].text()


def test_a_rate_from_noise_is_marked_and_grey_until_it_can_be_told_again(
    column: NumberColumn, frame: MakeFrame
) -> None:
    column.event(Beat(72.0, at_s=2.0))
    column.frame(2.3, replace(frame(550, 25), device_s=2.2))
    column.event(Alarm(AlarmKind.CANNOT_ANALYSE, True, "too much noise for a heart rate"))
    column.refresh(2.4)
    assert column.bpm_label.text() == "72?" and _color(column.bpm_label) == LIGHT.soft_ink
    column.event(Alarm(AlarmKind.CANNOT_ANALYSE, False))
    column.refresh(2.4)
    assert column.bpm_label.text() == "72" and _color(column.bpm_label) == LIGHT.ink


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
    labels = [label for label in column.widget.findChildren(QLabel) if not label.isHidden()]
    assert column.widget.minimumSizeHint().height() <= 430
    assert column.values["Lead I"] in labels and column.values["Recording"] in labels
    assert all(label.height() >= label.heightForWidth(label.width()) for label in labels if label.wordWrap())
    for label in labels:
        assert label.geometry().right() <= WIDTH and label.geometry().bottom() <= column.widget.height()
    boxes = [label.geometry() for label in labels]
    assert not any(a.intersects(b) for i, a in enumerate(boxes) for b in boxes[:i])


def a_banner(
    qtbot: QtBot, beeps: list[bool], reported: list[Event], rate: Callable[[], str] = lambda: "48"
) -> AlarmBanner:
    banner = AlarmBanner(Alarms(Numbers()), lambda: beeps.append(True), reported.append, rate)
    for part in (banner.widget, banner.bell):
        qtbot.addWidget(part)
        part.show()
    banner.widget.resize(900, banner.widget.height())
    banner.apply_theme(DARK)
    banner.start_stream(INFO, None)
    return banner


def test_the_banner_shows_and_sounds_and_can_be_silenced(qtbot: QtBot) -> None:
    beeps: list[bool] = []
    reported: list[Event] = []
    banner = a_banner(qtbot, beeps, reported)
    assert not banner.standing() and not banner.bell.crossed
    banner.event(Alarm(AlarmKind.ASYSTOLE, True, "no beat for 4 s"))
    banner.refresh(0.0)
    assert banner.standing() == (AlarmKind.ASYSTOLE,) and beeps == [True]
    assert "no beat for" in banner.signs[AlarmKind.ASYSTOLE].text()
    banner.silence()
    assert reported == [AlarmsSilenced((AlarmKind.ASYSTOLE,))]
    assert banner.sound_label.text() == banner.bell.sound_label.text() and banner.bell.crossed
    banner.event(Alarm(AlarmKind.ASYSTOLE, False))
    banner.refresh(0.0)
    assert not banner.standing() and not banner.sound_label.text() and not banner.bell.crossed


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_each_alarm_is_seen_lit_and_unlit_in_its_colour(qtbot: QtBot, theme: Theme) -> None:
    """Asystole, a rate and what is technical look different, at every instant."""
    banner = a_banner(qtbot, [], [])
    banner.apply_theme(theme)
    seen: dict[tuple[AlarmKind, bool], str] = {}
    for alarm in AlarmKind:
        banner.event(Alarm(alarm, True, "why"))
        banner.refresh(0.0)
        label = banner.signs[alarm]
        for lit in (True, False):
            label.lit = lit
            picture = label.grab().toImage()
            middle = picture.pixelColor(picture.width() - 8, picture.height() // 2).name()
            edge = picture.pixelColor(picture.width() // 2, 2).name()
            assert edge == label.color and middle == (label.color if lit else theme.bar)
        seen[alarm, True] = label.color
        banner.event(Alarm(alarm, False))
        banner.refresh(0.0)
    technical = {seen[alarm, True] for alarm in TECHNICAL}
    rates = {seen[alarm, True] for alarm in (AlarmKind.LOW_RATE, AlarmKind.HIGH_RATE)}
    assert len({seen[AlarmKind.ASYSTOLE, True], *technical, *rates}) == 3 == 1 + len(technical) + len(rates)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_sound_off_and_the_limits_are_seen_at_once_beside_the_rate(qtbot: QtBot, theme: Theme) -> None:
    banner = a_banner(qtbot, [], [])
    banner.apply_theme(theme)
    banner.bell.resize(150, banner.bell.height())
    on = banner.bell.grab().toImage()
    banner.alarms.sound, banner.alarms.limits = False, Limits(40.0, 150.0)
    banner.show(0.0)
    assert banner.bell.crossed and banner.bell.limits_label.text() == "40-150"
    assert banner.bell.sound_label.text() and banner.bell.sound_label.isVisible()
    assert banner.bell.grab().toImage() != on


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
