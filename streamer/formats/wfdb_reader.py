# SPDX-License-Identifier: MIT
"""Reads WFDB records: header, signals in mV, beat annotations.

Written from the WFDB applications guide, header(5), signal(5) and annot(5)
(https://physionet.org/physiotools/wag/), because the `wfdb` package is heavy and may follow a header
out of its folder or onto the network.  This reader opens files that lie beside the header, and
nothing else.  `tests/streamer/formats/test_wfdb_reader.py` holds it to the `wfdb` package, value by value.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.core.leads import canonical_lead
from streamer.core.stream import Samples

BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
"""The annotation symbols that mark a beat; the others mark rhythm, noise, waves and notes."""

_HEADER_BYTES = 1 << 20
_ANNOTATION_BYTES = 1 << 26
_MOST_SIGNALS = 256
_MOST_SEGMENTS = 20_000
_MOST_SAMPLES = 1 << 40

# Every run of digits is bounded, so that no header can ask for a number of a million of them.
_NUMBER = r"(?:\d{1,20}(?:\.\d{0,20})?|\.\d{1,20})(?:[eE][+-]?\d{1,2})?"
_RATE = re.compile(rf"({_NUMBER})(?:/({_NUMBER})(?:\(-?{_NUMBER}\))?)?", re.ASCII)
_FORMAT = re.compile(r"(\d{1,4})(?:x(\d{1,6}))?(?::(\d{1,4}))?(?:\+(\d{1,12}))?", re.ASCII)
_GAIN = re.compile(rf"([+-]?{_NUMBER})(?:\((-?\d{{1,10}})\))?(?:/(\S+))?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)

_MV_PER_UNIT = {"": 1.0, "mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "v": 1e3}


@dataclass(frozen=True, slots=True)
class _Format:
    """How a signal file packs its samples: ``samples`` of them to a block of ``size`` bytes."""

    samples: int
    size: int
    invalid: int | None
    partial: tuple[int, ...] = ()
    """How many samples the first 1, 2 ... bytes of a block hold, where that is not none."""


_FORMATS = {
    8: _Format(1, 1, None),
    16: _Format(1, 2, -(1 << 15)),
    24: _Format(1, 3, -(1 << 23)),
    32: _Format(1, 4, -(1 << 31)),
    61: _Format(1, 2, -(1 << 15)),
    80: _Format(1, 1, -(1 << 7)),
    160: _Format(1, 2, -(1 << 15)),
    212: _Format(2, 3, -(1 << 11), (0, 1)),
    310: _Format(3, 4, -(1 << 9), (0, 1, 1)),
    311: _Format(3, 4, -(1 << 9), (0, 1, 2)),
}


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

    @property
    def lead(self) -> str | None:
        """Which of the twelve leads this is, or None."""
        return canonical_lead(self.name)

    @property
    def steps_per_mv(self) -> float | None:
        """Digital steps per mV; None where the unit is no voltage."""
        factor = _MV_PER_UNIT.get(self.units.lower())
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
    """Samples per signal; None where the header leaves it to the size of the signal file."""
    signals: tuple[Signal, ...]
    """Empty in the header of a record that is made of segments."""
    segments: tuple[tuple[str, int], ...]
    """Name and length of each segment; ``~`` is a stretch without samples."""
    comments: tuple[str, ...]


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
    path = _header_path(path)
    what = show(path)
    raw = _bytes_of(path, _HEADER_BYTES, "header")
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
    if len(fields) > 3 and (samples is None or samples > _MOST_SAMPLES):
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
    return Header(path, path.name[:-4], rate_hz, samples or None, signals, segments, comments)


class Record:
    """A WFDB record, opened: its header is read and its signal files are known to be whole.

    Samples are read when asked for, so that a day's recording opens at once.

    Parameters
    ----------
    path : str or Path
        ``.hea``, ``.dat``, or the record's name without either.

    Raises
    ------
    InputError
        No such record, a file missing, cut short, outside the record's folder, or of a kind that
        this reader does not know.
    """

    header: Header
    signals: tuple[Signal, ...]
    """One for each row of what `read` returns."""
    samples: int
    """Samples per signal."""

    def __init__(self, path: str | Path) -> None:
        self.header = read_header(path)
        opened = _Segments(self.header) if self.header.segments else _Files(self.header)
        self._opened: _Segments | _Files = opened
        self.signals = opened.signals
        self.samples = opened.samples

    @property
    def rate_hz(self) -> float:
        """Sampling rate, as the header states it."""
        return self.header.rate_hz

    @property
    def names(self) -> tuple[str, ...]:
        """The label of each row, as the header gives it."""
        return tuple(signal.name for signal in self.signals)

    def row(self, lead: str) -> int | None:
        """The row that holds a lead, or None.

        Parameters
        ----------
        lead : str
            Any spelling of one of the twelve leads, or else a label of this record in any case.
        """
        wanted = canonical_lead(lead)
        rows = range(len(self.signals))
        by_lead = (i for i in rows if wanted is not None and self.signals[i].lead == wanted)
        by_name = (i for i in rows if self.names[i].casefold() == lead.strip().casefold())
        return next(by_lead, next(by_name, None))

    def read(self, start: int = 0, stop: int | None = None) -> Samples:
        """Samples ``start`` to ``stop`` of all signals.

        Parameters
        ----------
        start, stop : int
            Indices at the record's rate, clipped to the record; ``stop`` None is its end.

        Returns
        -------
        array (signals, n)
            float32 mV.  NaN where the file marks a sample invalid, in a gap between segments, and
            throughout a signal whose unit is no voltage.

        Raises
        ------
        InputError
            The file has become shorter or vanished since it was opened.
        """
        stop = self.samples if stop is None else min(max(stop, 0), self.samples)
        return self._opened.read(min(max(start, 0), stop), stop)


class _Files:
    """The signals of a record of one segment, from the one or more files that hold them."""

    def __init__(self, header: Header) -> None:
        self.signals = header.signals
        names = dict.fromkeys(signal.file for signal in header.signals)
        rows = {name: [i for i, s in enumerate(self.signals) if s.file == name] for name in names}
        self._files = [_File(header, name, rows[name]) for name in names]
        for file in self._files:
            if file.frames == 0:
                raise InputError(f"{show(file.path)} is empty; fetch it again, or name another record")
        held = min(file.frames for file in self._files)
        if header.samples is not None and held < header.samples:
            short = min(self._files, key=lambda file: file.frames)
            raise InputError(
                f"{show(short.path)} is truncated: {short.frames} samples of the {header.samples} "
                "that its header states; fetch it again, or correct the header"
            )
        self.samples = header.samples or held
        for file in self._files:
            file.frames = self.samples

    def read(self, start: int, stop: int) -> Samples:
        out = np.full((len(self.signals), stop - start), np.nan, np.float32)
        for file in self._files:
            file.read(start, stop, out)
        return out


class _File:
    """One signal file: frames of one sample of each of its signals."""

    def __init__(self, header: Header, name: str, rows: list[int]) -> None:
        signals = [header.signals[row] for row in rows]
        first = signals[0]
        if any(signal.format == 0 for signal in signals):
            raise InputError(f"{show(header.path)} holds no samples, only a layout; name the whole record")
        if any(s.format != first.format or s.offset not in (0, first.offset) for s in signals):
            raise InputError(
                f"{show(header.path)} gives {show(name)} two formats or offsets; correct the header"
            )
        self.path = _beside(header.path, name)
        self._rows = rows
        self._signals = signals
        self._number = first.format
        self._format = _FORMATS[first.format]
        self._offset = first.offset
        try:
            size = max(0, self.path.stat().st_size - first.offset)
        except OSError as error:
            raise _unreadable(self.path, error) from None
        blocks, rest = divmod(size, self._format.size)
        held = blocks * self._format.samples
        if rest and self._format.partial:
            held += self._format.partial[rest - 1]
        self.frames = held // len(rows)
        self._initial = np.array([signal.initial for signal in signals], np.int64)
        self._summed_to, self._sum = 0, self._initial

    def read(self, start: int, stop: int, out: Samples) -> None:
        """Fill the rows of this file in ``out`` with samples ``start`` to ``stop``."""
        end = min(self.frames, stop + max(signal.skew for signal in self._signals))
        digital = self._digital(start, end)
        for column, (row, signal) in enumerate(zip(self._rows, self._signals, strict=True)):
            steps_per_mv = signal.steps_per_mv
            values = digital[signal.skew : signal.skew + stop - start, column]
            if steps_per_mv is None:
                continue
            mv = ((values - float(signal.baseline)) / steps_per_mv).astype(np.float32)
            if self._format.invalid is not None:
                mv[values == self._format.invalid] = np.nan
            out[row, : len(mv)] = mv

    def _digital(self, start: int, stop: int) -> NDArray[np.int64]:
        """Frames ``start`` to ``stop``, ``(n, signals)``."""
        if self._number != 8:
            return self._frames(start, stop)
        # Differences: a sample needs all before it, so where the last read began is remembered.
        if start < self._summed_to:
            self._summed_to, self._sum = 0, self._initial
        while self._summed_to < start:
            upto = min(start, self._summed_to + (1 << 16))
            self._sum = self._sum + self._frames(self._summed_to, upto).sum(axis=0)
            self._summed_to = upto
        sums: NDArray[np.int64] = self._sum + np.cumsum(self._frames(start, stop), axis=0)
        return sums

    def _frames(self, start: int, stop: int) -> NDArray[np.int64]:
        width = len(self._rows)
        return self._flat(start * width, stop * width).reshape(-1, width)

    def _flat(self, start: int, stop: int) -> NDArray[np.int64]:
        """Samples ``start`` to ``stop`` of the file, signals interleaved."""
        packed = self._format
        first = start // packed.samples
        blocks = -(-stop // packed.samples) - first
        # Read, not mapped: a map of a file that another program cuts short ends in a bus error.
        try:
            offset = self._offset + first * packed.size
            raw = np.fromfile(self.path, np.uint8, blocks * packed.size, offset=offset)
        except OSError as error:
            raise _unreadable(self.path, error) from None
        short = blocks * packed.size - len(raw)
        if short >= packed.size:
            raise InputError(f"{show(self.path)} has become shorter while it was read; open it again")
        if short:
            raw = np.append(raw, np.zeros(short, np.uint8))
        skip = start - first * packed.samples
        return _unpack(self._number, raw)[skip : skip + stop - start]


def _unpack(number: int, raw: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Whole blocks of a signal file to digital values, as signal(5) lays them out."""
    if number == 8:
        return raw.view(np.int8).astype(np.int64)
    if number == 16:
        return raw.view("<i2").astype(np.int64)
    if number == 32:
        return raw.view("<i4").astype(np.int64)
    if number == 61:
        return raw.view(">i2").astype(np.int64)
    if number == 80:
        return raw.astype(np.int64) - (1 << 7)
    if number == 160:
        return raw.view("<u2").astype(np.int64) - (1 << 15)
    packed = _FORMATS[number]
    byte = raw.reshape(-1, packed.size).astype(np.int64)
    if number == 24:
        parts, bits = [byte[:, 0] | byte[:, 1] << 8 | byte[:, 2] << 16], 24
    elif number == 212:
        parts, bits = [byte[:, 0] | (byte[:, 1] & 0x0F) << 8, byte[:, 2] | (byte[:, 1] & 0xF0) << 4], 12
    elif number == 310:
        low, high = byte[:, 0] | byte[:, 1] << 8, byte[:, 2] | byte[:, 3] << 8
        parts, bits = [low >> 1 & 0x3FF, high >> 1 & 0x3FF, low >> 11 | high >> 11 << 5], 10
    else:
        word = byte[:, 0] | byte[:, 1] << 8 | byte[:, 2] << 16 | byte[:, 3] << 24
        parts, bits = [word & 0x3FF, word >> 10 & 0x3FF, word >> 20 & 0x3FF], 10
    values = np.stack(parts, axis=1).ravel()
    values[values >= 1 << bits - 1] -= 1 << bits
    return values


