# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of a PTB-XL-shaped dataset: its records, folds and superclasses."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.core.errors import InputError

SUPERCLASSES = ("NORM", "MI", "STTC", "CD", "HYP")


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the data set."""

    path: Path
    patient: str
    superclasses: tuple[str, ...]
    ecg_id: int | None = None
    """None if the table numbers no records."""
    recorded: str = ""
    """When, as the table's ``recording_date`` has it: later is greater; empty where it says nothing."""
    codes: frozenset[str] = frozenset()
    """What the table says of the record: columns ``scp_codes``, ``rhythm``, ``form``."""
    key: str = ""
    """The record's path in the data set, wherever that lies."""


def read_table(dataset: Path, folds: Sequence[int], rate_hz: int) -> list[Entry]:
    """The records of some folds, in the table's order.

    Raises
    ------
    InputError
        Where the table is missing, lacks a column, or holds none of the folds.
    """
    table = dataset / "ptbxl_database.csv"
    column = {100: "filename_lr", 500: "filename_hr"}[rate_hz]
    try:
        with table.open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
        chosen = [row for row in rows if int(float(row["strat_fold"])) in folds and row[column]]
        classes = _superclasses(dataset)
        entries = [_entry(dataset, row[column], row, classes(row)) for row in chosen]
    except FileNotFoundError as error:
        raise InputError(f"{dataset} holds no ptbxl_database.csv: name a PTB-XL folder") from error
    except (KeyError, TypeError, ValueError, OverflowError, csv.Error) as error:
        raise InputError(f"{table} cannot be read ({error!r}): download it again") from error
    if not entries:
        raise InputError(
            f"{table} lists no {rate_hz} Hz record in fold {', '.join(map(str, folds))}: choose other folds"
        )
    for entry in entries:
        if not entry.path.resolve().is_relative_to(dataset.resolve()):
            raise InputError(f"{table} names a record outside its folder ({entry.path}): not read")
    return entries


def _entry(dataset: Path, name: str, row: dict[str, str], classes: tuple[str, ...]) -> Entry:
    told = " ".join(row.get(column) or "" for column in ("scp_codes", "rhythm", "form"))
    return Entry(
        dataset / name,
        row["patient_id"],
        classes,
        ecg_id=int(float(row["ecg_id"])) if row.get("ecg_id") else None,
        recorded=(row.get("recording_date") or "").strip(),
        codes=frozenset(re.findall(r"[A-Za-z]\w*", told)),
        key=Path(name).as_posix(),
    )


def _superclasses(dataset: Path) -> Callable[[dict[str, str]], tuple[str, ...]]:
    """How to tell a row's superclasses: its own column, or the published codes and their table."""
    statements = dataset / "scp_statements.csv"
    of_code = {}
    if statements.exists():
        with statements.open(newline="", encoding="utf-8") as handle:
            of_code = {
                next(iter(r.values())): r.get("diagnostic_class") or "" for r in csv.DictReader(handle)
            }

    def classes(row: dict[str, str]) -> tuple[str, ...]:
        if "super_class" in row:
            return tuple(re.findall(r"\w+", row["super_class"]))  # joined by "|" where there are several
        codes = re.findall(r"'(\w+)':", row.get("scp_codes", ""))
        return tuple({of_code.get(code, "") for code in codes})

    return classes
