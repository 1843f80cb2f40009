# SPDX-License-Identifier: GPL-3.0-or-later
"""A table with a row for each record of a run: what, how long, how good, what failed."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterator, Mapping
from math import isnan
from pathlib import Path
from typing import Any, TextIO

from mecg.archive.naming import Item
from mecg.archive.record import Outcome
from streamer.core.errors import Field, InputError
from streamer.formats.atomic_write import refuse_existing, refuse_folder

COLUMNS: dict[str, str] = {
    "record": "string",
    "output": "string",
    "status": "string",
    "seconds": "double",
    "cpu_ms": "double",
    "rate_hz": "double",
    "samples": "int64",
    "duration_s": "double",
    "missing": "int64",
    "clipped": "int64",
    "band_mv": "double",
    "quality": "string",
    "heart_rate_bpm": "double",
    "tries": "int64",
    "note": "string",
}
"""By name, the type in Parquet.  ``status`` is done, failed or there: it was there before the run."""


def refuse_report(path: Path, *, more: bool, force: bool) -> None:
    """Raise an `InputError` if a report cannot be written, before any record is looked for.

    It is there already, has another ending, cannot be made there, or pyarrow is not installed.
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(f"{path} ends neither in .csv nor in .parquet: name such a file")
    if path.suffix.lower() == ".parquet":
        arrow("pyarrow")
    refuse_folder(path.parent)
    refuse_existing(path, force=force or more)


class Report:
    """Rows go to a CSV file as records are done, so that a run that is killed keeps its own.

    Parquet cannot be written so: its rows are kept beside it, in ``.NAME.rows``, and made Parquet at the end.

    Parameters
    ----------
    path : Path
        ``.csv`` or ``.parquet``.
    more : bool
        Go on with the rows of an earlier run of the same file.  What failed then is to be tried again, so its
        rows go.
    """

    def __init__(self, path: Path, *, more: bool) -> None:
        self._path = path
        self._parquet = path.suffix.lower() == ".parquet"
        self._rows = path.with_name(f".{path.name}.rows") if self._parquet else path
        self._known: set[int] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        if more:
            self._take_over()
        else:
            self._rows.write_text(f"{','.join(COLUMNS)}\n", encoding="utf-8")
        self._file: TextIO = self._rows.open("a", newline="", encoding="utf-8", errors="backslashreplace")
        self._writer = csv.writer(self._file, lineterminator="\n")

    def add(self, outcome: Outcome, output: Path) -> None:
        """The row of a record; raises OSError if the disk is full."""
        facts = outcome.facts
        known: tuple[object, ...] = ("",) * 8
        if facts is not None:
            known = (
                f"{facts.rate_hz:g}",
                facts.samples,
                f"{facts.samples / facts.rate_hz:.3f}",
                facts.missing,
                facts.clipped,
                _number(facts.band_mv, 4),
                facts.quality,
                _number(facts.heart_rate_bpm, 1),
            )
        status = "done" if outcome.good else "failed"
        times = f"{outcome.seconds:.4f}", f"{1e3 * outcome.cpu_s:.2f}"
        self._write(outcome.item.record, output, status, *times, *known, outcome.tries, outcome.words)

    def there(self, item: Item, output: Path) -> None:
        """The row of a record that was there before, unless an earlier run left one."""
        if hash(item.record) not in self._known:
            self._write(item.record, output, "there", *("",) * 11, "")

    def close(self) -> None:
        """Complete the file."""
        self._file.close()
        if self._parquet:
            part = self._path.with_name(f".{self._path.name}.part")
            try:
                to_parquet(self._rows, part, COLUMNS)
                part.replace(self._path)
            finally:
                part.unlink(missing_ok=True)
            self._rows.unlink()

    def _write(self, *row: object) -> None:
        self._writer.writerow([" ".join(str(value).split()) for value in row])
        self._file.flush()

    def _take_over(self) -> None:
        """Keep the rows of an earlier run, but for those of records that failed; a torn last line goes."""
        part = self._rows.with_name(f".{self._path.name}.part")
        try:
            with part.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(COLUMNS)
                for row in self._earlier():
                    if row[2] != "failed" and hash(row[0]) not in self._known:
                        self._known.add(hash(row[0]))
                        writer.writerow(row)
            part.replace(self._rows)
        finally:
            part.unlink(missing_ok=True)

    def _earlier(self) -> Iterator[list[str]]:
        if self._rows.exists():
            yield from _rows_of(self._rows, self._path)
        elif self._parquet and self._path.exists():
            parquet = arrow("pyarrow.parquet")
            try:
                batches = parquet.ParquetFile(self._path).iter_batches(columns=list(COLUMNS))
                for batch in batches:
                    for row in zip(*(batch.column(name).to_pylist() for name in COLUMNS), strict=True):
                        yield ["" if value is None else str(value) for value in row]
            except (ValueError, KeyError, OSError) as error:  # pyarrow's own are of these
                raise InputError(f"{self._path} is no report of mecg reconstruct", Field.OUTPUT) from error


def _rows_of(path: Path, named: Path) -> Iterator[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        lines = (line for line in file if line.endswith("\n"))
        reader = csv.reader(lines)
        if tuple(next(reader, ())) != tuple(COLUMNS):
            raise InputError(f"{named} is no report of mecg reconstruct", Field.OUTPUT)
        yield from (row for row in reader if len(row) == len(COLUMNS))


def _number(value: float, digits: int) -> str:
    return "" if isnan(value) else f"{value:.{digits}f}"


def arrow(module: str) -> Any:
    """A module of pyarrow; raises InputError if that is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            "a report in Parquet needs pyarrow, which is not installed: "
            "pip install 'mecg-streamer[parquet]', "
            "or name a .csv"
        ) from error


def to_parquet(rows: Path, path: Path, columns: Mapping[str, str]) -> None:
    """A CSV file with these columns as Parquet, batch by batch: the memory does not grow with the records."""
    pyarrow, reading, parquet = (arrow(f"pyarrow{name}") for name in ("", ".csv", ".parquet"))
    types = {name: pyarrow.type_for_alias(kind) for name, kind in columns.items()}
    convert = reading.ConvertOptions(column_types=types, strings_can_be_null=False)
    with parquet.ParquetWriter(path, pyarrow.schema(list(types.items()))) as writer:
        for batch in reading.open_csv(rows, convert_options=convert):
            writer.write_batch(batch)
