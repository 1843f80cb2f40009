# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import math
import re
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.core.leads import LEADS
from streamer.export import page_layout as layout
from streamer.export.page import FOOTER, PNG_DPI, Page, _draw, rate_of, render_pdf, render_png
from streamer.session.description import ST_NOT_TO_BE_READ

PX_PER_MM = PNG_DPI / 25.4
RATE_HZ = 250.0


def a_page(seconds: float = 10.0) -> Page:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    beat = np.exp(-(((t % 0.8) - 0.3) ** 2) / 2e-4)
    leads_mv = (np.linspace(-0.8, 1.0, 12)[:, None] * beat).astype(np.float32)
    return Page(
        leads_mv,
        RATE_HZ,
        measured_mv=leads_mv[0] + np.float32(0.02),
        source="wfdb:s0010_re",
        filters="0.5-40 Hz",
        model="a model",
        latency="algorithmic 60 ms",
    )


def an_empty_page() -> Page:
    return replace(a_page(), leads_mv=np.full((12, 10), np.nan, np.float32), measured_mv=None)


def pixels(png: bytes) -> NDArray[np.float64]:
    from matplotlib.image import imread

    image: NDArray[np.float64] = np.asarray(imread(io.BytesIO(png), format="png"), np.float64)[..., :3]
    return image


def dark(image: NDArray[np.float64]) -> NDArray[np.bool_]:
    darkness: NDArray[np.bool_] = image.max(axis=2) < 0.35
    return darkness


def box(
    image: NDArray[np.float64], left: float, top: float, right: float, bottom: float
) -> NDArray[np.float64]:
    """A part of the picture, given in mm."""
    x0, y0, x1, y1 = (round(mm * PX_PER_MM) for mm in (left, top, right, bottom))
    return image[y0:y1, x0:x1]


def pdf_text(pdf: bytes) -> bytes:
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    return b"".join(zlib.decompress(stream) for stream in streams if stream[:1] == b"x")


def test_the_png_is_a4_and_says_its_resolution() -> None:
    png = render_png(a_page())
    assert png.startswith(b"\x89PNG")
    height, width = pixels(png).shape[:2]
    assert abs(width - 297 * PX_PER_MM) <= 1
    assert abs(height - 210 * PX_PER_MM) <= 1
    at = png.index(b"pHYs") + 4
    assert int.from_bytes(png[at : at + 4]) == round(PNG_DPI / 0.0254)
    assert FOOTER.encode() in png


def test_the_calibration_mark_measures_10_mm_by_5_mm_on_the_picture() -> None:
    image = pixels(render_png(an_empty_page()))
    for mark in layout.calibration_marks():
        left, right = mark[:, 0].min(), mark[:, 0].max()
        bottom = mark[:, 1].max()
        rows, columns = np.nonzero(dark(box(image, left - 1, bottom - 14, right + 1, bottom + 4)))
        assert abs(np.ptp(rows) - 10 * PX_PER_MM) <= 4  # the line is 3 pixels wide
        top_row = columns[rows <= rows.min() + 1]
        assert abs(np.ptp(top_row) - 5 * PX_PER_MM) <= 4


def test_grid_lines_are_1_mm_apart_and_every_fifth_is_heavier() -> None:
    left, top, right, _ = layout.PAPER_MM
    image = pixels(render_png(an_empty_page()))
    # Above every label the paper holds nothing but its grid; half-way between two level lines.
    strip = box(image, left, top + 0.3, right, top + 0.7).mean(axis=(0, 2))
    ground = np.median(strip)
    on_line = np.flatnonzero(strip < ground - 0.02)
    lines = np.array([run.mean() for run in np.split(on_line, np.flatnonzero(np.diff(on_line) > 1) + 1)])
    assert abs(len(lines) - 271) <= 1
    assert np.abs(np.diff(lines) / PX_PER_MM - 1).max() <= 0.15
    assert abs((lines[-1] - lines[0]) / (len(lines) - 1) / PX_PER_MM - 1) < 0.002
    depth = np.array([ground - strip[max(0, round(line) - 1) : round(line) + 2].min() for line in lines])
    heavy = np.flatnonzero(depth > (depth.max() + np.median(depth)) / 2)
    assert set(np.diff(heavy)) == {5}


