# SPDX-License-Identifier: MIT
"""``signal.csv`` of Withings: a row for each reading, its samples in a list."""

from __future__ import annotations

import csv
import re
from datetime import datetime
from pathlib import Path

import numpy as np

from streamer.core.errors import Field, InputError
from streamer.formats.file_format import Format, Head, number, text_of
from streamer.formats.recording import Lead, Recording, Stated, choose, millivolts
from streamer.formats.table import head_row

KIND = "a Withings ECG"
_POSITION = {"0": "the right wrist", "1": "the left wrist", "2": "the right arm", "3": "the left arm"}
_LONGEST = 1 << 25
_VALUE = re.compile(r"[^,\[\]\s]+")


def recognizes(head: Head) -> bool:
    """Its header."""
    return {"signal", "frequency"} <= set(head_row(head.text))


def read(path: Path, stated: Stated) -> Recording:
    """Read the reading that is asked for; raises InputError or OSError."""
    text = text_of(path, _LONGEST)
    csv.field_size_limit(_LONGEST)
    try:
        rows = [row for row in csv.DictReader(text.lstrip("\ufeff").splitlines()) if row.get("signal")]
    except csv.Error:
        raise InputError(f"{KIND} whose table is damaged; export it again") from None
    if not rows:
        raise InputError(f"{KIND} without a reading; export it again")
    row = rows[choose(len(rows), [str(row.get("date") or "") for row in rows], stated.reading, KIND)]
    signal = row.pop("signal").strip()
    try:
        if "_" in signal or signal.startswith("[") != signal.endswith("]"):
            raise ValueError("no numbers, or no end")
        values = np.fromiter((float(each[0]) for each in _VALUE.finditer(signal)), np.float64)
    except ValueError:
        raise InputError(f"{KIND} whose signal is cut or damaged; export it again") from None
    return of_samples(
        values,
        number(str(row.get("frequency") or "")),
        str(row.get("wearposition") or ""),
        str(row.get("date") or ""),
        stated,
    )


def of_samples(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    rate_hz: float | None,
    position: str,
    date: str,
    stated: Stated,
) -> Recording:
    """A reading of Withings, from its CSV or its API; raises InputError."""
    notes = ["Withings states no lead: a reading between both arms is Lead I."]
    if stated.unit_mv is not None:
        step_mv, unit = stated.mv_per_step("", KIND), stated.unit("")
    else:
        # µV from a watch, mV from a blood pressure monitor: a factor of 1000 lies between them.
        finite = values[np.isfinite(values)]
        span = float(np.ptp(finite)) if len(finite) else 0.0
        unit = next((u for u, mv in (("µV", 1e-3), ("mV", 1.0)) if 0.1 <= span * mv <= 15.0), "")
        if not unit:
            raise InputError(f"{KIND} states no unit, and its numbers span {span:.3g}", Field.UNIT)
        step_mv = stated.mv_per_step(unit, KIND)
        notes.append(f"Withings states no unit: taken as {unit}, since the numbers span {span:.3g}.")
    where = _POSITION.get(position)
    if where:
        right = " Whether its sign is turned there is not known: see that the beats point up." * (
            "right" in where
        )
        notes.append(f"It was worn on {where}.{right}")
    try:
        began = datetime.fromisoformat(date) if date else None
    except ValueError:
        began = None
    mv = millivolts(values * step_mv)[None]
    return Recording(KIND, stated.rate(rate_hz, KIND), (Lead("I", unit),), mv, began, notes=tuple(notes))


FORMAT = Format("withings", KIND, recognizes, read)
