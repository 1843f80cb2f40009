# SPDX-License-Identifier: GPL-3.0-or-later
"""What each record gave, kept in a file: a run that was ended goes on, shards are put together.

A line of JSON says how the records were scored.  A block follows for each record: its length and checksum,
then deflated JSON with the arrays behind it.  No pickle: a stranger's file can be read.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from mecg.evaluation.band_scores import BandCounts
from mecg.evaluation.beat_scores import BeatValues
from mecg.evaluation.dataset import Entry
from mecg.evaluation.evaluate import About, Compared, Result, Scored, Skipped
from mecg.evaluation.lead_scores import LeadSums
from streamer.core.errors import Field, InputError

_FRAME = struct.Struct("<II")
_TYPES = ("<f8", "<i8", "<i4")
_MOST_BYTES = 1 << 28
"""A block that says it is longer is none."""
_SUMS = ("count", "squared", "absolute", "pearson")
_BEATS = ("st_mv", "r_mv", "s_mv")
_BANDS = ("count", "interval_mv", "width_mv", "errors")

Arrays = dict[str, NDArray[Any]]


class Kept:
    """The file of a run, to go on with or to begin.

    Parameters
    ----------
    path : Path
    about : About
        How this run scores.
    more : bool
        Keep what is in the file; a torn last block goes.

    Raises
    ------
    InputError
        The file is none of these, or its records were scored in another way.
    """

    def __init__(self, path: Path, about: About, *, more: bool) -> None:
        self.results: dict[str, Result] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if more and path.exists():
            there, self.results, whole = _read(path)
            if there.way() != about.way():
                raise InputError(
                    f"{path} was scored in another way ({_difference(there, about)}): name another file",
                    Field.OUTPUT,
                )
            self._file: BinaryIO = path.open("r+b")
            self._file.truncate(whole)
            self._file.seek(whole)
        else:
            self._file = path.open("wb")
            self._file.write(json.dumps({"mecg_scores": 1} | asdict(about)).encode() + b"\n")
            self._file.flush()

    def add(self, result: Result) -> None:
        """Write what a record gave; raises OSError if the disk is full."""
        block = _packed(result)
        self._file.write(_FRAME.pack(len(block), zlib.crc32(block)) + block)
        self._file.flush()
        self.results[result.entry.key] = result

    def of(self, entries: Sequence[Entry]) -> list[Result]:
        """What the file has of these records, with what the data set's table says of them."""
        return [Result(e, self.results[e.key].what) for e in entries if e.key in self.results]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def merged(paths: Sequence[Path]) -> tuple[About, list[Result]]:
    """The records of several files, as if one run had scored them.

    Raises
    ------
    InputError
        A file is none of these, they were scored in different ways, or a record was scored in two of them.
    """
    first: About | None = None
    folds: set[int] = set()
    results: dict[str, Result] = {}
    whence: dict[str, Path] = {}
    for path in paths:
        about, here, _ = _read(path)
        first = first or about
        if about.way() != first.way():
            raise InputError(
                f"{paths[0]} and {path} were scored in different ways ({_difference(first, about)}): "
                "merge what one model scored at one rate"
            )
        folds |= set(about.folds)
        for key, result in here.items():
            earlier = results.get(key)
            if earlier is not None and isinstance(result.what, Skipped):
                continue
            if earlier is not None and isinstance(earlier.what, Scored):
                raise InputError(f"{key} was scored in {whence[key]} and in {path}: merge each record once")
            results[key], whence[key] = result, path
    if first is None:
        raise InputError("nothing to merge: name files of --records")
    return first.of_folds(sorted(folds)), list(results.values())


def _difference(a: About, b: About) -> str:
    names = [name for name, value in a.way().items() if b.way()[name] != value]
    return "; ".join(f"{name} {a.way()[name]} and {b.way()[name]}" for name in names)