class _Segments:
    """A record of several segments in a row: fixed layout, or variable with a layout header first."""

    def __init__(self, header: Header) -> None:
        what = show(header.path)
        listed = list(header.segments)
        layout: tuple[Signal, ...] | None = None
        if listed[0][1] == 0 and listed[0][0] != "~":
            layout = self._part(header, listed.pop(0)[0]).signals
        self.samples = sum(length for _, length in listed)
        if not 0 < self.samples <= _MOST_SAMPLES:
            raise InputError(f"{what} has segments of {self.samples} samples in all; correct the header")
        if header.samples is not None and header.samples != self.samples:
            raise InputError(
                f"{what} states {header.samples} samples, its segments {self.samples}; correct the header"
            )
        self._parts: list[tuple[int, int, _Files, list[int]]] = []
        position = 0
        for name, length in listed:
            if name != "~" and length:
                part = self._part(header, name)
                files = _Files(part)
                if files.samples < length:
                    raise InputError(
                        f"{show(part.path)} has {files.samples} samples of the {length} that {what} states; "
                        "fetch it again"
                    )
                layout = layout or files.signals
                self._parts.append((position, length, files, _rows_in(layout, files.signals, part.path)))
            position += length
        if layout is None or not self._parts:
            raise InputError(f"{what} has no segment with samples; name another record")
        self.signals = layout

    @staticmethod
    def _part(header: Header, name: str) -> Header:
        what = show(header.path)
        part = read_header(_beside(header.path, f"{name}.hea"))
        if part.segments:
            raise InputError(f"{show(part.path)} is a segment made of segments; join it into one first")
        if part.rate_hz != header.rate_hz:
            raise InputError(
                f"{show(part.path)} runs at {part.rate_hz:g} Hz, {what} at {header.rate_hz:g} Hz; "
                "correct the headers"
            )
        return part

    def read(self, start: int, stop: int) -> Samples:
        out = np.full((len(self.signals), stop - start), np.nan, np.float32)
        for position, length, files, rows in self._parts:
            first, last = max(start, position), min(stop, position + length)
            if first < last:
                out[rows, first - start : last - start] = files.read(first - position, last - position)
        return out


