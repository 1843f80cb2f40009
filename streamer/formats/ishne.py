# SPDX-License-Identifier: MIT
"""ISHNE's standard output of Holter recorders, version 1 (Badilini, 1998)."""

from __future__ import annotations

import struct
from datetime import datetime
from pathlib import Path

import numpy as np

from streamer.core.errors import InputError
from streamer.core.leads import LEADS
from streamer.formats.file_format import Format, Head, bounded
from streamer.formats.recording import Identity, Lead, Recording, Stated

KIND = "an ISHNE Holter recording"
MAGIC = b"ISHNE1.0"

_NAMES = {5 + i: lead for i, lead in enumerate(("I", "II", "III", "aVR", "aVL", "aVF"))}
_NAMES |= {11 + i: lead for i, lead in enumerate(LEADS[6:])} | {
    2: "X",
    3: "Y",
    4: "Z",
    17: "ES",
    18: "AS",
    19: "AI",
}
_INVALID = -32768
_LONGEST = 1 << 31


def recognizes(head: Head) -> bool:
    """The magic: ``.ecg`` is also the name of PhysioNet's annotation files."""
    return head.data.startswith(MAGIC)


def read(path: Path, stated: Stated) -> Recording:
    """Read one; raises InputError or OSError."""
    with path.open("rb") as file:
        raw = bounded(file, _LONGEST)
    head = raw[:522]
    if len(head) < 522:
        raise InputError(f"{KIND} that is cut within its header; fetch it again")
    _, samples, _, place = struct.unpack_from("<iiii", head, 10)
    day, month, year = struct.unpack_from("<hhh", head, 138)
    clock = struct.unpack_from("<hhh", head, 150)
    (count,) = struct.unpack_from("<h", head, 156)
    codes = struct.unpack_from("<12h", head, 158)
    steps = struct.unpack_from("<12h", head, 206)
    (rate_hz,) = struct.unpack_from("<h", head, 272)
    if not 1 <= count <= 12 or rate_hz <= 0 or place < 522:
        raise InputError(f"{KIND} whose header is damaged; fetch it again")
    counts = np.frombuffer(raw, np.uint8)[place:]
    n, torn = divmod(len(counts), 2 * count)
    if not n or any(step <= 0 for step in steps[:count]):
        raise InputError(f"{KIND} without samples, or without a resolution; fetch it again")
    digital = counts[: n * 2 * count].view("<i2").reshape(n, count).T
    mv = digital * (np.array(steps[:count], np.float32) * np.float32(1e-6))[:, None]
    mv[digital == _INVALID] = np.nan
    try:
        began = datetime(year, month, day, *clock)
    except ValueError:
        began = None
    notes = []
    if n < samples and n != samples // count:
        notes.append(f"The file is cut: it holds {n} samples of the {samples} that it states.")
    elif n > samples:
        notes.append(f"The file holds {n} samples, more than the {samples} that it states; all are read.")
    if torn:
        notes.append(f"The file ends within a sample, of which {torn} bytes are left out.")
    return Recording(
        kind=KIND,
        rate_hz=float(rate_hz),
        leads=tuple(
            Lead(_NAMES.get(code, f"ECG {i}"), f"{step} nV")
            for i, (code, step) in enumerate(zip(codes[:count], steps, strict=False), 1)
        ),
        mv=mv,
        began=began,
        notes=tuple(notes),
        identity=Identity({"subject": head[28:128].decode("latin-1")}),
    )


FORMAT = Format("ishne", KIND, recognizes, read)
