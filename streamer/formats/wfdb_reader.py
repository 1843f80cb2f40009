# SPDX-License-Identifier: MIT
"""Reads WFDB records: signals in mV, of one segment or several.

Written from the WFDB applications guide, header(5), signal(5) and annot(5)
(https://physionet.org/physiotools/wag/), because the `wfdb` package is heavy and may follow a header
out of its folder or onto the network.  This reader opens files that lie beside the header, and
nothing else.  `tests/streamer/formats/test_wfdb_reader.py` holds it to the `wfdb` package, value by value.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.core.leads import LEADS, canonical_lead
from streamer.core.stream import Samples
from streamer.formats.wfdb_files import beside, show, unreadable
from streamer.formats.wfdb_header import MOST_SAMPLES, Header, Signal, read_header
from streamer.formats.wfdb_packing import PACKINGS, unpack


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
        self.path = beside(header.path, name)
        self._rows = rows
        self._signals = signals
        self._number = first.format
        self._format = PACKINGS[first.format]
        self._offset = first.offset
        try:
            size = max(0, self.path.stat().st_size - first.offset)
        except OSError as error:
            raise unreadable(self.path, error) from None
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
            raise unreadable(self.path, error) from None
        short = blocks * packed.size - len(raw)
        if short >= packed.size:
            raise InputError(f"{show(self.path)} has become shorter while it was read; open it again")
        if short:
            raw = np.append(raw, np.zeros(short, np.uint8))
        skip = start - first * packed.samples
        return unpack(self._number, raw)[skip : skip + stop - start]


class _Segments:
    """A record of several segments in a row: fixed layout, or variable with a layout header first."""

    def __init__(self, header: Header) -> None:
        what = show(header.path)
        listed = list(header.segments)
        layout: tuple[Signal, ...] | None = None
        if listed[0][1] == 0 and listed[0][0] != "~":
            layout = self._part(header, listed.pop(0)[0]).signals
        self.samples = sum(length for _, length in listed)
        if not 0 < self.samples <= MOST_SAMPLES:
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