def _read(path: Path) -> tuple[About, dict[str, Result], int]:
    """How, what, and how many bytes of the file are whole."""
    none = InputError(f"{path} holds no scores of mecg evaluate --records: name such a file")
    results: dict[str, Result] = {}
    try:
        with path.open("rb") as file:
            head = json.loads(file.readline(1 << 20))
            if head.pop("mecg_scores") != 1:
                raise none
            about = About(**head | {"folds": tuple(head["folds"])})
            whole = file.tell()
            while (result := _next(file)) is not None:
                results[result.entry.key] = result
                whole = file.tell()
    except FileNotFoundError as error:
        raise InputError(f"{path} is not there: it lies beside the file of --records") from error
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        raise none from error
    return about, results, whole


def _next(file: BinaryIO) -> Result | None:
    """The next record; None at the end, and at a block that is torn."""
    frame = file.read(_FRAME.size)
    if len(frame) < _FRAME.size:
        return None
    length, checksum = _FRAME.unpack(frame)
    block = file.read(length) if length < _MOST_BYTES else b""
    if len(block) < length or zlib.crc32(block) != checksum:
        return None
    return _unpacked(block)


def _packed(result: Result) -> bytes:
    entry, what = result.entry, result.what
    arrays = _arrays(what) if isinstance(what, Scored) else {}
    head = {
        "record": entry.key,
        "patient": entry.patient,
        "superclasses": entry.superclasses,
        "why": what.why if isinstance(what, Skipped) else None,
        "arrays": [(name, array.dtype.str, array.shape) for name, array in arrays.items()],
    }
    body = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values())
    return zlib.compress(json.dumps(head).encode() + b"\n" + body, 1)


def _unpacked(block: bytes) -> Result:
    inflater = zlib.decompressobj()
    content = inflater.decompress(block, _MOST_BYTES)
    line, _, body = content.partition(b"\n")
    head = json.loads(line)
    key = str(head["record"])
    entry = Entry(Path(key), str(head["patient"]), tuple(map(str, head["superclasses"])), key=key)
    if head["why"] is not None:
        return Result(entry, Skipped(str(head["why"])))
    arrays: Arrays = {}
    at = 0
    for name, kind, shape in head["arrays"]:
        if kind not in _TYPES:
            raise ValueError(f"no array of {kind}")
        size = math.prod(shape)
        arrays[name] = np.frombuffer(body, kind, size, at).reshape(shape)
        at += size * np.dtype(kind).itemsize
    return Result(entry, _scored(arrays))


def _arrays(scored: Scored) -> Arrays:
    parts: Arrays = {}

    def put(name: str, of: object, fields: Sequence[str]) -> None:
        parts.update({f"{name}.{field}": getattr(of, field) for field in fields})

    for name, compared in (("ours", scored.ours), ("filter_only", scored.filter_only)):
        put(f"{name}.sums", compared.sums, _SUMS)
        put(f"{name}.to_end", compared.to_end, _SUMS)
        if compared.beats is not None:
            put(f"{name}.beats", compared.beats, _BEATS)
    if scored.truth is not None:
        put("truth", scored.truth, _BEATS)
    if (bands := scored.ours.bands) is not None:
        put("bands", bands, _BANDS)
        parts |= {f"inside.{level}": inside for level, inside in bands.inside.items()}
    return {name: array.astype(array.dtype.newbyteorder("<")) for name, array in parts.items()}


def _scored(arrays: Mapping[str, NDArray[Any]]) -> Scored:
    def get(name: str, fields: Sequence[str]) -> dict[str, NDArray[Any]]:
        return {field: arrays[f"{name}.{field}"] for field in fields}

    def beats(name: str) -> BeatValues | None:
        return BeatValues(**get(name, _BEATS)) if f"{name}.{_BEATS[0]}" in arrays else None

    def compared(name: str, bands: BandCounts | None = None) -> Compared:
        sums, to_end = (LeadSums(**get(f"{name}.{part}", _SUMS)) for part in ("sums", "to_end"))
        return Compared(sums, to_end, beats(f"{name}.beats"), bands)

    bands = None
    if f"bands.{_BANDS[0]}" in arrays:
        levels = [name.removeprefix("inside.") for name in arrays if name.startswith("inside.")]
        inside = {level: arrays[f"inside.{level}"] for level in levels}
        bands = BandCounts(inside=inside, **get("bands", _BANDS))
    return Scored(compared("ours", bands), compared("filter_only"), beats("truth"))
