# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources that were opened before, and what a dropped file is as a SOURCE; no Qt."""

from __future__ import annotations

from pathlib import Path

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
