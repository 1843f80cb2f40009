# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PyQt6.QtCore import Qt
from pytestqt.qtbot import QtBot

from gui.panels.header import RESEARCH_USE
from gui.signal.inbox import Inbox
from gui.theme import LIGHT, Theme
from streamer.core.events import Event, Failed, SamplesLost, State, StateChanged
from streamer.core.leads import LEADS
from streamer.core.stream import Frame, StreamInfo
from streamer.session.description import SessionDescription
from tests.gui.a_monitor import RATE_HZ, Monitor, wave_mv

MakeFrame = Callable[..., Frame]


@pytest.fixture
def monitor(qtbot: QtBot) -> Monitor:
    return Monitor(qtbot, StreamInfo("wfdb:s0010_re", RATE_HZ, lead="i", live=True))


@pytest.fixture
def not_lead_i(qtbot: QtBot) -> Monitor:
    return Monitor(qtbot, StreamInfo("wfdb:100", RATE_HZ, lead="MLII", is_lead_i=False))


def test_nothing_is_drawn_before_the_first_frame(monitor: Monitor) -> None:
    monitor.window.tick()
    assert all(len(monitor.drawn(lead)[0]) == 0 for lead in LEADS)
    assert State.WAITING.value in monitor.words()
    assert "newest sample" not in monitor.words()


def test_an_input_that_is_not_lead_i_is_marked_everywhere(not_lead_i: Monitor) -> None:
    labels = [label.text for label in not_lead_i.window.paper.labels]
    assert labels[0] == "I measured: MLII, not Lead I"
    assert labels[1:] == [f"{lead} reconstructed input is not Lead I" for lead in LEADS[1:]]
    assert "lead MLII measured: input is not Lead I" in not_lead_i.words()


def test_research_use_stays_in_view(monitor: Monitor, frame: MakeFrame) -> None:
    for key in ("", "d", "l", " ", "?"):
        if key:
            monitor.send(key)
        monitor.show(frame(0, 50))
        assert RESEARCH_USE in monitor.words()


