# SPDX-License-Identifier: MIT
"""What a file is that holds no ECG for us: its kind in words, so that who names it knows what to do."""

from __future__ import annotations

import re
from pathlib import Path

from streamer.formats.file_format import Head
from streamer.formats.wfdb_files import is_kind

_MAGICS = (
    (0, b"%PDF", "a PDF: a picture of an ECG, not its samples; export them as a file"),
    (0, b"\x89PNG", "a picture (PNG), not samples; export them as a file"),
    (0, b"\xff\xd8\xff", "a picture (JPEG), not samples; export them as a file"),
    (0, b"GIF8", "a picture (GIF), not samples; export them as a file"),
    (4, b"ftyp", "a film or a picture, not samples; export them as a file"),
    (0, b"\x1f\x8b", "packed (gzip); unpack it, and name what was in it"),
    (0, b"7z\xbc\xaf", "packed (7z); unpack it, and name what was in it"),
    (0, b"Rar!", "packed (RAR); unpack it, and name what was in it"),
    (257, b"ustar", "an archive (tar); unpack it, and name what was in it"),
    (16, b"SCPECG", "an SCP-ECG, which is not read here; convert it to EDF or DICOM"),
    (8, b".FIT", "a FIT file, which holds no samples of an ECG; export them as a file"),
    (0, b"MATLAB 5.0 MAT", "a MATLAB file without a header (.hea) beside it; put it there, or save a CSV"),
    (0, b"\x89HDF", "an HDF5 or MATLAB file, which is not read here; save a CSV or EDF"),
    (0, b"SQLite format 3", "a database, which is not read here; export the ECG from its app"),
    (0, b"RIFF", "a sound (WAV), which is not read here; save a CSV or EDF"),
    (0, b"fLaC", "a FLAC file, a part of a WFDB record; name the record's .hea file"),
    (0, b"\xd0\xcf\x11\xe0", "an Office document; save its table as CSV"),
)
_XML = (
    (r"<HealthData", "the data of Apple Health without its ECGs, which lie beside it in electrocardiograms/"),
    (r"AnnotatedECG", "an HL7 aECG, which is not read here; convert it to EDF or DICOM"),
    (r"RestingECG|<MuseInfo", "an ECG of MUSE in XML, which is not read here; convert it to EDF or DICOM"),
    (r"<html", "a web page, not samples; export them as a file"),
)
_HEADER = re.compile(r"(?:#.*\n)*\S+ \d{1,4} [\d./()]+(?: \d+)?[^\n]*\n\S+ \d{1,4}[x:+\d]* ", re.ASCII)


def kind_of(path: Path, head: Head) -> str:
    """What a file of no format that is read here is, and what to do: ``a PDF: ...``."""
    if not head.data:
        return "empty; fetch it again"
    for at, magic, words in _MAGICS:
        if head.data[at : at + len(magic)] == magic:
            return words
    text = head.text.lstrip("\ufeff \r\n\t")
    if text.startswith("<"):
        found = (words for pattern, words in _XML if re.search(pattern, text[:8192], re.I))
        return next(found, "XML of a kind that is not read here; export a CSV, EDF or DICOM")
    if _HEADER.match(text):
        return "a WFDB header; give it a name that ends in .hea"
    header = path.with_suffix(".hea")
    if is_kind(Path.is_file, header):
        return f"a file of the WFDB record '{header.stem}', no recording by itself; name that record"
    if path.suffix.lower() == ".dat":
        return "a signal file of a WFDB record without its header (.hea); put that beside it"
    if text and sum(c.isprintable() or c.isspace() for c in text[:4096]) > 0.95 * len(text[:4096]):
        return "text, but no table of numbers; name another file"
    return "of no format that is known here; see docs/files.md"