def test_a_wave_is_drawn_to_scale() -> None:
    leads_mv = np.zeros((12, 2500), np.float32)
    leads_mv[0, 250:500] = 1.0
    image = pixels(render_png(replace(a_page(), leads_mv=leads_mv, measured_mv=None)))
    panel = next(panel for panel in layout.panels() if panel.lead == "I")
    x = panel.left_mm + 25.0
    rows, columns = np.nonzero(
        dark(box(image, panel.left_mm, panel.baseline_mm - 11, panel.left_mm + 60, panel.baseline_mm + 2))
    )
    assert abs(np.ptp(rows) - 10 * PX_PER_MM) <= 5
    up = columns[rows < rows.min() + 3]
    assert abs(up.min() / PX_PER_MM + panel.left_mm - x) <= 0.3
    assert abs(np.ptp(up) / PX_PER_MM - 25.0) <= 0.5


def test_a_gap_is_a_gap() -> None:
    page = a_page()
    page.leads_mv[:, 100:200] = np.nan
    image = pixels(render_png(replace(page, measured_mv=None)))
    panel = next(panel for panel in layout.panels() if panel.lead == "I")
    inside = box(
        image,
        panel.left_mm + 10.2,
        panel.baseline_mm - 10,
        panel.left_mm + 19.6,
        panel.baseline_mm + 10,
    )
    assert not dark(inside).any()
    before = box(image, panel.left_mm, panel.baseline_mm - 9, panel.left_mm + 9.8, panel.baseline_mm + 9)
    assert dark(before).any()


def test_only_lead_i_is_drawn_as_measured() -> None:
    """Near-black ink is kept for what was measured."""
    image = pixels(render_png(a_page()))
    for panel in layout.panels():
        if panel.column == 0:
            continue
        x = panel.left_mm + 1.0
        part = box(image, x, panel.baseline_mm - 9, x + panel.width_mm - 2, panel.baseline_mm + 9)
        assert part.size and not dark(part).any(), panel.lead


@pytest.mark.parametrize("render", [render_png, render_pdf])
def test_equal_pages_are_equal_bytes(render: object) -> None:
    assert callable(render)
    first = render(a_page())
    assert first == render(a_page())
    assert first != render(replace(a_page(), model="another"))


def test_the_pdf_is_one_a4_page_with_its_words_as_text() -> None:
    pdf = render_pdf(a_page())
    assert pdf.startswith(b"%PDF")
    (media,) = re.findall(rb"/MediaBox \[\s*0 0 ([\d.]+) ([\d.]+)", pdf)
    assert [float(side) for side in media] == pytest.approx([297 / 25.4 * 72, 210 / 25.4 * 72], abs=0.1)
    assert b"CreationDate" not in pdf


