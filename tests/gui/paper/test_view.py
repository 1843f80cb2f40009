# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands on the paper, read from its pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PyQt6.QtCore import QPointF, Qt
from PyQt6.QtGui import QImage, QPixmap
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gui.paper.geometry import LAYOUTS, RHYTHM
from gui.signal.history import History
from gui.theme import DARK, LIGHT, Theme
from streamer.core.events import Beat, Quality, QualityChanged
from streamer.core.leads import LEADS
from streamer.core.network.alternatives import SHOWN, Plausible
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.session.description import SessionDescription
from tests.gui.a_monitor import PX_PER_MM, RATE_HZ, Monitor, ink_of, rgb_of, wave_mv
from tests.gui.signal.test_inbox import described

MakeFrame = Callable[..., Frame]
CLOSE_MV = 0.5 / (10 * PX_PER_MM)
"""Half a pixel."""


@pytest.fixture
def monitor(qtbot: QtBot) -> Monitor:
    return Monitor(qtbot, StreamInfo("wfdb:s0010_re", RATE_HZ, lead="i"))


def frames(frame: MakeFrame, start: int, stop: int, n: int = 50) -> list[Frame]:
    return [frame(at, min(n, stop - at)) for at in range(start, stop, n)]


def off_mv(monitor: Monitor, lead: str, skip: int = 4) -> float:
    """How far the trace lies off the samples, mV; the newest columns may be unfinished."""
    at_s, mv = monitor.drawn(lead)
    drawn = np.isfinite(mv)
    drawn[-skip:] = False
    assert drawn.sum() > 0.9 * len(mv) - 30
    return float(np.abs(mv - wave_mv("I" if lead == RHYTHM else lead, at_s))[drawn].max())


@pytest.mark.parametrize("sweep", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_lead_shows_its_own_samples_at_their_place(
    monitor: Monitor, frame: MakeFrame, layout: str, sweep: bool
) -> None:
    monitor.wear(layout=layout, sweep=sweep)
    monitor.window.do.gain(-1)
    monitor.window.do.gain(-1)
    monitor.show(*frames(frame, 0, 6000))
    for area in monitor.window.paper.sheet.areas:
        # Neighbours reach into the areas where twelve are above each other.
        if layout != "12x1" or area.lead in ("I", "II", "III"):
            assert off_mv(monitor, area.lead) < 6 * CLOSE_MV


@pytest.mark.parametrize("ratio_mm_per_s", [25.0, 6.25])
@pytest.mark.parametrize("sweep", [False, True])
def test_drawn_strip_by_strip_is_drawn_at_once(
    qtbot: QtBot, frame: MakeFrame, sweep: bool, ratio_mm_per_s: float
) -> None:
    """However the samples came, and whatever stood in the ring before, down to the pixel."""
    pictures = []
    for n in (37, 4321):
        monitor = Monitor(qtbot, StreamInfo("", RATE_HZ), size=(800, 480))
        scale = monitor.window.paper.look.scale
        monitor.wear(sweep=sweep, scale=replace(scale, mm_per_s=ratio_mm_per_s), layout="3x4")
        for some in frames(frame, 0, 4100, n):
            monitor.show(some)
        pictures.append(rgb_of(monitor.window.paper.grab()).astype(int))
    off = np.abs(pictures[0] - pictures[1]).max(axis=2)
    assert (off > 40).sum() <= 4, "a pixel here and there may round to its other neighbour"


@pytest.mark.parametrize("sweep", [False, True])
def test_the_picture_on_the_screen_is_what_a_whole_paint_gives(
    monitor: Monitor, frame: MakeFrame, sweep: bool
) -> None:
    """Only columns that changed are painted: none may be forgotten."""
    monitor.wear(sweep=sweep, layout="3x4")
    monitor.show(*frames(frame, 0, 3000))
    window = monitor.window
    for some in frames(frame, 3000, 6100, 31):
        monitor.show(some)
        QApplication.processEvents()
    screen = window.screen()
    assert screen is not None
    paper = window.paper
    at = paper.mapTo(window, paper.rect().topLeft())
    kept = rgb_of(screen.grabWindow(window.winId(), at.x(), at.y(), paper.width(), paper.height()))
    assert np.array_equal(kept, rgb_of(paper.grab()))


def test_lead_i_is_measured_and_the_eleven_are_reconstructed(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.wear(layout="3x4")
    assert sorted(label.text for label in monitor.window.paper.labels) == sorted(
        ["I measured", "I as measured", *(f"{lead} reconstructed" for lead in LEADS[1:])]
    )
    monitor.show(*frames(frame, 0, 3000))
    for lead in (*LEADS, RHYTHM):
        theme = monitor.window.paper.look.theme
        other = theme.reconstructed if lead in ("I", RHYTHM) else theme.measured
        assert np.isfinite(monitor.drawn(lead)[1]).any()
        assert not np.isfinite(monitor.drawn(lead, other)[1]).any()
    strip, weights = monitor.window.paper.sheet.strips[0], []
    for lead, color in (("I", LIGHT.measured), ("II", LIGHT.reconstructed)):
        area = monitor.area(lead)
        ink = ink_of(strip.ring, color)[round(area.top) : round(area.bottom)].sum(axis=0)
        weights.append(np.percentile(ink, 25))
    assert weights[0] > 1.5 * weights[1], "the measured line is the heavier one"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (1024, 600)])
