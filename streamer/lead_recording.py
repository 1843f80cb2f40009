# SPDX-License-Identifier: MIT
"""Any recording that this library can read, by what is in the file."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from streamer.core.errors import Field, InputError
from streamer.core.stream import Placement, Samples
from streamer.formats.recording import NOTHING_STATED, Lead, Stated, row_of
from streamer.formats.registry import read_file, split_reading
from streamer.formats.wfdb_files import is_kind, show, unreadable
from streamer.formats.wfdb_reader import Record
from streamer.formats.xdf import MAGIC
from streamer.recording.encoding import FORMAT as OUR_FORMAT
from streamer.recording.reader import Recording

OURS = b"<name>mECG "
"""Stands in the first stream of each session of this program."""

_HEAD = 1 << 16
_BEGUN = 1 << 10
"""Bytes within which a session has said that it is one."""


class LeadRecording(Protocol):
    """One or more leads of one length at one rate; samples are read when asked for.

    A new format is a file in `streamer.formats` and a line in its registry.
    """

    @property
    def rate_hz(self) -> float:
        """Sampling rate."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The label of each row of what `read` returns, as the file gives it."""
        ...

    @property
    def leads(self) -> tuple[Lead, ...]:
        """What each row is: its label, its unit in the file, and whether that is a voltage."""
        ...

    @property
    def placement(self) -> Placement:
        """Where the electrodes sit, if the kind of file says so."""
        ...

    @property
    def began(self) -> datetime | None:
        """When the first sample was, if that is stated; of the year 1 if only the time of day is."""
        ...

    @property
    def kind(self) -> str:
        """What the file is, in words, such as ``an Apple Watch ECG``."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user."""
        ...

    @property
    def samples(self) -> int:
        """Samples per row, missing ones counted."""
        ...

    def row(self, lead: str) -> int | None:
        """The row that holds a lead, by any spelling of its name; None if there is none."""
        ...

    def read(self, start: int = 0, stop: int | None = None) -> Samples:
        """Samples ``start`` to ``stop`` (None: the end) of all rows, ``(rows, n)`` mV; NaN where missing.

        Raises
        ------
        InputError
            If the file can no longer be read.
        """
        ...


class SessionRecording:
    """The measured lead of a recorded session, as it came in.

    What was reconstructed then, and all that happened, is in ``session``.

    Raises
    ------
    InputError
        As `streamer.recording.reader.Recording` does.
    """

    kind = "a session of this program"

    def __init__(self, path: Path) -> None:
        self.session = Recording(path)

    @property
    def rate_hz(self) -> float:
        """Nominal rate of the source."""
        return self.session.description.stream.rate_hz

    @property
    def names(self) -> tuple[str, ...]:
        """The one label, as the source gave it."""
        return (self.session.description.stream.lead,)

    @property
    def leads(self) -> tuple[Lead, ...]:
        """The measured lead: Lead I if it was that, whatever its label."""
        return (Lead("I" if self.session.description.stream.is_lead_i else self.names[0], "mV"),)

    @property
    def placement(self) -> Placement:
        """As it was stated then."""
        return self.session.description.stream.placement

    @property
    def began(self) -> datetime | None:
        """Of the first sample, UTC."""
        return self.session.first_sample

    @property
    def notes(self) -> tuple[str, ...]:
        """As they were shown then."""
        return self.session.description.stream.notes

    @property
    def samples(self) -> int:
        """From the first sample to the last, lost ones counted."""
        return self.session.raw_stop - self.session.raw_start

    def row(self, lead: str) -> int | None:
        """0 for the measured lead, by any spelling of its name; None for any other."""
        return row_of(self.leads, lead)

    def read(self, start: int = 0, stop: int | None = None) -> Samples:
        """Samples ``start`` to ``stop`` (None: the end), ``(1, n)`` mV; NaN where missing.

        Raises
        ------
        InputError
            If the file was changed, or can no longer be read.
        """
        stop = self.samples if stop is None else min(max(stop, 0), self.samples)
        first = self.session.raw_start
        return self.session.raw_mv(first + min(max(start, 0), stop), first + stop)[None]


def open_recording(path: str | Path, stated: Stated = NOTHING_STATED) -> LeadRecording:
    """Open a recording; which format it has is recognized by its content.

    Parameters
    ----------
    path : str or Path
        A file of any format in ``docs/files.md``, a WFDB record (``.hea``, ``.dat``, ``.mat``, or name), or
        a recorded session.  ``?reading=2`` behind it chooses among several readings.
    stated : Stated
        What the file does not say: unit, rate, lead.

    Returns
    -------
    LeadRecording
        Of a WFDB record or a session only its structure is read here: a day's recording opens at once.

    Raises
    ------
    InputError
        If there is no such file, it cannot be read, or does not say all that must be known.

    Examples
    --------
    >>> from streamer import open_recording
    >>> recording = open_recording("recordings/ptb-xl/00010_hr")
    >>> recording.rate_hz, recording.samples, recording.names[:3]
    (500.0, 5000, ('I', 'II', 'III'))
    >>> recording.read(0, 500)[recording.row("I")].shape
    (500,)
    """
    text, reading = split_reading(os.fspath(path))
    if reading is not None:
        stated = replace(stated, reading=reading)
    file = Path(text)
    if not is_kind(Path.is_file, file) or file.suffix.lower() == ".hea" or _of_a_record(file):
        return _record(text, stated)
    try:
        if is_a_session(file):
            return SessionRecording(file)
        return read_file(file, stated)
    except OSError as error:
        raise unreadable(file, error) from None


def _record(text: str, stated: Stated) -> Record:
    record = Record(text, stated.lead)
    for value, field in ((stated.unit_mv, Field.UNIT), (stated.rate_hz, Field.RATE)):
        if value is not None:
            raise InputError(f"the header of {show(text)} states the {field.value}", field, leave_out=True)
    return record


def _of_a_record(file: Path) -> bool:
    """Whether a file is the signal file of a WFDB record: its header lies beside it."""
    return file.suffix.lower() in (".dat", ".mat") and is_kind(Path.is_file, file.with_suffix(".hea"))


def is_a_session(file: Path) -> bool:
    """Whether a file is a session of this program, not another program's XDF; raises OSError."""
    with file.open("rb") as opened:
        head = opened.read(_HEAD)
    begun = len(head) < _BEGUN and b"<nominal_srate>" not in head
    return head.startswith(MAGIC) and (begun or OURS in head or OUR_FORMAT.encode() in head[:_BEGUN])
