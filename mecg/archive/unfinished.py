# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run that was killed left behind: found before the next one, and removed."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from streamer.formats.left_behind import OLD_S, remove_if_free

YOUNG_S = 2.0
"""So old a file of a process that is gone must be: a moment may pass before its writer holds it."""

_PART = re.compile(r"\.[A-Za-z0-9_-]+\.(\d+)(\.hea)?\.part")


def remove_unfinished(folders: Iterable[Path]) -> int:
    """Remove the unfinished records in these folders that are not being written; returns how many files.

    One is not touched while another process holds it, so that two runs may write to one folder.
    """
    if sys.platform == "win32":
        return 0  # no such locks: whether it is safe is not known
    removed = 0
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            parts = [(Path(entry.path), match) for entry in entries if (match := _PART.fullmatch(entry.name))]
            for path, match in parts:
                with suppress(OSError):
                    old_s = time.time() - path.stat().st_mtime
                    gone = old_s > YOUNG_S and not _runs(int(match[1]))
                    if (gone or old_s > OLD_S) and remove_if_free(path, 0.0):
                        removed += 1
    return removed


def remove_parts_of(process: int, folder: Path, name: str) -> None:
    """What a process that has ended left of a record."""
    for record in (name, f"{name}_band"):
        for ending in (".part", ".hea.part"):
            with suppress(OSError):
                (folder / f".{record}.{process}{ending}").unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