def words_of(page: Page, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that the page puts on the sheet, and that none leaves it or meets another."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from streamer.export import page as module

    drawn = []
    draw = module._draw

    def keep(page: Page) -> object:
        figure = draw(page)
        drawn.append(figure)
        return figure

    monkeypatch.setattr(module, "_draw", keep)
    render_png(page)
    monkeypatch.undo()
    (figure,) = drawn
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [text.get_window_extent(renderer) for text in texts]
    for i, one in enumerate(boxes):
        assert one.x0 >= 0 and one.y0 >= 0 and one.x1 <= figure.bbox.width, texts[i]
        for j, other in enumerate(boxes[:i]):
            assert not one.overlaps(other), f"{texts[i]} meets {texts[j]}"
    return [text.get_text() for text in texts]


def test_words_say_what_is_measured_and_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    words = words_of(replace(a_page(), lead="i"), monkeypatch)
    assert words.count("measured") == 1
    assert "Measured: lead I" in words
    assert words.count("as measured") == 1
    assert words.count("reconstructed") == 11
    assert words.count("reconstructed from Lead I, not for diagnosis") == 11
    assert set(LEADS) <= set(words)
    assert FOOTER in words
    assert "25 mm/s · 10 mm/mV · 3x4 + rhythm strip" in words
    assert "Filters: 0.5-40 Hz" in words
    assert not any("not Lead I" in text for text in words)


def test_what_stands_behind_it_the_heart_rate_and_markers_are_on_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = replace(
        a_page(12.0), kind="REPLAY 2x", heart_rate="72 bpm", markers=((1.0, "old"), (5.0, "dizzy"))
    )
    words = words_of(page, monkeypatch)
    assert {"REPLAY 2x", "72 bpm", "dizzy"} <= set(words) and "old" not in words


@pytest.mark.parametrize(("consecutive", "at_s"), [(True, 3.3), (False, 9.99)])
def test_a_marker_stands_at_its_instant(consecutive: bool, at_s: float) -> None:
    plain = replace(a_page(), consecutive=consecutive)
    marked = replace(plain, markers=((at_s, ""),))
    drawn = np.abs(pixels(render_png(marked)) - pixels(render_png(plain))).max(axis=2) > 0.2
    strip = layout.panels()[-1]
    x = np.flatnonzero(drawn.any(axis=0)) / PX_PER_MM
    assert len(x) and np.allclose(x, strip.left_mm + at_s * layout.MM_PER_S, atol=0.3)


@pytest.mark.parametrize("consecutive", [True, False])
def test_a_marker_goes_behind_the_words_that_it_meets(consecutive: bool) -> None:
    plain = replace(an_empty_page(), consecutive=consecutive)
    strip = layout.panels(consecutive=consecutive)[-1]
    left, baseline = strip.label_mm
    marked = replace(plain, markers=tuple((0.04 * k, "") for k in range(20)))
    ink = dark(box(pixels(render_png(plain)), left, baseline - 3, left + 18, baseline + 1))
    seen = dark(box(pixels(render_png(marked)), left, baseline - 3, left + 18, baseline + 1))
    assert ink.sum() > 100 and (ink & ~seen).sum() < 0.05 * ink.sum()


def test_an_input_that_is_not_lead_i_marks_every_reconstructed_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    words = words_of(replace(a_page(), lead="MLII", is_lead_i=False), monkeypatch)
    assert words.count("input is not Lead I") == 11
    assert words.count("measured") == 0
    assert words.count("measured: MLII, not Lead I") == 1
    assert words.count("MLII") == 1
    assert not any("from Lead I" in text for text in words)


def test_what_is_not_to_be_read_is_said_beside_whatever_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    page = replace(a_page(), band_mv=np.full((12, a_page().leads_mv.shape[1]), 0.1, np.float32))
    faint = np.ones(page.leads_mv.shape[1], np.bool_)
    other = np.zeros((2, *page.leads_mv.shape), np.float32)
    for more in ({}, {"faint": faint}, {"faint": faint, "alternatives_mv": other}):
        words = words_of(replace(page, caution=ST_NOT_TO_BE_READ, **more), monkeypatch)  # type: ignore[arg-type]
        assert ST_NOT_TO_BE_READ in words and FOOTER in words
    assert ST_NOT_TO_BE_READ not in words_of(page, monkeypatch)


def test_what_is_wrong_with_the_measured_lead_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    words = words_of(replace(a_page(), quality="quality: reversed, out of range"), monkeypatch)
    assert any(text.endswith("quality: reversed, out of range") for text in words)


def test_without_the_input_band_the_strip_shows_row_i(monkeypatch: pytest.MonkeyPatch) -> None:
    words = words_of(replace(a_page(), measured_mv=None), monkeypatch)
    assert words.count("as measured") == 0
    assert words.count("measured") == 2


def test_long_and_strange_texts_stay_in_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    strange = "wfdb:C:\\records\\ $x_1$ \u5fc3\u96fb\u56f3\n\t{} " + "very " * 60 + "long"
    page = replace(
        a_page(),
        title=strange,
        source=strange,
        started=strange,
        filters=strange,
        model=strange,
        latency=strange,
        lead="a lead with a long name " * 5,
        is_lead_i=False,
    )
    words = words_of(page, monkeypatch)
    assert sum(text.endswith("…") for text in words) >= 6
    assert render_pdf(page).startswith(b"%PDF")


@settings(max_examples=25, deadline=None)
@given(
    banded=st.booleans(),
    alternatives=st.booleans(),
    grey=st.booleans(),
    is_lead_i=st.booleans(),
    caution=st.sampled_from(["", ST_NOT_TO_BE_READ, "a long caution " * 20]),
    title=st.sampled_from(["", "a title", "a long title " * 20]),
    others=st.sampled_from(["", "words", "many words " * 20]),
)
@example(False, True, True, True, ST_NOT_TO_BE_READ, "", "")
def test_above_and_below_the_paper_no_words_lie_over_others(
    banded: bool, alternatives: bool, grey: bool, is_lead_i: bool, caution: str, title: str, others: str
) -> None:
    plain = a_page()
    page = replace(
        plain,
        title=title,
        source=title or plain.source,
        started=title,
        caution=caution,
        is_lead_i=is_lead_i,
        lead="I" if is_lead_i else "V1 of a sensor with a long name",
        heart_rate=others,
        quality=others,
        kind=others,
        model=others or plain.model,
        band_mv=np.full_like(plain.leads_mv, 0.1) if banded else None,
        alternatives_mv=plain.leads_mv[None] if alternatives else None,
        faint=np.full(plain.leads_mv.shape[1], grey),
    )
    boxes = boxes_of_words(page)
    for words, (left, top, right, bottom) in boxes.items():
        assert left >= 0 and right <= layout.SHEET_MM[0] and bottom <= layout.SHEET_MM[1], words
        if layout.PAPER_MM[1] < bottom <= layout.PAPER_MM[3]:
            continue  # on the paper, behind or beside a trace
        for another, (other_left, other_top, other_right, other_bottom) in boxes.items():
            over = min(right, other_right) - max(left, other_left)
            above = min(bottom, other_bottom) - max(top, other_top)
            assert another == words or over <= 0 or above <= 0, (words, another)


def boxes_of_words(page: Page) -> dict[str, tuple[float, float, float, float]]:
    """Left, top, right and bottom of all words of a page, in mm."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = _draw(page)
    figure.set_dpi(PNG_DPI)
    renderer = FigureCanvasAgg(figure).get_renderer()
    _, height = layout.SHEET_MM
    found = {}
    for text in figure.axes[0].texts:
        box = text.get_window_extent(renderer)
        if text.get_text():
            x0, y0, x1, y1 = (each / PX_PER_MM for each in (box.x0, box.y0, box.x1, box.y1))
            found[text.get_text()] = x0, height - y1, x1, height - y0
    return found


def test_only_the_last_ten_seconds_are_drawn() -> None:
    long = a_page(13.0)
    last = replace(long, leads_mv=long.leads_mv[:, -2500:], measured_mv=long.measured_mv[-2500:])  # type: ignore[index]
    assert render_png(long) == render_png(last)


def test_missing_samples_are_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    page = a_page()
    page.leads_mv[:, 1000:1250] = np.nan
    words = words_of(page, monkeypatch)
    assert any("missing, drawn as gaps: 1.00 s" in text for text in words)


def test_a_ribbon_is_drawn_and_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    page = replace(a_page(), band_mv=np.full((12, 2500), 0.2, np.float32))
    assert render_png(page) != render_png(a_page())
    assert any("shaded: 90 % band" in text for text in words_of(page, monkeypatch))
    plain = words_of(a_page(), monkeypatch)
    assert any("no 90 % band: the model stated no uncertainty" in text for text in plain)


@pytest.mark.parametrize(
    "wrong",
    [
        {"leads_mv": np.zeros((8, 100), np.float32)},
        {"leads_mv": np.zeros(100, np.float32)},
        {"measured_mv": np.zeros(7, np.float32)},
        {"band_mv": np.zeros((12, 7), np.float32)},
        {"faint": np.zeros(7, np.bool_)},
        {"alternatives_mv": np.zeros((12, 2500), np.float32)},
        {"alternatives_mv": np.zeros((2, 12, 7), np.float32)},
        {"rate_hz": 0.0},
        {"rate_hz": float("nan")},
    ],
)
def test_what_does_not_fit_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        render_png(replace(a_page(), **wrong))  # type: ignore[arg-type]


def test_a_page_needs_no_pyplot_and_no_qt_and_is_cheap_to_import(tmp_path: Path) -> None:
    script = (
        "import sys; from streamer.export import page; import numpy as np;"
        "assert 'matplotlib' not in sys.modules;"
        "page.render_png(page.Page(np.zeros((12, 99), np.float32), 250.0));"
        "page.render_pdf(page.Page(np.zeros((12, 99), np.float32), 250.0));"
        "assert 'matplotlib.pyplot' not in sys.modules;"
        "assert not any(name.startswith('PyQt') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_alternatives_are_thin_lines_of_their_own_below_the_reconstructed_leads_alone() -> None:
    plain = a_page()
    others = np.stack([plain.leads_mv + 0.4, plain.leads_mv - 0.4]).astype(np.float32)
    drawn = pixels(render_png(replace(plain, alternatives_mv=others)))
    changed = np.abs(drawn - pixels(render_png(plain))).max(axis=2) > 0.1
    for panel in layout.panels():
        for up in (-0.4, 0.4):
            y = panel.baseline_mm - up * layout.MM_PER_MV
            strip = box(changed, panel.left_mm + 3, y - 0.4, panel.left_mm + panel.width_mm - 3, y + 0.4)
            share = strip.any(axis=0).mean()
            assert share > 0.5 if panel.lead != "I" else share == 0, (panel.lead, up)


def colours_of(image: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a trace at rest is drawn boldly (black or blue), and where grey."""
    red, green, blue = (image[..., k] for k in range(3))
    bold = (red < 0.35) & (green < 0.5)
    grey = (np.abs(red - green) < 0.08) & (blue >= red) & (red > 0.5) & (red < 0.75)
    return bold, grey


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2499), st.integers(1, 1500), st.integers(1, 400))
@example(0, 2500, 1)
@example(600, 50, 2500)
def test_a_page_greys_the_flagged_stretches_and_nothing_else(begin: int, length: int, apart: int) -> None:
    faint = np.zeros(2500, np.bool_)
    faint[begin : begin + length] = True
    faint[begin + length + apart : begin + length + apart + 300] = True
    level = np.full((12, 2500), 0.05, np.float32)  # off the grid's lines
    others = np.full((1, 12, 2500), 0.6, np.float32)
    page = replace(a_page(), leads_mv=level, measured_mv=level[0], alternatives_mv=others, faint=faint)
    image = pixels(render_png(page))
    for panel in layout.panels():
        x_mm = panel.left_mm + 0.5 + np.arange(0.0, panel.width_mm - 1.0, 0.25)
        at = (panel.from_s + (x_mm - panel.left_mm) / layout.MM_PER_S) * RATE_HZ
        near = [faint[np.clip(np.round(at + off).astype(int), 0, 2499)] for off in (-4, -2, 0, 2, 4)]
        inside, outside = np.all(near, axis=0), ~np.any(near, axis=0)
        for up, other in ((0.05, False), (0.6, True)):
            if other and panel.lead == "I":
                continue
            y_mm = panel.baseline_mm - up * layout.MM_PER_MV
            rows = slice(round((y_mm - 0.25) * PX_PER_MM), round((y_mm + 0.25) * PX_PER_MM) + 1)
            part = image[rows][:, np.round(x_mm * PX_PER_MM).astype(int)]
            bold, grey = (found.any(axis=0) for found in colours_of(part))
            if other:  # such a thin line is not there at all
                purple = (part[..., 1] < part[..., [0, 2]].min(axis=2) - 0.1).any(axis=0)
                assert not purple[inside].any() and purple[outside].all(), panel.lead
                continue
            assert not bold[inside].any(), panel.lead
            assert not grey[outside].any(), panel.lead
            # Broken lines have lighter gaps, and ticks stand between the columns.
            assert grey[inside].mean() > 0.7 if inside.sum() > 12 else True, panel.lead
            assert bold[outside].mean() > 0.7 if outside.sum() > 12 else True, panel.lead


