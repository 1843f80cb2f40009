# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PyQt6 import sip
from PyQt6.QtCore import QMimeData, QPoint, QPointF, QRect, Qt, QUrl
from PyQt6.QtGui import QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from gui.controller import SourceRequest
from gui.main_panels import MainPanels
from gui.settings import Settings
from gui.window import MonitorWindow
from streamer.core.errors import Field
from streamer.core.events import Alarm, AlarmKind, AlarmsSilenced, Beat, Event
from streamer.core.stream import Frame
from streamer.core.vitals.vitals import Limits
from streamer.export.page import Page
from tests.gui.a_controller import AController, APlayer
from tests.gui.conftest import make_frame
from tests.gui.panels.test_latency import a_hop

MakeFrame = Callable[..., Frame]


class Rig:
    """A whole window whose clock stands still unless it is told to go on."""

    def __init__(self, qtbot: QtBot, folder: Path, **controller: object) -> None:
        self.qtbot = qtbot
        self.controller = AController(**controller)  # type: ignore[arg-type]
        self.settings = Settings(folder / "monitor.json")
        self.beeps = 0
        self.pages: list[Page] = []
        running = self.controller.running
        self.window = MonitorWindow(
            running.inbox, running.description.stream, "net 1", 72.0, lambda: None, 4.0, running.tell
        )
        self.window.timer.stop()
        self.window.resize(1280, 720)
        self.panels = MainPanels(
            self.window, self.controller, self.settings, self._beep, folder / "pages", self._write
        )
        self.window.paper.painted = lambda stop, at_s: self.panels.painted(stop, at_s, time.monotonic())
        qtbot.addWidget(self.window)
        self.window.show()
        qtbot.waitExposed(self.window)

    def _beep(self) -> None:
        self.beeps += 1

    def _write(self, folder: Path, page: Page, stem: str) -> tuple[Path, ...]:
        self.pages.append(page)
        return folder / f"{stem}.pdf", folder / f"{stem}.png"

    def tick(self, *items: Frame | Event) -> None:
        inbox = self.controller.running.inbox
        for item in items:
            if isinstance(item, Frame):
                inbox.frame(item)
            else:
                inbox.event(item)
        for _ in range(6):  # the parts are told at every sixth
            self.window.tick()

    def key(self, key: str) -> None:
        from PyQt6.QtTest import QTest

        QTest.keyClicks(self.window, key)

    @property
    def player(self) -> APlayer:
        player = self.controller.running.player
        assert isinstance(player, APlayer)
        return player

    def words(self) -> str:
        return " | ".join(label.text() for label in self.window.findChildren(QLabel) if label.isVisible())


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path) -> Rig:
    return Rig(qtbot, tmp_path)


# ---- numbers and alarms


def test_the_numbers_stand_beside_the_paper(rig: Rig, frame: MakeFrame) -> None:
    beats = [Beat(61.0, at_s=at_s) for at_s in (1.0, 2.0)]
    rig.tick(*beats, frame(0, 500))
    assert rig.panels.numbers.bpm_label.text() == "61"
    column, paper = rig.panels.numbers.widget, rig.window.paper
    assert column.isVisible() and column.x() >= paper.x() + paper.width() - 1


def test_an_alarm_is_shown_sounds_and_can_be_silenced_by_a_key(rig: Rig) -> None:
    banner = rig.panels.alarms.banner
    rig.tick(Alarm(AlarmKind.ASYSTOLE, True, "no beat for 4 s"))
    assert "asystole: no beat for" in rig.words() and rig.beeps == 1
    rig.key("x")
    assert rig.controller.told == [AlarmsSilenced((AlarmKind.ASYSTOLE,))] and banner.bell.crossed
    rig.tick(Alarm(AlarmKind.ASYSTOLE, False))
    assert not banner.standing() and not banner.bell.crossed


