# SPDX-License-Identifier: MIT
"""A person's calibration as a file: numbers and words only, read without executing anything."""

from __future__ import annotations

import io
import json
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.core.calibration.correction import Calibration, Origin
from streamer.core.calibration.fit import Moments
from streamer.core.calibration.visits import MOST_VISITS, Visit
from streamer.core.errors import Field, InputError
from streamer.core.leads import SEVEN
from streamer.core.stream import StreamInfo
from streamer.formats.atomic_write import write_private
from streamer.formats.bounded_read import read_bounded

FORMAT, WITH_VISITS = 1, 2
"""A file that keeps its visits is one that programs from before there were any refuse to read."""
LARGEST_BYTES = 4_000_000
"""Ours take 20 kB, and 40 more for each visit."""
_ARRAYS = ("head", "metric", "scale", "left", "rmse_mv")
_OF_VISIT = ("head", "features", "products", "squares", "steps", "stated_mv", "rmse_mv")
"""Of each visit, under ``visit3_head`` and so on; the last two only where it has them."""
_WORD = 200
_DAMAGE = (
    OverflowError,
    RecursionError,
    MemoryError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    RuntimeError,  # it says that it is encrypted, or packed in an unknown way
    OSError,
    EOFError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


def to_bytes(calibration: Calibration, visits: Sequence[Visit] = ()) -> bytes:
    """The file's content (numpy's npz).

    Parameters
    ----------
    calibration : Calibration
        What is run.
    visits : sequence of Visit
        What it was made of, the earliest first: with them a later visit can be added.
    """
    facts: dict[str, Any] = {
        "format": WITH_VISITS if visits else FORMAT,
        "origin": asdict(calibration.origin),
        "reach": calibration.reach,
        "usual": calibration.usual,
        "bands": {level: list(factors) for level, factors in calibration.bands.items()},
        "notes": list(calibration.notes),
    }
    arrays = {name: getattr(calibration, name) for name in _ARRAYS}
    if visits:
        facts["visits"] = [_visit_facts(visit) for visit in visits]
        for i, visit in enumerate(visits):
            arrays |= {f"visit{i}_{name}": x for name, x in _visit_arrays(visit).items()}
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    np.savez_compressed(buffer, facts=text, **arrays)
    return buffer.getvalue()


def _visit_facts(visit: Visit) -> dict[str, Any]:
    return {
        "origin": asdict(visit.origin),
        "reach": visit.reach,
        "step_s": visit.moments.step_s,
        "notes": list(visit.notes),
    }


def _visit_arrays(visit: Visit) -> dict[str, NDArray[np.float32]]:
    moments = visit.moments
    shared = (moments.features == moments.features[:1]).all()  # leads that were measured at one time
    arrays = {
        "head": visit.head,
        "features": moments.features[:1] if shared else moments.features,
        "products": moments.products,
        "squares": moments.squares,
        "steps": moments.steps,
    }
    arrays |= {name: x for name in ("stated_mv", "rmse_mv") if (x := getattr(visit, name)) is not None}
    return {name: np.asarray(x, np.float32) for name, x in arrays.items()}


def write(path: Path, calibration: Calibration, visits: Sequence[Visit] = ()) -> None:
    """Write it so that only its owner may read it, whole or not at all; raises OSError."""
    write_private(path, to_bytes(calibration, visits))


def read_calibration(path: str | Path) -> Calibration:
    """Read a person's calibration, and check it.

    Parameters
    ----------
    path : str or Path
        A file that ``mecg calibrate`` wrote.

    Returns
    -------
    Calibration
        For the model that it was learned with, and no other.

    Raises
    ------
    InputError
        If it cannot be read, or is no such file.

    Examples
    --------
    >>> from streamer import read_calibration
    >>> person = read_calibration("anna.npz")  # doctest: +SKIP
    """
    return read_with_visits(path)[0]


def read_with_visits(path: str | Path) -> tuple[Calibration, tuple[Visit, ...]]:
    """The same, and the visits that it was made of: none where the file keeps none.

    Raises
    ------
    InputError
        As `read`.
    """
    path = Path(path)
    try:
        data = read_bounded(path, LARGEST_BYTES)
    except OSError as error:
        raise InputError(f"the calibration {path} cannot be read: {error.strerror}") from error
    try:
        return with_visits_from_bytes(data)
    except InputError as error:
        raise InputError(f"{path} is no calibration that can be used: {error}") from error


def from_bytes(data: bytes) -> Calibration:
    """Parse what is run out of a file's content.

    Raises
    ------
    InputError
        Where it is not what `to_bytes` makes.
    """
    return with_visits_from_bytes(data)[0]


def with_visits_from_bytes(data: bytes) -> tuple[Calibration, tuple[Visit, ...]]:
    """Parse a file's content, and the visits that it keeps.

    Raises
    ------
    InputError
        Where it is not what `to_bytes` makes.
    """
    try:
        arrays = _unpacked(data)
        facts = json.loads(arrays["facts"].tobytes().decode())
        if facts["format"] not in (FORMAT, WITH_VISITS):
            raise ValueError("another format")
        calibration = Calibration(
            origin=_origin(facts["origin"]),
            reach=float(facts["reach"]),
            usual=float(facts["usual"]),
            bands={level: tuple(map(float, factors)) for level, factors in facts["bands"].items()},
            notes=_words(facts["notes"]),
            **{name: _array(arrays, name) for name in _ARRAYS},
        )
        told = facts["visits"] if facts["format"] == WITH_VISITS else []
        if len(told) > MOST_VISITS:
            raise ValueError("it holds too many visits")
        visits = tuple(_visit(arrays, i, of) for i, of in enumerate(told))
        return calibration, visits
    except _DAMAGE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{' '.join(str(error).split())[:_WORD]}: calibrate again") from error


_HEADER = re.compile(
    r"\{'descr': '(<f4|\|u1)', 'fortran_order': (True|False), "
    r"'shape': \(((?:\d{1,7}, ?)*(?:\d{1,7})?,?)\), \}\s*"
)


def _unpacked(data: bytes) -> dict[str, NDArray[np.generic]]:
    """The arrays of an npz: what `numpy.load` does, without evaluating what a header says."""
    with zipfile.ZipFile(io.BytesIO(data)) as inside:
        if sum(entry.file_size for entry in inside.infolist()) > LARGEST_BYTES:
            raise ValueError("it is too large")
        # Sizes may lie: no more is unpacked than may be there.
        files = {
            name: handle.read(LARGEST_BYTES) for name in inside.namelist() for handle in [inside.open(name)]
        }
    return {name.removesuffix(".npy"): _unpacked_array(raw) for name, raw in files.items()}


def _unpacked_array(raw: bytes) -> NDArray[np.generic]:
    length = int.from_bytes(raw[8:10], "little")
    header = _HEADER.fullmatch(raw[10 : 10 + length].decode("latin-1"))
    if raw[:8] != b"\x93NUMPY\x01\x00" or header is None:
        raise ValueError("an array of another kind")
    shape = tuple(int(n) for n in header[3].replace(" ", "").split(",") if n)
    values = np.frombuffer(raw[10 + length :], np.dtype(header[1]))
    if values.size != math.prod(shape):
        raise ValueError("an array of another length")
    return values.reshape(shape, order="F" if header[2] == "True" else "C")


def _visit(arrays: Mapping[str, NDArray[np.generic]], number: int, facts: dict[str, Any]) -> Visit:
    read = {
        name: _array(arrays, key).astype(np.float64)
        for name in _OF_VISIT
        if (key := f"visit{number}_{name}") in arrays or name not in ("stated_mv", "rmse_mv")
    }
    features, head = read["features"], read["head"]
    if features.shape[:1] == (1,):
        features = np.broadcast_to(features, (len(SEVEN), *features.shape[1:]))
    stated_mv = read.get("stated_mv")
    return Visit(
        origin=_origin(facts["origin"]),
        head=head,
        reach=float(facts["reach"]),
        moments=Moments(features, read["products"], read["squares"], read["steps"], float(facts["step_s"])),
        stated_mv=None if stated_mv is None else stated_mv.astype(np.float32),
        notes=_words(facts["notes"]),
        rmse_mv=read.get("rmse_mv"),
    )


def _array(arrays: Mapping[str, NDArray[np.generic]], name: str) -> NDArray[np.float32]:
    x = arrays[name]
    if x.dtype != np.float32:
        raise ValueError(f"{name} is not float32")
    return np.asarray(x, np.float32)


def _origin(facts: dict[str, Any]) -> Origin:
    origin = Origin(**facts)
    _words(
        [origin.model, origin.version, origin.source, origin.date, origin.placement, origin.lead, origin.kind]
    )
    if not isinstance(origin.inverted, bool):
        raise ValueError("its polarity is not stated")
    if isinstance(origin.earlier, bool) or not isinstance(origin.earlier, int) or origin.earlier < 0:
        raise ValueError("its earlier visits are not counted")
    return origin


def _words(words: list[str]) -> tuple[str, ...]:
    if not all(isinstance(w, str) and len(w) <= _WORD and w.isprintable() for w in words):
        raise ValueError("its words cannot be shown")
    return tuple(words)


def refuse_unfit(calibration: Calibration, info: StreamInfo) -> None:
    """Raise an `InputError` where a stream is not measured as the reference was."""
    origin = calibration.origin
    if origin.inverted != info.inverted:
        was, now = ("turned", "as it comes") if origin.inverted else ("as it came", "turned")
        raise InputError(f"the calibration took the lead {was}, this stream is taken {now}", Field.POLARITY)
    if not info.is_lead_i:
        raise InputError(
            f"the calibration is for Lead I, this stream is {info.lead}", Field.CALIBRATION, leave_out=True
        )
    told = info.placement.value
    if "unstated" not in (origin.placement, told) and origin.placement != told:
        raise InputError(
            f"the calibration is for electrodes on the {origin.placement}, these sit on the {told}: "
            "calibrate again"
        )
