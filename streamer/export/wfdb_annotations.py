# SPDX-License-Identifier: MIT
"""Annotations in MIT format, the ``.atr`` beside a WFDB record (WFDB Applications Guide, annot(5))."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from streamer.export.excerpt import Mark, MarkType

_NORMAL, _NOISE, _NOTE, _SKIP, _SUBTYPE, _AUX = 1, 14, 22, 59, 61, 63
_CLEAN, _UNREADABLE = 0, -1


def annotation_bytes(marks: Iterable[Mark], samples: int) -> bytes:
    """The file's bytes.

    A beat is ``N`` (what WFDB's own detectors write for one that is not classified), a gap is
    ``~`` of subtype -1, "unreadable", up to the next ``~`` of subtype 0, all else a note.

    Parameters
    ----------
    marks : iterable of Mark
    samples : int
        Length of the record.
    """
    entries: list[tuple[int, int, int, str]] = []
    for mark in marks:
        if mark.type is MarkType.BEAT:
            entries.append((mark.start, _NORMAL, 0, ""))
        elif mark.type is MarkType.GAP:
            entries.append((mark.start, _NOISE, _UNREADABLE, mark.text))
            if mark.stop < samples:
                entries.append((mark.stop, _NOISE, _CLEAN, ""))
        else:
            # wfdb-python takes any note at sample 0 for a definition, and leaves it out.
            entries.append((max(mark.start, 1), _NOTE, 0, mark.text))
    parts = []
    before = 0
    for at, code, subtype, text in sorted(entries, key=lambda entry: entry[0]):
        parts.append(_entry(at - before, code, subtype, text.encode("ascii")))
        before = at
    return b"".join(parts) + b"\0\0"


def _entry(interval: int, code: int, subtype: int, aux: bytes) -> bytes:
    out = b""
    if interval > 1023:
        # The 32 bits as a PDP-11 has them: the high half first.
        out = struct.pack("<HHH", _SKIP << 10, interval >> 16, interval & 0xFFFF)
        interval = 0
    out += struct.pack("<H", code << 10 | interval)
    if subtype:
        out += struct.pack("<H", _SUBTYPE << 10 | subtype & 0xFF)
    if aux:
        out += struct.pack("<H", _AUX << 10 | len(aux)) + aux
        if len(aux) % 2:
            out += b"\0"
    return out
