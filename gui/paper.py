# SPDX-License-Identifier: GPL-3.0-or-later
"""ECG paper on a screen: millimetres to pixels, and where each lead stands; no Qt.

All pixels are logical ones, ``x`` to the right and ``y`` downwards from the view's upper left corner.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.leads import LEADS

SPEEDS_MM_PER_S = (12.5, 25.0, 50.0)
GAINS_MM_PER_MV = (2.5, 5.0, 10.0, 20.0)

Layout = tuple[tuple[str, ...], ...]
"""The leads, column by column."""

LAYOUTS: dict[str, Layout] = {"6x2": (LEADS[:6], LEADS[6:]), "12x1": (LEADS,)}

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
class Panel:
    """Where one lead stands, in px."""

    lead: str
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


def lay_out(layout: Layout, width_px: float, height_px: float, scale: Scale) -> tuple[Panel, ...]:
    """A panel for every lead of a layout, column by column, the view being ``width_px`` by ``height_px``.

    Baselines and edges lie on grid lines of 1 mm.  Before the first column there is room for the
    calibration mark.
    """
    mm = scale.px_per_mm
    rows = max(len(column) for column in layout)
    first_mm = math.ceil(0.2 * scale.mm_per_s) + 5
    gap_mm = 3
    width_mm = math.floor((width_px / mm - first_mm - gap_mm * len(layout)) / len(layout))
    width_mm = max(width_mm, 1)
    pitch_mm = height_px / mm / rows
    panels = []
    for column, leads in enumerate(layout):
        left_mm = first_mm + column * (width_mm + gap_mm)
        for row, lead in enumerate(leads):
            panels.append(
                Panel(
                    lead=lead,
                    row=row,
                    column=column,
                    left=left_mm * mm,
                    right=(left_mm + width_mm) * mm,
                    top=row * pitch_mm * mm,
                    bottom=(row + 1) * pitch_mm * mm,
                    baseline=round((row + 0.58) * pitch_mm) * mm,
                )
            )
    return tuple(panels)


def calibration_marks(panels: tuple[Panel, ...], scale: Scale) -> list[NDArray[np.float64]]:
    """1 mV x 200 ms before the first column: corners ``(6, 2)`` in px, for as many rows as they fit."""
    foot, wide, tall = scale.px_per_mm, 0.2 * scale.px_per_s, scale.px_per_mv
    x = foot + np.array([0, foot, foot, foot + wide, foot + wide, 2 * foot + wide])
    height = np.array([0, 0, 1, 1, 0, 0]) * tall
    chosen: list[Panel] = []
    for panel in panels:
        above = chosen[-1].baseline + foot if chosen else 0.0
        if panel.column == 0 and panel.baseline - tall >= above:
            chosen.append(panel)
    return [np.column_stack([x, panel.baseline - height]) for panel in chosen]


def shown_s(panel: Panel, scale: Scale) -> float:
    """Seconds of signal that a panel shows."""
    return (panel.right - panel.left) / scale.px_per_s


def x_of(index: NDArray[np.float64], rate_hz: float, edge_s: float, scale: Scale) -> NDArray[np.float64]:
    """Place of samples relative to a panel's right edge, where ``edge_s`` stands, in px.

    The picture moves by whole pixels: a trace then looks the same wherever it stands, and does not
    shimmer.
    """
    return np.asarray(index * (scale.px_per_s / rate_hz) - math.floor(edge_s * scale.px_per_s), np.float64)
