# SPDX-License-Identifier: MIT
"""What every reader of a file gives: one or more leads in mV, and what the file says of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import Field, InputError
from streamer.core.leads import canonical_lead
from streamer.core.printable import printable
from streamer.core.stream import Placement, Samples
from streamer.core.units import mv_per_unit


@dataclass(frozen=True, slots=True)
class Lead:
    """One row of a recording."""

    label: str
    """As the file gives it."""
    unit: str = ""
    """Of the file's numbers, as the file or the user states it."""
    is_voltage: bool = True

    @property
    def name(self) -> str | None:
        """Which of the twelve leads this is, or None."""
        return canonical_lead(self.label)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose recording it is.  Private: it is shown nowhere, not even by ``repr``."""

    facts: dict[str, str] = field(default_factory=dict, repr=False)
    """Such as name, date of birth, serial number of the device."""

    def words(self) -> str:
        """All of it in one line, for who has asked to keep it."""
        facts = (f"{key}: {printable(' '.join(value.split()))}" for key, value in self.facts.items())
        return "; ".join(fact for fact in facts if not fact.endswith(": "))[:400]


_SERIAL = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{8}|\d{5,}|[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5})(?![0-9A-Za-z])"
)
_POLAR = re.compile(r"(Polar[ _-][A-Za-z0-9]+)[ _-][0-9A-F]{8}(?=[ _-]\d{8}[ _-])", re.I)


def without_serials(text: str) -> str:
    """A device's name without its serial number or address."""
    return _SERIAL.sub("...", text)


def without_identity(path: str) -> str:
    """The path of a file without the serial number that Polar Sensor Logger puts into its name."""
    return _POLAR.sub(r"\1", path)


@dataclass(frozen=True, slots=True)
class Stated:
    """What the user says of a file, for what it does not say itself."""

    unit_mv: float | None = None
    """How many mV a step of the numbers is."""
    rate_hz: float | None = None
    lead: str | None = None
    """Which lead to measure; for a single one whose label names no lead, which lead it is."""
    placement: Placement = Placement.UNSTATED
    reading: str | None = None
    """Which reading of a file that holds several: its number, or how its date begins."""

    def mv_per_step(self, unit: str, what: str) -> float:
        """Millivolts to one of the numbers of ``what``, whose unit the file gives as ``unit``.

        Raises
        ------
        InputError
            The file states no unit of voltage and the user neither.
        """
        if self.unit_mv is not None:
            return self.unit_mv
        step = mv_per_unit(unit)
        if step is None:
            raise InputError(f"{what} states no unit of voltage", Field.UNIT)
        return step

    def unit(self, unit: str) -> str:
        """The unit of a lead, in words: the user's, or else the file's."""
        return unit if self.unit_mv is None else f"{self.unit_mv:g} mV"

    def rate(self, rate_hz: float | None, what: str) -> float:
        """The sampling rate, Hz: the file's, or else the user's.

        Raises
        ------
        InputError
            None is stated.
        """
        if rate_hz is None or not 0 < rate_hz < _MOST_HZ:
            rate_hz = self.rate_hz
        if rate_hz is None or not 0 < rate_hz < _MOST_HZ:
            raise InputError(f"{what} states no sampling rate", Field.RATE)
        return rate_hz


NOTHING_STATED = Stated()

_MOST_MV = 1e9
_MOST_HZ = 1e7
_LONGEST_LABEL = 40


@dataclass(frozen=True, slots=True)
class Recording:
    """A file as read; follows `streamer.lead_recording.LeadRecording`."""

    kind: str
    """What the file is, in words: ``an Apple Watch ECG``."""
    rate_hz: float
    """As exact as it is stated."""
    leads: tuple[Lead, ...]
    mv: Samples
    """``(n_leads, n)`` mV; NaN where missing: a gap stands in its place."""
    began: datetime | None = None
    """Of the first sample; without a zone if the file states none."""
    placement: Placement = Placement.UNSTATED
    """Where the electrodes sit, if the kind of file says so."""
    notes: tuple[str, ...] = ()
    """Sentences for the user."""
    identity: Identity = Identity()

    def __post_init__(self) -> None:
        if self.mv.shape[0] != len(self.leads) or self.mv.ndim != 2:
            raise ValueError("a row for each lead")
        if not self.mv.shape[1]:
            raise InputError(f"{self.kind} without samples; fetch it again, or name another")
        if not np.isfinite(self.mv).any():
            raise InputError(f"{self.kind} without a valid sample; fetch it again, or name another")

    @property
    def names(self) -> tuple[str, ...]:
        """The label of each row."""
        return tuple(lead.label for lead in self.leads)

    @property
    def samples(self) -> int:
        """Samples per row, missing ones counted."""
        return int(self.mv.shape[1])

    def row(self, lead: str) -> int | None:
        """The row that holds a lead, by any spelling of its name; None if there is none."""
        return row_of(self.leads, lead)

    def read(self, start: int = 0, stop: int | None = None) -> Samples:
        """Samples ``start`` to ``stop`` (None: the end) of all rows, ``(rows, n)`` mV; NaN where missing."""
        stop = self.samples if stop is None else min(max(stop, 0), self.samples)
        return self.mv[:, min(max(start, 0), stop) : stop].copy()


def millivolts(values: NDArray[np.floating]) -> Samples:
    """Values in mV as samples: what is infinite, or no voltage that anybody has, is missing."""
    with np.errstate(over="ignore", invalid="ignore"):
        mv = values.astype(np.float32)
        mv[~((values > -_MOST_MV) & (values < _MOST_MV))] = np.nan
    return mv


def row_of(leads: tuple[Lead, ...], lead: str) -> int | None:
    """The row of a lead, by any spelling of one of the twelve, or else by its label in any case."""
    wanted = canonical_lead(lead)
    by_label = (i for i, row in enumerate(leads) if row.label.casefold() == lead.strip().casefold())
    by_lead = (i for i, row in enumerate(leads) if wanted is not None and row.name == wanted)
    return next(by_lead, next(by_label, None))


def _short(label: str) -> str:
    """How a label of any length begins, as it is shown among others."""
    shown = printable(label[:_LONGEST_LABEL])[:_LONGEST_LABEL]
    return shown if len(label) <= _LONGEST_LABEL else f"{shown}..."


def choose(count: int, dates: list[str], reading: str | None, what: str) -> int:
    """Which of several readings is meant, from 0; readings are never joined.

    Raises
    ------
    InputError
        It is not said which, or there is none of that name.
    """
    if count == 1 and reading is None:
        return 0
    listed = [f"{i}" + (f" ({_short(date)})" if date else "") for i, date in enumerate(dates, 1)]
    if reading is not None:
        if reading.isdecimal() and reading.isascii() and len(reading) < 7 and 1 <= int(reading) <= count:
            return int(reading) - 1
        found = [i for i, date in enumerate(dates) if date and len(reading) > 3 and date.startswith(reading)]
        if len(found) == 1:
            return found[0]
    shown = ", ".join(listed[:24]) + (" ..." if len(listed) > 24 else "")
    why = f"{what} holds {count} reading{'s' if count > 1 else ''}: {shown}"
    raise InputError(why, Field.READING, choices=listed)
