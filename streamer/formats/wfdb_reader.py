# SPDX-License-Identifier: MIT
"""Reads WFDB records: signals in mV, of one segment or several.

Written from the WFDB applications guide, header(5), signal(5) and annot(5)
(https://physionet.org/physiotools/wag/), because the `wfdb` package is heavy and may follow a header
out of its folder or onto the network.  This reader opens files that lie beside the header, and
nothing else.  `tests/streamer/formats/test_wfdb_reader.py` holds it to the `wfdb` package, value by value.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.core.leads import LEADS
from streamer.core.stream import Placement, Samples
from streamer.formats.recording import Lead, row_of
from streamer.formats.wfdb_files import beside, show, unreadable
from streamer.formats.wfdb_header import MOST_SAMPLES, Header, Signal, read_header
from streamer.formats.wfdb_packing import FLAC_BITS, PACKINGS, unpack


class Record:
    """A WFDB record, opened: its header is read and its signal files are known to be whole.

    Samples are read when asked for, so that a day's recording opens at once.

    Parameters
    ----------
    path : str or Path
        ``.hea``, ``.dat``, ``.mat``, or the record's name without any.
    lead : str, optional
        If the record's signals are of several rates, those of this lead's rate are read; else those of
        Lead I, of an ECG, or of the highest rate.

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
    left_out: tuple[str, ...]
    """Labels of the signals of other rates."""
    without: int
    """Samples that are missing since a segment holds only signals of other rates."""
    placement = Placement.UNSTATED
    kind = "a WFDB record"

    def __init__(self, path: str | Path, lead: str | None = None) -> None:
        self.header = read_header(path)
        opened = _Segments(self.header, lead) if self.header.segments else _Files(self.header, lead=lead)
        self._opened: _Segments | _Files = opened
        self.signals = opened.signals
        self.samples = opened.samples
        self.left_out = opened.left_out
        self.without = opened.without

    @property
    def rate_hz(self) -> float:
        """Sampling rate of the signals: the header's, times how many samples they have in a frame."""
        return self.header.rate_hz * self.signals[0].per_frame

    @property
    def began(self) -> datetime | None:
        """When the first sample was, if the header says so; of the year 1 if it states only the time."""
        return self.header.began

    @cached_property
    def leads(self) -> tuple[Lead, ...]:
        """What each row is."""
        return tuple(Lead(s.name, s.units or "mV", s.steps_per_mv is not None) for s in self.signals)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user."""
        said = []
        if self.left_out:
            said.append(f"Left out, being of another rate: {', '.join(self.left_out)}.")
        if self.without:
            said.append(
                f"{self.without} samples are missing, where segments hold only signals of other rates."
            )
        return tuple(said)

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
        return row_of(self.leads, lead)

    def twelve(self) -> Samples:
        """All samples of the twelve leads ``(12, n)``, mV, as `read` has them.

        Raises
        ------
        InputError
            The record lacks some of them; or as `read`.
        """
        rows = [row for lead in LEADS if (row := self.row(lead)) is not None]
        if len(rows) < len(LEADS):
            raise InputError(f"only {len(rows)} of the twelve leads")
        return self.read()[rows]

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


_COUNT = slice(21, 26)
"""Bytes of a FLAC file whose last 36 bits state how many samples each channel has; 0 is unknown."""
_BELIEVED = 16
"""Samples to a byte that a FLAC file may state without being counted: few have more than 4."""
_UNPACKED, _TIMES = 1 << 26, 64
"""Samples that a counted file may hold, and how many for each of its bytes: silence packs without end."""


class _Files:
    """The signals of a record of one segment, from the one or more files that hold them."""

    without = 0

    def __init__(self, header: Header, per_frame: int | None = None, lead: str | None = None) -> None:
        self.per_frame = per_frame or _per_frame(header.signals, lead)
        self.signals = tuple(s for s in header.signals if s.per_frame == self.per_frame)
        self.left_out = _others(header.signals, self.per_frame)
        if not self.signals:
            raise InputError(f"{show(header.path)} has no signal of its record's rate; correct the header")
        names = dict.fromkeys(signal.file for signal in header.signals)
        rows = {id(signal): row for row, signal in enumerate(self.signals)}
        self._files = [
            _file(header, name, [(s, rows.get(id(s))) for s in header.signals if s.file == name])
            for name in names
        ]
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
        frames = header.samples or held
        self.samples = frames * self.per_frame
        for file in self._files:
            file.frames = frames

    def read(self, start: int, stop: int) -> Samples:
        out = np.full((len(self.signals), stop - start), np.nan, np.float32)
        for file in self._files:
            file.read(start, stop, out)
        return out


def _others(signals: tuple[Signal, ...], per_frame: int) -> tuple[str, ...]:
    """The labels of signals of other rates, each once."""
    labels = dict.fromkeys(show(s.name)[1:-1] for s in signals if s.per_frame != per_frame)
    return tuple(labels)[:24]


def _per_frame(signals: tuple[Signal, ...], lead: str | None) -> int:
    """Which of several rates is read: that of the lead asked for, of Lead I, of an ECG, or the highest."""
    counts = {signal.per_frame for signal in signals}
    if len(counts) > 1:
        leads = tuple(Lead(signal.name) for signal in signals)
        for row in (row_of(leads, lead) if lead else None, row_of(leads, "I")):
            if row is not None:
                return signals[row].per_frame
        for signal in signals:
            if signal.lead is not None or "ecg" in signal.name.casefold():
                return signal.per_frame
    return max(counts)


def _file(header: Header, name: str, signals: list[tuple[Signal, int | None]]) -> _File:
    kinds = {signal.format for signal, _ in signals}
    if 0 in kinds:
        raise InputError(f"{show(header.path)} holds no samples, only a layout; name the whole record")
    first = signals[0][0]
    if len(kinds) > 1 or any(s.offset not in (0, first.offset) for s, _ in signals):
        raise InputError(f"{show(header.path)} gives {show(name)} two formats or offsets; correct the header")
    if first.format in FLAC_BITS:
        return _FlacFile(header, name, signals)
    return _File(header, name, signals)


class _File:
    """One signal file: frames of one or more samples of each of its signals."""

    def __init__(self, header: Header, name: str, signals: list[tuple[Signal, int | None]]) -> None:
        self.path = beside(header.path, name)
        places = np.cumsum([0, *(signal.per_frame for signal, _ in signals)]).tolist()
        # Where each signal that is read lies in a frame, and in which row it goes.
        self._signals = [
            (s, row, at) for (s, row), at in zip(signals, places, strict=False) if row is not None
        ]
        self._width = places[-1]
        self._stated = header.samples
        self._number = signals[0][0].format
        self._offset = signals[0][0].offset
        self._initial = np.array([signal.initial for signal, _ in signals], np.int64)
        self._summed_to, self._sum = 0, self._initial
        if self._number == 8 and self._width > len(signals):
            raise InputError(
                f"{show(header.path)} has differences of several samples per frame; convert it to 16"
            )
        self._invalid, self.frames = self._look(len(signals))

    def _look(self, channels: int) -> tuple[int | None, int]:
        """The code of an invalid sample, and how many frames the file holds."""
        packing = PACKINGS[self._number]
        try:
            size = max(0, self.path.stat().st_size - self._offset)
        except OSError as error:
            raise unreadable(self.path, error) from None
        blocks, rest = divmod(size, packing.size)
        held = blocks * packing.samples
        if rest and packing.partial:
            held += packing.partial[rest - 1]
        return packing.invalid, held // self._width

    def read(self, start: int, stop: int, out: Samples) -> None:
        """Fill the rows of this file in ``out`` with samples ``start`` to ``stop``."""
        if not self._signals:
            return
        many = self._signals[0][0].per_frame
        first, behind = start // many, -(-stop // many)
        end = min(self.frames, behind + max(signal.skew for signal, _, _ in self._signals))
        digital = self._digital(first, end)
        for signal, row, at in self._signals:
            steps_per_mv = signal.steps_per_mv
            if steps_per_mv is None:
                continue
            frames = digital[signal.skew : signal.skew + behind - first, at : at + many]
            values = frames.reshape(-1)[start - first * many :][: stop - start]
            mv = ((values - float(signal.baseline)) / steps_per_mv).astype(np.float32)
            if self._invalid is not None:
                mv[values == self._invalid] = np.nan
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
        width = self._width
        return self._flat(start * width, stop * width).reshape(-1, width)

    def _flat(self, start: int, stop: int) -> NDArray[np.int64]:
        """Samples ``start`` to ``stop`` of the file, signals interleaved."""
        packed = PACKINGS[self._number]
        first = start // packed.samples
        blocks = -(-stop // packed.samples) - first
        # Read, not mapped: a map of a file that another program cuts short ends in a bus error.
        try:
            offset = self._offset + first * packed.size
            raw = np.fromfile(self.path, np.uint8, blocks * packed.size, offset=offset)
        except OSError as error:
            raise unreadable(self.path, error) from None
        short = blocks * packed.size - len(raw)
        if short >= packed.size:
            raise InputError(f"{show(self.path)} has become shorter while it was read; open it again")
        if short:
            raw = np.append(raw, np.zeros(short, np.uint8))
        skip = start - first * packed.samples
        return unpack(self._number, raw)[skip : skip + stop - start]


class _FlacFile(_File):
    """A FLAC file: a channel for each signal."""

    _counted: int | None = None
    """Samples of a channel, if the file states none, or more than can be believed."""

    def _look(self, channels: int) -> tuple[int | None, int]:
        many = self._width // channels
        with self._opened() as file:
            if file.channels != channels or any(s.per_frame != many for s, _, _ in self._signals):
                raise InputError(f"{show(self.path)} has {file.channels} channels for {channels} signals")
            held = int(file.frames)
            size = self.path.stat().st_size
            if not 0 < held * channels <= _BELIEVED * size:
                most = (_UNPACKED + _TIMES * size) // channels
                wanted = most + 1 if self._stated is None else self._stated * many
                held = self._counted = _count(file, min(wanted, most + 1))
                if held > most:
                    raise InputError(
                        f"{show(self.path)} unpacks to far more than an ECG; name another record"
                    )
        return -(1 << FLAC_BITS[self._number] - 1), held // many

    def _frames(self, start: int, stop: int) -> NDArray[np.int64]:
        many = self._signals[0][0].per_frame
        with self._opened() as file:
            file.seek(start * many)
            values = file.read((stop - start) * many, dtype="int32", always_2d=True)
        if len(values) < (stop - start) * many:
            raise InputError(f"{show(self.path)} is damaged or has become shorter; fetch it again")
        digital: NDArray[np.int64] = values.astype(np.int64) >> 32 - FLAC_BITS[self._number]
        frames = digital.reshape(stop - start, many, -1).transpose(0, 2, 1)
        return np.ascontiguousarray(frames).reshape(stop - start, -1)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            import soundfile
        except (ImportError, OSError):
            raise InputError(
                f"{show(self.path)} is a FLAC file; to read it: pip install 'mecg-streamer[flac]'"
            ) from None
        try:
            with _Recounted(self.path, self._counted) as raw, soundfile.SoundFile(raw) as file:
                if file.format != "FLAC":
                    raise InputError(f"{show(self.path)} is no FLAC file; correct the header")
                yield file
        except (RuntimeError, OSError) as error:
            raise InputError(f"{show(self.path)} cannot be read as FLAC ({error}); fetch it again") from None


class _Recounted(FileIO):
    """A FLAC file that states another number of samples: without a right one, none can be sought."""

    def __init__(self, path: Path, count: int | None) -> None:
        super().__init__(path)
        self._patch = b""
        head = b"" if count is None else self.read(_COUNT.stop)
        if count is not None and head.startswith(b"fLaC"):
            kept = int.from_bytes(head[_COUNT], "big") >> 36 << 36
            self._patch = (kept | count).to_bytes(5, "big")
        self.seek(0)

    def readinto(self, buffer: Any, /) -> int:
        at = self.tell()
        length = super().readinto(buffer)
        view = memoryview(buffer)
        for place, byte in enumerate(self._patch, _COUNT.start - at):
            if 0 <= place < length:
                view[place : place + 1] = bytes([byte])
        return length


def _count(file: Any, most: int) -> int:
    """How many samples a channel of a FLAC file has, by reading them, up to ``most``."""
    file.seekable = bool  # of a file of unknown length, libsndfile seeks nothing: it is read forward
    held = 0
    while held < most and (read := len(file.read(min(1 << 16, most - held), dtype="int32"))):
        held += read
    return held


class _Segments:
    """A record of several segments in a row: fixed layout, or variable with a layout header first."""

    def __init__(self, header: Header, lead: str | None = None) -> None:
        what = show(header.path)
        listed = list(header.segments)
        layout: tuple[Signal, ...] | None = None
        variable = False
        many: int | None = None
        self.left_out: tuple[str, ...] = ()
        self.without = 0
        if listed[0][1] == 0 and listed[0][0] != "~":
            whole = self._part(header, listed.pop(0)[0]).signals
            variable, many = True, _per_frame(whole, lead)
            layout = tuple(signal for signal in whole if signal.per_frame == many)
            self.left_out = _others(whole, many)
        frames = sum(length for _, length in listed)
        if not 0 < frames <= MOST_SAMPLES:
            raise InputError(f"{what} has segments of {frames} samples in all; correct the header")
        if header.samples is not None and header.samples != frames:
            raise InputError(
                f"{what} states {header.samples} samples, its segments {frames}; correct the header"
            )
        self._parts: list[tuple[int, int, _Files, list[int]]] = []
        position = 0
        for name, length in listed:
            if name != "~" and length:
                part = self._part(header, name)
                if many and variable and all(signal.per_frame != many for signal in part.signals):
                    self._leave_out(part, many)
                    self.without += length * many
                    position += length
                    continue
                files = _Files(part, many, lead)
                many = files.per_frame
                if files.samples < length * many:
                    raise InputError(
                        f"{show(part.path)} has {files.samples // many} samples of the {length} that {what} "
                        "states; fetch it again"
                    )
                layout = layout or files.signals
                self._leave_out(part, many)
                rows = _rows_in(layout, files.signals, part.path)
                self._parts.append((position * many, length * many, files, rows))
            position += length
        if layout is None or not self._parts:
            raise InputError(f"{what} has no segment with samples; name another record")
        self.signals = layout
        self.samples = frames * layout[0].per_frame

    def _leave_out(self, part: Header, many: int) -> None:
        self.left_out = tuple(dict.fromkeys(self.left_out + _others(part.signals, many)))[:24]

    @staticmethod
    def _part(header: Header, name: str) -> Header:
        what = show(header.path)
        part = read_header(beside(header.path, f"{name}.hea"))
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
