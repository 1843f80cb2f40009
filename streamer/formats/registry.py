# SPDX-License-Identifier: MIT
"""All formats of files that hold an ECG, told apart by their content, never by their extension alone.

A new format is a file in this folder, and a line here; an installed package adds one by an entry point.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from streamer.core.errors import InputError
from streamer.formats import (
    apple_csv,
    apple_health_zip,
    dicom,
    edf_reader,
    ishne,
    json_readings,
    kardia_atc,
    lab_recorder,
    polar_sensor_logger,
    table,
    withings_csv,
)
from streamer.formats.file_format import HEAD_BYTES, Format, Head
from streamer.formats.other_kinds import kind_of
from streamer.formats.recording import Recording, Stated
from streamer.formats.wfdb_files import show

FORMATS: tuple[Format, ...] = (
    kardia_atc.FORMAT,
    ishne.FORMAT,
    edf_reader.FORMAT,
    dicom.FORMAT,
    lab_recorder.FORMAT,
    apple_health_zip.FORMAT,
    json_readings.FORMAT,
    withings_csv.FORMAT,
    polar_sensor_logger.FORMAT,
    apple_csv.FORMAT,
    table.FORMAT,
)
"""In the order in which they are asked: the surest first."""

GROUP = "mecg.formats"
"""Entry points by which installed packages add theirs: the object is a `Format`."""


def split_reading(text: str) -> tuple[str, str | None]:
    """A path, and which of its readings is meant, as in ``export.zip?reading=2``."""
    path, mark, reading = text.rpartition("?reading=")
    return (path, reading) if mark and not _is_file(text) else (text, None)


def format_of(path: Path) -> Format | None:
    """The format of a file; None if none here knows it (a WFDB record is none of these).

    Raises
    ------
    OSError
        The file cannot be read.
    """
    head = head_of(path)
    return next((form for form in (*_added(), *FORMATS) if form.recognizes(head)), None)


def head_of(path: Path) -> Head:
    """How a file begins; raises OSError."""
    with path.open("rb") as file:
        return Head(file.read(HEAD_BYTES))


def kind_in_words(path: Path) -> str:
    """What a file is, such as ``an Apple Watch ECG``; raises OSError."""
    found = format_of(path)
    return kind_of(path, head_of(path)) if found is None else found.kind


def read_file(path: Path, stated: Stated) -> Recording:
    """Read a file of any of these formats.

    Raises
    ------
    InputError
        It is of no known format, damaged, or does not say all that must be known; one line.
    OSError
        The file cannot be read.
    """
    found = format_of(path)
    if found is None:
        raise InputError(f"{show(path.name)} is {kind_of(path, head_of(path))}")
    try:
        return found.read(path, stated)
    except InputError as error:
        told = InputError(
            f"{path.name}: {error.line}", error.field, choices=error.choices, leave_out=error.leave_out
        )
        raise told from error
    except MemoryError:
        raise InputError(f"{path.name} is too large for the memory here; cut it into parts") from None


@cache
def _added() -> tuple[Format, ...]:
    found = []
    for offer in entry_points(group=GROUP):
        try:
            found.append(cast(Format, offer.load()))
        except Exception as error:
            raise InputError(
                f"the format {offer.name!r} of an installed package cannot be loaded "
                f"({type(error).__name__}: {error}); update or uninstall it"
            ) from error
    return tuple(found)


def _is_file(text: str) -> bool:
    try:
        return Path(os.fspath(text)).is_file()
    except (OSError, ValueError):
        return False
