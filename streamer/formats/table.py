# SPDX-License-Identifier: MIT
"""Tables of numbers as text: CSV and TSV with a header, our own CSV export, or a single column.

The time column gives the rate and the gaps; units stand in the header (``ECG (uV)``, ``time [ms]``,
``voltage_mV``) or are stated by the user.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import Field, InputError
from streamer.core.leads import canonical_lead
from streamer.core.units import is_not_stated, mv_per_unit
from streamer.formats.bounded_read import read_bounded
from streamer.formats.file_format import Format, Head, lines_of, number, text_of
from streamer.formats.recording import Lead, Recording, Stated, millivolts
from streamer.formats.sample_times import grid_of, place

KIND = "a table"

_SECONDS = {"s": 1.0, "sec": 1.0, "secs": 1.0, "seconds": 1.0, "second": 1.0, "ms": 1e-3, "msec": 1e-3}
_SECONDS |= {"millis": 1e-3, "milliseconds": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_SECONDS |= {"microseconds": 1e-6, "nanoseconds": 1e-9, "sek": 1.0, "sekunden": 1.0, "min": 60.0}
_TIME = re.compile(
    r"time|stamp|zeit|temps|tiempo|tempo|\bdate|datum|fecha|czas|時刻|時間|时间|elapsed|\bt\b", re.I
)
_INDEX = re.compile(
    r"(sample|index|nr|no|n|#|counter|seq|sequence|sample ?(nr|no|number|index|#)|row|id)", re.I
)
_ECG = re.compile(r"ecg|ekg|volt|electrocard|elektrokard|\bmv\b|\buv\b|lead|ableitung|心電|心电", re.I)
_RATE = re.compile(
    r"(?:(?:sampl\w*|abtast)[ _-]?(?:rate|freq\w*|hz)|\bfs\b|(?P<bare>^\W*rate\b|\bsampling\b))"
    r"\W{0,3}(?P<head>k?hz\b)?\W{0,6}(?P<number>\d[\d.,]*(?:e[+-]?\d+)?)"
    r"(?!\d|\s*(?:m?s|sec\w*|/?\s*min|bpm|bit)\b|\s*%)\s*(?P<unit>k?hz\b)?",
    re.I,
)
"""A number is a rate if it is said to be one of sampling, or is in hertz; a heart has a rate too."""
_THOUSANDS = re.compile(r"\d{1,3}([.,]\d{3})+")
_ECG_HZ = (20.0, 20_000.0)
_MISSING = frozenset(("", "nan", "na", "n/a", "null", "none", "-"))
_MOST_COLUMNS = 512
_CLOCK = re.compile(r"\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?|\d{1,4}:\d\d[.,]\d{1,9}")
_DAY_S = 86_400.0
_STEP = r"(?:(?:\d*\.\d+(?:e[+-]?\d+)?|\d+e[+-]?\d+)[ _]?)?"
"""How many units a step is; a whole number before a unit is a channel's."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, by its header."""

    index: int
    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is written."""

    delimiter: str
    columns: tuple[Column, ...]
    first: int
    """The number of the line of the first row."""
    rate_hz: float | None
    """As lines before the header state it."""

    def fields(self, line: str) -> list[str]:
        """The fields of a line."""
        if self.delimiter == " ":
            return line.split()
        return (
            [field.strip().strip("\"'").strip() for field in _split(line, self.delimiter)]
            if self.delimiter
            else [line]
        )


def layout_of(text: str) -> Layout | None:
    """How a text is a table of numbers; None if it is none."""
    rate_hz = None
    lines = list(lines_of(text[: 1 << 16]))
    for i, line in enumerate(lines[:40]):
        bare = line.strip(" \ufeff")
        row = next((k for k in range(i + 1, min(i + 4, len(lines))) if lines[k].strip()), None)
        if bare and not bare.startswith(("#", "%", "//")):
            delimiter = _delimiter(bare, lines[row] if row is not None else "")
            first = Layout(delimiter, (), 0, None).fields(bare)
            if _numeric(first):
                columns = tuple(Column(k, f"signal {k + 1}", "") for k in range(len(first)))
                return Layout(delimiter, columns[:_MOST_COLUMNS], i, rate_hz)
            below = Layout(delimiter, (), 0, None).fields(lines[row]) if row is not None else []
            under = (
                Layout(delimiter, (), 0, None).fields(lines[row + 1])
                if row is not None and row + 1 < len(lines)
                else []
            )
            if row is not None and len(below) == len(first) and _are_units(below) and _numeric(under):
                named = zip(first, below, strict=True)
                columns = tuple(Column(k, name, unit.strip("[]() ")) for k, (name, unit) in enumerate(named))
                return Layout(delimiter, columns[:_MOST_COLUMNS], row + 1, rate_hz)
            if _numeric(below) and abs(len(below) - len(first)) <= 1 and row is not None:
                columns = tuple(Column(k, *_name_and_unit(name)) for k, name in enumerate(first))
                return Layout(delimiter, columns[:_MOST_COLUMNS], row, rate_hz)
        rate_hz = _rate_of(bare) or rate_hz
    return None


def _rate_of(line: str) -> float | None:
    """The sampling rate that a line above a table states, Hz; None if it states none."""
    for match in _RATE.finditer(line):
        unit = match["unit"] or match["head"]
        if match["bare"] is not None and unit is None:
            continue
        text = match["number"].rstrip(".,")
        scale = 1e3 if unit and unit[0] in "kK" else 1.0
        said = [number(text)]
        if _THOUSANDS.fullmatch(text):  # 250.000 is 250, and 1,000 a thousand
            said.append(float(re.sub(r"[.,]", "", text)))
        known = [hz * scale for hz in said if hz is not None and _ECG_HZ[0] <= hz * scale < _ECG_HZ[1]]
        if known:
            return known[0]
    return None


def rows_of(
    text: str, layout: Layout, wanted: Sequence[int], what: str, notes: list[str] | None = None
) -> Iterator[tuple[int, list[str]]]:
    """The wanted fields of each row and its line; a last row that is cut is left out (said in ``notes``)."""
    cut = None
    for i, line in enumerate(lines_of(text)):
        if i < layout.first or not line.strip() or line.startswith(("#", "%")):
            continue
        if cut is not None:
            raise InputError(f"line {cut + 1} of {what} has too few columns; correct it")
        fields = layout.fields(line)
        if len(fields) <= max(wanted):
            fields += [""] * len(layout.columns) if len(fields) > 1 else []
        if len(fields) <= max(wanted):
            cut = i
            continue
        if len(layout.columns) < _MOST_COLUMNS and any(fields[len(layout.columns) :]):
            # A decimal comma between commas, or row numbers without a name: which is which is not known.
            raise InputError(
                f"line {i + 1} of {what} has more columns than its header; name all, or write ; between them"
            )
        yield i, [fields[k] for k in wanted]
    if cut is not None and notes is not None:
        notes.append(f"Line {cut + 1}, the last, is cut, and left out.")


def values_of(
    text: str, layout: Layout, wanted: Sequence[int], what: str, notes: list[str]
) -> NDArray[np.float64]:
    """Columns of numbers ``(wanted, n)``; NaN where a field is empty.  Raises InputError."""
    out = array("d")
    for i, fields in rows_of(text, layout, wanted, what, notes):
        for field in fields:
            try:
                out.append(float(field if "_" not in field else "no number"))
            except ValueError:
                value = number(field)
                if value is None:
                    value = _instant_s(field)
                if value is None and field.casefold() not in _MISSING:
                    raise InputError(f"line {i + 1} of {what} has a word for a number; correct it") from None
                out.append(np.nan if value is None else value)
    return np.frombuffer(out, np.float64).reshape(-1, len(wanted)).T


def recognizes(head: Head) -> bool:
    """Rows of numbers, with a header or without."""
    return bool(head.text) and layout_of(head.text) is not None


def read(path: Path, stated: Stated) -> Recording:
    """Read one; raises InputError or OSError."""
    recording = read_text(text_of(path), stated)
    return replace(recording, began=recording.began or _began_beside(path))


def read_text(text: str, stated: Stated) -> Recording:
    """Read the text of one; raises InputError."""
    layout = layout_of(text)
    if layout is None:
        raise InputError("it is no table of numbers; name another file")
    what = KIND
    time = next((c for c in layout.columns if _is_time(c)), None)
    signals = _signals(layout, time)
    steps = [stated.mv_per_step(c.unit, f"{what}, in its column {c.name[:40]!r},") for c in signals]
    wanted = [*([time.index] if time else []), *(c.index for c in signals)]
    notes: list[str] = []
    values = values_of(text, layout, wanted, what, notes)
    if not values.shape[1]:
        raise InputError(f"{what} without rows; name another file")
    began = None
    mv = values[1:] if time else values
    mv *= np.array(steps)[:, None]
    if time is not None and values.shape[1] < 3:
        raise InputError(f"{what} of fewer than three rows; name another file")
    if time is not None:
        first = next(rows_of(text, layout, [time.index], what))[1][0]
        if _CLOCK.fullmatch(first) and (passed := _add_days(values[0])):
            notes.append(
                f"Its clock has no date: it is taken to pass midnight {passed} time{'s' * (passed > 1)}."
            )
        scale, began, said = _time_scale(values[0], time, stated.rate_hz)
        began = _instant(first) or began
        notes += said
        rate_hz, index = grid_of(values[0] * scale - values[0][0] * scale, what)
        if stated.rate_hz is not None and abs(rate_hz / stated.rate_hz - 1) > 0.02:
            notes.append(
                f"The rate is as you state it; the times of the file would make it {rate_hz:.4g} Hz."
            )
        rate_hz = stated.rate_hz or rate_hz
        samples = place(mv, index)
        if (lost := samples.shape[1] - values.shape[1]) > 0:
            notes.append(f"{lost} samples are missing by the times of the file.")
    else:
        rate_hz, samples = stated.rate(layout.rate_hz, what), millivolts(mv)
    leads = tuple(Lead(c.name, stated.unit(c.unit)) for c in signals)
    return Recording(KIND, rate_hz, leads, samples, began, notes=tuple(notes))


def _signals(layout: Layout, time: Column | None) -> list[Column]:
    rest = [
        c for c in layout.columns if c is not time and not _is_time(c) and " half width of " not in c.name
    ]
    if len(rest) > 1:
        rest = [c for c in rest if not _INDEX.fullmatch(c.name)]
    voltages = [c for c in rest if mv_per_unit(c.unit) is not None and not is_not_stated(c.unit)]
    if voltages:
        return voltages
    unstated = [c for c in rest if is_not_stated(c.unit)]
    likely = [c for c in unstated if canonical_lead(c.name) or _ECG.search(c.name)]
    if likely or len(unstated) == 1:
        return likely or unstated
    if unstated and all(re.fullmatch(r"signal \d+", c.name) for c in unstated):
        raise InputError("a table without a header; put a line above it, such as time [s],I [mV]", Field.UNIT)
    raise InputError(
        "a table without a column of voltages; name its columns, such as time [s],I [mV]", Field.LEAD
    )


def _is_time(column: Column) -> bool:
    if mv_per_unit(column.unit) is not None and not is_not_stated(column.unit):
        return False
    return (
        bool(_TIME.search(column.name))
        or column.name.casefold() in _SECONDS
        or column.unit.casefold() in _SECONDS
    )


def _time_scale(
    values: NDArray[np.float64], column: Column, rate_hz: float | None
) -> tuple[float, datetime | None, list[str]]:
    """Seconds to one of a time column, when it begins, and what was concluded."""
    scale = _SECONDS.get(column.unit.casefold() or column.name.casefold())
    notes = []
    if scale is None:
        steps = np.diff(values)
        steps = steps[steps > 0]
        step = float(np.mean(steps[steps <= 2 * np.median(steps)])) if len(steps) else 1.0
        packet = len(values) / (len(steps) + 1)
        for name, seconds in (
            ("seconds", 1.0),
            ("milliseconds", 1e-3),
            ("microseconds", 1e-6),
            ("nanoseconds", 1e-9),
        ):
            near = packet / (step * seconds)
            if (rate_hz and 0.5 < near / rate_hz < 2) or (not rate_hz and 20 <= near < 20_000):
                scale = seconds
                if seconds != 1.0:
                    notes.append(f"The times of the file state no unit: by their steps they are in {name}.")
                break
    if scale is None:
        raise InputError(
            "a table whose times are in no known unit; write it in its header, as in time [ms]", Field.RATE
        )
    first_s = float(values[0]) * scale
    began = None
    if 946684800 < first_s < 4102444800:  # years 2000 to 2100, counted from 1970
        began = datetime.fromtimestamp(first_s, UTC)
    return scale, began, notes


def _add_days(clock_s: NDArray[np.float64]) -> int:
    """Make seconds of the day go on over midnight, where they go back by over half a day; how often."""
    days = np.cumsum(np.diff(clock_s) < -_DAY_S / 2)
    clock_s[1:] += _DAY_S * days
    return int(days[-1])


def _instant(text: str) -> datetime | None:
    """A date and a clock, in the zone that it states or none; None if it is none."""
    if not re.match(r"\d{4}-\d\d-\d\d[T ]", text):
        return None
    try:
        return datetime.fromisoformat(text.replace(",", "."))
    except ValueError:
        return None


def _instant_s(text: str) -> float | None:
    """A date and a clock as seconds since 1970; a clock alone as seconds of the day."""
    try:
        if _CLOCK.fullmatch(text):
            hours, minutes, seconds = ["0", *text.replace(",", ".").split(":")][-3:]
            return 3600.0 * int(hours) + 60.0 * int(minutes) + float(seconds)
        instant = _instant(text)
        if instant is None:
            return None
        epoch = datetime(1970, 1, 1, tzinfo=instant.tzinfo and UTC)
        return (instant - epoch) / timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None


def _name_and_unit(header: str) -> tuple[str, str]:
    header = header.strip().strip('"').strip(" \ufeff")
    if is_not_stated(header):
        return header, ""
    if mv_per_unit(header) is not None:
        return "ECG", header
    match = re.fullmatch(r"(.*?)\s*[\[(]([^\[\]()]*)[\])]\s*(\(\w+\))?", header)
    if match and (
        mv_per_unit(match[2]) is not None or match[2].casefold() in _SECONDS or not canonical_lead(header)
    ):
        return match[1].strip(), match[2].strip()
    match = re.fullmatch(rf"(.+?)[ _\-/]+(?:in[ _])?({_STEP}[^\s_\-/]+)", header, re.I)
    if match is None or match[2].isdigit() or (match[2] == "V" and canonical_lead(header)):
        return header, ""
    if match[2].casefold() in _SECONDS or (mv_per_unit(match[2]) is not None and not is_not_stated(match[2])):
        return match[1].strip(), match[2]
    return header, ""


def _are_units(fields: list[str]) -> bool:
    """Whether a second line of a header holds the units."""
    known = [
        mv_per_unit(f) is not None or f.strip("[]() ").casefold() in (*_SECONDS, "hh:mm:ss.mmm")
        for f in fields
    ]
    return any(known) and all(ok or is_not_stated(f) for ok, f in zip(known, fields, strict=True))


def _numeric(fields: list[str]) -> bool:
    """Whether a row holds numbers, instants or nothing, and at least one number."""
    numbers = [number(field) is not None for field in fields]
    good = all(
        ok or _instant_s(f) is not None or f.casefold() in _MISSING
        for ok, f in zip(numbers, fields, strict=True)
    )
    return good and any(numbers)


def _split(line: str, delimiter: str) -> list[str]:
    """At a delimiter; one within quotes belongs to its field."""
    if '"' not in line:
        return line.split(delimiter)
    quoted = re.findall(rf'(?:^|{re.escape(delimiter)})\s*("[^"]*"|[^"{re.escape(delimiter)}]*)', line)
    return [str(field) for field in quoted]


def _delimiter(line: str, below: str) -> str:
    for delimiter in ("\t", ";", ",", "|"):
        if delimiter in line:
            # 0,5 under a header without a comma is one number; so is a single column of them.
            if (
                delimiter == ","
                and re.fullmatch(r"\s*[-+]?\d+,\d+\s*", line)
                and re.fullmatch(r"\s*[-+]?\d+(,\d+)?\s*", below)
            ):
                return ""
            return delimiter
    words = line.split()
    return " " if len(words) > 1 and len(words) == len(below.split()) else ""


def _began_beside(path: Path) -> datetime | None:
    """Our own export states it in the file beside."""
    try:
        facts = json.loads(read_bounded(path.with_suffix(".json"), 1 << 20))
        return datetime.fromisoformat(facts["began"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


FORMAT = Format("table", KIND, recognizes, read)


def head_row(text: str) -> list[str]:
    """The names of a table's header, in small letters; for formats that are tables of certain names."""
    line = next(islice((line for line in text[:4096].splitlines() if line.strip()), 1), "")
    return [name.strip().strip('"').casefold() for name in re.split(r"[;,\t]", line.strip("\ufeff"))]