def test_an_alarm_waits_for_no_refresh(rig: Rig) -> None:
    rig.tick()
    rig.controller.running.inbox.event(Alarm(AlarmKind.ASYSTOLE, True, "no beat for 4 s"))
    rig.window.tick()
    assert "asystole" in rig.words() and rig.beeps == 1


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["beat", "rise", "end", "noise", "silence", "tick"]), st.floats(15.0, 300.0)
        ),
        max_size=20,
    )
)
def test_the_banner_says_no_other_rate_than_the_one_beside_it(
    rig: Rig, steps: list[tuple[str, float]]
) -> None:
    """Whatever comes in whichever order, in any tick."""
    inbox, at_s = rig.controller.running.inbox, 1.0
    for what, bpm in steps:
        at_s += 0.5
        stop = round(at_s * 250)
        inbox.frame(make_frame(stop - 125, 125))
        if what == "beat":
            inbox.event(Beat(bpm, at_s=at_s))
        elif what in ("rise", "end"):
            inbox.event(Alarm(AlarmKind.LOW_RATE, what == "rise", f"{bpm:.0f} bpm, below 50", at_s=at_s))
        elif what == "noise":
            inbox.event(Alarm(AlarmKind.CANNOT_ANALYSE, bpm > 100, "noise", at_s=at_s))
        elif what == "silence":
            rig.key("x")
        rig.window.tick()
        sign = rig.panels.alarms.banner.signs[AlarmKind.LOW_RATE]
        if not sign.isHidden():
            assert f"heart rate low: {rig.panels.numbers.bpm_label.text()} bpm" in sign.text()
    assert "below 50" not in rig.words(), "nothing else repeats the number that raised it"


def test_limits_are_asked_for_applied_told_and_kept(rig: Rig, tmp_path: Path) -> None:
    assert rig.controller.limits == [Limits()]
    rig.key("h")
    dialog = rig.panels.alarms.limits
    assert dialog.isVisible() and (dialog.low_box.value(), dialog.high_box.value()) == (50, 120)
    dialog.low_box.setValue(130)
    assert dialog.high_box.value() == 135  # always apart
    dialog.low_box.setValue(40)
    dialog.high_box.setValue(150)
    dialog.sound_box.setChecked(False)
    rig.qtbot.mouseClick(dialog.set_button, Qt.MouseButton.LeftButton)
    assert rig.controller.limits[-1] == Limits(40, 150)
    assert "40 to 150 bpm, sound off" in rig.controller.told[-1].text
    bell = rig.panels.alarms.banner.bell
    assert bell.crossed and bell.limits_label.text() == "40-150", "it is seen at once"
    rig.tick(Alarm(AlarmKind.LOW_RATE, True, "39 bpm, below 40"))
    assert rig.beeps == 0
    assert Settings(tmp_path / "monitor.json").limits == Limits(40, 150)


def test_each_start_is_with_sound_whatever_was_left(qtbot: QtBot, tmp_path: Path) -> None:
    Settings(tmp_path / "monitor.json").keep("alarms/sound", False)  # as an older version kept it
    rig = Rig(qtbot, tmp_path)
    rig.panels.alarms._set_limits(Limits(40, 150), False)
    rig.window.close()
    again = Rig(qtbot, tmp_path)
    assert again.panels.alarms.banner.alarms.sound and not again.panels.alarms.banner.bell.crossed
    assert again.panels.alarms.banner.bell.limits_label.text() == "40-150"
    assert again.controller.limits == [Limits(40, 150)], "what is shown is what is watched for"


@pytest.mark.parametrize("alarms", [(AlarmKind.ASYSTOLE,), tuple(AlarmKind)])
@pytest.mark.parametrize("size", [(800, 480), (1280, 720), (3840, 2160)])
def test_the_picture_stays_where_it_is_when_alarms_come_and_go(
    rig: Rig, size: tuple[int, int], alarms: tuple[AlarmKind, ...]
) -> None:
    rig.window.resize(*size)
    rig.tick()
    rig.qtbot.wait(1)
    paper, banner = rig.window.paper, rig.panels.alarms.banner.widget
    before = place_of(rig, paper)
    rig.tick(*(Alarm(alarm, True, "why " * 30) for alarm in alarms))
    rig.qtbot.wait(1)
    assert place_of(rig, paper) == before and not place_of(rig, banner).intersects(before)
    assert (rig.window.width(), rig.window.height()) == size
    rig.key("x")
    rig.tick(*(Alarm(alarm, False) for alarm in alarms))
    rig.qtbot.wait(1)
    assert place_of(rig, paper) == before


def place_of(rig: Rig, part: QWidget) -> QRect:
    return QRect(part.mapTo(rig.window, QPoint(0, 0)), part.size())


