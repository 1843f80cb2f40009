# SPDX-License-Identifier: MIT
"""The files of a WFDB record, which lie beside its header, and what is said of one that cannot be read."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from streamer.core.errors import InputError
from streamer.core.printable import printable


def header_path(path: str | Path, exists: bool = True) -> Path:
    """The ``.hea`` file of a record, by any of its names; raises InputError if it cannot be one."""
    text = os.fspath(path)
    if not text or any(ord(c) < 32 for c in text):
        raise InputError(f"{show(text)} is not the name of a record; give a path such as folder/name.hea")
    if "://" in text:
        raise InputError(f"{show(text)} is a web address; download the record and name its .hea file")
    if is_kind(Path.is_dir, text):
        raise InputError(f"{show(text)} is a folder; name a record in it, such as {show(f'{text}/name')}")
    stem = text[:-4] if text.lower().endswith((".hea", ".dat", ".mat")) else text
    header = Path(text) if text.lower().endswith(".hea") else Path(f"{stem}.hea")
    if exists and not is_kind(Path.is_file, header):
        _refuse_what_is_there(text)
        if stem == text and Path(text).suffix:  # a file of another kind is meant
            raise InputError(f"there is no file {show(text)}; check the path")
        raise InputError(f"no record {show(stem)} (there is no file {show(header)}); check the path")
    return header


def _refuse_what_is_there(text: str) -> None:
    """Raise InputError if a path is there, but is no file that can be read."""
    what = show(text)
    try:
        mode = Path(text).lstat().st_mode
    except (FileNotFoundError, ValueError):  # no file can have a name with half of a surrogate pair
        return
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # nor this one
            return
        raise unreadable(Path(text), error) from None
    if stat.S_ISLNK(mode) and not is_kind(Path.exists, text):
        raise InputError(f"{what} is a link to a file that is not there; mend it, or name another file")
    if not is_kind(Path.is_file, text):
        raise InputError(f"{what} is no regular file but a pipe or a device; save it, and name that file")


def beside(header: Path, name: str) -> Path:
    """The file that a header names, which must lie in the header's own folder (or below)."""
    what = show(header)
    if re.search(r"[:\\\x00]", name) or name.startswith(("/", "-")):
        raise InputError(f"{what} names {show(name)}, which is not a file beside it; correct the header")
    path = header.parent / name
    try:
        if not path.resolve().is_relative_to(header.parent.resolve()):
            raise InputError(
                f"{what} names {show(name)}, a file outside its folder; put the file beside the header"
            )
        there = stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        there = False
    except (OSError, RuntimeError) as error:  # a loop of links, a name too long
        raise InputError(
            f"{what} names {show(name)}, which cannot be opened ({_reason(error)}); correct the header"
        ) from None
    if not there:
        raise InputError(f"{what} names {show(name)}, which is not there; put it beside the header")
    return path


def is_kind(kind: Callable[[Path], bool], path: str | Path) -> bool:
    """Whether a path is a file, or a folder; not if that is unknown."""
    try:
        return kind(Path(path))
    except OSError:  # a name too long, a folder that may not be searched
        return False


def bytes_of(path: Path, most: int, kind: str) -> bytes:
    """All of a file of at most ``most`` bytes; raises InputError."""
    try:
        if not is_kind(Path.is_file, path):
            raise InputError(f"there is no {kind} {show(path)}; check the path")
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(raw) > most:
        raise InputError(
            f"{show(path)} has over {most >> 20} MB, too many for a WFDB {kind}; name another file"
        )
    return raw


def show(text: object) -> str:
    """Text of any origin, quoted and shortened for a message of one line."""
    return f"'{printable(text, 117)}'"  # not repr(), which would double the backslashes of a path


def _reason(error: OSError | RuntimeError) -> str:
    if isinstance(error, RuntimeError):  # pathlib's, before Python 3.13
        return "a loop of links"
    return (error.strerror or type(error).__name__).lower()


def unreadable(path: Path, error: OSError) -> InputError:
    """What to raise if a file of the record cannot be read."""
    return InputError(f"{show(path)} cannot be read ({_reason(error)}); check the file and its permissions")
