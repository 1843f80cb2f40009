# SPDX-License-Identifier: MIT
"""The 12-lead page, mm-true at A4 landscape, as PNG or PDF; needs no display and no Qt.

Everything that draws a page comes here: the demo, the monitor and the exports.  The same input
gives the same bytes.
"""

from __future__ import annotations

import io
import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.leads import LEADS
from streamer.core.stream import Samples
from streamer.export import page_layout as layout
from streamer.export.band import NO_BAND

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOOTER = "Research use. Not a medical device. Eleven of the twelve leads are estimates."

PNG_DPI = 254
"""Ten pixels to the millimetre, so that every grid line falls on a pixel."""

_INK = "#1a1a1a"
_SOFT_INK = "#5c5c5c"
_MEASURED = "#000000"
_RECONSTRUCTED = "#0b5394"
_ALTERNATIVE = "#8a4fa8"
_WARNING = "#9c2a00"
_PAPER = "#fffaf8"
_GRID_1_MM = "#f8dcd8"
_GRID_5_MM = "#eda9a2"
_PT_PER_MM = 72 / 25.4

# Dashes are told from a solid line in black and white too.  Their gaps are filled with a light
# colour, so that only missing samples break the line.
_DASHES: Any = (0, (9.0, 1.2))
_LINE_MM = {True: 0.36, False: 0.30}


class _Ink(NamedTuple):
    """How a lead is drawn, and the band around it."""

    line: str
    gap: str
    band: str = "#7fb2de"
    band_alpha: float = 0.4


_BLACK = _Ink(_MEASURED, _MEASURED)
_BLUE = _Ink(_RECONSTRUCTED, "#a9cbea")
_GREY = _Ink("#a9a9b4", "#dcdce0", "#a9a9b4", 0.15)
"""Where a lead is not to be trusted."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a page shows.  Texts are one line each; an empty one is left out, a long one is cut."""

    leads_mv: Samples
    """``(12, n)`` in the order of `streamer.core.leads.LEADS`, mV; NaN breaks the line.  The last 10 s
    are drawn; less is drawn from the left."""
    rate_hz: float
    measured_mv: Samples | None = None
    """``(n,)`` "I, as measured": the input band, for the rhythm strip.  None: the strip is row I
    of ``leads_mv``."""
    band_mv: Samples | None = None
    """``(12, n)`` half-width of the 90 % band, mV; NaN where none.  None: no ribbon, and words for it."""
    alternatives_mv: Samples | None = None
    """``(count, 12, n)`` plausible alternatives to the leads (`streamer.core.network.alternatives`), mV:
    thin lines below the reconstructed ones.  None: no such lines."""
    faint: NDArray[np.bool_] | None = None
    """``(n,)``: where the filters settled or the input was not to be trusted.  All traces are grey there."""
    consecutive: bool = True
    """Time runs on from column to column; else all show the newest 2.5 s."""
    title: str = "12-lead ECG reconstructed from one lead"
    source: str = ""
    lead: str = "I"
    """The label of the measured lead, as the source names it."""
    is_lead_i: bool = True
    """False marks every reconstructed lead "input is not Lead I"."""
    kind: str = ""
    """What stands behind it, such as ``live`` or ``REPLAY 1x`` (`streamer.session.source_words`)."""
    heart_rate: str = ""
    """In words (`heart_rate_words`)."""
    markers: tuple[tuple[float, str], ...] = ()
    """What the user marked: seconds after the first sample, and the note."""
    quality: str = ""
    """What was wrong with the measured lead, in words."""
    started: str = ""
    """When, in words.  The page states no date of its own."""
    filters: str = ""
    model: str = ""
    latency: str = ""
    caution: str = ""
    """What is not to be read in the reconstructed leads (`SessionDescription.caution`)."""


def heart_rate_words(bpm: float) -> str:
    """A heart rate for `Page.heart_rate`; NaN is one that is unknown."""
    return f"{bpm:.0f} bpm" if math.isfinite(bpm) else "heart rate unknown"


def rate_of(rr_s: Sequence[float]) -> float:
    """The heart rate by the median of intervals between beats; NaN of fewer than two.

    Parameters
    ----------
    rr_s : sequence of float
        NaN is no interval (`streamer.core.events.Beat.rr_s`), nor is none between two beats of one instant.
    """
    known = [each for each in rr_s if math.isfinite(each) and each > 0]
    return float(60 / np.median(known)) if len(known) > 1 else math.nan