def test_the_header_says_what_there_is_to_say(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.inbox.event(StateChanged(State.LIVE, "connected"))
    monitor.show(frame(0, 500), frame(500, 50, lost=True), frame(550, 50))
    monitor.window.refresh()
    words = monitor.words()
    for part in (
        "wfdb:s0010_re",
        "lead I measured",
        "a model",
        "● live",
        "25 mm/s   10 mm/mV",
        "algorithmic latency 66 ms",
        "display delay",
        "lost 50 samples (0.20 s)",
        "newest sample 0.",
        "connected",
    ):
        assert part in words, part
    assert "bpm" not in words


def test_a_source_that_falls_silent_is_told(
    monitor: Monitor, frame: MakeFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor.show(frame(0, 500))
    real = time.monotonic
    monkeypatch.setattr("gui.window.time.monotonic", lambda: real() + 7.0)
    monitor.window.tick()
    monitor.window.refresh()
    assert "no sample for 7 s" in monitor.words()
    assert LIGHT.warning in monitor.window.header.state.styleSheet()
    monitor.inbox.event(StateChanged(State.ENDED, "the file ended"))
    monitor.window.tick()
    monitor.window.refresh()
    assert "● ended" in monitor.words()
    assert "no sample" not in monitor.words()


def test_a_session_that_ended_is_told_and_leaves_the_picture(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.show(frame(0, 2500))
    monitor.inbox.event(Failed("source", "it broke"))
    monitor.inbox.close()
    monitor.window.tick()
    monitor.window.refresh()
    assert "● ended" in monitor.words()
    assert "source ended: it broke" in monitor.words()
    assert len(monitor.drawn("V1")[0])


def test_freezing_holds_the_picture_while_data_flow(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.show(frame(0, 2500))
    before = monitor.picture()
    monitor.send(" ")
    assert monitor.window.frozen and "FROZEN" in monitor.words()
    monitor.show(*(frame(start, 50) for start in range(2500, 20_000, 50)))
    assert np.array_equal(monitor.picture(), before)
    monitor.send("-")  # the frozen picture can still be looked at in another gain
    at_s, mv = monitor.drawn("V2")
    seen = np.isfinite(mv)
    assert 9.9 < at_s[seen].max() <= 10.02
    assert np.allclose(mv[seen][:-4], wave_mv("V2", at_s[seen])[:-4], atol=0.05)
    monitor.send(" ")
    monitor.window.tick()
    assert not monitor.window.frozen and "FROZEN" not in monitor.words()
    at_s, _ = monitor.drawn("V2")
    assert at_s[-1] == pytest.approx(80.0, abs=0.1)


def test_freezing_before_the_first_frame_does_nothing(monitor: Monitor) -> None:
    monitor.send(" ")
    assert not monitor.window.frozen


def test_the_keys_are_shown_and_hidden(monitor: Monitor, qtbot: QtBot) -> None:
    help_label = monitor.window.help
    assert not help_label.isVisible()
    monitor.send("?")
    assert help_label.isVisible()
    assert all(action.what in help_label.text() for action in monitor.window.table if action.keys)
    qtbot.keyClick(monitor.window, Qt.Key.Key_Escape)
    assert not help_label.isVisible()
    qtbot.keyClick(monitor.window, Qt.Key.Key_F1)
    assert help_label.isVisible()


class Heard:
    """A part of the window that only listens."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def start_stream(self, info: StreamInfo, description: SessionDescription | None) -> None:
        self.calls.append(("begin", info.source))

    def frame(self, at_s: float, frame: Frame) -> None:
        self.calls.append(("frame", frame.start))

    def event(self, event: Event) -> None:
        self.calls.append(("event", event.text))

    def refresh(self, now_s: float) -> None:
        self.calls.append("refresh")

    def apply_theme(self, theme: Theme) -> None:
        self.calls.append(("apply_theme", theme.name))


def test_a_part_of_the_window_hears_what_the_paper_hears(monitor: Monitor, frame: MakeFrame) -> None:
    part = Heard()
    monitor.window.listen(part)
    monitor.inbox.event(StateChanged(State.LIVE, "connected"))
    monitor.inbox.frame(frame(0, 50))
    for _ in range(6):
        monitor.window.tick()
    monitor.send("d")
    assert part.calls == [
        ("begin", "wfdb:s0010_re"),
        ("apply_theme", "light"),
        ("event", "connected"),
        ("frame", 0),
        "refresh",
        ("apply_theme", "dark"),
    ]


def test_another_stream_is_followed_in_the_same_window(monitor: Monitor, frame: MakeFrame) -> None:
    part = Heard()
    monitor.window.listen(part)
    monitor.show(frame(0, 5000))
    other = Inbox()
    monitor.window.follow(other, StreamInfo("wfdb:100", RATE_HZ, lead="MLII", is_lead_i=False), "m", 80.0)
    assert all(len(monitor.drawn(lead)[0]) == 0 for lead in LEADS)
    assert "wfdb:100" in monitor.words() and "s0010" not in monitor.words()
    assert "algorithmic latency 80 ms" in monitor.words()
    monitor.inbox = other
    monitor.show(frame(0, 300))
    assert monitor.drawn("I")[0][-1] == pytest.approx(1.2, abs=0.02)
    assert ("begin", "wfdb:100") in part.calls


@pytest.mark.parametrize("how", ["q", "ctrl+w", "close"])
def test_closing_tells_once(monitor: Monitor, qtbot: QtBot, how: str) -> None:
    if how == "q":
        monitor.send("q")
    elif how == "ctrl+w":
        qtbot.keyClick(monitor.window, Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier)
    monitor.window.close()
    monitor.window.close()
    assert monitor.closed == 1
    assert not monitor.window.isVisible()


def test_words_from_a_source_are_not_markup(qtbot: QtBot, frame: MakeFrame) -> None:
    evil = "wfdb:<img src=x><b>bold</b>" + "x" * 4000
    monitor = Monitor(qtbot, StreamInfo(evil, RATE_HZ, device=evil, notes=(evil,)))
    monitor.inbox.event(SamplesLost(3, evil))
    monitor.show(frame(0, 100))
    assert monitor.window.header.source.text().startswith(evil)
    assert monitor.window.width() == 1280
    assert monitor.window.header.state.visibleRegion().boundingRect().width() > 20
    assert monitor.window.header.research.visibleRegion().boundingRect().width() > 300


def test_a_stream_at_another_rate_is_followed(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.show(frame(0, 500))
    monitor.show(frame(0, 300, rate_hz=100.0))
    at_s, mv = monitor.drawn("I")
    assert at_s[-1] == pytest.approx(3.0, abs=0.02)
    assert np.isfinite(mv[(at_s > 0.1) & (at_s < 2.9)]).all()


@pytest.fixture(autouse=True)
def no_threads_or_settings_left(qtbot: QtBot) -> Iterator[None]:
    yield
    qtbot.wait(1)
