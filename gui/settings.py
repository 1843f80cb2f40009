# SPDX-License-Identifier: GPL-3.0-or-later
"""What the window remembers: a file of the user's own, which nobody else may read (it names recordings)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QSettings

from gui.paper.geometry import GAINS_MM_PER_MV, LAYOUTS, SPEEDS_MM_PER_S
from gui.paper.look import Look
from gui.theme import DARK, LIGHT
from streamer.core.vitals.vitals import Limits

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


MOST = 12


def with_newest(recent: list[str], source: str) -> list[str]:
    """The list with a source at its head, each once, no longer than `MOST`."""
    return [source, *(one for one in recent if one != source)][:MOST]


def source_of_file(path: str) -> str | None:
    """The SOURCE for a file: a session's, or a part of a WFDB record; None where it is neither."""
    file = Path(path)
    if file.suffix.lower() == ".xdf":
        return f"session:{file}"
    if file.suffix.lower() in (".hea", ".dat"):
        return f"wfdb:{file.with_suffix('')}"
    if file.with_name(f"{file.name}.hea").is_file():
        return f"wfdb:{file}"
    return None


class Settings:
    """Settings in an INI file, each of a type of its own: what was tampered with is left at its default.

    Parameters
    ----------
    file : Path or None
        Made, with its folder, for the user alone, where it does not exist.  None keeps nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self._kept: dict[str, Any] = {}
        self._store: QSettings | None = None
        if file is None:
            return
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.touch(mode=0o600, exist_ok=True)
            file.chmod(0o600)
        except OSError:
            return  # a home that cannot be written: nothing is remembered, and nothing is lost by it
        self._store = QSettings(str(file), QSettings.Format.IniFormat)

    def get(self, name: str, default: Any) -> Any:
        """What was kept under a name, where it is of the default's type; else the default."""
        text = self._kept.get(name) if self._store is None else self._store.value(name)
        try:
            value = json.loads(text, parse_constant=_refuse) if isinstance(text, str) else default
        except ValueError:
            return default
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        return value if type(value) is type(default) else default

    def keep(self, name: str, value: Any) -> None:
        """Keep a plain value: text, a number, true or false, a list or a table of those."""
        text = json.dumps(value)
        if self._store is None:
            self._kept[name] = text
        else:
            self._store.setValue(name, text)
            self._store.sync()

    # ---- what has a shape of its own

    @property
    def recent(self) -> list[str]:
        """Sources, newest first."""
        return [one for one in self.get("recent", []) if isinstance(one, str)]

    def opened(self, source: str) -> None:
        """A source was opened."""
        self.keep("recent", with_newest(self.recent, source))

    @property
    def limits(self) -> Limits:
        """When alarms are raised."""
        usual = Limits()
        low = min(max(self.get("alarms/low_bpm", usual.low_bpm), 15.0), 295.0)
        high = min(max(self.get("alarms/high_bpm", usual.high_bpm), low + 5.0), 300.0)
        return Limits(low, high, usual.asystole_s)

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self.keep("alarms/low_bpm", float(limits.low_bpm))
        self.keep("alarms/high_bpm", float(limits.high_bpm))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no setting")