@pytest.mark.parametrize("is_lead_i", [True, False])
def test_labels_do_not_meet(qtbot: QtBot, layout: str, size: tuple[int, int], is_lead_i: bool) -> None:
    monitor = Monitor(qtbot, StreamInfo("wfdb:100", RATE_HZ, lead="MLII", is_lead_i=is_lead_i), size=size)
    monitor.wear(layout=layout)
    paper = monitor.window.paper
    paper.say(dict.fromkeys(LEADS, "RMSE 0.12 mV  r 0.98  cov 90 %"))
    boxes = [label.rect for label in paper.labels]
    for i, box in enumerate(boxes):
        assert box.right() <= paper.width() and box.bottom() <= paper.height()
        assert not any(box.intersects(other) for other in boxes[:i])


def test_settling_samples_and_untrusted_ones_are_grey(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.show(frame(0, 500, settling=True), *frames(frame, 500, 1000))
    for lead in LEADS:
        at_s, mv = monitor.drawn(lead)
        _, faint = monitor.drawn(lead, LIGHT.settling)
        assert np.isfinite(faint[(at_s > 0.05) & (at_s < 1.9)]).all()
        assert np.isnan(mv[(at_s > 0) & (at_s < 1.9)]).all()
        assert np.isfinite(mv[(at_s > 2.1) & (at_s < 3.9)]).all()
    monitor.inbox.event(QualityChanged(frozenset({Quality.NO_CONTACT}), "no contact", at_s=3.0))
    monitor.show(*frames(frame, 1000, 1500))
    monitor.window.refresh()
    assert "input not trusted" in monitor.words()
    monitor.inbox.event(QualityChanged(frozenset(), "good again", at_s=5.0))
    monitor.show(*frames(frame, 1500, 2000))
    for lead in ("I", "V3"):
        at_s, mv = monitor.drawn(lead)
        _, faint = monitor.drawn(lead, LIGHT.settling)
        grey = (at_s > 3.1) & (at_s < 4.9)
        assert np.isfinite(faint[grey]).all() and np.isnan(mv[grey]).all()
        black = (at_s > 5.1) & (at_s < 7.9)
        assert np.isfinite(mv[black]).all() and np.isnan(faint[black]).all()


def test_noise_alone_leaves_the_traces_as_they_are(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.inbox.event(QualityChanged(frozenset({Quality.NOISY}), "noisy", at_s=0.0))
    monitor.show(*frames(frame, 0, 1000))
    at_s, mv = monitor.drawn("I")
    assert np.isfinite(mv[(at_s > 0.1) & (at_s < 3.9)]).all()


def test_a_gap_is_a_gap(monitor: Monitor, frame: MakeFrame) -> None:
    """Whether the samples came as lost or not at all."""
    monitor.show(frame(0, 1500), frame(1500, 250, lost=True), frame(1750, 250), frame(2250, 250))
    at_s, mv = monitor.drawn("I")
    for begin_s, end_s in ((6.0, 7.0), (8.0, 9.0)):
        assert np.isnan(mv[(at_s > begin_s + 0.03) & (at_s < end_s - 0.03)]).all()
    for begin_s, end_s in ((4.0, 6.0), (7.0, 8.0), (9.0, 9.9)):
        assert np.isfinite(mv[(at_s > begin_s + 0.03) & (at_s < end_s - 0.06)]).all()


@pytest.mark.parametrize(("keys", "mm_per_mv"), [("", 10), ("+", 20), ("++", 20), ("-", 5), ("---", 2.5)])
def test_gain_is_mm_true(monitor: Monitor, frame: MakeFrame, keys: str, mm_per_mv: float) -> None:
    monitor.show(*frames(frame, 0, 2500))
    monitor.send(keys)
    assert monitor.window.paper.sheet.scale.mm_per_mv == mm_per_mv
    assert f"{mm_per_mv:g} mm/mV" in monitor.words()
    ink = ink_of(monitor.window.paper.sheet.strips[0].ring, LIGHT.measured)
    rows = np.flatnonzero((ink > 0.5).any(axis=1))
    assert (np.ptp(rows) - 1) / PX_PER_MM == pytest.approx(2 * 0.1 * mm_per_mv, abs=0.4)


@pytest.mark.parametrize(
    ("keys", "mm_per_s"), [("", 25), ("]", 50), ("[", 12.5), ("[[", 6.25), ("[[[", 6.25), ("[]]]", 50)]
)
def test_speed_is_mm_true(monitor: Monitor, frame: MakeFrame, keys: str, mm_per_s: float) -> None:
    monitor.show(*frames(frame, 0, 12_000))
    monitor.send(keys)
    assert f"{mm_per_s:g} mm/s" in monitor.words()
    at_s, mv = monitor.drawn("II")
    period_s = 2 * math.pi * 20 / RATE_HZ
    assert (at_s[-1] - at_s[0]) * mm_per_s == pytest.approx(len(at_s) / PX_PER_MM, rel=0.01)
    rises = np.flatnonzero((mv[:-1] < 0) & (mv[1:] >= 0))
    assert np.median(np.diff(rises)) / PX_PER_MM == pytest.approx(period_s * mm_per_s, abs=0.3)


def test_the_gain_follows_the_signal_when_asked(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.wear(layout="12x1")
    monitor.show(*frames(frame, 0, 2500))
    monitor.send("a")
    assert monitor.window.paper.sheet.scale.mm_per_mv == 5.0  # 2.4 mV in rows of 15 mm
    monitor.show(*(replace(one, leads_mv=3 * one.leads_mv) for one in frames(frame, 2500, 5000)))
    monitor.window.fit_gain()
    assert monitor.window.paper.sheet.scale.mm_per_mv == 2.5
    monitor.window.refresh()
    assert "2.5 mm/mV auto" in monitor.words()
    monitor.send("+")
    assert monitor.window.paper.sheet.scale.mm_per_mv == 5.0
    assert "auto" not in monitor.words()


def test_the_calibration_mark_on_the_picture_is_10_mm_by_5_mm(monitor: Monitor) -> None:
    monitor.window.tick()
    area = monitor.window.paper.sheet.areas[0]
    ink = (monitor.picture()[:, : round(area.left) - 2] < 130).all(axis=2)
    # Neighbours' marks may reach into the area's edge.
    rows, columns = np.nonzero(ink[round(area.baseline - 45) : round(area.baseline + 5)])
    assert abs(np.ptp(rows) - 10 * PX_PER_MM) <= 2
    top = columns[rows <= rows.min() + 1]
    assert abs(np.ptp(top) - 5 * PX_PER_MM) <= 2


def test_grid_lines_on_the_picture_are_1_mm_apart(monitor: Monitor) -> None:
    monitor.window.tick()
    paper = monitor.window.paper
    between = (round(paper.sheet.areas[-1].bottom / PX_PER_MM) - 1.5) * PX_PER_MM
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
    monitor.show(*frames(frame, 0, 2500))
    paper = monitor.window.paper
    seen = []
    for _ in LAYOUTS:
        seen.append(paper.look.layout)
        assert len(monitor.drawn("V6")[0])
        monitor.send("l")
    assert sorted(seen) == sorted(LAYOUTS) and paper.look.layout == seen[0]
    assert monitor.picture()[2, 2].min() > 200
    monitor.send("d")
    assert paper.look.theme is DARK
    assert monitor.picture()[2, 2].max() < 60
    assert np.isfinite(monitor.drawn("I", DARK.measured)[1]).any()
    monitor.send("D")
    assert paper.look.theme is LIGHT


def test_a_lead_is_enlarged_by_key_and_by_double_click(
    monitor: Monitor, frame: MakeFrame, qtbot: QtBot
) -> None:
    monitor.show(*frames(frame, 0, 3000))
    paper = monitor.window.paper
    qtbot.keyClick(monitor.window, Qt.Key.Key_Down)
    qtbot.keyClick(monitor.window, Qt.Key.Key_Down)
    qtbot.keyClick(monitor.window, Qt.Key.Key_Return)
    assert [area.lead for area in paper.sheet.areas] == ["II", RHYTHM]
    assert "50 mm/s   20 mm/mV" in monitor.words()
    assert off_mv(monitor, "II") < 2 * CLOSE_MV
    qtbot.keyClick(monitor.window, Qt.Key.Key_Escape)
    assert len(paper.sheet.areas) == 12 and "25 mm/s   10 mm/mV" in monitor.words()
    area = monitor.area("V4")
    middle = QPointF((area.left + area.right) / 2, area.baseline).toPoint()
    QTest.mouseClick(paper, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)
    assert paper.look.selected == "V4" and not paper.look.enlarged
    QTest.mouseDClick(paper, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)
    assert [area.lead for area in paper.sheet.areas] == ["V4", RHYTHM]
    QTest.mouseDClick(paper, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, middle)
    assert len(paper.sheet.areas) == 12


def test_a_sweep_leaves_a_bar_and_old_samples_after_it(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.send("s")
    assert monitor.window.paper.look.sweep
    monitor.show(*frames(frame, 0, 6000))
    paper = monitor.window.paper
    area, viewport = monitor.area("I"), paper.sheet.viewports[0]
    ink = (monitor.picture()[round(area.top) + 30 : round(area.bottom)] < 110).all(axis=2).any(axis=0)
    there = ink[round(area.left) : round(area.right)]
    edge = viewport.edge % viewport.width
    bar = (edge + 3 + np.arange(viewport.bar - 4)) % viewport.width
    assert not there[bar].any()
    assert there[(edge - 3 - np.arange(300)) % viewport.width].all()
    assert there[(edge + viewport.bar + 3 + np.arange(300)) % viewport.width].all()


def test_beats_are_marked_on_the_rhythm_strip(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.wear(layout="3x4")
    monitor.show(*frames(frame, 0, 1500))
    for at_s in (2.0, 3.0, 4.5):
        monitor.inbox.event(Beat(60.0, at_s=at_s))
    monitor.show(*frames(frame, 1500, 1550))
    at_s, mv = monitor.drawn(RHYTHM, LIGHT.soft_ink)
    marked = at_s[np.isfinite(mv)]
    middles = [float(some.mean()) for some in np.split(marked, np.flatnonzero(np.diff(marked) > 0.2) + 1)]
    assert middles == pytest.approx([2.0, 3.0, 4.5], abs=0.02)


def test_the_ribbon_is_as_wide_as_the_band_and_has_a_key(qtbot: QtBot, frame: MakeFrame) -> None:
    monitor = Monitor(qtbot, StreamInfo("", RATE_HZ), described(RATE_HZ))
    monitor.send("b")
    assert monitor.window.paper.look.ribbon
    monitor.show(*(replace(one, scale_mv=np.full_like(one.leads_mv, 0.1)) for one in frames(frame, 0, 2500)))
    strip = monitor.window.paper.sheet.strips[0]

    def faint() -> np.ndarray:
        image = strip.ring.toImage()
        area, x = monitor.area("III"), 300
        alpha = [image.pixelColor(x, y).alpha() for y in range(round(area.top), round(area.bottom))]
        return np.flatnonzero((np.array(alpha) > 30) & (np.array(alpha) < 110))

    assert np.ptp(faint()) / PX_PER_MM == pytest.approx(2 * 0.2 * 10, abs=0.6)  # 2 x 0.1 mV to both sides
    monitor.send("b")
    strip = monitor.window.paper.sheet.strips[0]
    assert np.ptp(np.append(faint(), 0)) / PX_PER_MM < 1 or len(faint()) < 4


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
@pytest.mark.parametrize("half_mv", [0.2, 3.0, 50.0])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_ribbon_is_taller_than_its_row_or_stands_where_nothing_is_to_be_trusted(
    qtbot: QtBot, frame: MakeFrame, layout: str, half_mv: float, theme: Theme
) -> None:
    monitor = Monitor(qtbot, StreamInfo("", RATE_HZ), described(RATE_HZ))
    monitor.wear(layout=layout, ribbon=True, theme=theme)
    flat = [
        replace(
            one,
            leads_mv=np.zeros_like(one.leads_mv),
            measured_mv=np.zeros_like(one.measured_mv),
            scale_mv=np.full_like(one.leads_mv, half_mv / 2),
        )
        for one in frames(frame, 0, 2500)
    ]
    monitor.inbox.event(QualityChanged(frozenset({Quality.OUT_OF_RANGE}), "noise", at_s=8.0))
    monitor.show(*flat)
    paper = monitor.window.paper
    for strip, viewport in zip(paper.sheet.strips, paper.sheet.viewports, strict=True):
        color = theme.ribbon
        alpha = alpha_of(strip.ring)
        columns = np.arange(max(viewport.oldest, 0), viewport.edge + 1)
        at_s = (columns + 0.5) / paper.sheet.scale.px_per_s
        trusted = columns[(at_s > 0.1) & (at_s < 7.95)] % viewport.width
        grey = columns[(at_s > 8.05) & (at_s < 9.9)] % viewport.width
        ribbon = (alpha > 20) & (alpha <= int(color[1:3], 16) + 6)
        for area in strip.areas:  # the edges of a trace are as faint
            middle = round(area.baseline - strip.box.top())
            ribbon[middle - 4 : middle + 5] = False
        assert not ribbon[:, grey].any()
        rows = np.zeros(alpha.shape[0], np.bool_)
        for area in strip.areas:
            if area.lead not in (RHYTHM, "I"):
                rows[max(0, round(area.top - strip.box.top())) : round(area.bottom - strip.box.top()) + 1] = (
                    True
                )
        assert not ribbon[~rows][:, trusted].any()
        assert ribbon[rows][:, trusted].any() or not (rows.any() and len(trusted))


def alpha_of(ring: QPixmap) -> np.ndarray:
    image = ring.toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    bits = image.constBits()
    assert bits is not None
    flat = np.frombuffer(bits.asarray(image.sizeInBytes()), np.uint8)
    return flat.reshape(image.height(), image.bytesPerLine())[:, 3 : image.width() * 4 : 4].copy()


def knowing() -> SessionDescription:
    factors = np.random.default_rng(0).normal(0, 0.5, (3, 7, 8)).astype(np.float16).astype(np.float32)
    return replace(described(RATE_HZ), plausible=Plausible(factors, 1.2).to_json())


def test_alternatives_lie_below_the_reconstructed_leads_when_asked(qtbot: QtBot, frame: MakeFrame) -> None:
    monitor = Monitor(qtbot, StreamInfo("", RATE_HZ), knowing())
    some = [replace(one, scale_mv=np.full_like(one.leads_mv, 0.2)) for one in frames(frame, 0, 3000)]
    monitor.show(*some)

    def ring(lead: str) -> QImage:
        strip = next(s for s in monitor.window.paper.sheet.strips if monitor.area(lead) in s.areas)
        area = monitor.area(lead)
        top = round(area.top - strip.box.top())
        return strip.ring.toImage().copy(0, top, strip.width, round(area.bottom - area.top))

    before = {lead: ring(lead) for lead in ("V1", "V5", "III")}
    monitor.send("v")
    assert all(ring(lead) != image for lead, image in before.items())
    assert f"{SHOWN} plausible alternatives" in monitor.words()
    # The estimate still stands on top of them, to the pixel.
    assert off_mv(monitor, "V1") < 6 * CLOSE_MV
    monitor.send("v")
    assert all(ring(lead) == image for lead, image in before.items())
    assert "plausible alternatives" not in monitor.words()


def test_grey_traces_have_no_alternatives(qtbot: QtBot, frame: MakeFrame) -> None:
    monitor = Monitor(qtbot, StreamInfo("", RATE_HZ), knowing())
    monitor.wear(layout="12x1")
    for name, one in (
        ("untrusted", QualityChanged(frozenset({Quality.OUT_OF_RANGE}), "odd", at_s=0.0)),
        ("trusted", QualityChanged(frozenset(), "good", at_s=0.0)),
    ):
        monitor.inbox.event(one)
        monitor.show(*(replace(f, scale_mv=np.full_like(f.leads_mv, 0.2)) for f in frames(frame, 0, 3000)))
        if name == "untrusted":
            monitor.inbox.event(one)
            monitor.window.tick()
        plain = monitor.window.paper.sheet.strips[0].ring.toImage()
        monitor.send("v")
        changed = monitor.window.paper.sheet.strips[0].ring.toImage() != plain
        assert changed == (name == "trusted")
        monitor.send("v")


def test_alternatives_are_the_same_persons_in_whatever_stretch(frame: MakeFrame) -> None:
    history = History(knowing())
    for one in frames(frame, 0, 1000):
        history.frame(replace(one, scale_mv=np.full_like(one.leads_mv, 0.2)))
    assert history.traces is not None and history.has_alternatives
    whole = history.alternatives(history.traces.view(0, 1000))
    part = history.alternatives(history.traces.view(300, 310))
    assert whole is not None and part is not None and whole.shape == (SHOWN, 12, 1000)
    assert np.allclose(part, whole[:, :, 300:310], atol=1e-6)
    assert (whole[:, 0] == history.traces.view(0, 1000).leads_mv[0]).all()


def test_where_the_model_knows_no_alternatives_the_key_says_so(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.show(*frames(frame, 0, 500))
    monitor.send("v")
    assert "knows of no plausible alternatives" in monitor.words()


class Beside:
    """A truth: every lead, 0.3 mV higher than estimated, but V6, which nobody measured."""

    frame = "clinical frame"

    def push(self, chunk: Chunk) -> None:
        pass

    def at(self, start: int, stop: int) -> np.ndarray:
        at_s = np.arange(start, stop) / RATE_HZ
        leads_mv = np.stack([wave_mv(lead, at_s) + 0.3 for lead in LEADS]).astype(np.float32)
        leads_mv[-1] = np.nan
        return leads_mv


def test_measured_leads_lie_over_the_reconstructed_ones_when_asked(qtbot: QtBot, frame: MakeFrame) -> None:
    monitor = Monitor(qtbot, StreamInfo("", RATE_HZ), described(RATE_HZ))
    monitor.inbox.truth = Beside()
    monitor.show(*(replace(one, scale_mv=np.full_like(one.leads_mv, 0.2)) for one in frames(frame, 0, 3000)))
    assert not np.isfinite(monitor.drawn("V1", LIGHT.truth)[1]).any()
    monitor.send("t")
    for lead in ("V1", "III"):
        at_s, mv = monitor.drawn(lead, LIGHT.truth)
        seen = np.isfinite(mv)
        assert seen.sum() > 0.8 * len(mv)
        assert np.median(mv[seen] - wave_mv(lead, at_s[seen])) == pytest.approx(0.3, abs=2 * CLOSE_MV)
    assert not np.isfinite(monitor.drawn("V6", LIGHT.truth)[1]).any()
    said = {label.words[0].text: label.text for label in monitor.window.paper.labels}
    assert "RMSE 0.30 mV  r 1.00  cov 100 %" in said["V1"]
    assert "RMSE" not in said["V6"]
    assert "clinical frame" in monitor.words()
    monitor.send("t")
    assert "RMSE" not in monitor.window.paper.labels[4].text


def test_without_other_leads_the_key_says_so(monitor: Monitor, frame: MakeFrame) -> None:
    monitor.show(*frames(frame, 0, 500))
    monitor.send("t")
    assert "holds no other measured lead" in monitor.words()


def test_the_rhythm_strip_shows_the_diagnostic_band_where_the_source_allows_it(
    qtbot: QtBot, frame: MakeFrame
) -> None:
    monitor = Monitor(qtbot, StreamInfo("", 500.0), described(500.0))
    monitor.wear(layout="3x4")
    monitor.inbox.chunk(Chunk(0, np.zeros(50, np.float32)))
    monitor.show(*frames(frame, 0, 50))
    bump = np.where(np.arange(2950) == 1000, 1.0, 0.0).astype(np.float32)
    monitor.inbox.chunk(Chunk(50, bump))
    monitor.show(*frames(frame, 50, 1500))
    texts = []
    for _ in range(3):
        label = next(label for label in monitor.window.paper.labels if label.rect.top() > 500)
        texts.append(label.text)
        monitor.send("r")
    assert texts == ["I as measured 0.5-40 Hz", "I diagnostic 0.05-150 Hz", "II reconstructed"]
    monitor.send("r")
    at_s, mv = monitor.drawn(RHYTHM)
    high = at_s[np.nan_to_num(mv) > 0.2]
    assert len(high) and np.allclose(high, 1050 / 500.0, atol=0.02), "a spike of one sample stays one"


def test_another_source_that_is_too_slow_for_the_diagnostic_band_is_not_shown_as_such(
    qtbot: QtBot, frame: MakeFrame
) -> None:
    monitor = Monitor(qtbot, StreamInfo("", 500.0), described(500.0))
    monitor.wear(layout="3x4", rhythm="diagnostic")
    monitor.show(*frames(frame, 0, 500))
    assert not np.isfinite(monitor.drawn(RHYTHM)[1]).any(), "nothing of that band has come"
    monitor.window.follow(monitor.inbox, StreamInfo("", 250.0), "", 0.0)
    assert "I as measured 0.5-40 Hz" in [label.text for label in monitor.window.paper.labels]