def render_png(page: Page, dpi: int = PNG_DPI) -> bytes:
    """Draw a page as PNG of A4's size at ``dpi``, which the file states.

    Raises
    ------
    ValueError
        The arrays' shapes do not fit together, or the rate is not positive.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = _draw(page)
    figure.set_dpi(dpi)
    out = io.BytesIO()
    FigureCanvasAgg(figure).print_png(out, metadata={"Software": "mecg", "Description": FOOTER})
    return out.getvalue()


def render_pdf(page: Page) -> bytes:
    """Draw a page as PDF of A4's size; raises as `render_png`."""
    out = io.BytesIO()
    write_pdf([page], out)
    return out.getvalue()


def write_pdf(pages: Iterable[Page], out: BinaryIO) -> None:
    """Write pages as one PDF of A4's size; holds one at a time, and raises as `render_png`."""
    from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages

    # None removes the dates and versions that would make two equal files differ.
    about = {"Subject": FOOTER, "Creator": "mecg", "Producer": None, "CreationDate": None}
    with PdfPages(out, metadata=about) as file:
        for page in pages:
            about.setdefault("Title", page.title)
            FigureCanvasPdf(_draw(page)).print_pdf(file)


def _draw(page: Page) -> Figure:
    """The page as a figure whose one axes spans the sheet, in mm."""
    from matplotlib.figure import Figure

    page = _last_10_s(page)
    width, height = layout.SHEET_MM
    figure = Figure(figsize=(width / 25.4, height / 25.4), facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0.0, width)
    axes.set_ylim(height, 0.0)
    axes.set_axis_off()
    pen = _Pen(axes)

    _draw_paper(pen)
    _draw_header(pen, page)
    for mark in layout.calibration_marks():
        pen.line(mark[:, 0], mark[:, 1], _INK, 0.3)
    length_s = page.leads_mv.shape[1] / page.rate_hz
    for panel in layout.panels(consecutive=page.consecutive, length_s=length_s):
        k = LEADS.index(panel.lead)
        if panel.rhythm:
            strip_mv = page.leads_mv[k] if page.measured_mv is None else page.measured_mv
            _draw_panel(pen, page, panel, strip_mv, None)
            _label_rhythm(pen, page, panel, page.measured_mv is not None)
        else:
            if page.alternatives_mv is not None and panel.lead != "I":
                for other_mv in page.alternatives_mv[:, k]:
                    sound_mv = _where(~_faint(page), other_mv)
                    pen.line(*layout.trace_mm(panel, sound_mv, page.rate_hz), _ALTERNATIVE, 0.12)
            _draw_panel(pen, page, panel, page.leads_mv[k], None if page.band_mv is None else page.band_mv[k])
            _label_panel(pen, page, panel)
    _draw_markers(pen, page)
    pen.text(layout.PAPER_MM[0], 200.5, FOOTER, 8.5, bold=True)
    pen.text(layout.PAPER_MM[2], 200.5, _legend(page), 7.0, _SOFT_INK, right=True)
    pen.text(layout.PAPER_MM[0], 204.5, page.caution, 8.5, _WARNING, bold=True, room_mm=130.0)
    pen.text(layout.PAPER_MM[2], 204.5, _legend_of_some(page), 7.0, _SOFT_INK, right=True)
    return figure


def _last_10_s(page: Page) -> Page:
    rows, n = page.leads_mv.shape if page.leads_mv.ndim == 2 else (0, 0)
    if rows != len(LEADS):
        raise ValueError(f"a page takes leads of shape (12, n), not {page.leads_mv.shape}")
    if not page.rate_hz > 0:
        raise ValueError(f"a page takes a positive rate, not {page.rate_hz} Hz")
    if page.measured_mv is not None and page.measured_mv.shape != (n,):
        raise ValueError(f"the measured lead has shape {page.measured_mv.shape}, not ({n},)")
    if page.band_mv is not None and page.band_mv.shape != (rows, n):
        raise ValueError(f"the band has shape {page.band_mv.shape}, not (12, {n})")
    if page.faint is not None and page.faint.shape != (n,):
        raise ValueError(f"what is faint has shape {page.faint.shape}, not ({n},)")
    others_mv = page.alternatives_mv
    if others_mv is not None and (others_mv.ndim != 3 or others_mv.shape[1:] != (rows, n)):
        raise ValueError(f"the alternatives have shape {others_mv.shape}, not (count, 12, {n})")
    last = slice(max(0, n - round(layout.PAGE_S * page.rate_hz)), n)
    cut_s = last.start / page.rate_hz
    return replace(
        page,
        leads_mv=page.leads_mv[:, last],
        measured_mv=None if page.measured_mv is None else page.measured_mv[last],
        band_mv=None if page.band_mv is None else page.band_mv[:, last],
        faint=None if page.faint is None else page.faint[last],
        alternatives_mv=None if others_mv is None else others_mv[:, :, last],
        markers=tuple((at_s - cut_s, note) for at_s, note in page.markers if at_s >= cut_s),
    )


