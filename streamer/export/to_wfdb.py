# SPDX-License-Identifier: MIT
"""An excerpt of a session as files that other programs read: WFDB, EDF+, CSV, PDF pages.

(DICOM is in `streamer.export.to_dicom`.)  Each function writes into a folder that is there, refuses to
overwrite, and returns what it wrote, the file that makes the others valid last.  Every file tells
what was measured from what was reconstructed in the field that its format has for it.  Where the
session states one, the 90 % band goes along: half widths in mV, beside the leads or, where a viewer
would take them for leads, in ``NAME_band``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from streamer.core.leads import LEADS
from streamer.core.stream import Samples
from streamer.export.band import band_beside, band_name, band_note, half_width_of
from streamer.export.excerpt import Excerpt
from streamer.export.wfdb_annotations import annotation_bytes
from streamer.formats.wfdb_writer import WfdbWriter, clipped_note


def write_wfdb(excerpt: Excerpt, folder: Path, name: str) -> list[Path]:
    """A record in format 16 with 1 µV to the step, and an ``.atr`` of gaps, beats and all other marks.

    Signals are named as PTB-XL has them (``AVR``), since programs look for those; which ones are
    measured, predicted and derived is said in the header's comments.  The band is a record of its
    own, which they name.
    """
    signals = [trace.label.upper() if trace.label in LEADS else trace.label for trace in excerpt.traces]
    notes, written = list(excerpt.notes), []
    if excerpt.half_width_mv is not None:
        widths = [half_width_of(signal) for signal in signals[: len(excerpt.banded)]]
        about = [band_note(name), *notes]
        written += _record(excerpt, folder, band_name(name), widths, excerpt.half_width_mv, about)
        notes.append(band_beside(name))
    marks = folder / f"{name}.atr"
    marks.write_bytes(annotation_bytes(excerpt.marks, excerpt.samples))
    return [*written, marks, *_record(excerpt, folder, name, signals, excerpt.mv, notes)]


def join_records(parts: Sequence[Excerpt], folder: Path, name: str) -> list[Path]:
    """Headers that make one record of those of the parts, ``NAME_001`` and so on: segments, with a null
    segment for each gap (header(5), multi-segment records).

    Where every part has its band, ``NAME_band`` joins those of the parts in the same way.
    """
    notes, written = list(parts[0].notes), []
    names = [part_name(name, number) for number in range(1, len(parts) + 1)]
    if all(part.half_width_mv is not None for part in parts):
        about, bands = [band_note(name), *notes], [band_name(part) for part in names]
        written.append(_joined(parts, folder / band_name(name), bands, len(parts[0].banded), about))
        notes.append(band_beside(name))
    return [*written, _joined(parts, folder / name, names, len(parts[0].traces), notes)]


def _joined(
    parts: Sequence[Excerpt], record: Path, segments: Sequence[str], signals: int, notes: Sequence[str]
) -> Path:
    lines, stop = [], parts[0].first
    for part, segment in zip(parts, segments, strict=True):
        if part.first > stop:
            lines.append(f"~ {part.first - stop}")
        lines.append(f"{segment} {part.samples}")
        stop = part.first + part.samples
    began = f"{parts[0].began:%H:%M:%S.%f %d/%m/%Y}"
    samples = stop - parts[0].first
    head = f"{record.name}/{len(lines)} {signals} {parts[0].rate_hz:.12g} {samples} {began}"
    comments = [f"# {' '.join(note.split())}" for note in notes]
    path = record.with_name(f"{record.name}.hea")
    path.write_text("\n".join([head, *lines, *comments, ""]), encoding="ascii")
    return path


def part_name(name: str, number: int) -> str:
    """What the files of one of several excerpts are called; the first is number 1."""
    return f"{name}_{number:03d}"


def _record(
    excerpt: Excerpt, folder: Path, name: str, signals: Sequence[str], mv: Samples, notes: Sequence[str]
) -> list[Path]:
    writer = WfdbWriter(folder, name, excerpt.rate_hz, signals=signals, began=excerpt.began)
    try:
        writer.append(mv)
        header = writer.finish([*notes, *clipped_note(writer.clipped)])
    finally:
        writer.abort()
    return [header.with_suffix(".dat"), header]
