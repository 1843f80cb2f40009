# SPDX-License-Identifier: MIT
"""The header of a WFDB record: header(5)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from streamer.core.errors import InputError
from streamer.core.leads import canonical_lead
from streamer.core.units import mv_per_unit
from streamer.formats.wfdb_files import bytes_of, header_path, show
from streamer.formats.wfdb_packing import FLAC_BITS, PACKINGS

_HEADER_BYTES = 1 << 20
_MOST_SIGNALS = 256
_MOST_SEGMENTS = 20_000
MOST_PER_FRAME = 1 << 16
MOST_SAMPLES = 1 << 40

# Every run of digits is bounded, so that no header can ask for a number of a million of them.
_NUMBER = r"(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][+-]?\d{1,2})?"

_RATE = re.compile(rf"({_NUMBER})(?:/({_NUMBER})(?:\(-?{_NUMBER}\))?)?", re.ASCII)
_FORMAT = re.compile(r"(\d{1,4})(?:x(\d{1,6}))?(?::(\d{1,4}))?(?:\+(\d{1,12}))?", re.ASCII)
_GAIN = re.compile(rf"([+-]?{_NUMBER})(?:\((-?\d{{1,10}})\))?(?:/(\S+))?", re.ASCII)
_CLOCK = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,2}):)?(\d{1,2})(?:\.(\d{1,9}))?", re.ASCII)
_DATE = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})|(\d{4})[/.-](\d{1,2})[/.-](\d{1,2})", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal line of a header."""

    file: str
    format: int
    """WFDB's format number; 0 is a signal without samples, in a layout header."""
    skew: int
    """The file holds sample ``i`` of this signal in frame ``i + skew``."""
    offset: int
    """Bytes before the first sample of the file."""
    gain: float
    """Digital steps per ``units``."""
    baseline: int
    """The digital value of zero."""
    units: str
    initial: int
    """The value before the first difference, in format 8."""
    name: str
    """As the header gives it."""
    per_frame: int = 1
    """Samples of this signal in each frame: it runs at so many times the record's rate."""

    @property
    def lead(self) -> str | None:
        """Which of the twelve leads this is, or None."""
        return canonical_lead(self.name)

    @property
    def steps_per_mv(self) -> float | None:
        """Digital steps per mV; None if the unit is no voltage."""
        factor = mv_per_unit(self.units) if self.units else 1.0  # header(5): mV if it states none
        return None if factor is None else self.gain / factor


@dataclass(frozen=True, slots=True)
class Header:
    """One ``.hea`` file."""

    path: Path
    """Of the ``.hea`` file."""
    name: str
    """The record's name: that of the file, whatever the first line says."""
    rate_hz: float
    samples: int | None
    """Samples per signal; None if the header leaves it to the size of the signal file."""
    signals: tuple[Signal, ...]
    """Empty in the header of a record that is made of segments."""
    segments: tuple[tuple[str, int], ...]
    """Name and length of each segment; ``~`` is a stretch without samples."""
    comments: tuple[str, ...]
    began: datetime | None = None
    """Base time and date; of the year 1 if the header states no date."""


def read_header(path: str | Path) -> Header:
    """Read the header of a record.

    Parameters
    ----------
    path : str or Path
        ``.hea``, ``.dat``, or the record's name without either.

    Raises
    ------
    InputError
        No such file, or not a WFDB header that this reader can follow.
    """
    path = header_path(path)
    what = show(path)
    raw = bytes_of(path, _HEADER_BYTES, "header")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # old headers: µV, and names in comments
    if re.search(r"[\x00-\x08\x0e-\x1f\x7f]", text):
        raise InputError(f"{what} is not a WFDB header (it holds binary data); name a record's .hea file")
    lines = [line.strip() for line in re.split(r"[\r\n]", text)]
    comments = tuple(line[1:].strip() for line in lines if line.startswith("#"))
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise InputError(f"{what} is an empty header; name another record")
    fields = lines[0].split()
    segmented = re.fullmatch(r".+/(\d{1,9})", fields[0])
    count = _count(fields, 1)
    if count is None:
        raise InputError(f"{what} is no WFDB header (it begins with {show(lines[0])}); name a .hea file")
    if count == 0:
        raise InputError(f"{what} describes a record without signals; name another record")
    if count > _MOST_SIGNALS:
        raise InputError(f"{what} promises {count} signals, more than {_MOST_SIGNALS}; name another record")
    rate_hz = _rate(fields[2] if len(fields) > 2 else "250", what)
    samples = _count(fields, 3)
    if len(fields) > 3 and (samples is None or samples > MOST_SAMPLES):
        raise InputError(f"{what} states an impossible length ({show(fields[3])}); repair its first line")
    body = lines[1:]
    signals: tuple[Signal, ...] = ()
    segments: tuple[tuple[str, int], ...] = ()
    wanted = int(segmented[1]) if segmented else count
    if segmented and not 1 <= wanted <= _MOST_SEGMENTS:
        raise InputError(f"{what} promises {wanted} segments, not 1 to {_MOST_SEGMENTS}; name another record")
    if len(body) < wanted:
        kind = "segments" if segmented else "signals"
        raise InputError(f"{what} promises {wanted} {kind} but describes {len(body)}; restore the header")
    if segmented:
        segments = tuple(_segment(line, what) for line in body[:wanted])
    else:
        signals = tuple(_signal(line, i, what) for i, line in enumerate(body[:wanted]))
    began = _began(fields[4:6])
    return Header(path, path.name[:-4], rate_hz, samples or None, signals, segments, comments, began)


