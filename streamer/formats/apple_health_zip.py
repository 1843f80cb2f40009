# SPDX-License-Identifier: MIT
"""``export.zip`` of Apple Health: its ECGs are listed, and one is read, without unpacking the rest."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from streamer.core.errors import InputError
from streamer.formats import apple_csv
from streamer.formats.file_format import Format, Head, bounded, decode
from streamer.formats.recording import Recording, Stated, choose

KIND = "an export of Apple Health"

_LONGEST = 1 << 22
"""Bytes of an ECG: one of 30 s has 100,000."""
_MOST_ECGS = 5000
_MOST_FILES = 100_000


def recognizes(head: Head) -> bool:
    """A ZIP archive."""
    return head.data.startswith(b"PK\x03\x04")


def read(path: Path, stated: Stated) -> Recording:
    """Read the ECG that is asked for; raises InputError or OSError."""
    try:
        with zipfile.ZipFile(path) as archive:
            if len(archive.filelist) > _MOST_FILES:
                raise InputError(
                    f"the archive lists over {_MOST_FILES} files; name one of its ECGs by itself"
                )
            ecgs = sorted(
                (
                    entry
                    for entry in archive.filelist
                    if "electrocardiograms/" in entry.filename and entry.filename.lower().endswith(".csv")
                ),
                key=lambda entry: entry.filename,
            )[:_MOST_ECGS]
            if not ecgs:
                raise InputError(_other(archive))
            if (stated.reading is None and len(ecgs) > 1) or not (stated.reading or "1").isdecimal():
                dates = [_began(archive, entry) or Path(entry.filename).stem for entry in ecgs]
            else:
                dates = [Path(entry.filename).stem.removeprefix("ecg_") for entry in ecgs]
            entry = ecgs[choose(len(ecgs), dates, stated.reading, KIND)]
            if entry.file_size > _LONGEST or entry.file_size > 1000 * max(entry.compress_size, 1):
                raise InputError(f"{entry.filename[-60:]!r} in the archive is too large for an ECG")
            with archive.open(entry) as file:
                return apple_csv.read_text(decode(bounded(file, _LONGEST)), stated)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("the archive is damaged or encrypted; export it again") from None


def _other(archive: zipfile.ZipFile) -> str:
    """What an archive is that holds no ECG of an Apple Watch."""
    names = [entry.filename for entry in archive.filelist[:_MOST_FILES]]
    if any(name.startswith("xl/") for name in names):
        return "an Excel workbook; save its table as CSV"
    if any(name.startswith("word/") for name in names):
        return "a Word document; name another file"
    if names and all(name.endswith(".npy") for name in names):
        return "an archive of arrays, such as a person's calibration, no recording; name another file"
    return (
        "an archive without an ECG of an Apple Watch (electrocardiograms/*.csv); unpack it, or name another"
    )


def _began(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str:
    with archive.open(entry) as file:
        return apple_csv.began_of(decode(file.read(2048)))


FORMAT = Format("apple-health", KIND, recognizes, read)
