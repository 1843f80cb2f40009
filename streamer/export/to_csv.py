# SPDX-License-Identifier: MIT
"""A part of a session as a table: CSV with a row for each sample."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from streamer.export.band import HALF_WIDTH
from streamer.export.excerpt import Excerpt

CSV_DECIMALS = 4
"""Of a mV: 0.1 µV."""

_BLOCK = 4096


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