def test_limits_that_are_not_set_change_nothing(rig: Rig) -> None:
    rig.key("h")
    rig.panels.alarms.limits.low_box.setValue(100)
    rig.qtbot.keyClick(rig.panels.alarms.limits, Qt.Key.Key_Escape)
    assert rig.controller.limits == [Limits()] and not rig.controller.told
    rig.key("h")
    assert rig.panels.alarms.limits.low_box.value() == 50


# ---- sources


def test_another_source_comes_into_the_same_window(rig: Rig, frame: MakeFrame) -> None:
    rig.tick(frame(0, 500), Alarm(AlarmKind.ASYSTOLE, True, "no beat for 4 s"))
    rig.controller.hold.clear()
    rig.key("o")
    rig.panels.sources.connect_dialog.source_edit.setText("wfdb:second")
    rig.qtbot.keyClick(rig.panels.sources.connect_dialog, Qt.Key.Key_Return)
    assert "opening wfdb:second" in rig.words() and "wfdb:first" in rig.words()
    rig.tick(frame(500, 500))  # what runs goes on meanwhile
    rig.controller.hold.set()
    rig.qtbot.waitUntil(lambda: "wfdb:second" in rig.window.windowTitle())
    assert "asystole" not in rig.words() and rig.controller.limits == [Limits(), Limits()]
    assert rig.settings.recent == ["wfdb:second", "wfdb:first"]
    history, edge_s = rig.window.seen()
    assert history.traces is None and edge_s == 0
    rig.tick(frame(0, 250))
    assert rig.window.seen()[1] == 1.0


def test_a_source_that_is_refused_leaves_what_runs(rig: Rig, frame: MakeFrame) -> None:
    rig.controller.refuse = "there is no such record: look again"
    rig.panels.sources.open(replace(rig.controller.running.request, source="wfdb:none"))
    rig.qtbot.waitUntil(lambda: "no such record" in rig.words())
    assert "wfdb:first" in rig.window.windowTitle()
    rig.tick(frame(0, 250))
    assert rig.window.seen()[1] == 1.0


def test_a_lead_that_is_missing_can_be_named_in_the_dialog(rig: Rig) -> None:
    rig.controller.refuse, rig.controller.refuse_field = "'100' has no lead 'I', only MLII, V5", Field.LEAD
    rig.panels.sources.open(SourceRequest("wfdb:/r/100"))
    rig.qtbot.waitUntil(lambda: "only MLII, V5; name a lead in Connect (O)" in rig.panels.notice.toolTip())
    rig.controller.refuse = ""
    rig.key("o")
    rig.panels.sources.connect_dialog.lead_edit.setText("MLII")
    rig.qtbot.keyClick(rig.panels.sources.connect_dialog, Qt.Key.Key_Return)
    rig.qtbot.waitUntil(lambda: len(rig.controller.opened) == 2)
    assert rig.controller.opened[1] == SourceRequest("wfdb:/r/100", "MLII")


def test_a_live_source_that_dies_leaves_the_window_and_comes_back(
    qtbot: QtBot, tmp_path: Path, frame: MakeFrame
) -> None:
    rig = Rig(qtbot, tmp_path, players=False)
    rig.panels.sources.opener._again_s = (0.05,)
    rig.tick(frame(0, 500))
    rig.controller.running.inbox.close()
    with qtbot.waitSignal(rig.panels.sources.opener.opened):
        rig.tick()
        assert "ended" in rig.words()
    assert rig.controller.opened[0].source == "wfdb:first"
    rig.tick(frame(0, 250))
    assert "ended" not in rig.words() and rig.window.seen()[1] == 1.0


@pytest.mark.parametrize(("name", "source"), [("a.hea", "wfdb:{}/a"), ("s.xdf", "session:{}/s.xdf")])
def test_a_file_that_is_dropped_is_opened(rig: Rig, tmp_path: Path, name: str, source: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"XDF:" if name.endswith(".xdf") else b"")  # a session that has just begun
    drop(rig.window, [file])
    rig.qtbot.waitUntil(lambda: len(rig.controller.opened) == 1)
    assert rig.controller.opened[0].source == source.format(tmp_path)


