# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the paper's look is remembered, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gui.paper import GAINS_MM_PER_MV, LAYOUTS, SPEEDS_MM_PER_S
from gui.paper_view import Look
from gui.theme import DARK, LIGHT

_THEMES = {theme.name: theme for theme in (LIGHT, DARK)}
_MM = (0.5, 40.0)
"""Logical pixels to a millimetre that a screen may have."""


def plain(look: Look, *, mm_set: bool) -> dict[str, Any]:
    """A look as a table; the size of a millimetre only where it was set by hand."""
    kept: dict[str, Any] = {
        "theme": look.theme.name,
        "layout": look.layout,
        "sweep": look.sweep,
        "ribbon": look.ribbon,
        "mm_per_s": look.scale.mm_per_s,
        "mm_per_mv": look.scale.mm_per_mv,
    }
    return kept | ({"px_per_mm": look.scale.px_per_mm} if mm_set else {})


def restored(look: Look, kept: Mapping[str, Any]) -> Look:
    """A look with what was kept; what nobody could have chosen is left as it is."""
    scale = look.scale
    for name, choices in (("mm_per_s", SPEEDS_MM_PER_S), ("mm_per_mv", GAINS_MM_PER_MV)):
        if kept.get(name) in choices:
            scale = replace(scale, **{name: float(kept[name])})
    px_per_mm = kept.get("px_per_mm")
    if isinstance(px_per_mm, float) and _MM[0] <= px_per_mm <= _MM[1]:
        scale = replace(scale, px_per_mm=px_per_mm)
    changes: dict[str, Any] = {
        name: kept[name] for name in ("sweep", "ribbon") if isinstance(kept.get(name), bool)
    }
    if isinstance(kept.get("layout"), str) and kept["layout"] in LAYOUTS:
        changes["layout"] = kept["layout"]
    if isinstance(kept.get("theme"), str) and kept["theme"] in _THEMES:
        changes["theme"] = _THEMES[kept["theme"]]
    return replace(look, scale=scale, **changes)