def _faint(page: Page) -> NDArray[np.bool_]:
    return np.zeros(page.leads_mv.shape[1], np.bool_) if page.faint is None else page.faint


def _where(keep: NDArray[np.bool_], mv: Samples) -> Samples:
    return np.where(keep, mv, np.float32(np.nan))


class _Pen:
    """Lines and words on the sheet, sizes and places in mm (letters in pt)."""

    def __init__(self, axes: Any) -> None:
        import matplotlib
        from matplotlib.font_manager import FontProperties, get_font

        # By file name: the page must not change with the fonts or settings of the machine.
        fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        self._files = {False: fonts / "DejaVuSans.ttf", True: fonts / "DejaVuSans-Bold.ttf"}
        self._fonts = {bold: FontProperties(fname=str(file)) for bold, file in self._files.items()}
        self._measure = {bold: get_font(str(file)) for bold, file in self._files.items()}
        self.axes = axes
        left, top, right, bottom = layout.PAPER_MM
        self._paper = (left, top), right - left, bottom - top

    def line(
        self,
        x_mm: NDArray[np.float64],
        y_mm: NDArray[np.float64],
        color: str,
        width_mm: float,
        *,
        gap_color: str | None = None,
        order: float = 3.0,
    ) -> None:
        """A line, cut off at the paper's edge; NaN breaks it.  With a colour for their gaps, in dashes."""
        (drawn,) = self.axes.plot(
            x_mm,
            y_mm,
            color=color,
            linewidth=width_mm * _PT_PER_MM,
            linestyle="solid" if gap_color is None else _DASHES,
            gapcolor=gap_color,
            marker="None",
            solid_joinstyle="round",
            solid_capstyle="butt",
            dash_joinstyle="round",
            dash_capstyle="butt",
            antialiased=True,
            zorder=order,
        )
        drawn.set_clip_path(self._clip())

    def ribbon(
        self, x_mm: NDArray[np.float64], low_mm: NDArray[np.float64], high_mm: NDArray[np.float64], ink: _Ink
    ) -> None:
        """An area between two lines, cut off at the paper's edge; NaN breaks it."""
        area = self.axes.fill_between(
            x_mm, low_mm, high_mm, color=ink.band, alpha=ink.band_alpha, linewidth=0.0, zorder=2.5
        )
        area.set_clip_path(self._clip())

    def segments(self, points: NDArray[np.float64], color: str, width_mm: float) -> None:
        """Straight lines, ``(k, 2, 2)`` end points."""
        from matplotlib.collections import LineCollection

        lines = LineCollection(list(points), colors=color, linewidths=width_mm * _PT_PER_MM, zorder=1.0)
        self.axes.add_collection(lines, autolim=False)

    def fill_paper(self, color: str) -> None:
        """The gridded area's ground."""
        from matplotlib.patches import Rectangle

        self.axes.add_patch(Rectangle(*self._paper, facecolor=color, edgecolor="none", zorder=0.5))

    def text(
        self,
        x_mm: float,
        y_mm: float,
        words: str,
        size_pt: float,
        color: str = _INK,
        *,
        bold: bool = False,
        right: bool = False,
        room_mm: float = 200.0,
        halo: bool = False,
        order: float = 5.0,
    ) -> float:
        """Words on the line ``y_mm``, cut with an ellipsis to ``room_mm``; their width in mm."""
        words = self._fit(words, size_pt, bold, room_mm)
        drawn = self.axes.text(
            x_mm,
            y_mm,
            words,
            fontproperties=self._fonts[bold],
            fontsize=size_pt,
            color=color,
            horizontalalignment="right" if right else "left",
            verticalalignment="baseline",
            parse_math=False,
            zorder=order,
        )
        if halo:
            from matplotlib.patheffects import withStroke

            drawn.set_path_effects([withStroke(linewidth=2.2, foreground=_PAPER)])
        return self.width_mm(words, size_pt, bold)

    def width_mm(self, words: str, size_pt: float, bold: bool = False) -> float:
        """How wide words are."""
        font = self._measure[bold]
        font.set_size(size_pt, 72.0)
        font.set_text(words, 0.0)
        return float(font.get_width_height()[0]) / 64 / _PT_PER_MM

    def _fit(self, words: str, size_pt: float, bold: bool, room_mm: float) -> str:
        # A letter that the font lacks would be an empty box and a warning.
        known = self._measure[bold].get_char_index
        words = "".join(letter if known(ord(letter)) else "?" for letter in " ".join(words[:2000].split()))
        if self.width_mm(words, size_pt, bold) <= room_mm:
            return words
        # Layout costs time with every letter, and no sheet has room for 300.
        words = words[:300]
        fits = bisect_right(
            range(1, len(words) + 1),
            room_mm,
            key=lambda letters: self.width_mm(words[:letters] + "…", size_pt, bold),
        )
        return words[:fits] + "…" if fits else ""  # by itself it would say nothing, and lie over others

    def _clip(self) -> Any:
        from matplotlib.patches import Rectangle

        return Rectangle(*self._paper, transform=self.axes.transData)


