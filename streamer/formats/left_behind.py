# SPDX-License-Identifier: MIT
"""Finds unfinished ``.NAME.PROCESS.part`` of runs that were killed, and removes what is not in use.

Who writes one holds a lock on it, which ends with the process, whatever ends that.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from io import BufferedWriter
from pathlib import Path

if sys.platform != "win32":
    import fcntl

OLD_S = 60.0
"""A younger one may not have its lock yet."""

_PART = re.compile(r"\.[A-Za-z0-9_-]+\.\d+(\.hea)?\.part")


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Hold a file or folder for this process."""
    if sys.platform == "win32":
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        claim(handle)
        yield
    finally:
        os.close(handle)


def claim(file: int | BufferedWriter) -> None:
    """Hold an open file until it is closed."""
    if sys.platform != "win32":
        with suppress(OSError):  # some network folders have no locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_left_behind(folder: Path) -> None:
    """Remove what runs that were killed have left in a folder: ours, old, and not held."""
    if sys.platform == "win32":
        return  # no such locks: whether it is safe is not known
    with suppress(OSError):
        for path in [path for path in folder.iterdir() if _PART.fullmatch(path.name)]:
            with suppress(OSError):
                remove_if_free(path)


@lru_cache(4096)
def remove_left_behind_once(folder: Path) -> None:
    """As `remove_left_behind`, once in a process: to list a folder of 100,000 records for each record that
    is added would take longer than to write them.
    """
    remove_left_behind(folder)


def remove_if_free(path: Path, older_than_s: float = OLD_S) -> bool:
    """Remove an unfinished file or folder of ours that is not held; returns whether it did.

    Raises
    ------
    OSError
        It is held, or it cannot be removed.
    """
    if sys.platform == "win32":
        return False
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        about = os.fstat(handle)
        if about.st_uid != os.getuid() or time.time() - about.st_mtime < older_than_s:
            return False
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: another process writes it
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(handle)
    return True
