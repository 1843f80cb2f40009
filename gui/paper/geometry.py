# SPDX-License-Identifier: GPL-3.0-or-later
"""ECG paper on a screen: millimetres to pixels, and where each lead stands; no Qt.

Pixels are the screen's own, ``x`` to the right and ``y`` downwards from the view's upper left corner.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.core.leads import LEADS

SPEEDS_MM_PER_S = (6.25, 12.5, 25.0, 50.0)
GAINS_MM_PER_MV = (2.5, 5.0, 10.0, 20.0)

RHYTHM = "rhythm"
"""Stands for a lead in the strip at the bottom, which shows what is chosen for it."""

BASELINE = 0.58
"""Where in its row a lead's 0 mV lies, from the top: R waves are taller than S waves are deep."""

ENLARGED = 2.0
"""How much larger than the others a lead is shown alone, along both axes."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Which leads stand where."""

    columns: tuple[tuple[str, ...], ...]
    rhythm: bool = False
    """Whether a rhythm strip runs along the bottom."""

    @property
    def rows(self) -> int:
        """Rows, with that of the rhythm strip."""
        return max(len(column) for column in self.columns) + self.rhythm


LAYOUTS = {
    "3x4": Layout((LEADS[:3], LEADS[3:6], LEADS[6:9], LEADS[9:]), rhythm=True),
    "6x2": Layout((LEADS[:6], LEADS[6:])),
    "12x1": Layout((LEADS,)),
}


def one_lead(lead: str) -> Layout:
    """A lead alone, above the rhythm strip."""
    return Layout(((lead,),), rhythm=True)


FALLBACK_PX_PER_MM = 96 / 25.4
"""Where the screen does not say how large it is."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a millimetre, a second and a millivolt are."""

    px_per_mm: float
    mm_per_s: float = 25.0
    mm_per_mv: float = 10.0

    @property
    def px_per_s(self) -> float:
        """Pixels to a second."""
        return self.px_per_mm * self.mm_per_s

    @property
    def px_per_mv(self) -> float:
        """Pixels to a millivolt."""
        return self.px_per_mm * self.mm_per_mv


@dataclass(frozen=True, slots=True)
class LeadArea:
    """Where one lead stands, in px."""

    lead: str
    """One of the twelve, or `RHYTHM`."""
    row: int
    column: int
    left: float
    """Where the oldest sample stands, ..."""
    right: float
    """... and the newest."""
    top: float
    bottom: float
    baseline: float
    """Where 0 mV lies."""


def screen_px_per_mm(
    width_px: float, height_px: float, width_mm: float, height_mm: float
) -> tuple[float, bool]:
    """Pixels to a millimetre from what the screen says of itself, and whether that can be believed.

    A screen that claims oblong pixels, or a size that no screen has (televisions that report 160 mm,
    virtual ones that report 0), is not believed: then the answer is `FALLBACK_PX_PER_MM`.
    """
    sizes = (width_px, height_px, width_mm, height_mm)
    if not all(math.isfinite(size) and size > 0 for size in sizes):
        return FALLBACK_PX_PER_MM, False
    across, down = width_px / width_mm, height_px / height_mm
    if not (abs(across - down) < 0.05 * across and 1.5 <= across <= 16.0):
        return FALLBACK_PX_PER_MM, False
    return (across + down) / 2, True


def step(values: tuple[float, ...], now: float, by: int) -> float:
    """The value ``by`` places after ``now``, staying within ``values``."""
    return values[min(max(values.index(now) + by, 0), len(values) - 1)]


def lay_out(
    layout: Layout, width_px: float, height_px: float, scale: Scale, *, gap_mm: int = 2
) -> tuple[LeadArea, ...]:
    """A area for every lead of a layout, column by column, the view being ``width_px`` by ``height_px``.

    Baselines lie on grid lines of 1 mm and edges within half a pixel of one.  Before the first column there
    is room for the calibration mark, and ``gap_mm`` between columns.  Below a lead alone the rhythm strip is
    a quarter of the height.
    """
    mm = scale.px_per_mm
    first_mm = math.ceil(0.2 * scale.mm_per_s) + 3
    across = len(layout.columns)
    width_mm = max(1, math.floor((width_px / mm - first_mm - 1 - gap_mm * (across - 1)) / across))
    alone = layout.rows == 2 and layout.rhythm
    strip_mm = height_px / mm * (0.25 if alone else 1 / layout.rows) * layout.rhythm
    pitch_mm = (height_px / mm - strip_mm) / (layout.rows - layout.rhythm)

    def area(lead: str, row: int, column: int, wide_mm: float, tall_mm: float) -> LeadArea:
        left_mm = first_mm + column * (width_mm + gap_mm)
        return LeadArea(
            lead=lead,
            row=row,
            column=column,
            left=round(left_mm * mm),
            right=round((left_mm + wide_mm) * mm),
            top=row * pitch_mm * mm,
            bottom=(row * pitch_mm + tall_mm) * mm,
            baseline=round(row * pitch_mm + BASELINE * tall_mm) * mm,
        )

    areas = [
        area(lead, row, column, width_mm, pitch_mm)
        for column, leads in enumerate(layout.columns)
        for row, lead in enumerate(leads)
    ]
    if layout.rhythm:
        whole_mm = across * width_mm + (across - 1) * gap_mm
        areas.append(area(RHYTHM, layout.rows - 1, 0, whole_mm, strip_mm))
    return tuple(areas)


def calibration_marks(areas: tuple[LeadArea, ...], scale: Scale) -> list[NDArray[np.float64]]:
    """1 mV x 200 ms before the first column: corners ``(6, 2)`` in px, for as many rows as they fit."""
    foot, wide, tall = scale.px_per_mm / 2, 0.2 * scale.px_per_s, scale.px_per_mv
    x = 2 * foot + np.array([0, foot, foot, foot + wide, foot + wide, 2 * foot + wide])
    height = np.array([0, 0, 1, 1, 0, 0]) * tall
    chosen: list[LeadArea] = []
    for area in areas:
        above = chosen[-1].baseline + foot if chosen else 0.0
        if area.column == 0 and area.baseline - tall >= above:
            chosen.append(area)
    return [np.column_stack([x, area.baseline - height]) for area in chosen]


def shown_s(area: LeadArea, scale: Scale) -> float:
    """Seconds of signal that a area shows."""
    return (area.right - area.left) / scale.px_per_s


def auto_gain(tall_mv: float, pitch_mm: float, now: float) -> float:
    """The gain for signals ``tall_mv`` from lowest to highest point, in rows that are ``pitch_mm`` tall.

    As on paper a trace may reach into the neighbouring rows by a quarter.  ``now`` is left only for good
    reason, so that the gain does not swing to and fro.
    """
    if not (math.isfinite(tall_mv) and tall_mv > 0):
        return now
    fits = [gain for gain in GAINS_MM_PER_MV if gain * tall_mv <= 1.5 * pitch_mm]
    best = fits[-1] if fits else GAINS_MM_PER_MV[0]
    if best > now and best * tall_mv > 1.25 * pitch_mm:
        return max([gain for gain in fits if gain * tall_mv <= 1.25 * pitch_mm], default=now)
    return best
