# SPDX-License-Identifier: MIT
"""Leads as a WFDB record: format 16, 1 µV; live, at the source's own rate and length."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from io import BufferedWriter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import Field, InputError
from streamer.core.leads import LEADS, PREDICTED
from streamer.core.stream import Samples
from streamer.formats.left_behind import claim, remove_left_behind_once

GAIN_PER_MV = 1000
"""1 LSB is 1 µV."""

INVALID = -32768
"""Format 16's code for "no sample"; read as NaN."""

LARGEST = 32767
"""Samples beyond this many LSB are clipped, and counted."""

_AT_ONCE = 1 << 16

TWELVE = tuple(map(str.upper, LEADS))
"""How PTB-XL's records name their signals, and programs look for them."""

EIGHT = [LEADS.index(lead) for lead in PREDICTED]


def _private(path: Path) -> BufferedWriter:
    """A file for the user alone, whatever the umask says: a record is a person's."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


class WfdbWriter:
    """Writes one record, all of it or nothing.

    Samples go to a hidden temporary file in the same folder; `finish` renames it and writes the
    header, `abort` removes it.

    Parameters
    ----------
    folder : Path
        Made where it does not exist.
    name : str
        Of the record: letters, digits, ``_`` and ``-``.
    rate_hz : float
        Sampling rate that the header states.
    force : bool
        Overwrite a record of this name.
    signals : sequence of str
        Their names, one line each; the twelve leads where left out.
    began : datetime, optional
        When the first sample was; one of the year 1 is a time without a date.

    Raises
    ------
    InputError
        Where such a record exists already, or the name is not one that WFDB allows.
    OSError
        Where the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        rate_hz: float,
        *,
        force: bool = False,
        signals: Sequence[str] = TWELVE,
        began: datetime | None = None,
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise InputError(f"'{name}' cannot name a WFDB record: use letters, digits, _ and - only")
        self.samples = 0
        """Written so far, of each lead."""
        self.clipped = 0
        """Samples that did not fit into 16 bits."""
        self.header = folder / f"{name}.hea"
        self._signal = folder / f"{name}.dat"
        self._rate_hz = rate_hz
        self._force = force
        self._signals = tuple(signals)
        self._began = began
        self._refuse_existing()
        folder.mkdir(parents=True, exist_ok=True)
        remove_left_behind_once(folder)
        self._finished = False
        self._part = folder / f".{name}.{os.getpid()}.part"
        self._file: BufferedWriter | None = _private(self._part)
        claim(self._file)
        self._first = np.full(len(self._signals), INVALID, np.int64)
        self._sums = np.zeros(len(self._signals), np.int64)

    def append(self, leads_mv: Samples) -> None:
        """Write ``(signals, n)`` samples in mV, such as the leads in the order of `LEADS`; NaN is
        "no sample".

        Raises
        ------
        OSError
            Where the disk is full, say; the record is aborted, since what it holds is torn.
        """
        if self._file is None:
            raise ValueError("the record is closed")
        digital, clipped = sixteen_bits(leads_mv)
        self.clipped += clipped
        if not self.samples and digital.shape[1]:
            self._first = digital[:, 0].astype(np.int64)
        self._sums += digital.sum(axis=1, dtype=np.int64)
        try:
            self._file.write(digital.T.tobytes())
        except OSError:
            self.abort()
            raise
        self.samples += digital.shape[1]

    def finish(self, comments: Sequence[str] = ()) -> Path:
        """Give the record its name; returns the header's path.

        Parameters
        ----------
        comments : sequence of str
            Lines for the header.

        Raises
        ------
        InputError
            Where a record of this name has appeared meanwhile; nothing is left behind.
        OSError
            Where the disk is full, say; nothing is left behind.
        """
        if self._file is None:
            raise ValueError("the record is closed")
        header_part = self._part.with_suffix(".hea.part")
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            with _private(header_part) as file:
                file.write(self._header_text(comments).encode("ascii", "replace"))
            self._refuse_existing()
            # An old header beside a new signal would be a wrong record; no header is none.
            self.header.unlink(missing_ok=True)
            self._part.replace(self._signal)
            header_part.replace(self.header)
        except BaseException:
            header_part.unlink(missing_ok=True)
            self.abort()
            raise
        self._file, self._finished = None, True
        return self.header

    def abort(self) -> None:
        """Leave nothing behind.  Does nothing after `finish`."""
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):  # what could not be flushed is not wanted
                file.close()
            self._part.unlink(missing_ok=True)

    def remove(self) -> None:
        """Take away the record that `finish` left, if it did."""
        if self._finished:
            self.header.unlink(missing_ok=True)
            self._signal.unlink(missing_ok=True)

    @property
    def is_open(self) -> bool:
        """False after `finish`, `abort`, or an append that failed."""
        return self._file is not None

    def _refuse_existing(self) -> None:
        for path in (self.header, self._signal):
            if path.exists() and not self._force:
                raise InputError(f"{path} exists", Field.OUTPUT)

    def _header_text(self, comments: Sequence[str]) -> str:
        lines = [f"{self.header.stem} {len(self._signals)} {self._rate_hz:.12g} {self.samples}"]
        if self._began is not None:
            lines[0] += f" {self._began:%H:%M:%S.%f}"
            lines[0] += f" {self._began:%d/%m/%Y}" if self._began.year > 1 else ""
        for name, first, total in zip(self._signals, self._first, self._sums, strict=True):
            checksum = int(total + 0x8000) % 0x10000 - 0x8000  # 16 bits, signed
            lines.append(f"{self._signal.name} 16 {GAIN_PER_MV}(0)/mV 16 0 {first} {checksum} 0 {name}")
        lines += [f"# {' '.join(comment.split())}" for comment in comments]
        return "\n".join(lines) + "\n"


def record_name(name: str) -> str:
    """A name as WFDB allows it: letters without their accents, ``_`` for all but digits, ``_`` and ``-``."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return re.sub(r"[^A-Za-z0-9_-]", "_", plain)[:200] or "record"


def sixteen_bits(mv: Samples) -> tuple[NDArray[np.int16], int]:
    """Samples ``(rows, n)`` in mV as whole µV in 16 bits, as format 16, EDF and DICOM have them.

    Returns
    -------
    digital : array of the same shape
        `INVALID` for NaN; clipped to ±`LARGEST`.
    clipped : int
        How many did not fit.
    """
    digital, clipped = np.empty(mv.shape, "<i2"), 0
    for start in range(0, mv.shape[1], _AT_ONCE):  # a day's worth is large enough without the float64
        here = slice(start, start + _AT_ONCE)
        lsb = np.rint(mv[:, here].astype(np.float64) * GAIN_PER_MV)
        clipped += int(np.count_nonzero(np.abs(lsb) > LARGEST))
        digital[:, here] = np.where(np.isnan(lsb), INVALID, np.clip(lsb, -LARGEST, LARGEST))
    return digital, clipped


def clipped_note(samples: int) -> list[str]:
    """What a file says where samples did not fit; nothing where all did."""
    return [f"{samples} samples clipped to +-{LARGEST / GAIN_PER_MV} mV"] if samples else []
