# SPDX-License-Identifier: GPL-3.0-or-later
"""The two looks of the monitor; no Qt.

Measured and reconstructed differ in lightness and weight as well as in hue, for whoever does not
see the hue: black and blue on paper, yellow and sky blue (Okabe and Ito) on the dark screen.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours as ``#rrggbb``."""

    name: str
    paper: str
    grid_1_mm: str
    grid_5_mm: str
    measured: str
    reconstructed: str
    settling: str
    """Traces while the filters settle."""
    ink: str
    soft_ink: str
    bar: str
    """Ground of the bars above and below the paper."""
    warning: str


LIGHT = Theme(
    name="light",
    paper="#fffaf8",
    grid_1_mm="#fae5e1",
    grid_5_mm="#f0bdb6",
    measured="#000000",
    reconstructed="#0b5394",
    settling="#a9a9b4",
    ink="#1a1a1a",
    soft_ink="#5c5c5c",
    bar="#ffffff",
    warning="#a12b00",
)

DARK = Theme(
    name="dark",
    paper="#0a0f14",
    grid_1_mm="#141f28",
    grid_5_mm="#263745",
    measured="#f7e04b",
    reconstructed="#63bff0",
    settling="#53616d",
    ink="#eef2f5",
    soft_ink="#9fb0bd",
    bar="#10171e",
    warning="#ff9a66",
)
