# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from gui.inbox import Inbox
from gui.monitor_window import RESEARCH_USE, MonitorWindow
from gui.theme import DARK, LIGHT, Theme
from streamer.leads import LEADS
from streamer.run.sink import SessionDescription
from streamer.stream import Event, Frame, State, StreamInfo

MakeFrame = Callable[..., Frame]
PX_PER_MM = 4.0
RATE_HZ = 250.0


class Monitor:
    """A window whose clock stands still unless it is told to go on."""

    def __init__(self, qtbot: QtBot, info: StreamInfo) -> None:
        self.inbox = Inbox()
        self.closed = 0
        self.window = MonitorWindow(self.inbox, info, "a model", 66.0, self._close, PX_PER_MM)
        self.window._timer.stop()
        self.window.resize(1600, 900)
        qtbot.addWidget(self.window)
        self.window.show()
        qtbot.waitExposed(self.window)

    def _close(self) -> None:
        self.closed += 1

    def show(self, *frames: Frame) -> None:
        """Let the frames come and be drawn up to the newest sample."""
        for frame in frames:
            self.inbox.frame(frame)
        self.window.tick()
        hold_back = self.window._hold_back
        assert hold_back is not None
        hold_back._lag_s = -1e9  # the edge jumps to the newest sample
        self.window.tick()

    def drawn(self, lead: str, *, settling: bool = False) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What is on the screen for a lead: x in px, y in mV; nothing where it is hidden."""
        paper = self.window.paper
        trace = (paper.settling if settling else paper.traces)[lead]
        if not trace.isVisible():
            return np.empty(0), np.empty(0)
        panel = next(panel for panel in paper.panels if panel.lead == lead)
        x, y = trace.getData()
        return x, (panel.baseline - y) / paper.look.scale.px_per_mv

    def picture(self) -> NDArray[np.uint8]:
        image = self.window.paper.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
        bits = image.constBits()
        assert bits is not None
        flat = np.frombuffer(bits.asarray(image.sizeInBytes()), np.uint8)
        return flat.reshape(image.height(), image.bytesPerLine())[:, : image.width() * 3].reshape(
            image.height(), image.width(), 3
        )

    def words(self) -> str:
        return " | ".join(label.text() for label in self.window.findChildren(QLabel) if label.isVisible())


@pytest.fixture
def monitor(qtbot: QtBot) -> Monitor:
    return Monitor(qtbot, StreamInfo("wfdb:s0010_re", RATE_HZ, lead="i"))


@pytest.fixture
def not_lead_i(qtbot: QtBot) -> Monitor:
    return Monitor(qtbot, StreamInfo("wfdb:100", RATE_HZ, lead="MLII", is_lead_i=False))


def expected(lead: str, index: NDArray[np.float64]) -> NDArray[np.float64]:
    return (LEADS.index(lead) + 1) * np.sin(index / 20) / 10


def test_every_lead_shows_its_own_samples_at_their_place(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.show(*(frame(start, 50) for start in range(0, 3000, 50)))
    paper = monitor.window.paper
    for panel in paper.panels:
        x, mv = monitor.drawn(panel.lead)
        px_per_sample = paper.look.scale.px_per_s / RATE_HZ
        index = np.arange(3000 - len(x), 3000, dtype=np.float64)
        assert np.allclose(mv, expected(panel.lead, index), atol=1e-5)
        assert np.allclose(np.diff(x), px_per_sample)
        assert abs(x[-1] - panel.right) <= 1.0 + px_per_sample
        assert abs(x[0] - panel.left) <= 1.0 + px_per_sample


def test_nothing_is_drawn_before_the_first_frame(monitor: Monitor) -> None:
    monitor.window.tick()
    assert all(len(monitor.drawn(lead)[0]) == 0 for lead in LEADS)
    assert State.WAITING.value in monitor.words()
    assert "newest sample" not in monitor.words()


def test_lead_i_is_measured_and_the_eleven_are_reconstructed(monitor: Monitor) -> None:
    labels = [item.toolTip() for item in monitor.window.paper._labels]
    assert labels == ["I measured"] + [f"{lead} reconstructed" for lead in LEADS[1:]]
    paper = monitor.window.paper
    pens = {lead: trace.opts["pen"] for lead, trace in paper.traces.items()}
    measured = pens["I"].color().name()
    assert all(pens[lead].color().name() != measured for lead in LEADS[1:])
    assert all(len(paper.traces["I"].strokes) > len(paper.traces[lead].strokes) for lead in LEADS[1:])


def test_an_input_that_is_not_lead_i_is_marked_everywhere(not_lead_i: Monitor) -> None:
    labels = [item.toolTip() for item in not_lead_i.window.paper._labels]
    assert labels[0] == "I measured: MLII, not Lead I"
    assert labels[1:] == [f"{lead} reconstructed input is not Lead I" for lead in LEADS[1:]]
    assert "lead MLII measured: input is not Lead I" in not_lead_i.words()


def test_labels_do_not_meet(not_lead_i: Monitor) -> None:
    for keys in ("", "l"):
        for key in keys:
            send(not_lead_i, key)
        boxes = [item.sceneBoundingRect() for item in not_lead_i.window.paper._labels]
        for i, box in enumerate(boxes):
            assert box.right() <= not_lead_i.window.paper.width()
            assert not any(box.intersects(other) for other in boxes[:i])


def test_research_use_stays_in_view(monitor: Monitor, frame: MakeFrame) -> None:
    for key in ("", "d", "l", " ", "?"):
        if key:
            send(monitor, key)
        monitor.show(frame(0, 50))
        assert RESEARCH_USE in monitor.words()


def test_the_header_says_what_there_is_to_say(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.inbox.event(Event("state", "connected", state=State.LIVE))
    monitor.show(frame(0, 500), frame(500, 50, lost=True), frame(550, 50))
    monitor.window._tell()
    words = monitor.words()
    for part in (
        "wfdb:s0010_re",
        "lead I measured",
        "a model",
        "● live",
        "25 mm/s   10 mm/mV",
        "algorithmic latency 66 ms",
        "hold-back",
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
    monkeypatch.setattr("gui.monitor_window.time.monotonic", lambda: real() + 7.0)
    monitor.window.tick()
    monitor.window._tell()
    assert "no sample for 7 s" in monitor.words()
    assert LIGHT.warning in monitor.window.state_label.styleSheet()
    monitor.inbox.event(Event("state", "the file ended", state=State.ENDED))
    monitor.window.tick()
    monitor.window._tell()
    assert "● ended" in monitor.words()
    assert "no sample" not in monitor.words()


def test_a_session_that_ended_is_told_and_leaves_the_picture(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.show(frame(0, 2500))
    monitor.inbox.event(Event("failed", "source ended: it broke"))
    monitor.inbox.close()
    monitor.window.tick()
    monitor.window._tell()
    assert "● ended" in monitor.words()
    assert "source ended: it broke" in monitor.words()
    assert len(monitor.drawn("V1")[0])


def test_settling_samples_are_fainter(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.show(frame(0, 500, settling=True))
    monitor.window._tell()
    assert "settling" in monitor.words()
    monitor.show(frame(500, 500))
    for lead in LEADS:
        x, mv = monitor.drawn(lead)
        faint_x, faint_mv = monitor.drawn(lead, settling=True)
        assert np.array_equal(x, faint_x)
        assert np.isfinite(mv[-499:]).all() and np.isnan(mv[:-500]).all()
        assert np.isfinite(faint_mv[:-500]).all() and np.isnan(faint_mv[-499:]).all()
    monitor.show(frame(1000, 4000))
    assert all(len(monitor.drawn(lead, settling=True)[0]) == 0 for lead in LEADS)


def test_a_gap_is_a_gap(monitor: Monitor, frame: MakeFrame) -> None:
    """In the data and on the picture, whether the samples came as lost or not at all."""
    monitor.show(frame(0, 1500), frame(1500, 250, lost=True), frame(1750, 250), frame(2250, 250))
    x, mv = monitor.drawn("I")
    missing = np.isnan(mv)
    index = np.arange(2500 - len(x), 2500)
    assert np.array_equal(missing, ((index >= 1500) & (index < 1750)) | ((index >= 2000) & (index < 2250)))
    panel = monitor.window.paper.panels[0]
    picture = monitor.picture()
    around = slice(round(panel.baseline) - 12, round(panel.baseline) + 13)
    ink = (picture[around] < 110).all(axis=2).any(axis=0)
    for gap in ((1500, 1750), (2000, 2250)):
        left, right = (round(x[np.searchsorted(index, end)]) for end in gap)
        assert not ink[left + 3 : right - 3].any()
    left = round(x[np.searchsorted(index, 1000)])
    assert ink[left : left + 190].all()


def send(monitor: Monitor, key: str) -> None:
    from PyQt6.QtTest import QTest

    QTest.keyClicks(monitor.window, key)


def test_freezing_holds_the_picture_while_data_flow(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.show(frame(0, 2500))
    before = monitor.drawn("V2")[1].copy()
    send(monitor, " ")
    assert monitor.window.frozen and "FROZEN" in monitor.words()
    monitor.show(*(frame(start, 50) for start in range(2500, 20_000, 50)))
    assert np.array_equal(monitor.drawn("V2")[1], before)
    send(monitor, "+")  # the frozen picture can still be looked at in another gain
    assert np.allclose(monitor.drawn("V2")[1], before, atol=1e-6)
    send(monitor, " ")
    monitor.window.tick()
    assert not monitor.window.frozen and "FROZEN" not in monitor.words()
    x, mv = monitor.drawn("V2")
    assert np.allclose(mv, expected("V2", np.arange(20_000 - len(x), 20_000, dtype=np.float64)), atol=1e-5)


def test_freezing_before_the_first_frame_does_nothing(monitor: Monitor) -> None:
    send(monitor, " ")
    assert not monitor.window.frozen


@pytest.mark.parametrize(("keys", "mm_per_mv"), [("", 10), ("+", 20), ("++", 20), ("-", 5), ("---", 2.5)])
def test_gain_is_mm_true(monitor: Monitor, frame: MakeFrame, keys: str, mm_per_mv: float) -> None:
    monitor.show(frame(0, 2500))
    for key in keys:
        send(monitor, key)
    _, y = monitor.window.paper.traces["V6"].getData()
    assert np.ptp(y) / PX_PER_MM == pytest.approx(2 * 1.2 * mm_per_mv, abs=0.1)
    assert f"{mm_per_mv:g} mm/mV" in monitor.words()


@pytest.mark.parametrize(("keys", "mm_per_s"), [("", 25), ("]", 50), ("[", 12.5), ("[[", 12.5), ("[]]]", 50)])
def test_speed_is_mm_true(monitor: Monitor, frame: MakeFrame, keys: str, mm_per_s: float) -> None:
    monitor.show(frame(0, 10_000))
    for key in keys:
        send(monitor, key)
    panel = monitor.window.paper.panels[0]
    x, mv = monitor.drawn("II")
    assert f"{mm_per_s:g} mm/s" in monitor.words()
    assert len(x) and x[0] - panel.left < 3
    tops = x[1:-1][(mv[1:-1] > mv[:-2]) & (mv[1:-1] > mv[2:])]
    period_s = 2 * math.pi * 20 / RATE_HZ
    assert np.median(np.diff(tops)) / PX_PER_MM == pytest.approx(period_s * mm_per_s, abs=0.3)


def test_the_calibration_mark_on_the_picture_is_10_mm_by_5_mm(monitor: Monitor) -> None:
    monitor.window.tick()
    panel = monitor.window.paper.panels[0]
    ink = (monitor.picture()[:, : round(panel.left) - 2] < 130).all(axis=2)
    # Neighbours' marks may reach into the panel's edge.
    rows, columns = np.nonzero(ink[round(panel.baseline - 45) : round(panel.baseline + 5)])
    assert abs(np.ptp(rows) - 10 * PX_PER_MM) <= 2
    top = columns[rows <= rows.min() + 1]
    assert abs(np.ptp(top) - 5 * PX_PER_MM) <= 2


def test_grid_lines_on_the_picture_are_1_mm_apart(monitor: Monitor) -> None:
    monitor.window.tick()
    paper = monitor.window.paper
    between = (round(paper.panels[-1].bottom / PX_PER_MM) - 1.5) * PX_PER_MM
    row = monitor.picture()[round(between), 200:1200].astype(int).sum(axis=1)
    lines = np.flatnonzero(row < row.max())
    assert np.diff(lines).min() == np.diff(lines).max() == PX_PER_MM
    heavy = lines[row[lines] == row.min()]
    assert set(np.diff(heavy)) == {5 * PX_PER_MM}


def test_the_size_of_a_millimetre_can_be_set(monitor: Monitor, qtbot: QtBot) -> None:
    qtbot.keyClick(monitor.window, Qt.Key.Key_Up, Qt.KeyboardModifier.ControlModifier)
    assert monitor.window.paper.look.scale.px_per_mm == pytest.approx(PX_PER_MM * 1.01)
    qtbot.keyClick(monitor.window, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    assert monitor.window.paper.look.scale.px_per_mm == pytest.approx(PX_PER_MM)


def test_layouts_and_themes_change_by_key(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.show(frame(0, 2500))
    paper = monitor.window.paper
    assert max(panel.column for panel in paper.panels) == 1
    send(monitor, "l")
    assert max(panel.row for panel in paper.panels) == 11
    assert len(monitor.drawn("V6")[0])
    send(monitor, "l")
    assert max(panel.column for panel in paper.panels) == 1
    assert monitor.picture()[2, 2].min() > 200
    send(monitor, "d")
    assert paper.look.theme is DARK
    assert monitor.picture()[2, 2].max() < 60
    assert paper.traces["I"].opts["pen"].color().name() == DARK.measured
    send(monitor, "D")
    assert paper.look.theme is LIGHT


def test_the_keys_are_shown_and_hidden(monitor: Monitor, qtbot: QtBot) -> None:
    help_label = monitor.window.help_label
    assert not help_label.isVisible()
    send(monitor, "?")
    assert help_label.isVisible()
    assert all(action.what in help_label.text() for action in monitor.window.table)
    qtbot.keyClick(monitor.window, Qt.Key.Key_Escape)
    assert not help_label.isVisible()
    qtbot.keyClick(monitor.window, Qt.Key.Key_F1)
    assert help_label.isVisible()


class Heard:
    """A part of the window that only listens."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def begin(self, info: StreamInfo, description: SessionDescription | None) -> None:
        self.calls.append(("begin", info.source))

    def frame(self, at_s: float, frame: Frame) -> None:
        self.calls.append(("frame", frame.start))

    def event(self, event: Event) -> None:
        self.calls.append(("event", event.text))

    def tell(self, now_s: float) -> None:
        self.calls.append("tell")

    def dress(self, theme: Theme) -> None:
        self.calls.append(("dress", theme.name))


