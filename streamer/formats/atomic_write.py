# SPDX-License-Identifier: MIT
"""Files that are written whole or not at all, and never over another unasked."""

from __future__ import annotations

import os
from pathlib import Path

from streamer.core.errors import Field, InputError


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise an `InputError` where a file is there already, before any work is done for it."""
    if path.exists() and not force:
        raise InputError(f"{path} exists", Field.OUTPUT)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole, or not at all; raises OSError."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_private(path: Path, data: bytes) -> None:
    """As `write_whole`, for its owner only to read; raises OSError."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