def _draw_paper(pen: _Pen) -> None:
    left, top, right, bottom = layout.PAPER_MM
    pen.fill_paper(_PAPER)
    for step, color, width in ((1.0, _GRID_1_MM, 0.1), (5.0, _GRID_5_MM, 0.2)):
        across, down = layout.grid_lines_mm(step)
        upright = np.stack([np.column_stack([across, across * 0 + y]) for y in (top, bottom)], axis=1)
        level = np.stack([np.column_stack([down * 0 + x, down]) for x in (left, right)], axis=1)
        pen.segments(np.concatenate([upright, level]), color, width)
    for panel in (panel for panel in layout.panels() if panel.column > 0):
        x = np.full(2, panel.left_mm)
        pen.line(x, panel.baseline_mm + np.array([-13.0, -10.0]), _SOFT_INK, 0.2)
        pen.line(x, panel.baseline_mm + np.array([10.0, 13.0]), _SOFT_INK, 0.2)


def _draw_header(pen: _Pen, page: Page) -> None:
    left, _, right, _ = layout.PAPER_MM
    middle = (left + right) / 2 + 10.0
    room = middle - left - 5.0
    columns = "3x4" if page.consecutive else "3x4 at the same time"
    scales = f"{layout.MM_PER_S:g} mm/s · {layout.MM_PER_MV:g} mm/mV · {columns} + rhythm strip"
    scales_mm = right - pen.text(right, 12.0, scales, 10.0, bold=True, right=True, room_mm=right - middle)
    x_mm = left + pen.text(left, 12.0, page.title, 13.0, bold=True, room_mm=room) + 4.0
    warns = page.kind not in ("", "live")
    for words, color in ((page.kind, _WARNING if warns else _INK), (page.heart_rate, _INK)):
        if words:
            x_mm += pen.text(x_mm, 12.0, words, 10.0, color, bold=True, room_mm=scales_mm - x_mm - 4.0) + 4.0
    measured = f"Measured: lead {_measured_lead(page)}"
    if not page.is_lead_i:
        measured += " (input is not Lead I)"
    missing = int(np.isnan(page.leads_mv).any(axis=0).sum())
    if missing:
        measured += f" · missing, drawn as gaps: {missing / page.rate_hz:.2f} s"
    if _faint(page).any():
        measured += f" · not to be trusted, grey: {_faint(page).sum() / page.rate_hz:.2f} s"
    if page.quality:
        measured += f" · {page.quality}"
    warned = _WARNING if page.quality or not page.is_lead_i else _INK
    for y, words, color, head, beside in (
        (17.5, page.source, _INK, "Filters", page.filters),
        (22.0, page.started, _INK, "Model", page.model),
        (26.5, measured, warned, "Latency", page.latency),
    ):
        beside = f"{head}: {beside}" if beside else ""
        width = pen.text(right, y, beside, 8.0, right=True, room_mm=right - middle)
        pen.text(left, y, words, 8.0, color, room_mm=right - width - 5.0 - left)


