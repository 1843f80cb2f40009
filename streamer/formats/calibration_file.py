# SPDX-License-Identifier: MIT
"""A person's calibration as a file: numbers and words only, read without executing anything."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path

import numpy as np

from streamer.core.calibration.correction import Calibration, Origin
from streamer.core.errors import Field, InputError
from streamer.core.stream import StreamInfo
from streamer.formats.atomic_write import write_private

FORMAT = 1
LARGEST_BYTES = 4_000_000
"""Ours take 20 kB."""
_ARRAYS = ("head", "metric", "scale", "left", "rmse_mv")
_WORD = 200
_DAMAGE = (
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    RuntimeError,  # it says that it is encrypted, or packed in a way that nobody knows
    OSError,
    EOFError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


def to_bytes(calibration: Calibration) -> bytes:
    """The file's content (numpy's npz)."""
    facts = {
        "format": FORMAT,
        "origin": asdict(calibration.origin),
        "reach": calibration.reach,
        "usual": calibration.usual,
        "bands": {level: list(factors) for level, factors in calibration.bands.items()},
        "notes": list(calibration.notes),
    }
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    np.savez_compressed(buffer, facts=text, **{name: getattr(calibration, name) for name in _ARRAYS})
    return buffer.getvalue()


def write(path: Path, calibration: Calibration) -> None:
    """Write it so that only its owner may read it, whole or not at all; raises OSError."""
    write_private(path, to_bytes(calibration))


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
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise InputError(f"{path} is no calibration: it is too large")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"the calibration {path} cannot be read: {error.strerror}") from error
    try:
        return from_bytes(data)
    except InputError as error:
        raise InputError(f"{path} is no calibration that can be used: {error}") from error


def from_bytes(data: bytes) -> Calibration:
    """Parse a file's content.

    Raises
    ------
    InputError
        Where it is not what `to_bytes` makes.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as inside:
            if sum(entry.file_size for entry in inside.infolist()) > LARGEST_BYTES:
                raise ValueError("it is too large")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            read = {name: arrays[name] for name in _ARRAYS}
            facts = json.loads(arrays["facts"].tobytes().decode())
        if facts["format"] != FORMAT:
            raise ValueError("another format")
        wrong = [name for name, x in read.items() if x.dtype != np.float32]
        if wrong:
            raise ValueError(f"{wrong[0]} is not float32")
        origin = Origin(**facts["origin"])
        words = [origin.model, origin.version, origin.source, origin.date, origin.placement, origin.lead]
        words += [origin.kind, *facts["notes"]]
        if not all(isinstance(w, str) and len(w) <= _WORD and w.isprintable() for w in words):
            raise ValueError("its words cannot be shown")
        if not isinstance(origin.inverted, bool):
            raise ValueError("its polarity is not stated")
        bands = {level: tuple(map(float, factors)) for level, factors in facts["bands"].items()}
        return Calibration(
            origin=origin,
            reach=float(facts["reach"]),
            usual=float(facts["usual"]),
            bands=bands,
            notes=tuple(facts["notes"]),
            **read,
        )
    except _DAMAGE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{' '.join(str(error).split())[:_WORD]}: calibrate anew") from error


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
            "calibrate anew"
        )
