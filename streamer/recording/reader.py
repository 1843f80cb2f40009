# SPDX-License-Identifier: MIT
"""Reads a session file again: whole, cut off by a crash, or damaged.

Nothing in a file is trusted: sizes are checked before memory is taken, samples against their
checksum, and what does not fit is left out, told (`Recording.damage`) and seen as a gap.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.core.events import Event
from streamer.core.printable import printable
from streamer.core.stream import Chunk, Frame, Samples
from streamer.formats.registry import kind_in_words
from streamer.formats.xdf import (
    BOUNDARY_UUID,
    MAGIC,
    ChunkReader,
    Damage,
    Tag,
    XdfChunk,
    split_samples,
    split_text,
)
from streamer.recording.encoding import (
    CHANNELS,
    LARGEST_PACKET,
    LONGEST_S,
    ROW,
    STAMP_REACH_S,
    STREAMS,
    RawSums,
    Stream,
    checksum,
    decode,
    encoded_size,
    unpack_event,
)
from streamer.recording.stated import ClockPoint, OtherSessionError, Stated, believed, stated
from streamer.session.description import SessionDescription

_FIRST = 1 << 10
"""Bytes in which a file of ours says that it is."""


@dataclass(frozen=True, slots=True)
class _Block:
    """The samples of one table: where they are encoded."""

    first_row: int
    rows: int
    places: tuple[tuple[Stream, int, int], ...]
    """Stream, offset in the file, bytes."""


@dataclass(slots=True)
class _Track:
    """Packets, or frames, in the order of their index."""

    rate_hz: float
    zero_s: float
    """Of the session's start, on the clock of the stamps."""
    parts: list[NDArray[Any]] = field(default_factory=list)
    blocks: list[_Block] = field(default_factory=list)
    rows: NDArray[Any] = field(default_factory=lambda: np.zeros(0, ROW))
    starts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    firsts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    row_total: int = 0
    stop: int = 0

    def add(self, rows: NDArray[Any], places: tuple[tuple[Stream, int, int], ...]) -> None:
        self.blocks.append(_Block(self.row_total, len(rows), places))
        self.parts.append(rows)
        self.row_total += len(rows)
        self.stop = int(rows["start"][-1] + rows["samples"][-1])

    def finish(self) -> None:
        if self.parts:
            self.rows = believed(np.concatenate(self.parts), self.rate_hz, self.zero_s)
            self.parts = []
        self.starts = self.rows["start"].astype(np.int64)
        self.counts = self.rows["samples"].astype(np.int64)
        self.firsts = np.array([block.first_row for block in self.blocks], np.int64)

    @property
    def start(self) -> int:
        return int(self.starts[0]) if len(self.starts) else 0

    def blocks_of(self, start: int, stop: int) -> Sequence[_Block]:
        """The blocks that hold samples ``start`` to ``stop``."""
        begin = int(np.searchsorted(self.starts, start, "right")) - 1
        end = int(np.searchsorted(self.starts, stop, "left"))
        low = max(int(np.searchsorted(self.firsts, max(begin, 0), "right")) - 1, 0)
        high = int(np.searchsorted(self.firsts, end, "left"))
        return self.blocks[low:high]