def _count(fields: list[str], place: int) -> int | None:
    ok = place < len(fields) and re.fullmatch(r"\d{1,18}", fields[place], re.ASCII)
    return int(fields[place]) if ok else None


def _rate(text: str, what: str) -> float:
    match = _RATE.fullmatch(text)
    rate_hz = float(match[1]) if match else math.nan
    if not 0 < rate_hz < math.inf:
        raise InputError(f"{what} states the impossible sampling rate {show(text)}; correct its first line")
    return rate_hz


def _began(fields: list[str]) -> datetime | None:
    """Base time and base date, in whichever order; None if there is no time, or none that can be."""
    date = next((match for field in fields if (match := _DATE.fullmatch(field))), None)
    clock = next((match for field in fields if (match := _CLOCK.fullmatch(field))), None)
    if clock is None:
        return None
    year, month, day = 1, 1, 1
    if date is not None:
        year, month, day = map(int, date.group(3, 2, 1) if date[3] else date.group(4, 5, 6))
    hour, minute, second = (int(clock[i] or 0) for i in (1, 2, 3))
    try:
        return datetime(year, month, day, hour, minute, second, int((clock[4] or "0").ljust(6, "0")[:6]))
    except ValueError:
        return None


def _segment(line: str, what: str) -> tuple[str, int]:
    fields = line.split()
    length = _count(fields, 1)
    if length is None:
        raise InputError(f"{what} has a segment line without a length ({show(line)}); restore the header")
    return fields[0], length


def _signal(line: str, number: int, what: str) -> Signal:
    fields = line.split(None, 2)
    layout = _FORMAT.fullmatch(fields[1]) if len(fields) > 1 else None
    if layout is None:
        raise InputError(f"{what} has a line that describes no signal ({show(line)}); restore the header")
    kind = int(layout[1])
    if kind not in PACKINGS and kind not in FLAC_BITS and kind != 0:
        raise InputError(
            f"{what} uses sample format {kind}, which is not read here; convert it to 16 with WFDB's xform"
        )
    per_frame = int(layout[2] or 1)
    if not 1 <= per_frame <= MOST_PER_FRAME:
        raise InputError(f"{what} has {per_frame} samples per frame; correct the header")
    rest = fields[2] if len(fields) > 2 else ""
    gain, baseline, units = 200.0, None, ""
    words = rest.split(None, 1)
    match = _GAIN.fullmatch(words[0]) if words else None
    if match:
        words = words[1].split(None, 1) if len(words) > 1 else []
        gain = float(match[1]) or 200.0
        baseline = int(match[2]) if match[2] else None
        units = match[3] or ""
    elif words and re.match(r"(?:[-+.]?\d|[-+]?(?:nan|inf))\S*[(/]", words[0], re.IGNORECASE):
        raise InputError(f"{what} states an impossible gain ({show(line)}); correct the header")
    numbers: list[int] = []  # resolution, zero, initial value, checksum, block size
    while words and len(numbers) < 5 and _INTEGER.fullmatch(words[0]):
        numbers.append(int(words[0]))
        words = words[1].split(None, 1) if len(words) > 1 else []
    zero = numbers[1] if len(numbers) > 1 else 0
    initial = numbers[2] if len(numbers) > 2 else zero
    signal = Signal(
        file=fields[0],
        format=kind,
        skew=int(layout[3] or 0),
        offset=int(layout[4] or 0),
        gain=gain,
        baseline=zero if baseline is None else baseline,
        units=units,
        initial=initial,
        name=" ".join(words) or f"signal {number}",
        per_frame=per_frame,
    )
    # Beyond these nothing is an ECG, and float32 would not hold it.
    per_mv = signal.steps_per_mv
    if per_mv is not None and not 1e-6 <= abs(per_mv) <= 1e12:
        raise InputError(f"{what} states an impossible gain ({show(line)}); correct the header")
    if max(abs(signal.baseline), abs(signal.initial)) > 1 << 32:
        raise InputError(f"{what} states an impossible baseline ({show(line)}); correct the header")
    return signal
