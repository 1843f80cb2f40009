# SPDX-License-Identifier: MIT
"""Any recording that this library can read, by what is in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from streamer.core.leads import canonical_lead
from streamer.core.stream import Samples
from streamer.formats.wfdb_reader import Record
from streamer.recording.reader import Recording

_XDF = b"XDF:"


class LeadRecording(Protocol):
    """One or more leads of one length at one rate; samples are read when asked for.

    A new format is a class like this and a line in `open_recording`.
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
    def samples(self) -> int:
        """From the first sample to the last, lost ones counted."""
        return self.session.raw_stop - self.session.raw_start

    def row(self, lead: str) -> int | None:
        """0 for the measured lead, by any spelling of its name; None for any other."""
        (name,) = self.names
        wanted = canonical_lead(lead)
        same = lead.strip().casefold() == name.casefold()
        return 0 if same or (wanted is not None and wanted == canonical_lead(name)) else None

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


def open_recording(path: str | Path) -> LeadRecording:
    """Open a recording; which format it has is recognised by its content.

    Parameters
    ----------
    path : str or Path
        A WFDB record (its ``.hea``, its ``.dat``, or the name without either) or a recorded session.

    Returns
    -------
    LeadRecording
        Only its structure is read here, so that a day's recording opens at once.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read.

    Examples
    --------
    >>> from streamer import open_recording
    >>> recording = open_recording("recordings/ptb-xl/00010_hr")
    >>> recording.rate_hz, recording.samples, recording.names[:3]
    (500.0, 5000, ('I', 'II', 'III'))
    >>> recording.read(0, 500)[recording.row("I")].shape
    (500,)
    """
    return SessionRecording(Path(path)) if _begins_with(path, _XDF) else Record(path)


def _begins_with(path: str | Path, magic: bytes) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file.read(len(magic)) == magic
    except (OSError, ValueError):  # the reader says what is wrong
        return False
