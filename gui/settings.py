# SPDX-License-Identifier: GPL-3.0-or-later
"""What the window remembers: a file of the user's own, which nobody else may read (it names recordings)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QSettings

from gui.recent import with_newest
from streamer.vitals import Limits


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