def test_a_part_of_the_window_hears_what_the_paper_hears(monitor: Monitor, frame: MakeFrame) -> None:
    part = Heard()
    monitor.window.listen(part)
    monitor.inbox.event(Event("state", "connected"))
    monitor.inbox.frame(frame(0, 50))
    for _ in range(6):
        monitor.window.tick()
    send(monitor, "d")
    assert part.calls == [
        ("begin", "wfdb:s0010_re"),
        ("dress", "light"),
        ("event", "connected"),
        ("frame", 0),
        "tell",
        ("dress", "dark"),
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
    assert len(monitor.drawn("I")[0]) == 300
    assert ("begin", "wfdb:100") in part.calls


@pytest.mark.parametrize("how", ["q", "ctrl+w", "close"])
def test_closing_tells_once(monitor: Monitor, qtbot: QtBot, how: str) -> None:
    if how == "q":
        send(monitor, "q")
    elif how == "ctrl+w":
        qtbot.keyClick(monitor.window, Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier)
    monitor.window.close()
    monitor.window.close()
    assert monitor.closed == 1
    assert not monitor.window.isVisible()


def test_words_from_a_source_are_not_markup(qtbot: QtBot, frame: MakeFrame) -> None:
    evil = "wfdb:<img src=x><b>bold</b>" + "x" * 4000
    monitor = Monitor(qtbot, StreamInfo(evil, RATE_HZ, device=evil, notes=(evil,)))
    monitor.inbox.event(Event("lost", evil, count=3))
    monitor.show(frame(0, 100))
    assert monitor.window.source_label.text().startswith(evil)
    assert monitor.window.width() == 1600
    assert monitor.window.state_label.visibleRegion().boundingRect().width() > 20
    assert monitor.window.research_label.visibleRegion().boundingRect().width() > 300


def test_a_stream_at_another_rate_is_followed(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.show(frame(0, 500))
    monitor.show(frame(0, 300, rate_hz=100.0))
    assert len(monitor.drawn("I")[0]) == 300


@pytest.fixture(autouse=True)
def no_threads_or_settings_left(qtbot: QtBot) -> Iterator[None]:
    yield
    qtbot.wait(1)
