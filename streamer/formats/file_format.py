# SPDX-License-Identifier: MIT
"""What a format of files is: how its files are told by their content, and what reads them."""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

from streamer.core.errors import InputError
from streamer.formats.recording import Recording, Stated

HEAD_BYTES = 1 << 16
LONGEST_TEXT = 1 << 28
"""Bytes of a text file: days of one lead."""

_AT_ONCE = 1 << 18

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True)
class Head:
    """The beginning of a file."""

    data: bytes

    @cached_property
    def text(self) -> str:
        """As text; empty if it is none."""
        raw = self.data
        if b"\0" in raw and not raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return ""
        return decode(raw)


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file."""

    name: str
    """Short, such as ``apple-watch``."""
    kind: str
    """For the user, such as ``an Apple Watch ECG``."""
    recognizes: Callable[[Head], bool]
    """Whether a file is of this kind, by how it begins."""
    read: Callable[[Path, Stated], Recording]
    """Reads it; raises `InputError` or `OSError`."""


def decode(raw: bytes) -> str:
    """Text of a file: UTF-8 or UTF-16 with a byte order mark, UTF-8, or else Windows' Latin letters."""
    for bom, name in _BOMS:
        if raw.startswith(bom):
            return raw[len(bom) :].decode(name, "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start >= len(raw) - 3 and len(raw) >= HEAD_BYTES:  # a letter cut in two
            return raw[: error.start].decode("utf-8")
        return raw.decode("cp1252", "replace")


def text_of(path: Path, most: int = LONGEST_TEXT) -> str:
    """All of a text file; raises InputError if it is too long, OSError if it cannot be read."""
    with path.open("rb") as file:
        return decode(bounded(file, most))


def bounded(file: IO[bytes], most: int) -> bytes:
    """All of a file, if that is not too much; raises InputError."""
    _refuse_over(most, _size(file))
    raw = bytearray()
    while len(raw) <= most and (part := file.read(_AT_ONCE)):  # read(most) would ask for the memory at once
        raw += part
    _refuse_over(most, len(raw))
    return bytes(raw)


def _refuse_over(most: int, size: int) -> None:
    if size > most:
        raise InputError(f"it has over {most >> 20} MB, too many for a file of its kind; cut it into parts")


def _size(file: IO[bytes]) -> int:
    """Bytes of a file on disk, so that one too large is refused before it is read; else 0."""
    try:
        return os.fstat(file.fileno()).st_size
    except OSError:  # a file within another
        return 0


def lines_of(text: str) -> Iterator[str]:
    """The lines of a text one by one: a list of them would take many times its size."""
    end_sign, start = "\n" if "\n" in text else "\r", 0
    while start < len(text):
        end = text.find(end_sign, start)
        end = len(text) if end < 0 else end
        yield text[start:end].rstrip("\r")
        start = end + 1


def number(text: str) -> float | None:
    """A number with a decimal point or a decimal comma; None if it is none."""
    text = text.strip().strip('"').strip()
    if "," in text:
        # Where both stand, the last of them is the decimal sign.
        thousands, sign = (",", ".") if text.rfind(".") > text.rfind(",") else (".", ",")
        text = text.replace(thousands, "").replace(sign, ".") if text.count(sign) == 1 else text
    if len(text) > 40 or "_" in text:
        return None
    try:
        return float(text.replace("\u2212", "-"))
    except ValueError:
        return None
