# SPDX-License-Identifier: MIT
"""AliveCor's ``.atc``: blocks of an id, a length, data and a checksum.

The checksum is the sum of the bytes in all of AliveCor's own test files, though their paper says CRC-32;
both are taken.
"""

from __future__ import annotations

import re
import struct
import zlib
from datetime import datetime
from pathlib import Path

import numpy as np

from streamer.core.errors import InputError
from streamer.formats.file_format import Format, Head, bounded
from streamer.formats.recording import Identity, Lead, Recording, Stated

KIND = "a Kardia recording"
MAGIC = b"ALIVE\0\0\0"

_LEADS = {b"ecg ": "I", b"ecg2": "II", b"ecg3": "III", b"ecg4": "aVR", b"ecg5": "aVL", b"ecg6": "aVF"}
_LONGEST = 1 << 26


def recognizes(head: Head) -> bool:
    """The magic."""
    return head.data.startswith(MAGIC)


def read(path: Path, stated: Stated) -> Recording:
    """Read one; raises InputError, also if it is cut or a checksum is wrong, or OSError."""
    with path.open("rb") as file:
        raw = bounded(file, _LONGEST)
    blocks, repeated = _blocks(raw)
    layout = blocks.get(b"fmt ", b"")
    signals = {label: blocks[name] for name, label in _LEADS.items() if name in blocks}
    if len(layout) < 6 or not signals:
        raise InputError(f"{KIND} without a signal; export it again")
    form, rate_hz, nanovolts = struct.unpack_from("<BHH", layout)
    if form != 1 or not rate_hz or not nanovolts:
        raise InputError(f"{KIND} of the unknown form {form}; export it again")
    mv = np.full((len(signals), max(len(data) // 2 for data in signals.values())), np.nan, np.float32)
    notes = [] if not repeated else [_left_out(repeated)]
    for row, (label, data) in zip(mv, signals.items(), strict=True):
        n = len(data) // 2
        row[:n] = np.frombuffer(data, "<i2", n) * (nanovolts * 1e-6)
        if n < len(row):
            notes.append(f"Lead {label} ends {len(row) - n} samples before the longest.")
        if len(data) % 2:
            notes.append(f"Lead {label} ends within a sample: its last byte is left out.")
    info = blocks.get(b"info", b"")
    date = re.match(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?([+-]\d\d:?\d\d|Z)?", info)
    try:
        began = datetime.fromisoformat(date[0].decode("ascii")) if date else None
    except ValueError:
        began = None
    return Recording(
        kind=KIND,
        rate_hz=float(rate_hz),
        leads=tuple(Lead(label, f"{nanovolts} nV") for label in signals),
        mv=mv,
        began=began,
        notes=tuple(notes),
        identity=Identity({"info": info.decode("latin-1")}),
    )


def _left_out(blocks: int) -> str:
    of, are = ("block", "is") if blocks == 1 else ("blocks", "are")
    return f"{blocks} {of} of samples more than one to a lead {are} left out."


def _blocks(raw: bytes) -> tuple[dict[bytes, bytes], int]:
    """The first block of each id, and how many more a lead has; raises InputError."""
    blocks: dict[bytes, bytes] = {}
    repeated = 0
    at = len(MAGIC) + 4
    while at < len(raw):
        name, length = (raw[at : at + 4], int.from_bytes(raw[at + 4 : at + 8], "little"))
        end = at + 8 + length
        if end + 4 > len(raw):
            raise InputError(f"{KIND} that is cut short; export it again")
        stated = int.from_bytes(raw[end : end + 4], "little")
        if stated not in (
            int(np.frombuffer(raw, np.uint8, end - at, at).sum()) % (1 << 32),
            zlib.crc32(raw[at:end]),
        ):
            raise InputError(f"{KIND} whose checksum is wrong: it is damaged; export it again")
        repeated += name in blocks and name in _LEADS
        blocks.setdefault(name, raw[at + 8 : end])
        at = end + 4
    return blocks, repeated


FORMAT = Format("kardia", KIND, recognizes, read)
