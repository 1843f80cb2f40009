# SPDX-License-Identifier: MIT
"""An excerpt of a session as files that other programs read: WFDB, EDF+, CSV, PDF pages.

(DICOM is in `streamer.run.dicom`.)  Each function writes into a folder that is there, refuses to
overwrite, and returns what it wrote, the file that makes the others valid last.  Every file tells
what was measured from what was reconstructed in the field that its format has for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from math import isqrt, log
from pathlib import Path

import numpy as np

from streamer.errors import InputError
from streamer.leads import LEADS
from streamer.run.excerpt import Excerpt, plain_ascii
from streamer.run.page import Page, write_pdf
from streamer.run.page_layout import PAGE_S
from streamer.run.wfdb_annotations import annotation_bytes
from streamer.run.wfdb_writer import LARGEST, WfdbWriter, sixteen_bits

CSV_DECIMALS = 4
"""Of a mV: 0.1 µV."""

_BLOCK = 4096

_EDF_RECORD_BYTES = 61440
"""The specification's bound for a data record."""

_EDF_RECORD_S = 10.0
"""No data record is longer, so that a reader need not take in much at once."""


def write_wfdb(excerpt: Excerpt, folder: Path, name: str) -> list[Path]:
    """A record in format 16 with 1 µV to the step, and an ``.atr`` of gaps, beats and all other marks.

    Signals are named as PTB-XL has them (``AVR``), since programs look for those; which ones are
    measured, predicted and derived is said in the header's comments.
    """
    signals = [trace.label.upper() if trace.processed else trace.label for trace in excerpt.traces]
    writer = WfdbWriter(folder, name, excerpt.rate_hz, signals=signals, began=excerpt.began)
    try:
        writer.append(excerpt.mv)
        notes = [*excerpt.notes, *_clipped(writer.clipped)]
        header = writer.finish(notes)
    finally:
        writer.abort()
    marks = folder / f"{name}.atr"
    marks.write_bytes(annotation_bytes(excerpt.marks, excerpt.samples))
    return [marks, header.with_suffix(".dat"), header]


def write_edf(excerpt: Excerpt, folder: Path, name: str) -> list[Path]:
    """EDF+C with 1 µV to the step; marks are its annotations, a trace's origin is its transducer.

    EDF has no code for a missing sample, and of the readers at hand pyedflib refuses the
    discontinuous EDF+D and edfio and MNE ignore its gaps.  So a gap stays in its place, filled with
    the digital minimum (-32768 µV, which no real sample has: a flat line would look like asystole),
    and an annotation that begins with ``BAD`` (what MNE leaves out by itself) covers it.

    A file holds whole data records only; their length is chosen so that nothing is added or cut.

    Raises
    ------
    InputError
        The rate is one that EDF cannot state.
    """
    from edfio import Edf, EdfAnnotation, EdfSignal, Patient, Recording

    digital, clipped = sixteen_bits(excerpt.mv)
    low, high = excerpt.description.filters.removesuffix(" Hz").split("-")
    signals = [
        EdfSignal.from_digital(
            row,
            excerpt.rate_hz,
            label=f"ECG {trace.label}"[:16] if trace.processed else "ECG measured",
            transducer_type=plain_ascii(trace.words, 80),
            physical_dimension="uV",
            physical_range=(-LARGEST - 1, LARGEST),
            digital_range=(-LARGEST - 1, LARGEST),
            prefiltering=f"HP:{low}Hz LP:{high}Hz",
        )
        for trace, row in zip(excerpt.traces, digital, strict=True)
    ]
    noted = [EdfAnnotation(0.0, None, note) for note in (*excerpt.notes, *_clipped(clipped))]
    for mark in excerpt.marks:
        text = f"BAD {mark.text}" if mark.kind == "gap" else mark.text
        length = (mark.stop - mark.start) / excerpt.rate_hz
        noted.append(EdfAnnotation(mark.start / excerpt.rate_hz, length or None, text))
    edf = Edf(
        signals,
        patient=Patient(),
        recording=Recording(
            startdate=excerpt.began.date(),
            equipment_code="mecg",
            additional=("reconstructed", "not_for_diagnosis", "UTC"),
        ),
        starttime=excerpt.began.time(),
        data_record_duration=_record_s(excerpt.samples, excerpt.rate_hz, len(signals)),
        annotations=noted,
    )
    path = folder / f"{name}.edf"
    with path.open("xb") as file:
        edf.write(file)
    return [path]