def _draw_markers(pen: _Pen, page: Page) -> None:
    """A line for each marker, over all rows if time runs on from column to column, with its note."""
    strip = next(panel for panel in layout.panels(consecutive=page.consecutive) if panel.rhythm)
    _, top, right, bottom = layout.PAPER_MM
    for at_s, note in page.markers:
        x = strip.left_mm + at_s * layout.MM_PER_S
        above = top if page.consecutive else strip.baseline_mm - 15.0
        pen.line(np.full(2, x), np.array([above, bottom]), _WARNING, 0.2, order=4.5)
        before = x + 2.0 + pen.width_mm(note[:300], 7.0) > right  # no room behind it
        room = (x - strip.left_mm if before else right - x) - 2.0
        pen.text(x + (-1.0 if before else 1.0), bottom - 1.5, note, 7.0, _WARNING, right=before, room_mm=room)


def _draw_panel(
    pen: _Pen, page: Page, panel: layout.Panel, lead_mv: Samples, band_mv: Samples | None
) -> None:
    measured, faint = panel.lead == "I", _faint(page)
    # One point in common at either end, so that the line does not break where it changes colour.
    joined = faint | np.append(False, faint[:-1]) | np.append(faint[1:], False)
    for part, ink in ((joined, _GREY), (~faint, _BLACK if measured else _BLUE)):
        if part.any():
            part_mv = _where(part, lead_mv)
            x, y = layout.trace_mm(panel, part_mv, page.rate_hz)
            if band_mv is not None:
                _, low = layout.trace_mm(panel, part_mv - band_mv, page.rate_hz)
                _, high = layout.trace_mm(panel, part_mv + band_mv, page.rate_hz)
                pen.ribbon(x, low, high, ink)
            pen.line(x, y, ink.line, _LINE_MM[measured], gap_color=None if measured else ink.gap, order=4.0)
    if not measured:
        words = f"reconstructed from {'Lead I' if page.is_lead_i else page.lead}, not for diagnosis"
        room = panel.width_mm - 4.0
        width = min(pen.width_mm(words, 6.8), room)
        x_mm = panel.left_mm + (panel.width_mm - width) / 2
        pen.text(x_mm, panel.baseline_mm + 16.5, words, 6.8, "#8a8fa0", room_mm=room, order=1.5)


def _label_panel(pen: _Pen, page: Page, panel: layout.Panel) -> None:
    x, y = panel.label_mm
    if page.is_lead_i or panel.lead != "I":
        x += pen.text(x, y, panel.lead, 10.0, bold=True, halo=True) + 1.5
    if panel.lead == "I":
        words = "measured" if page.is_lead_i else f"measured: {page.lead}, not Lead I"
        pen.text(x, y, words, 7.0, halo=True, room_mm=45.0)
    elif page.is_lead_i:
        pen.text(x, y, "reconstructed", 7.0, _RECONSTRUCTED, halo=True)
    else:
        x += pen.text(x, y, "reconstructed", 7.0, _RECONSTRUCTED, halo=True) + 1.5
        pen.text(x, y, "input is not Lead I", 7.0, _WARNING, bold=True, halo=True)


def _label_rhythm(pen: _Pen, page: Page, panel: layout.Panel, as_measured: bool) -> None:
    x, y = panel.label_mm
    x += pen.text(x, y, _measured_lead(page), 10.0, bold=True, halo=True, room_mm=40.0) + 1.5
    pen.text(x, y, "as measured" if as_measured else "measured", 7.0, halo=True)


def _measured_lead(page: Page) -> str:
    """Records name Lead I in many ways ("i", "MDC_ECG_LEAD_I"); the user reads one."""
    return "I" if page.is_lead_i else page.lead


def _legend(page: Page) -> str:
    words = "solid black: measured · broken blue: reconstructed"
    return words + (f" · {NO_BAND}" if page.band_mv is None else " · shaded: 90 % band")


def _legend_of_some(page: Page) -> str:
    """Of what some pages have."""
    alternatives = "" if page.alternatives_mv is None else "thin: plausible alternatives"
    grey = "grey: the filters settle, or the input is out of range or without contact"
    return " · ".join(filter(None, (alternatives, grey if _faint(page).any() else "")))
