# SPDX-License-Identifier: MIT
"""Reads a file that the user names: a regular one, of a size that its kind can have, and nothing else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from streamer.core.errors import InputError

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
"""A pipe without a writer must not hold up its opening."""


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """All of a file.

    Parameters
    ----------
    path : Path
    most_bytes : int
        What its kind can have; a larger file is refused by its size, before any of it is read.

    Raises
    ------
    InputError
        It is no regular file (a folder, a pipe, a device), or too large.
    OSError
        It cannot be read.
    ValueError
        The name has a zero byte.
    """
    handle = os.open(path, _FLAGS)
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise InputError(f"{path} is no regular file: name one")
        with os.fdopen(handle, "rb", closefd=False) as file:
            # One byte more, since the file may grow.
            data = b"" if about.st_size > most_bytes else file.read(most_bytes + 1)
    finally:
        os.close(handle)
    if about.st_size > most_bytes or len(data) > most_bytes:
        raise InputError(f"{path} is larger than the {most_bytes / 1e6:g} MB that such a file may have")
    return data