def test_the_ribbon_is_grey_where_the_trace_is() -> None:
    band_mv, faint = np.full((12, 2500), 0.5, np.float32), (np.arange(2500) // 300) % 2 == 0
    level = np.zeros((12, 2500), np.float32)
    image = pixels(render_png(replace(a_page(), leads_mv=level, band_mv=band_mv, faint=faint)))
    for panel in layout.panels():
        if not panel.rhythm:
            x_mm = panel.left_mm + 0.25 + np.arange(0.0, panel.width_mm - 0.5, 0.5)  # nor here
            at = ((x_mm - panel.left_mm) / layout.MM_PER_S + panel.from_s) * RATE_HZ
            row = round((panel.baseline_mm + 2.5) * PX_PER_MM)  # between two lines of the grid
            colour = image[row, np.round(x_mm * PX_PER_MM).astype(int)]
            blue = colour[:, 2] > colour[:, 0] + 0.1
            inside = [faint[np.clip(np.round(at + off).astype(int), 0, 2499)] for off in (-4, 0, 4)]
            assert not blue[np.all(inside, axis=0)].any(), panel.lead
            assert blue[~np.any(inside, axis=0)].mean() > 0.9, panel.lead  # but for ticks


def test_what_is_grey_is_said_with_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    faint = np.arange(2500) < 400
    words = words_of(replace(a_page(), faint=faint), monkeypatch)
    assert "Measured: lead I · not to be trusted, grey: 1.60 s" in words
    assert "grey: the filters settle, or the input is out of range or without contact" in words
    assert render_png(replace(a_page(), faint=~faint & faint)) == render_png(a_page())


@pytest.mark.parametrize(
    ("rr_s", "bpm"),
    [([1.0, 1.0], 60), ([0.0, 0.0, 0.0], math.nan), ([0.0, 0.5, 0.5, 0.0, 0.0], 120), ([math.nan], math.nan)],
)
def test_beats_of_one_instant_are_no_heart_rate(rr_s: list[float], bpm: float) -> None:
    """As a damaged recording may hold them."""
    assert rate_of(rr_s) == pytest.approx(bpm, nan_ok=True)