def write_csv(excerpt: Excerpt, folder: Path, name: str) -> list[Path]:
    """``NAME.csv`` with one header line, ``NAME_events.csv``, and ``NAME.json``, which says all else.

    Columns are named ``II [mV] (predicted)``, times are seconds since the session's sample 0, and a
    missing sample is an empty field.
    """
    data, events, about = (folder / f"{name}{end}" for end in (".csv", "_events.csv", ".json"))
    heads = [f"{trace.label.replace(',', '')} [mV] ({trace.origin})" for trace in excerpt.traces]
    with data.open("x", encoding="utf-8", newline="") as file:
        file.write(f"time [s],{','.join(heads)}\r\n")
        file.writelines(_csv_rows(excerpt))
    with events.open("x", encoding="utf-8", newline="") as file:
        file.write("time [s],duration [s],kind,text\r\n")
        for mark in excerpt.marks:
            quoted = mark.text.replace('"', '""')
            begin_s, length_s = (excerpt.first + mark.start), mark.stop - mark.start
            file.write(
                f"{begin_s / excerpt.rate_hz:.6f},{length_s / excerpt.rate_hz:.6f},"
                f'{plain_ascii(mark.kind, 40).replace(",", " ")},"{quoted}"\r\n'
            )
    facts = excerpt.description.as_dict() | {
        "began": excerpt.began.isoformat(),
        "samples": excerpt.samples,
        "traces": {trace.label: trace.words for trace in excerpt.traces},
        "notes": list(excerpt.notes),
    }
    with about.open("x", encoding="utf-8") as file:
        json.dump(facts, file, indent=1, ensure_ascii=False)
    return [about, events, data]


def write_pages(
    excerpt: Excerpt, folder: Path, name: str, advance: Callable[[float], None] = lambda share: None
) -> list[Path]:
    """A PDF of mm-true pages with 10 s each.

    Parameters
    ----------
    advance : callable
        Told each share that is done; the shares add up to 1.

    Raises
    ------
    InputError
        Some of the twelve leads are not in the excerpt.
    """
    if [trace.lead for trace in excerpt.traces if trace.processed] != list(LEADS):
        raise InputError("a page shows all twelve leads: leave --leads out, or choose another --format")
    path = folder / f"{name}.pdf"
    with path.open("xb") as file:
        write_pdf(_pages(excerpt, advance), file)
    return [path]


def _pages(excerpt: Excerpt, advance: Callable[[float], None]) -> Iterator[Page]:
    about, stream = excerpt.description, excerpt.description.stream
    n = round(PAGE_S * excerpt.rate_hz)
    count = -(-excerpt.samples // n)
    measured = excerpt.mv[len(LEADS)] if len(excerpt.traces) > len(LEADS) else None
    for number, start in enumerate(range(0, excerpt.samples, n)):
        begin_s = start / excerpt.rate_hz
        began = excerpt.began + timedelta(seconds=begin_s)
        since_s = excerpt.first / excerpt.rate_hz + begin_s
        yield Page(
            leads_mv=excerpt.mv[: len(LEADS), start : start + n],
            rate_hz=excerpt.rate_hz,
            measured_mv=None if measured is None else measured[start : start + n],
            source=stream.source,
            lead=stream.lead,
            is_lead_i=stream.is_lead_i,
            started=f"{began:%Y-%m-%d %H:%M:%S} UTC, {since_s:.1f} s · page {number + 1} of {count}",
            filters=about.filters,
            model=f"{about.model} {about.model_version}",
            latency=f"{about.latency.total_ms:.0f} ms algorithmic, removed",
        )
        advance(1 / count)


def _csv_rows(excerpt: Excerpt) -> Iterator[str]:
    numbers = ",".join([f"%.{CSV_DECIMALS}f"] * len(excerpt.traces))
    for start in range(0, excerpt.samples, _BLOCK):
        block = np.round(excerpt.mv[:, start : start + _BLOCK].T.astype(np.float64), CSV_DECIMALS) + 0.0
        whole = np.isfinite(block).all(axis=1).tolist()
        for i, values in enumerate(block.tolist()):
            time_s = (excerpt.first + start + i) / excerpt.rate_hz
            if whole[i]:
                yield f"{time_s:.6f},{numbers % tuple(values)}\r\n"
            else:
                texts = [f"{value:.{CSV_DECIMALS}f}" if value == value else "" for value in values]
                yield f"{time_s:.6f},{','.join(texts)}\r\n"


def _record_s(samples: int, rate_hz: float, signals: int) -> float:
    """Seconds to a data record: near to one, a whole part of the file, and exact in EDF's 8 letters."""
    rate = Fraction(rate_hz).limit_denominator(1000)
    most = min(_EDF_RECORD_BYTES // (2 * signals + 2), round(_EDF_RECORD_S * rate_hz))
    fitting = [n for n in _divisors(samples) if n <= most and _exact(n / rate) is not None]
    if not fitting:
        raise InputError(
            f"EDF cannot hold {samples} samples at {rate_hz:g} Hz exactly: choose another --end or --format"
        )
    best = min(fitting, key=lambda n: abs(log(n / rate_hz)))
    return float(best / rate)


def _divisors(n: int) -> set[int]:
    small = [i for i in range(1, isqrt(n) + 1) if n % i == 0]
    return {*small, *(n // i for i in small)}


def _exact(seconds: Fraction) -> str | None:
    """A number in at most 8 letters, or None where it has more."""
    value = Decimal(seconds.numerator) / Decimal(seconds.denominator)
    text = f"{value:f}"
    return text if len(text) <= 8 and Fraction(text) == seconds else None


def _clipped(samples: int) -> Sequence[str]:
    return [f"{samples} samples clipped to +-{LARGEST / 1000} mV"] if samples else []
