# SPDX-License-Identifier: MIT
"""EDF+C files: a header, then data records of equal length (edfplus.info, specs of EDF and EDF+).

Written by hand rather than through edfio 0.4, which states the instants of data records as sums of
binary fractions (``+1.0890739999999999``): edflib, and what builds on it, refuses such files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import isqrt, log
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import Field, InputError

RECORD_BYTES = 61440
"""The specification's bound for the samples of a data record."""

RECORD_S = 10.0
"""No data record is longer, so that a reader need not take in much at once."""

# Whatever the locale says.
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class EdfSignal:
    """What the header says of a signal whose digital values are whole µV; ASCII, cut to its field."""

    label: str
    """16 letters."""
    transducer: str
    """80 letters."""
    prefiltering: str
    """80 letters."""


@dataclass(frozen=True, slots=True)
class EdfNote:
    """An annotation."""

    onset: Fraction
    """Seconds after the first sample."""
    duration: Fraction | None
    text: str


def write_edf_plus(
    out: BinaryIO,
    signals: Sequence[EdfSignal],
    digital: NDArray[np.int16],
    rate_hz: float,
    began: datetime,
    notes: Iterable[EdfNote],
    recording: Sequence[str],
) -> None:
    """Write a file.

    Parameters
    ----------
    out : binary file
    signals : sequence of EdfSignal
    digital : array (signals, n)
        µV.
    rate_hz : float
        Of every signal.
    began : datetime
        When the first sample was; stated to the microsecond.
    notes : iterable of EdfNote
    recording : sequence of str
        Equipment and more, a word each.

    Raises
    ------
    InputError
        The rate, with this length, is one that EDF cannot state.
    """
    samples = digital.shape[1]
    rate = Fraction(rate_hz).limit_denominator(1000)
    size = samples_per_record(samples, rate_hz, len(signals))
    count = samples // size
    fraction = Fraction(began.microsecond, 1_000_000)
    lists = _annotation_lists(count, size / rate, fraction, notes)
    width = lists.shape[1]
    date = f"{began.day:02d}-{_MONTHS[began.month - 1]}-{began.year}"
    # The clock of 1985 to 2084, as EDF has it; the whole year stands beside it.
    head = [
        ("0", 8),
        ("X X X X", 80),
        (f"Startdate {date} X X {' '.join(recording)}", 80),
        (f"{began:%d.%m.%y}", 8),
        (f"{began:%H.%M.%S}", 8),
        (str(256 * (len(signals) + 2)), 8),
        ("EDF+C", 44),
        (str(count), 8),
        (decimal(size / rate), 8),
        (str(len(signals) + 1), 4),
    ]
    k = len(signals)
    columns: list[tuple[list[str], int]] = [
        ([*(signal.label for signal in signals), "EDF Annotations"], 16),
        ([*(signal.transducer for signal in signals), ""], 80),
        (["uV"] * k + [""], 8),
        (["-32768"] * k + ["-1"], 8),
        (["32767"] * k + ["1"], 8),
        (["-32768"] * (k + 1), 8),
        (["32767"] * (k + 1), 8),
        ([*(signal.prefiltering for signal in signals), ""], 80),
        ([str(size)] * k + [str(width // 2)], 8),
        ([""] * (k + 1), 32),
    ]
    head += [(text, length) for texts, length in columns for text in texts]
    out.write(b"".join(text[:length].ljust(length).encode("ascii") for text, length in head))
    for first in range(0, count, _AT_ONCE):
        last = min(first + _AT_ONCE, count)
        block = digital[:, first * size : last * size].reshape(k, last - first, size)
        data = np.ascontiguousarray(block.swapaxes(0, 1), "<i2").reshape(last - first, -1)
        out.write(np.concatenate([data.view(np.uint8), lists[first:last]], axis=1).tobytes())


def samples_per_record(samples: int, rate_hz: float, signals: int) -> int:
    """How many to a data record, so that whole ones hold all: near to a second's.

    A file holds whole data records only, and nothing is to be added or cut; so this divides
    ``samples``, and its seconds are exact in the 8 letters that EDF has for them.

    Raises
    ------
    InputError
        There is no such number.
    """
    rate = Fraction(rate_hz).limit_denominator(1000)
    most = min(RECORD_BYTES // (2 * signals), round(RECORD_S * rate_hz))
    fitting = [n for n in _divisors(samples) if n <= most and _fits(n / rate)]
    if not fitting:
        raise InputError(f"EDF cannot hold {samples} samples at {rate_hz:g} Hz exactly", Field.SPAN)
    return min(fitting, key=lambda n: abs(log(n / rate_hz)))


def decimal(seconds: Fraction) -> str:
    """A number without an exponent, exact where it has up to 28 digits."""
    return f"{(Decimal(seconds.numerator) / Decimal(seconds.denominator)).normalize():f}"


def _fits(seconds: Fraction) -> bool:
    text = decimal(seconds)
    return len(text) <= 8 and Fraction(text) == seconds


def _divisors(n: int) -> set[int]:
    small = [i for i in range(1, isqrt(n) + 1) if n % i == 0]
    return {*small, *(n // i for i in small)}


def _annotation_lists(
    count: int, length: Fraction, fraction: Fraction, notes: Iterable[EdfNote]
) -> NDArray[np.uint8]:
    """The annotation signal's bytes, ``(data records, width)``.

    Each record begins with its own instant.  The notes stand in order of their onset, from the first
    record on: EDF+ leaves their place free, and every record is as wide as the fullest.
    """
    instants = [f"+{decimal(fraction + i * length)}\x14\x14\0".encode("ascii") for i in range(count)]
    packed = [_packed(note, fraction) for note in sorted(notes, key=lambda note: note.onset)]
    total = sum(map(len, packed))
    room = max([*map(len, packed), -(-total // count)], default=0)
    while len(lines := list(_lines(packed, room))) > count:
        room += room // 8 + 1
    lines += [b""] * (count - len(lines))
    texts = [instant + line for instant, line in zip(instants, lines, strict=True)]
    width = max(map(len, texts))
    width += width % 2
    return np.frombuffer(b"".join(text.ljust(width, b"\0") for text in texts), np.uint8).reshape(count, width)


def _packed(note: EdfNote, fraction: Fraction) -> bytes:
    duration = "" if note.duration is None else f"\x15{decimal(note.duration)}"
    return f"+{decimal(fraction + note.onset)}{duration}\x14{note.text}\x14\0".encode()


def _lines(packed: Sequence[bytes], room: int) -> Iterator[bytes]:
    line = b""
    for note in packed:
        if line and len(line) + len(note) > room:
            yield line
            line = b""
        line += note
    if line:
        yield line