def _rows_in(layout: tuple[Signal, ...], signals: tuple[Signal, ...], path: Path) -> list[int]:
    """Where each signal of a segment goes in the record: by name, or by place where names agree."""
    names = [signal.name for signal in layout]
    if [signal.name for signal in signals] == names:
        return list(range(len(names)))
    rows = [names.index(signal.name) if signal.name in names else -1 for signal in signals]
    if -1 in rows or len(set(rows)) < len(rows):
        raise InputError(f"{show(path)} has signals that its record does not list; correct the headers")
    return rows


def read_annotations(path: str | Path, extension: str = "atr") -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Read annotations in the MIT format.

    Parameters
    ----------
    path : str or Path
        The record (``.hea``, ``.dat`` or neither), or the annotation file itself.
    extension : str
        Which annotator's file: ``atr`` is the reference.

    Returns
    -------
    array (n,), tuple of n str
        Sample index and symbol of each (`BEATS` are those of beats); ``"[code]"`` for a code that
        annot(5) does not define.  Comments that define the file's own codes are left out.

    Raises
    ------
    InputError
        No such file, or it ends in the middle of an annotation.
    """
    path = _header_path(os.fspath(path).removesuffix(f".{extension}"), exists=False)
    path = path.with_name(f"{path.name[:-4]}.{extension}")
    raw = _bytes_of(path, _ANNOTATION_BYTES, "annotation file")
    words = np.frombuffer(raw[: len(raw) // 2 * 2], "<u2").tolist()
    times: list[int] = []
    symbols: list[str] = []
    time = place = 0
    while place < len(words) and words[place]:
        code, low = words[place] >> 10, words[place] & 0x3FF
        place += 1
        if code == _SKIP:
            if place + 2 > len(words):
                break
            step = words[place] << 16 | words[place + 1]
            time += step - (1 << 32) if step >= 1 << 31 else step
            place += 2
        elif code == _AUX:
            note = raw[2 * place : 2 * place + low]
            place += (low + 1) // 2
            if note.startswith(b"## ") and times and times[-1] == 0 and symbols[-1] == '"':
                times.pop()
                symbols.pop()
        elif code < _SKIP:
            time += low
            if code:
                times.append(time)
                symbols.append(_SYMBOLS.get(code, f"[{code}]"))
    if place >= len(words):
        raise InputError(f"{show(path)} ends in the middle of an annotation; fetch it again")
    return np.array(times, np.int64), tuple(symbols)


_SKIP, _AUX = 59, 63
_SYMBOLS = dict(
    zip((*range(1, 15), 16, *range(18, 42)), 'NLRaVFJASEj/Q~|sT*D"=pB^t+u?![]en@xf()r', strict=True)
)


def _header_path(path: str | Path, exists: bool = True) -> Path:
    text = os.fspath(path)
    if not text or any(ord(c) < 32 for c in text):
        raise InputError(f"{show(text)} is not the name of a record; give a path such as folder/name.hea")
    if "://" in text:
        raise InputError(f"{show(text)} is a web address; download the record and name its .hea file")
    if _is(Path.is_dir, text):
        raise InputError(f"{show(text)} is a folder; name a record in it, such as {show(f'{text}/name')}")
    stem = text[:-4] if text.lower().endswith((".hea", ".dat")) else text
    header = Path(text) if text.lower().endswith(".hea") else Path(f"{stem}.hea")
    if exists and not _is(Path.is_file, header):
        raise InputError(f"no record {show(stem)} (there is no file {show(header)}); check the path")
    return header


def _beside(header: Path, name: str) -> Path:
    """The file that a header names, which must lie in the header's own folder (or below)."""
    what = show(header)
    if re.search(r"[:\\\x00]", name) or name.startswith(("/", "-")):
        raise InputError(f"{what} names {show(name)}, which is not a file beside it; correct the header")
    path = header.parent / name
    try:
        if not path.resolve().is_relative_to(header.parent.resolve()):
            raise InputError(
                f"{what} names {show(name)}, a file outside its folder; put the file beside the header"
            )
        if not path.is_file():
            raise InputError(f"{what} names {show(name)}, which is not there; put it beside the header")
    except (OSError, RuntimeError) as error:  # a loop of links, a name too long
        raise InputError(
            f"{what} names {show(name)}, which cannot be opened ({_reason(error)}); correct the header"
        ) from None
    return path