class Recording:
    """What is in a session file; the samples are read when they are asked for.

    Indices count as everywhere in this program: raw samples at ``description.stream.rate_hz``, the
    twelve leads at ``description.rate_hz``, lost ones included.  Several threads may read at once.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    InputError
        No such file, or none of ours, or nothing in it that can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._decoded: dict[int, tuple[_Block, list[Samples]]] = {}
        try:
            if not path.is_file():
                raise InputError(f"there is no session file {self.shown}; list them with mecg sessions")
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                self._identity = (status.st_dev, status.st_ino)
                self._scan(file, status.st_size)
        except OSError as error:
            raise InputError(f"{self.shown} cannot be read: {error.strerror}") from error

    @classmethod
    def open(cls, path: Path | str) -> Recording:
        """Read the file's structure; the samples are read when asked for."""
        return cls(Path(path))

    # ---- what it is

    description: SessionDescription
    """As every sink of the session got it: stream, model, lead origins, filters, latency."""
    facts: Mapping[str, Any]
    """Settings, model file (its hash) and versions."""
    began: datetime
    """Wall-clock time of the start, UTC."""
    began_host_s: float
    """The same instant in monotonic seconds: the clock of all stamps and of `Event.host_s`."""
    clock: tuple[ClockPoint, ...]
    """The wall clock against the monotonic one, every 10 s."""
    events: tuple[Event, ...]
    """In the order in which they were told."""
    closed: bool
    """The session came to its end, or was repaired: the footers are there."""
    damage: tuple[Damage, ...]
    """What could not be read, in the order of the file."""
    size: int
    """Bytes of the file."""

    @property
    def shown(self) -> str:
        """The path, fit for one line."""
        return printable(self.path)

    @property
    def complete(self) -> bool:
        """Closed, and every byte of it read."""
        return self.closed and not self.damage

    @property
    def raw_start(self) -> int:
        """Index of the first raw sample."""
        return self._raw.start

    @property
    def raw_stop(self) -> int:
        """Index behind the last raw sample."""
        return self._raw.stop

    @property
    def first_sample(self) -> datetime:
        """Wall-clock time of the first raw sample, UTC."""
        rows = self._raw.rows
        since_s = float(rows["stamp"][0]) - self.began_host_s if len(rows) else 0.0
        return self.began + timedelta(seconds=since_s)

    @property
    def start(self) -> int:
        """Index of the first sample of the twelve leads."""
        return self._frames.start

    @property
    def stop(self) -> int:
        """Index behind the last sample of the twelve leads."""
        return self._frames.stop

    @property
    def seconds(self) -> float:
        """From the first raw sample to the last, gaps included."""
        return (self.raw_stop - self.raw_start) / self.description.stream.rate_hz

    @property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """First and behind-last raw index of each stretch that was lost."""
        stops = self._raw.starts + self._raw.counts
        jumps = np.flatnonzero(self._raw.starts[1:] > stops[:-1])
        return tuple(zip(stops[jumps].tolist(), self._raw.starts[jumps + 1].tolist(), strict=True))

    @property
    def lost(self) -> int:
        """Raw samples in the gaps; those that the source marked invalid are NaN, and not counted here."""
        return sum(stop - start for start, stop in self.gaps)

    def stretches(self, gap_s: float) -> tuple[tuple[int, int], ...]:
        """First and behind-last index of the stretches of the twelve leads that lie more than ``gap_s``
        apart, in order; shorter gaps are part of them.
        """
        track = self._frames
        if not len(track.starts):
            return ()
        stops = track.starts + track.counts
        cuts = np.flatnonzero(track.starts[1:] - stops[:-1] > gap_s * track.rate_hz)
        begins, ends = track.starts[[0, *(cuts + 1)]], stops[[*cuts, -1]]
        return tuple(zip(begins.tolist(), ends.tolist(), strict=True))

    def gap_at(self, index: int) -> tuple[int, int]:
        """Between which stored samples of the twelve leads ``index`` lies: the gap's first index, and the
        one behind its last; empty, and at ``index``, if the sample is there.  Before the first sample and
        after the last the gap ends at, or begins with, that sample.
        """
        stops = self._frames.starts + self._frames.counts
        row = int(np.searchsorted(stops, index, "right"))
        if row == len(stops):
            return (int(stops[-1]) if row else index), index
        first = int(self._frames.starts[row])
        return (index, index) if first <= index else (int(stops[row - 1]) if row else 0, first)

    def next_raw(self, index: int) -> int:
        """The first raw index from ``index`` on that the source delivered; ``index`` behind the last."""
        stops = self._raw.starts + self._raw.counts
        row = int(np.searchsorted(stops, index, "right"))
        return index if row == len(stops) else max(index, int(self._raw.starts[row]))

    @property
    def end_host_s(self) -> float:
        """The newest instant that the file knows of, monotonic seconds."""
        arrivals_s = self._raw.rows["arrival_s"]
        return float(
            max(self.clock[-1].host_s, *arrivals_s[np.isfinite(arrivals_s)][-1:].tolist(), -math.inf)
        )

    def unix_of(self, host_s: float) -> float:
        """Unix seconds of an instant in monotonic seconds."""
        point = next((p for p in reversed(self.clock) if p.host_s <= host_s), self.clock[0])
        return point.unix_s + (host_s - point.host_s)

    @property
    def raw_sums(self) -> RawSums:
        """The raw samples, counted."""
        delivered = self._raw.counts.sum()
        leads_stop = self.stop if len(self._frames.rows) else -1
        return RawSums(self.raw_start, self.raw_stop, int(delivered), len(self.gaps), self.lost, leads_stop)

    def mark(self) -> tuple[Any, ...]:
        """Where the encoder stood that wrote this file (`Encoder.undo`)."""
        counts = dict.fromkeys(Stream, 0)
        stamps: dict[Stream, tuple[float, float]] = {}
        for table, track, streams in (
            (Stream.PACKETS, self._raw, (Stream.RAW,)),
            (Stream.FRAMES, self._frames, (Stream.LEADS, Stream.SCALE)),
        ):
            if not len(track.rows):
                continue
            first_s, last_s = float(track.rows["stamp"][0]), float(track.rows["stamp"][-1])
            counts[table], stamps[table] = len(track.rows), (first_s, last_s)
            for stream in streams:
                of_it = [b for b in track.blocks if any(place[0] is stream for place in b.places)]
                counts[stream] = sum(
                    int(track.counts[b.first_row : b.first_row + b.rows].sum()) for b in of_it
                )
                stamps[stream] = (first_s, last_s + float(track.counts[-1] - 1) / track.rate_hz)
        told_s = [event.host_s for event in self.events if math.isfinite(event.host_s)] or [0.0]
        counts[Stream.EVENTS], stamps[Stream.EVENTS] = len(self.events), (told_s[0], told_s[-1])
        counts[Stream.DESCRIPTION] = len(self.clock)
        stamps[Stream.DESCRIPTION] = (self.clock[0].host_s, self.clock[-1].host_s)
        return self.raw_sums, counts, stamps

    def second_of(self, host_s: float) -> float:
        """Seconds since raw sample 0 of an instant in monotonic seconds, such as `Event.host_s`.

        Between two packets it runs evenly; before the first and after the last, in real time.
        """
        rows, rate_hz = self._raw.rows, self.description.stream.rate_hz
        if not len(rows):
            return host_s - self.began_host_s
        taken_s = np.where(np.isfinite(rows["device_s"]), rows["device_s"], rows["stamp"])
        stamps_s = np.maximum.accumulate(taken_s)
        seconds = rows["start"] / rate_hz
        last_s = float(seconds[-1] + max(host_s - stamps_s[-1], 0.0))
        if host_s >= stamps_s[-1]:
            return last_s
        first = min(host_s - float(stamps_s[0]), 0.0)
        return float(np.interp(host_s, stamps_s, seconds)) + first

    # ---- what it holds

    def chunks(self) -> Iterator[Chunk]:
        """The raw input as it came: the same packets, bits and stamps; a gap is a jump of the index."""
        for block in self._raw.blocks:
            (values,) = self._values(self._raw, block)
            done = 0
            for row in range(block.first_row, block.first_row + block.rows):
                n = int(self._raw.counts[row])
                yield Chunk(
                    start=int(self._raw.starts[row]),
                    lead_mv=values[done : done + n, 0],
                    device_s=float(self._raw.rows["device_s"][row]),
                    arrival_s=float(self._raw.rows["arrival_s"][row]),
                )
                done += n

    def frames(self) -> Iterator[Frame]:
        """The frames as they were made, less those without any valid sample."""
        for block in self._frames.blocks:
            leads, scale = self._values(self._frames, block)
            done = 0
            for row in range(block.first_row, block.first_row + block.rows):
                here = slice(done, done + int(self._frames.counts[row]))
                done = here.stop
                yield _frame(
                    int(self._frames.starts[row]),
                    self.description.rate_hz,
                    leads[here],
                    scale[here],
                    float(self._frames.rows["device_s"][row]),
                    float(self._frames.rows["arrival_s"][row]),
                )

    def raw_mv(self, start: int, stop: int) -> Samples:
        """Raw samples ``start`` to ``stop``, ``(n,)`` mV; NaN where there is none."""
        return self._window(self._raw, start, stop)[0][:, 0]

    def has_raw(self, start: int, stop: int) -> NDArray[np.bool_]:
        """``(n,)``: whether the source delivered the sample, be it NaN."""
        there = np.zeros(stop - start, np.bool_)
        first = int(np.searchsorted(self._raw.starts + self._raw.counts, start, "right"))
        last = int(np.searchsorted(self._raw.starts, stop, "left"))
        for row in range(first, last):
            begin = int(self._raw.starts[row]) - start
            there[max(begin, 0) : max(begin + int(self._raw.counts[row]), 0)] = True
        return there

    def twelve(self, start: int, stop: int) -> Frame:
        """Samples ``start`` to ``stop`` of the twelve leads as one frame; NaN where there is none."""
        leads, scale = self._window(self._frames, start, stop)
        row = int(np.searchsorted(self._frames.starts, start, "right")) - 1
        device_s = arrival_s = math.nan
        if row >= 0:
            since_s = (start - int(self._frames.starts[row])) / self.description.rate_hz
            device_s = float(self._frames.rows["device_s"][row]) + since_s
            arrival_s = float(self._frames.rows["arrival_s"][row])
        return _frame(start, self.description.rate_hz, leads, scale, device_s, arrival_s)

    def __enter__(self) -> Recording:
        """No file stays open between two reads; at the end of the context its memory is freed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._decoded.clear()

    # ---- reading

    def _values(self, track: _Track, block: _Block) -> list[Samples]:
        """The samples ``(n, channels)`` of each stream of a block; NaN for a scale that is not there."""
        kept = self._decoded.get(id(track))  # of small steps through a file, most fall in one block
        if kept is not None and kept[0] is block:
            return kept[1]
        counts = track.counts[block.first_row : block.first_row + block.rows]
        values = []
        for stream, offset, size in block.places:
            values.append(decode(self._encoded(offset, size), counts, CHANNELS[stream]))
        if track is self._frames and len(values) == 1:
            values.append(np.full((len(values[0]), 12), np.nan, np.float32))
        self._decoded[id(track)] = (block, values)
        return values

    def _encoded(self, offset: int, size: int) -> bytes:
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                file.seek(offset)
                encoded = file.read(size)
        except OSError as error:
            raise InputError(f"{self.shown} cannot be read any more: {error.strerror}") from error
        if len(encoded) != size or (status.st_dev, status.st_ino) != self._identity:
            raise InputError(f"{self.shown} was changed while it was read: open it again")
        return encoded

    def _window(self, track: _Track, start: int, stop: int) -> list[Samples]:
        widths = [1] if track is self._raw else [14, 12]
        out = [np.full((stop - start, width), np.nan, np.float32) for width in widths]
        for block in track.blocks_of(start, stop) if stop > start else ():
            rows = slice(block.first_row, block.first_row + block.rows)
            counts = track.counts[rows]
            total = int(counts.sum())
            firsts = np.cumsum(counts) - counts
            index = np.repeat(track.starts[rows] - firsts, counts) + np.arange(total)
            inside = (index >= start) & (index < stop)
            for to, values in zip(out, self._values(track, block), strict=True):
                to[index[inside] - start] = values[inside]
        return out

    def _scan(self, file: BinaryIO, size: int) -> None:
        self.size = size
        reader = ChunkReader(file, size, STREAMS)
        scan = _Scan(reader)
        for xdf_chunk in reader:
            scan.take(xdf_chunk)
        scan.finish()
        about = scan.stated
        if about is None:
            if not size or _is_ours(file, size):
                reasons = "".join(f" ({damage.reason})" for damage in reader.damage[:1])
                raise InputError(f"{self.shown} holds nothing yet that can be read{reasons}")
            kind = kind_in_words(self.path).partition(";")[0]
            raise InputError(f"{self.shown} is no recording of this program, but {kind}; name a session")
        self.description, self.facts = about.description, about.facts
        self.began, self.began_host_s = about.began, about.began_host_s
        self.clock = tuple(scan.clock)
        self.events = tuple(_believed(event, about.began_host_s) for event in scan.events)
        self.closed = scan.footers >= set(Stream)
        self._raw, self._frames = scan.tracks()
        self.damage = tuple(sorted(reader.damage, key=lambda damage: damage.offset))


def _is_ours(file: BinaryIO, size: int) -> bool:
    file.seek(0)
    head = file.read(_FIRST)
    return head[:4] == MAGIC[: len(head[:4])] and (size < _FIRST or b"mecg-session" in head)


class _Pending:
    """A table whose samples have not all come yet."""

    def __init__(self, chunk: XdfChunk, rows: NDArray[Any], counts: NDArray[np.int64]) -> None:
        self.chunk = chunk
        self.rows = rows
        self.counts = counts
        self.encoded: list[bytes] = []
        self.places: list[tuple[Stream, int, int]] = []
        self.stop = chunk.stop


class _Scan:
    """Makes sense of the chunks of a file, one after the other."""

    def __init__(self, reader: ChunkReader) -> None:
        self._reader = reader
        self._pending: _Pending | None = None
        self._found: list[_Pending] = []
        self._stops = {Stream.PACKETS: 0, Stream.FRAMES: 0}
        self.stated: Stated | None = None
        self._of_another = False  # session, from its description on to the next of this one
        self.clock: list[ClockPoint] = []
        self.events: list[Event] = []
        self.footers: set[int] = set()

    def take(self, chunk: XdfChunk) -> None:
        describes = chunk.tag == Tag.SAMPLES and chunk.stream == Stream.DESCRIPTION
        if self._of_another and not describes:
            self._reader.reject(str(OtherSessionError()))
            return
        belongs = chunk.tag == Tag.SAMPLES and chunk.stream in (Stream.RAW, Stream.LEADS, Stream.SCALE)
        if not belongs:
            self._orphan()
        try:
            if chunk.tag == Tag.SAMPLES:
                self._samples(chunk)
            elif chunk.tag == Tag.STREAM_FOOTER:
                self.footers.add(chunk.stream)
            elif chunk.tag == Tag.BOUNDARY and chunk.content != BOUNDARY_UUID:
                raise ValueError("no boundary")
            elif chunk.tag == Tag.CLOCK_OFFSET and len(chunk.content) != 16:
                raise ValueError("no clock offset")
        except (ValueError, OverflowError) as error:
            if belongs:
                self._orphan()
            self._reader.reject(str(error))

    def finish(self) -> None:
        self._orphan()

    def tracks(self) -> tuple[_Track, _Track]:
        """Packets and frames, less those whose index cannot be."""
        assert self.stated is not None
        about = self.stated.description
        raw = _Track(about.stream.rate_hz, self.stated.began_host_s)
        frames = _Track(about.rate_hz, self.stated.began_host_s)
        for found in self._found:
            track = raw if found.chunk.stream == Stream.PACKETS else frames
            ends = found.rows["start"] + found.rows["samples"]
            if found.rows["start"][0] < track.stop:
                self._reader.lost(found.chunk.offset, found.stop, "its index goes back")
            elif ends[-1] > LONGEST_S * track.rate_hz:
                self._reader.lost(found.chunk.offset, found.stop, "its index cannot be")
            else:
                track.add(found.rows, tuple(found.places))
        raw.finish()
        frames.finish()
        return raw, frames

    def _orphan(self) -> None:
        """A table without (all of) its samples is of no use."""
        pending, self._pending = self._pending, None
        if pending is not None:
            offset = pending.chunk.offset
            self._reader.lost(offset, pending.stop, "samples that do not fit their checksum")

    def _samples(self, chunk: XdfChunk) -> None:
        count, encoded = split_samples(chunk.content)
        if chunk.stream in (Stream.PACKETS, Stream.FRAMES):
            self._pending = _table(chunk, count, encoded)
        elif chunk.stream == Stream.EVENTS:
            self.events += [unpack_event(text) for _, (text,) in split_text(encoded, count, 1)]
        elif chunk.stream == Stream.DESCRIPTION:
            for _, (text, crc32) in split_text(encoded, count, 2):
                self._describe(text, crc32)
        else:
            self._data(chunk, count, encoded)

    def _data(self, chunk: XdfChunk, count: int, encoded: bytes) -> None:
        pending, stream = self._pending, Stream(chunk.stream)
        order = (
            (Stream.RAW,)
            if pending and pending.chunk.stream == Stream.PACKETS
            else (Stream.LEADS, Stream.SCALE)
        )
        if pending is None or len(pending.places) >= len(order) or order[len(pending.places)] is not stream:
            raise ValueError("samples without a table")
        if count != pending.counts.sum() or len(encoded) != encoded_size(pending.counts, CHANNELS[stream]):
            raise ValueError("samples that do not fit their table")
        pending.encoded.append(encoded)
        pending.places.append((stream, chunk.stop - len(encoded), len(encoded)))
        pending.stop = chunk.stop
        if (pending.rows["crc32"] == checksum(pending.rows, *pending.encoded)).all():
            pending.encoded = []
            self._found.append(pending)
            self._pending = None

    def _describe(self, text: str, crc32: str) -> None:
        try:
            about = stated(text, crc32, self.stated)
        except OtherSessionError:
            self._of_another = True
            raise
        self._of_another = False
        self.clock.append(about.point)
        self.stated = self.stated or about


def _table(chunk: XdfChunk, count: int, encoded: bytes) -> _Pending:
    if not count or len(encoded) != count * ROW.itemsize:
        raise ValueError("a table of another length")
    rows = np.frombuffer(encoded, ROW)
    starts, counts = rows["start"], rows["samples"]
    whole = (
        np.isfinite(starts) & np.isfinite(counts) & np.isfinite(rows["stamp"]) & np.isfinite(rows["crc32"])
    )
    if not whole.all() or (rows["flag"] != 8).any() or (starts < 0).any() or (starts > 2.0**52).any():
        raise ValueError("a table of what cannot be")
    if ((counts < 1) | (counts > LARGEST_PACKET)).any() or ((starts % 1 != 0) | (counts % 1 != 0)).any():
        raise ValueError("a table of what cannot be")
    if (starts[1:] < (starts + counts)[:-1]).any():
        raise ValueError("a table that goes back")
    return _Pending(chunk, rows, counts.astype(np.int64))


def _believed(event: Event, zero_s: float) -> Event:
    """The event, with NaN for instants that cannot be."""
    host_s = event.host_s if abs(event.host_s - zero_s) <= STAMP_REACH_S else math.nan
    at_s = event.at_s if abs(event.at_s) <= LONGEST_S else math.nan
    return dataclasses.replace(event, host_s=host_s, at_s=at_s)


def _frame(
    start: int, rate_hz: float, leads: Samples, scale: Samples, device_s: float, arrival_s: float
) -> Frame:
    measured_mv = leads[:, 12].copy()
    return Frame(
        start=start,
        rate_hz=rate_hz,
        leads_mv=np.ascontiguousarray(leads[:, :12].T),
        measured_mv=measured_mv,
        scale_mv=np.ascontiguousarray(scale.T),
        valid=~np.isnan(measured_mv),
        settling=leads[:, 13] == 1,
        device_s=device_s,
        arrival_s=arrival_s,
    )