def test_what_cannot_be_opened_cannot_be_dropped(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    assert not drop(rig.window, [tmp_path / "notes.txt"]) and not drop(rig.window, [])
    assert not rig.controller.opened


def test_no_part_of_the_window_keeps_drops_for_itself(rig: Rig) -> None:
    parts = [part for part in rig.window.paper.findChildren(QWidget) if part.acceptDrops()]
    assert not parts and not rig.window.paper.acceptDrops() and rig.window.acceptDrops()


def drop(window: QWidget, files: list[Path]) -> bool:
    """What Qt makes of a drop from outside; whether it was taken."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file)) for file in files])
    at = QPointF(400, 300)
    how = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(at.toPoint(), *how)
    enter.setAccepted(False)
    QApplication.sendEvent(window, enter)
    if not enter.isAccepted():
        return False
    QApplication.sendEvent(window, QDropEvent(at, *how))
    return True


# ---- replay


def test_a_replay_is_controlled_by_keys(rig: Rig) -> None:
    assert rig.panels.sources.replay.widget.isVisible()
    rig.key("k")
    assert rig.player.paused
    rig.key("k")
    rig.key(">")
    assert not rig.player.paused and rig.player.speed == 2
    rig.key("<")
    rig.key("<")
    assert rig.player.speed == 0.5


def test_a_seek_is_a_new_stream_from_there_as_it_was_played(rig: Rig) -> None:
    rig.player.position_s = 30.0
    rig.player.speed = 2.0
    rig.player.paused = True
    rig.qtbot.keyClick(rig.window, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    rig.qtbot.waitUntil(lambda: len(rig.controller.opened) == 1)
    request = rig.controller.opened[0]
    assert (request.source, request.start_s, request.speed, request.paused) == ("wfdb:first", 40.0, 2.0, True)


def test_a_live_source_has_no_bar(qtbot: QtBot, tmp_path: Path) -> None:
    assert not Rig(qtbot, tmp_path, players=False).panels.sources.replay.widget.isVisible()


# ---- page, latency, about, settings


def test_a_page_is_of_what_is_seen_and_says_where_it_went(rig: Rig, frame: MakeFrame) -> None:
    rig.key("p")
    assert "nothing to put on a page" in rig.words()
    rig.tick(*(frame(start, 50) for start in range(0, 5000, 50)))
    rig.key("p")
    rig.qtbot.waitUntil(lambda: "page written" in rig.words())
    assert ".pdf and .png" in rig.panels.notice.toolTip() and "pages" in rig.panels.notice.toolTip()
    playout = rig.window.stream.playout
    assert playout is not None
    playout._lag_s = -1e9  # the edge jumps to the newest sample
    rig.key(" ")
    rig.tick(*(frame(start, 50) for start in range(5000, 7500, 50)))
    rig.key("n")  # one layout, here and there
    rig.key("p")
    rig.qtbot.waitUntil(lambda: len(rig.pages) == 2)
    first, frozen = rig.pages
    assert first.started.startswith("10.0 to 20.0 s of the recording") and not first.consecutive
    assert np.array_equal(frozen.leads_mv, first.leads_mv) and frozen.consecutive


def test_a_page_that_is_done_after_the_window_has_gone_troubles_nobody(qtbot: QtBot, tmp_path: Path) -> None:
    class NobodyCloses:
        waitExposed = qtbot.waitExposed  # noqa: N815 - pytest-qt's name

        def addWidget(self, widget: QWidget) -> None:  # noqa: N802 - pytest-qt's name
            """The test itself does."""

    rig = Rig(NobodyCloses(), tmp_path)  # type: ignore[arg-type]
    news = rig.panels.pages
    sip.delete(rig.window)
    news.written.emit((Path("page.pdf"),))
    news.failed.emit("the page was not written")


def test_a_notice_goes_by_itself(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.panels.notice.say("something")
    rig.tick()
    assert "something" in rig.words()
    real = time.monotonic
    monkeypatch.setattr("gui.window.time.monotonic", lambda: real() + 20)
    rig.tick()
    assert "something" not in rig.words()


def test_the_latency_panel_comes_and_goes_by_key(rig: Rig, frame: MakeFrame) -> None:
    panel = rig.panels.latency
    rig.key("w")
    assert panel.isVisible() and "Nothing was measured" in panel.words()
    paper = rig.window.paper
    assert panel.geometry().right() < paper.width() and panel.geometry().bottom() < paper.height()
    rig.key("w")
    assert not panel.isVisible()


@pytest.mark.parametrize(
    ("speed", "frozen", "lead_in_s", "timed"),
    [
        (1.0, False, 0.0, True),
        (1.0, False, 4.8, True),
        (2.0, False, 0.0, False),
        (0.5, False, 0.0, False),
        (1.0, True, 0.0, False),
        (1.0, False, 4.9, False),
        (2.0, True, 9.0, False),
    ],
)
def test_only_what_comes_and_is_painted_in_time_counts_as_latency(
    rig: Rig, speed: float, frozen: bool, lead_in_s: float, timed: bool
) -> None:
    """Not a replay at another speed, nor a frozen picture, nor what comes at once before a place."""
    rig.controller._running_session = replace(rig.controller.running, lead_in_s=lead_in_s)
    rig.player.speed = speed
    rig.tick(make_frame(0, 500))  # there is a picture to freeze
    rig.window.time.freeze(frozen)
    for number in range(295, 301):  # the newest ends at 4.816 s
        hop = a_hop(number)
        assert hop.stamps is not None
        rig.panels.frame(hop.stamps.made, hop)
        rig.panels.painted(hop.stop, hop.stamps.made + 0.02, hop.stamps.made + 0.03)
    rig.panels.show_latency()
    assert ("a sample on the screen is" in rig.panels.latency.words()) == timed


def test_what_the_model_cannot_show_is_one_key_away(rig: Rig) -> None:
    rig.key("i")
    assert rig.panels.model_limits.isVisible()
    said = rig.panels.model_limits.text.toPlainText()
    assert "ST: no." in said and "Pacing spikes: no." in said


def test_every_key_is_in_the_help(rig: Rig) -> None:
    rig.key("?")
    text = rig.window.help.text()
    for action in rig.window.table:
        assert action.what in text or not action.keys


@pytest.mark.parametrize("size", [(1024, 600), (1600, 900)])
def test_the_help_fits(rig: Rig, size: tuple[int, int]) -> None:
    rig.window.resize(*size)
    rig.key("?")
    box = rig.window.help.geometry()
    assert box.right() < size[0] and box.bottom() < size[1]


def test_the_window_comes_back_as_it_was_left(qtbot: QtBot, tmp_path: Path) -> None:
    rig = Rig(qtbot, tmp_path)
    for key in ("d", "l", "]", "+"):
        rig.key(key)
    rig.tick()
    left = rig.window.paper.look
    rig.window.close()
    window = Rig(qtbot, tmp_path).window
    again = window.paper.look
    assert (again.theme, again.layout, again.scale) == (left.theme, left.layout, left.scale)
    assert left.theme.bar in window.styleSheet()


@pytest.mark.parametrize("size", [(1024, 600), (1280, 720), (1920, 1080)])
def test_everything_fits(rig: Rig, frame: MakeFrame, size: tuple[int, int]) -> None:
    rig.window.resize(*size)
    rig.tick(frame(0, 500), Alarm(AlarmKind.HIGH_RATE, True, "131 bpm, above 120"))
    rig.qtbot.wait(1)
    assert (rig.window.width(), rig.window.height()) == size
    for part in (
        rig.panels.numbers.widget,
        rig.panels.sources.replay.widget,
        rig.panels.alarms.banner.widget,
        rig.window.paper,
    ):
        corner = part.mapTo(rig.window, part.rect().bottomRight())
        assert part.isVisible() and corner.x() < size[0] and corner.y() < size[1]
    assert rig.window.paper.height() > 0.65 * size[1]


def test_what_comes_at_once_fills_the_screen_and_does_not_hold_it_back(rig: Rig, frame: MakeFrame) -> None:
    running = rig.controller.running
    rig.window.follow(running.inbox, running.description.stream, "net 1", 72.0, lead_in_s=10.0)
    rig.tick(*(frame(start, 4) for start in range(0, 2480, 4)))  # up to what the algorithm owes
    playout = rig.window.stream.playout
    assert playout is not None and playout.display_delay_s < 0.2
    assert playout.edge_s(time.monotonic()) > 9.7