def _is(kind: Callable[[Path], bool], path: str | Path) -> bool:
    try:
        return kind(Path(path))
    except OSError:  # a name too long, a folder that may not be searched
        return False


def _bytes_of(path: Path, most: int, kind: str) -> bytes:
    try:
        if not _is(Path.is_file, path):
            raise InputError(f"there is no {kind} {show(path)}; check the path")
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise _unreadable(path, error) from None
    if len(raw) > most:
        raise InputError(
            f"{show(path)} has over {most >> 20} MB, too many for a WFDB {kind}; name another file"
        )
    return raw


def _count(fields: list[str], place: int) -> int | None:
    ok = place < len(fields) and re.fullmatch(r"\d{1,18}", fields[place], re.ASCII)
    return int(fields[place]) if ok else None


def _rate(text: str, what: str) -> float:
    match = _RATE.fullmatch(text)
    rate_hz = float(match[1]) if match else math.nan
    if not 0 < rate_hz < math.inf:
        raise InputError(f"{what} states the impossible sampling rate {show(text)}; correct its first line")
    return rate_hz


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
    if kind not in _FORMATS and kind != 0:
        raise InputError(
            f"{what} uses sample format {kind}, which is not read here; convert it to 16 with WFDB's xform"
        )
    if int(layout[2] or 1) != 1:
        raise InputError(f"{what} has {layout[2]} samples per frame, not one; convert it with WFDB's xform")
    rest = fields[2] if len(fields) > 2 else ""
    gain, baseline, units = 200.0, None, ""
    words = rest.split(None, 1)
    match = _GAIN.fullmatch(words[0]) if words else None
    if match:
        words = words[1].split(None, 1) if len(words) > 1 else []
        gain = float(match[1]) or 200.0
        baseline = int(match[2]) if match[2] else None
        units = match[3] or ""
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
    )
    # Beyond these nothing is an ECG, and float32 would not hold it.
    per_mv = signal.steps_per_mv
    if per_mv is not None and not 1e-6 <= abs(per_mv) <= 1e12:
        raise InputError(f"{what} states an impossible gain ({show(line)}); correct the header")
    if max(abs(signal.baseline), abs(signal.initial)) > 1 << 32:
        raise InputError(f"{what} states an impossible baseline ({show(line)}); correct the header")
    return signal


def show(text: object) -> str:
    """Text of any origin, quoted and shortened for a message of one line."""
    shown = str(text)
    shown = shown if len(shown) <= 120 else f"{shown[:60]}...{shown[-57:]}"
    # Not repr(), which would double the backslashes of a path.
    return "'" + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown) + "'"


def _reason(error: OSError | RuntimeError) -> str:
    if isinstance(error, RuntimeError):  # pathlib's, before Python 3.13
        return "a loop of links"
    return (error.strerror or type(error).__name__).lower()


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"{show(path)} cannot be read ({_reason(error)}); check the file and its permissions")
