# SPDX-License-Identifier: MIT
"""ECGs of an Apple Watch, as Apple Health exports them: ``electrocardiograms/ecg_2026-03-14.csv``.

Lines of ``key,value``, then one value to a line.  All words are in the user's language, so nothing is looked
up by its key: the rate is a number and a word for hertz, the unit a voltage, the lead a lead's name.  A
decimal comma stands unquoted: ``-265,868`` is one sample.
"""

from __future__ import annotations

import re
from array import array
from datetime import datetime
from itertools import islice
from pathlib import Path

import numpy as np

from streamer.core.errors import InputError
from streamer.core.leads import canonical_lead
from streamer.core.units import is_not_stated, mv_per_unit
from streamer.formats.file_format import Format, Head, lines_of, number, text_of
from streamer.formats.recording import Identity, Lead, Recording, Stated, millivolts

KIND = "an Apple Watch ECG"

_HERTZ = re.compile(
    r'"?(\d{2,5}(?:[.,]\d+)?)\s*(?:her[tcs]|hz|h\w*rtz|ヘルツ|赫|헤르츠|гер|гц|χερτζ|هرتز|הרץ|เฮิรตซ์)\S*"?',
    re.I,
)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?:\s*([+-]\d\d:?\d\d|Z))?")
_VALUE = re.compile(r'\s*"?[-+\u2212]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?"?[;,\s]*')
_MOST_LINES = 60


def recognizes(head: Head) -> bool:
    """Lines of a key and a value, one of them a voltage, then single numbers."""
    pairs, _, values = _parts(head.text)
    return len(pairs) >= 3 and len(values) > 1 and any(_is_unit(value) for _, value in pairs)


def read(path: Path, stated: Stated) -> Recording:
    """Read one; raises InputError or OSError."""
    return read_text(text_of(path), stated)


def read_text(text: str, stated: Stated) -> Recording:
    """Read the text of one; raises InputError."""
    pairs, first, _ = _parts(text)
    rates = [match[1] for _, value in pairs if (match := _HERTZ.fullmatch(value))]
    units = [value for _, value in pairs if _is_unit(value)]
    unit = units[-1] if units else ""
    step_mv = stated.mv_per_step(unit, KIND)
    rate_hz = stated.rate(number(rates[0]) if rates else None, KIND)
    leads = [value for _, value in pairs if canonical_lead(value) is not None]
    label = leads[-1] if leads else _before_unit(pairs, unit)
    dates = sorted(match[0] for _, value in pairs if (match := _DATE.search(value)))
    values = array("d")
    for i, line in enumerate(lines_of(text)):
        if i < first or not line.strip(' \t";,'):
            continue
        value = number(line.strip(' \t";,'))
        if value is None:
            raise InputError(f"line {i + 1} of {KIND} is no number; export it again")
        values.append(value)
    mv = millivolts(np.frombuffer(values, np.float64) * step_mv)
    return Recording(
        kind=KIND,
        rate_hz=rate_hz,
        leads=(Lead(canonical_lead(label) or label, stated.unit(unit)),),
        mv=np.where(np.isfinite(mv), mv, np.float32(np.nan))[None],
        began=_instant(dates[-1]) if dates else None,  # a date of birth lies before it
        identity=Identity(dict(pairs[:3])),
    )


def began_of(text: str) -> str:
    """When it was recorded, as the file has it; empty if it does not say."""
    pairs, _, _ = _parts(text)
    return max((match[0] for _, value in pairs if (match := _DATE.search(value))), default="")


def _parts(text: str) -> tuple[list[tuple[str, str]], int, list[str]]:
    """The pairs, the number of the line where values begin, and the first values."""
    pairs: list[tuple[str, str]] = []
    values: list[str] = []
    first = 0
    for i, line in enumerate(islice(lines_of(text[: 1 << 16]), _MOST_LINES)):
        if not line.strip(' \t";,'):
            continue
        if _VALUE.fullmatch(line):
            first = first or i
            values.append(line)
            continue
        if values:
            return [], 0, []
        match = re.fullmatch(r'\s*("[^"]*"|[^,;\t]*)[,;\t](.*)', line)
        if match is None:
            return [], 0, []
        pairs.append((match[1].strip('" '), match[2].strip('";\t ')))
    return pairs, first, values


def _is_unit(value: str) -> bool:
    return not is_not_stated(value) and mv_per_unit(value) is not None and not value[:1].isdigit()


def _before_unit(pairs: list[tuple[str, str]], unit: str) -> str:
    """The lead stands before the unit, in a language that is not known here."""
    values = [value for _, value in pairs]
    label = values[values.index(unit) - 1] if unit in values[1:] else ""
    return "I" if re.search(r"\bI\b", label) else label or "ECG"


def _instant(text: str) -> datetime | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        return datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3] or ''}")
    except ValueError:
        return None


FORMAT = Format("apple-watch", KIND, recognizes, read)
