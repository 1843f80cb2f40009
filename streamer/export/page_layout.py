# SPDX-License-Identifier: MIT
"""Where everything stands on the printed page, in millimetres; no drawing in here.

The page is A4 landscape.  ``x`` runs to the right and ``y`` downwards from the sheet's upper left
corner, both in millimetres, so that 10 mm/mV and 25 mm/s hold on paper by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

SHEET_MM = (297.0, 210.0)
"""Width and height of the sheet: A4 landscape."""

PAPER_MM = (13.5, 29.0, 283.5, 194.0)
"""Left, top, right and bottom of the gridded paper; both sides are whole multiples of 5 mm."""

MM_PER_S = 25.0
MM_PER_MV = 10.0

PAGE_S = 10.0
"""Seconds on a page: the whole rhythm strip, or four columns of 2.5 s."""

COLUMNS = (("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6"))
"""The 3x4 layout, column by column."""

_TRACE_LEFT_MM = PAPER_MM[0] + 15.0
_COLUMN_S = PAGE_S / len(COLUMNS)

# Heavy lines, below the paper's top: room for 2.5 mV above the first row and 2 mV below the last.
_BASELINES_MM = tuple(PAPER_MM[1] + below for below in (30.0, 70.0, 110.0, 145.0))

_LABEL_ABOVE_MM = 16.0


@dataclass(frozen=True, slots=True)
class Panel:
    """One stretch of one lead."""

    lead: str
    """A name of `streamer.core.leads.LEADS`."""
    row: int
    column: int
    from_s: float
    """Instant at the left edge, seconds since the page's first sample."""
    to_s: float
    left_mm: float
    baseline_mm: float
    """Where 0 mV lies."""
    rhythm: bool = False
    """The strip across the whole page at the foot."""

    @property
    def width_mm(self) -> float:
        """Width of the panel."""
        return (self.to_s - self.from_s) * MM_PER_S

    @property
    def label_mm(self) -> tuple[float, float]:
        """Left end and baseline of the panel's label."""
        above = _LABEL_ABOVE_MM - 4.0 if self.rhythm else _LABEL_ABOVE_MM
        return self.left_mm + 1.0, self.baseline_mm - above


def panels(*, consecutive: bool = True, length_s: float = PAGE_S) -> tuple[Panel, ...]:
    """The twelve panels of the 3x4 layout, column by column, then the rhythm strip.

    Parameters
    ----------
    consecutive : bool
        Time runs on from column to column, as the strip below them; else all show the newest seconds.
    length_s : float
        Seconds of signal that there are.
    """
    newest_s = max(0.0, min(length_s, PAGE_S) - _COLUMN_S)
    twelve = [
        Panel(
            lead=COLUMNS[column][row],
            row=row,
            column=column,
            from_s=column * _COLUMN_S if consecutive else newest_s,
            to_s=(column + 1) * _COLUMN_S if consecutive else newest_s + _COLUMN_S,
            left_mm=_TRACE_LEFT_MM + column * _COLUMN_S * MM_PER_S,
            baseline_mm=_BASELINES_MM[row],
        )
        for column, row in product(range(len(COLUMNS)), range(3))
    ]
    return (*twelve, Panel("I", 3, 0, 0.0, PAGE_S, _TRACE_LEFT_MM, _BASELINES_MM[3], rhythm=True))


def calibration_marks() -> tuple[NDArray[np.float64], ...]:
    """One mark of 1 mV x 200 ms before each row: ``(6, 2)`` corners, x and y in mm."""
    left = PAPER_MM[0] + 2.5
    x = left + np.array([0.0, 2.5, 2.5, 2.5 + 0.2 * MM_PER_S, 2.5 + 0.2 * MM_PER_S, 10.0])
    height = np.array([0.0, 0.0, MM_PER_MV, MM_PER_MV, 0.0, 0.0])
    return tuple(np.column_stack([x, baseline - height]) for baseline in _BASELINES_MM)


def grid_lines_mm(step_mm: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The x of the vertical and the y of the horizontal grid lines, every ``step_mm``."""
    left, top, right, bottom = PAPER_MM
    across = np.arange(round((right - left) / step_mm) + 1) * step_mm
    down = np.arange(round((bottom - top) / step_mm) + 1) * step_mm
    return np.asarray(left + across, np.float64), np.asarray(top + down, np.float64)


def trace_mm(
    panel: Panel, lead_mv: NDArray[np.float32], rate_hz: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The polyline of a lead in its panel.

    Parameters
    ----------
    panel : Panel
    lead_mv : array (n,)
        mV, from the page's first sample on; NaN where a sample is missing.
    rate_hz : float

    Returns
    -------
    x, y : arrays (m,)
        mm; the samples from ``panel.from_s`` to ``panel.to_s``, both ends included, so that
        neighbouring panels join; y is NaN where a sample is missing.
    """
    first = int(np.ceil(panel.from_s * rate_hz - 1e-9))
    last = min(int(np.floor(panel.to_s * rate_hz + 1e-9)), len(lead_mv) - 1)
    index = np.arange(first, max(last, first - 1) + 1)
    x = panel.left_mm + (index / rate_hz - panel.from_s) * MM_PER_S
    y = panel.baseline_mm - lead_mv[index].astype(np.float64) * MM_PER_MV
    return x, y
