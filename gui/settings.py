# SPDX-License-Identifier: GPL-3.0-or-later
"""What the window remembers: a file of the user's own, which no other user may read (it names recordings)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from gui.paper.geometry import GAINS_MM_PER_MV, LAYOUTS, SPEEDS_MM_PER_S
from gui.paper.look import Look
from gui.theme import DARK, LIGHT
from streamer.core.errors import InputError
from streamer.core.vitals.vitals import Limits
from streamer.formats.atomic_write import write_private
from streamer.formats.bounded_read import read_bounded
from streamer.formats.registry import format_of
from streamer.lead_recording import is_a_session

_THEMES = {theme.name: theme for theme in (LIGHT, DARK)}


_MM = (0.5, 40.0)
"""Logical pixels to a millimetre that a screen may have."""


def look_to_table(look: Look, *, mm_set: bool) -> dict[str, Any]:
    """A look as a table; the size of a millimetre only where it was set by hand."""
    kept: dict[str, Any] = {
        "theme": look.theme.name,
        "layout": look.layout,
        "sweep": look.sweep,
        "consecutive": look.consecutive,
        "ribbon": look.ribbon,
        "mm_per_s": look.scale.mm_per_s,
        "mm_per_mv": look.scale.mm_per_mv,
    }
    return kept | ({"px_per_mm": look.scale.px_per_mm} if mm_set else {})


def look_from_table(look: Look, kept: Mapping[str, Any]) -> Look:
    """A look with what was kept; what could not have been chosen is left as it is."""
    scale = look.scale
    for name, choices in (("mm_per_s", SPEEDS_MM_PER_S), ("mm_per_mv", GAINS_MM_PER_MV)):
        if kept.get(name) in choices:
            scale = replace(scale, **{name: float(kept[name])})
    px_per_mm = kept.get("px_per_mm")
    if isinstance(px_per_mm, float) and _MM[0] <= px_per_mm <= _MM[1]:
        scale = replace(scale, px_per_mm=px_per_mm)
    changes: dict[str, Any] = {
        name: kept[name] for name in ("sweep", "consecutive", "ribbon") if isinstance(kept.get(name), bool)
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
    """The SOURCE for a file: a session's, a part of a WFDB record, or one of another format; else None."""
    file = Path(path)
    if file.suffix.lower() == ".xdf" and (not file.is_file() or _holds(is_a_session, file)):
        return f"session:{file}"
    lonely = file.suffix.lower() == ".dat" and file.is_file() and not file.with_suffix(".hea").is_file()
    if file.suffix.lower() in (".hea", ".dat") and not lonely:
        return f"wfdb:{file.with_suffix('')}"
    if file.with_name(f"{file.name}.hea").is_file():
        return f"wfdb:{file}"
    if not file.is_file():
        return None
    of_a_record = file.suffix.lower() == ".mat" and file.with_suffix(".hea").is_file()
    return f"file:{file}" if of_a_record or _holds(format_of, file) else None


def _holds(question: Callable[[Path], object], file: Path) -> bool:
    """What is asked of a file's content; not if it cannot be read."""
    try:
        return bool(question(file))
    except (OSError, InputError):
        return False


LARGEST_BYTES = 1 << 18
"""Of a file of settings; ours takes 2 kB."""


class Settings:
    """Settings in a JSON file, each of a type of its own: what was tampered with is left at its default.

    Nothing that is read can be more than text, a number, a truth value, a list or a table.

    Parameters
    ----------
    file : Path or None
        Made, with its folder, for the user alone, if it does not exist.  None keeps nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self._file: Path | None = None
        self._kept: dict[str, Any] = {}
        if file is None:
            return
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if file.exists():
                file.chmod(0o600)
            else:
                write_private(file, _as_text(_of_older_version(file.with_suffix(".ini"))))
            self._file = file
            self._kept = _read(file)
        except OSError:
            return  # a home that cannot be written: nothing is remembered, and nothing is lost by it

    def get(self, name: str, default: Any) -> Any:
        """What was kept under a name, if it is of the default's type; else the default."""
        value = self._kept.get(name, default)
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value) if abs(value) < 1e15 else default
        return value if type(value) is type(default) else default

    def keep(self, name: str, value: Any) -> None:
        """Keep a plain value: text, a number, true or false, a list or a table of those."""
        if self._file is None:
            self._kept[name] = value
            return
        self._kept = _read(self._file) | {name: value}  # another window may have kept something meanwhile
        with suppress(OSError):  # a full disk costs the memory, not the session
            write_private(self._file, _as_text(self._kept))

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


def _as_text(kept: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(kept, indent=1, allow_nan=False)}\n".encode()


def _read(file: Path) -> dict[str, Any]:
    """What a file of settings holds; nothing if it is none."""
    try:
        kept = _value(read_bounded(file, LARGEST_BYTES).decode())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _value(text: str) -> Any:
    """A JSON value; raises ValueError if it is none."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


_INI_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_INI_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,4}|.)")


def _of_older_version(ini: Path) -> dict[str, Any]:
    """What an older version kept as JSON in an INI file, read as text: nothing else in it is looked at."""
    try:
        lines = read_bounded(ini, LARGEST_BYTES).decode().splitlines()
    except (OSError, ValueError):
        return {}
    kept: dict[str, Any] = {}
    section = ""
    for line in lines:
        if head := re.fullmatch(r"\[(\w+)\]", line.strip()):
            section = "" if head[1] == "General" else f"{head[1]}/"
            continue
        name, equals, text = line.partition("=")
        quoted = _INI_TEXT.fullmatch(text)
        plain = _INI_ESCAPE.sub(_unescaped, quoted[1]) if quoted else text
        with suppress(ValueError):
            if equals:
                kept[f"{section}{name.replace(chr(92), '/')}"] = _value(plain)
    return kept


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else {"n": "\n", "t": "\t", "r": "\r"}.get(code, code)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no setting")
