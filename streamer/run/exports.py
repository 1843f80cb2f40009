# SPDX-License-Identifier: MIT
"""An excerpt of a session as files that other programs read: WFDB, EDF+, CSV, PDF pages.

(DICOM is in `streamer.run.dicom`.)  Each function writes into a folder that is there, refuses to
overwrite, and returns what it wrote, the file that makes the others valid last.  Every file tells
what was measured from what was reconstructed in the field that its format has for it.  Where the
session states one, the 90 % band goes along: half widths in mV, beside the leads or, where a viewer
would take them for leads, in ``NAME_band``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import numpy as np

from streamer.errors import InputError
from streamer.leads import LEADS
from streamer.run.band import HALF_WIDTH, band_beside, band_name, band_note, half_width_of
from streamer.run.edf import EdfNote, EdfSignal, write_edf_plus
from streamer.run.excerpt import Excerpt, plain_ascii
from streamer.run.page import Page, write_pdf
from streamer.run.page_layout import PAGE_S
from streamer.run.wfdb_annotations import annotation_bytes
from streamer.run.wfdb_writer import WfdbWriter, clipped_note, sixteen_bits
from streamer.stream import Samples

CSV_DECIMALS = 4
"""Of a mV: 0.1 µV."""

_BLOCK = 4096


def write_wfdb(excerpt: Excerpt, folder: Path, name: str) -> list[Path]:
    """A record in format 16 with 1 µV to the step, and an ``.atr`` of gaps, beats and all other marks.

    Signals are named as PTB-XL has them (``AVR``), since programs look for those; which ones are
    measured, predicted and derived is said in the header's comments.  The band is a record of its
    own, which they name.
    """
    signals = [trace.label.upper() if trace.processed else trace.label for trace in excerpt.traces]
    notes, written = list(excerpt.notes), []
    if excerpt.half_width_mv is not None:
        widths = [half_width_of(signal) for signal in signals[: len(excerpt.banded)]]
        about = [band_note(name), *notes]
        written += _record(excerpt, folder, band_name(name), widths, excerpt.half_width_mv, about)
        notes.append(band_beside(name))
    marks = folder / f"{name}.atr"
    marks.write_bytes(annotation_bytes(excerpt.marks, excerpt.samples))
    return [*written, marks, *_record(excerpt, folder, name, signals, excerpt.mv, notes)]


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
            label=f"ECG {trace.label}" if trace.processed else "ECG measured",
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


def _write_edf(
    excerpt: Excerpt, path: Path, signals: Sequence[EdfSignal], mv: Samples, words: Sequence[str]
) -> None:
    digital, clipped = sixteen_bits(mv)
    rate = Fraction(excerpt.rate_hz).limit_denominator(1000)
    notes = [EdfNote(Fraction(0), None, note) for note in (*words, *clipped_note(clipped))]
    for mark in excerpt.marks:
        length = (mark.stop - mark.start) / rate
        text = f"BAD {mark.text}" if mark.kind == "gap" else mark.text
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


def write_csv(excerpt: Excerpt, folder: Path, name: str) -> list[Path]:
    """``NAME.csv`` with one header line, ``NAME_events.csv``, and ``NAME.json``, which says all else.

    Columns are named ``II [mV] (predicted)`` and, behind all of them, ``II half width of the 90 % band
    [mV]``, times are seconds since the session's sample 0, and a missing sample is an empty field.
    """
    data, events, about = (folder / f"{name}{end}" for end in (".csv", "_events.csv", ".json"))
    # Readers that split at commas are many.
    heads = [f"{trace.label.replace(',', '')} [mV] ({trace.origin})" for trace in excerpt.traces]
    heads += [f"{trace.label} {HALF_WIDTH} [mV]" for trace in excerpt.banded]
    with data.open("x", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow(["time [s]", *heads])
        file.writelines(_csv_rows(excerpt))
    with events.open("x", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["time [s]", "duration [s]", "kind", "text"])
        for mark in excerpt.marks:
            begin_s = (excerpt.first + mark.start) / excerpt.rate_hz
            length_s = (mark.stop - mark.start) / excerpt.rate_hz
            rows.writerow([f"{begin_s:.6f}", f"{length_s:.6f}", mark.kind, mark.text])
    facts = excerpt.description.as_dict() | {
        "began": excerpt.began.isoformat(),
        "samples": excerpt.samples,
        "traces": {trace.label: trace.words for trace in excerpt.traces},
        "notes": list(excerpt.notes),
    }
    with about.open("x", encoding="utf-8") as file:
        json.dump(facts, file, indent=1, ensure_ascii=False)
    return [about, events, data]


def write_pages(excerpt: Excerpt, folder: Path, name: str) -> list[Path]:
    """A PDF of mm-true pages with 10 s each.

    Raises
    ------
    InputError
        Some of the twelve leads are not in the excerpt.
    """
    if [trace.lead for trace in excerpt.traces if trace.processed] != list(LEADS):
        raise InputError("a page shows all twelve leads: leave --leads out, or choose another --format")
    path = folder / f"{name}.pdf"
    with path.open("xb") as file:
        write_pdf(pages_of(excerpt), file)
    return [path]


def pages_of(excerpt: Excerpt) -> Iterator[Page]:
    """Pages of 10 s each."""
    about, stream = excerpt.description, excerpt.description.stream
    n = round(PAGE_S * excerpt.rate_hz)
    count = -(-excerpt.samples // n)
    faint = excerpt.faint
    measured = excerpt.mv[len(LEADS)] if len(excerpt.traces) > len(LEADS) else None
    for number, start in enumerate(range(0, excerpt.samples, n)):
        begin_s = start / excerpt.rate_hz
        began = excerpt.began + timedelta(seconds=begin_s)
        since_s = excerpt.first / excerpt.rate_hz + begin_s
        wrong = [
            mark.text
            for mark in excerpt.marks
            if mark.kind in ("quality", "drift")
            and mark.start < start + n
            and mark.stop > max(start, mark.start)
        ]
        yield Page(
            leads_mv=excerpt.mv[: len(LEADS), start : start + n],
            band_mv=None if excerpt.half_width_mv is None else excerpt.half_width_mv[:, start : start + n],
            faint=faint[start : start + n],
            rate_hz=excerpt.rate_hz,
            measured_mv=None if measured is None else measured[start : start + n],
            source=stream.source,
            lead=stream.lead,
            is_lead_i=stream.is_lead_i,
            quality="; ".join(dict.fromkeys(wrong)),
            started=f"{began:%Y-%m-%d %H:%M:%S} UTC, {since_s:.1f} s · page {number + 1} of {count}",
            filters=about.filters,
            model=about.model_in_words,
            latency=f"{about.latency.total_ms:.0f} ms algorithmic, removed",
        )


def _csv_rows(excerpt: Excerpt) -> Iterator[str]:
    parts = [excerpt.mv] if excerpt.half_width_mv is None else [excerpt.mv, excerpt.half_width_mv]
    numbers = ",".join([f"%.{CSV_DECIMALS}f"] * sum(map(len, parts)))
    for start in range(0, excerpt.samples, _BLOCK):
        rows = np.concatenate([part[:, start : start + _BLOCK] for part in parts])
        block = np.round(rows.T.astype(np.float64), CSV_DECIMALS) + 0.0
        whole = np.isfinite(block).all(axis=1).tolist()
        for i, values in enumerate(block.tolist()):
            time_s = (excerpt.first + start + i) / excerpt.rate_hz
            if whole[i]:
                yield f"{time_s:.6f},{numbers % tuple(values)}\r\n"
            else:
                texts = [f"{value:.{CSV_DECIMALS}f}" if value == value else "" for value in values]
                yield f"{time_s:.6f},{','.join(texts)}\r\n"
