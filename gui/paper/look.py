# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the paper can be chosen: layout, scale, theme, sweep, ribbon."""

from __future__ import annotations

from dataclasses import dataclass

from gui.paper.geometry import ENLARGED, LAYOUTS, Layout, Scale, one_lead
from gui.theme import LIGHT, Theme

RHYTHMS = {"measured": "I, as measured", "diagnostic": "I, diagnostic 0.05-150 Hz"}
"""What the rhythm strip can show beside a lead of the twelve."""


@dataclass(frozen=True, slots=True)
class Look:
    """Everything that the user can change about the paper."""

    scale: Scale
    """In logical px."""
    theme: Theme = LIGHT
    layout: str = "3x4"
    """A key of `gui.paper.geometry.LAYOUTS`."""
    sweep: bool = True
    """New samples overwrite the oldest behind a bar that runs; else the picture scrolls."""
    consecutive: bool = False
    """Time runs on from column to column, here and on the printed page; else all show the same time."""
    ribbon: bool = True
    """The 90 % band is drawn."""
    alternatives: bool = False
    """Plausible alternatives lie below the reconstructed leads, where the model knows of any."""
    parts: bool = False
    """What each of the model's bands gives lies below the reconstructed leads, if the session makes it."""
    truth: bool = False
    """Measured leads lie over the reconstructed ones, where the source holds any."""
    rhythm: str = "measured"
    """What the rhythm strip shows: a key of `RHYTHMS`, or a lead."""
    selected: str = ""
    """The lead that Enter enlarges; empty is none, and then it is Lead I."""
    enlarged: bool = False
    """The selected lead is shown alone."""

    @property
    def shown(self) -> Layout:
        """Where the leads stand."""
        return one_lead(self.selected or "I") if self.enlarged else LAYOUTS[self.layout]

    @property
    def shown_scale(self) -> Scale:
        """The scale on the paper; larger than ``scale`` for a lead alone."""
        if not self.enlarged:
            return self.scale
        scale = self.scale
        return Scale(scale.px_per_mm, scale.mm_per_s * ENLARGED, scale.mm_per_mv * ENLARGED)
