# SPDX-License-Identifier: MIT
"""Files that are written whole or not at all, and never over another unasked."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from streamer.core.errors import Field, InputError


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise an `InputError` if a file is there already, before any work is done for it."""
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file")
    if path.exists() and not force:
        raise InputError(f"{path} exists", Field.OUTPUT)


def refuse_file(path: Path, *, force: bool) -> None:
    """Raise an `InputError` if a file cannot be written, before any work is done for it."""
    refuse_existing(path, force=force)
    folder = path.parent
    refuse_folder(folder)
    if not folder.is_dir():
        raise InputError(f"there is no folder for {path}: make it, or choose another")


def refuse_folder(folder: Path) -> None:
    """Raise an `InputError` if a folder cannot be made or written in, before any work is done for it."""
    for each in (folder, *folder.parents):
        if each.is_dir():
            if not os.access(each, os.W_OK | os.X_OK):
                raise InputError(f"nothing can be written in {each}: name a folder elsewhere")
            return
        if each.exists() or each.is_symlink():  # a link to nothing
            raise InputError(f"{each} is no folder: name another")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole, or not at all; raises OSError."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise _of(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_private(path: Path, data: bytes) -> None:
    """As `write_whole`, for its owner only to read; raises OSError."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        part.replace(path)
    except OSError as error:
        raise _of(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _of(path: Path, error: OSError) -> OSError:
    """The same, of the file that was asked for instead of the one that stands for it meanwhile."""
    return OSError(error.errno, error.strerror, str(path))
