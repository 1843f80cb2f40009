# SPDX-License-Identifier: MIT
"""A part of a session as an EDF+ file, with its beats and markers as annotations."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from streamer.core.stream import Samples
from streamer.export.band import HALF_WIDTH, band_beside, band_name, band_note, half_width_of
from streamer.export.excerpt import Excerpt, MarkType, Trace, plain_ascii
from streamer.formats.edf import EdfNote, EdfSignal, write_edf_plus
from streamer.formats.wfdb_writer import clipped_note, sixteen_bits


def write_edf(excerpt: Excerpt, folder: Path, name: str) -> list[Path]:
    """EDF+C with 1 µV to the step; marks are its annotations, a trace's origin is its transducer.

    EDF has no code for a missing sample, and of the readers at hand pyedflib 0.1 refuses the
    discontinuous EDF+D, while edfio 0.4 and MNE 1.13 join its pieces.  So a gap stays in its place,
    filled with the digital minimum (-32768 µV, which no real sample has: a flat line would look like
    asystole), and an annotation that begins with ``BAD`` (what MNE leaves out by itself) covers it.
    The band is a file of its own, ``NAME_band.edf``, with the same annotations.

    Raises
    ------
    InputError
        The rate, with this length, is one that EDF cannot state.
    """
    band = excerpt.description.band
    signals = [
        EdfSignal(
            label=_label(trace),
            transducer=plain_ascii(trace.words, 80),
            prefiltering=f"HP:{band[0]}Hz LP:{band[1]}Hz" if band else "",
        )
        for trace in excerpt.traces
    ]
    notes, written = list(excerpt.notes), []
    if excerpt.half_width_mv is not None:
        widths = [
            EdfSignal(half_width_of(trace.label), f"{HALF_WIDTH} of {trace.label}, {trace.origin}", "")
            for trace in excerpt.banded
        ]
        path = folder / f"{band_name(name)}.edf"
        _write_edf(excerpt, path, widths, excerpt.half_width_mv, [band_note(name), *notes])
        written.append(path)
        notes.append(band_beside(name))
    path = folder / f"{name}.edf"
    _write_edf(excerpt, path, signals, excerpt.mv, notes)
    return [*written, path]


def _label(trace: Trace) -> str:
    """In the 16 letters that EDF has."""
    if not trace.processed:
        return "ECG measured"
    name = trace.label.removeprefix("ECG ").removesuffix(" corrected")
    return f"ECG {trace.label}" if name == trace.label else f"ECG {name[:6]} corr."


def _write_edf(
    excerpt: Excerpt, path: Path, signals: Sequence[EdfSignal], mv: Samples, words: Sequence[str]
) -> None:
    digital, clipped = sixteen_bits(mv)
    rate = Fraction(excerpt.rate_hz).limit_denominator(1000)
    notes = [EdfNote(Fraction(0), None, note) for note in (*words, *clipped_note(clipped))]
    for mark in excerpt.marks:
        length = (mark.stop - mark.start) / rate
        text = f"BAD {mark.text}" if mark.type is MarkType.GAP else mark.text
        notes.append(EdfNote(mark.start / rate, length or None, text))
    with path.open("xb") as file:
        write_edf_plus(
            file,
            signals,
            digital,
            excerpt.rate_hz,
            excerpt.began,
            notes,
            ("mecg", "reconstructed", "not_for_diagnosis", "UTC"),
        )
