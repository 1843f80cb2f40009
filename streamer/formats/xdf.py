# SPDX-License-Identifier: MIT
"""The container of a session file: XDF 1.0, a sequence of chunks, each of a length, a tag and content.

Specification: github.com/sccn/xdf, wiki page "Specifications".  `ChunkReader` takes nothing on trust: a
chunk that does not fit, or that the reader of its content rejects, is damage, and reading goes
on behind the next boundary chunk.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import BinaryIO

MAGIC = b"XDF:"

BOUNDARY_UUID = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
"""What a reader that has lost its way looks for."""

LONGEST = 1 << 26
"""Bytes: no chunk that we write comes near it, and none that claims more is believed."""

FARTHEST = 1 << 28
"""Bytes without a boundary, of which we write one every 10 s: what follows is not looked for any more."""

_STEP = 1 << 20

_LANDMARK = re.compile(
    re.escape(BOUNDARY_UUID) + b"|(?P<file>" + MAGIC + rb")(?:\x01.|\x04.{4}|\x08.{8})\x01\x00", re.DOTALL
)
"""A boundary, or the beginning of a file: its magic, and its header's length and tag."""

_LONGEST_LANDMARK = 16

_ANOTHER = "another recording begins there"


class Tag(IntEnum):
    """What a chunk is."""

    FILE_HEADER = 1
    STREAM_HEADER = 2
    SAMPLES = 3
    CLOCK_OFFSET = 4
    BOUNDARY = 5
    STREAM_FOOTER = 6


_OF_A_STREAM = (Tag.STREAM_HEADER, Tag.SAMPLES, Tag.CLOCK_OFFSET, Tag.STREAM_FOOTER)


def chunk(tag: Tag, *content: bytes, stream: int | None = None) -> bytes:
    """A chunk, ready to be written; ``stream`` is the number of the one that it belongs to."""
    body = b"".join(content) if stream is None else b"".join((struct.pack("<I", stream), *content))
    return struct.pack("<BIH", 4, len(body) + 2, tag) + body


def boundary() -> bytes:
    """A boundary chunk."""
    return chunk(Tag.BOUNDARY, BOUNDARY_UUID)


def samples(stream: int, count: int, *encoded: bytes) -> bytes:
    """A Samples chunk of ``count`` samples that are encoded already."""
    return chunk(Tag.SAMPLES, struct.pack("<BI", 4, count), *encoded, stream=stream)


def clock_offset(stream: int, at_s: float, offset_s: float) -> bytes:
    """A ClockOffset chunk: adding ``offset_s`` to the stream's stamps gives the recorder's clock."""
    return chunk(Tag.CLOCK_OFFSET, struct.pack("<dd", at_s, offset_s), stream=stream)


def text_sample(stamp_s: float, *values: str) -> bytes:
    """One sample of a string stream, encoded for `samples`."""
    parts = [struct.pack("<Bd", 8, stamp_s)]
    for value in values:
        data = value.encode("utf-8", "replace")
        parts += [struct.pack("<BI", 4, len(data)), data]
    return b"".join(parts)


def split_samples(content: bytes) -> tuple[int, bytes]:
    """How many samples a Samples chunk claims, and their bytes; raises ValueError."""
    length, start = _varlen(content, 0)
    return length, content[start:]


def split_text(encoded: bytes, count: int, channels: int) -> list[tuple[float, list[str]]]:
    """The stamped samples of a string stream; raises ValueError where they do not fit exactly."""
    out: list[tuple[float, list[str]]] = []
    place = 0
    if count > len(encoded):
        raise ValueError("it claims more samples than it has bytes")
    for _ in range(count):
        if encoded[place : place + 1] != b"\x08" or place + 9 > len(encoded):
            raise ValueError("a text without a stamp")
        (stamp_s,) = struct.unpack_from("<d", encoded, place + 1)
        place += 9
        values = []
        for _ in range(channels):
            length, place = _varlen(encoded, place)
            if place + length > len(encoded):
                raise ValueError("a text beyond its chunk")
            values.append(encoded[place : place + length].decode("utf-8"))
            place += length
        out.append((stamp_s, values))
    if place != len(encoded):
        raise ValueError("bytes behind its last text")
    return out


def _varlen(data: bytes, place: int) -> tuple[int, int]:
    """A length of 1, 4 or 8 bytes, and the place behind it; raises ValueError."""
    size = data[place] if place < len(data) else 0
    if size not in (1, 4, 8) or place + 1 + size > len(data):
        raise ValueError("no such length")
    return int.from_bytes(data[place + 1 : place + 1 + size], "little"), place + 1 + size


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a file that cannot be read."""

    offset: int
    """Of the first."""
    size: int
    """How many."""
    reason: str
    """In a few words."""

    def __str__(self) -> str:
        return f"{self.size} bytes at {self.offset} cannot be read ({self.reason})"


@dataclass(frozen=True, slots=True)
class XdfChunk:
    """One chunk as read."""

    offset: int
    """Of its first byte in the file."""
    stop: int
    """Offset behind its last byte."""
    tag: int
    stream: int
    """0 where chunks of this tag belong to no stream."""
    content: bytes
    """All behind the tag and the stream's number."""


class ChunkReader:
    """Reads the chunks of a file, around what is damaged.

    Parameters
    ----------
    file : binary file
        Seekable.
    size : int
        Read up to here; the file may be growing.
    streams : range
        Numbers of the streams that can be.
    begin : int
        Where the first chunk begins that is wanted; 0 is before the file's magic.
    """

    def __init__(self, file: BinaryIO, size: int, streams: range, begin: int = 0) -> None:
        self._file = file
        self._size = size
        self._streams = streams
        self._next = begin
        self._last: XdfChunk | None = None
        self.damage: list[Damage] = []
        """Grows while chunks are read, in the order of the file."""

    def __iter__(self) -> Iterator[XdfChunk]:
        """The chunks, those that `reject` was called for among them."""
        if self._next == 0 and self._read(0, len(MAGIC)) == MAGIC:
            self._next = len(MAGIC)
        elif self._next == 0:
            self._resume(0, 0, "no XDF file begins like this")
        while self._next < self._size:
            head = self._head(self._next)
            if head is None:
                self._resume(self._next, self._next, "no chunk begins here, or it is torn")
                continue
            tag, stream, begin, stop = head
            if tag == Tag.FILE_HEADER and self._last and self._read(begin, min(begin + 1, stop)) == b"<":
                self._note(self._next, self._size, _ANOTHER)
                return
            self._last = XdfChunk(self._next, stop, tag, stream, self._read(begin, stop))
            self._next = stop
            yield self._last

    def reject(self, reason: str) -> None:
        """The content of the chunk that came last makes no sense.

        Where its length was wrong too, so that no chunk follows it, go on behind the next boundary.
        """
        last = self._last
        assert last is not None
        if self._next == self._size or self._head(self._next) is not None:
            self._note(last.offset, last.stop, reason)
        else:
            self._resume(last.offset, last.offset + 1, reason)

    def lost(self, offset: int, stop: int, reason: str) -> None:
        """Note bytes read before as of no use."""
        self._note(offset, stop, reason)

    def _head(self, place: int) -> tuple[int, int, int, int] | None:
        """Tag, stream, begin and end of the content of the chunk at ``place``; None if none is."""
        data = self._read(place, min(place + 15, self._size))
        try:
            length, begin = _varlen(data, 0)
        except ValueError:
            return None
        stop = place + begin + length
        if not 2 <= length <= LONGEST or stop > self._size or begin + 2 > len(data):
            return None
        (tag,) = struct.unpack_from("<H", data, begin)
        if tag not in (1, 2, 3, 4, 5, 6):
            return None
        if tag not in _OF_A_STREAM:
            return tag, 0, place + begin + 2, stop
        if length < 6 or begin + 6 > len(data):
            return None
        (stream,) = struct.unpack_from("<I", data, begin + 2)
        return (tag, stream, place + begin + 6, stop) if stream in self._streams else None

    def _resume(self, offset: int, search: int, reason: str) -> None:
        """Go on behind the next boundary that begins at ``search`` or later, if there is one not too far.

        If another file begins before it, as behind one that two were joined to, nothing more is read.
        """
        self._next = self._size
        until = min(self._size, search + FARTHEST)
        while search < until:
            data = self._read(search, min(search + _STEP, self._size))
            found = _LANDMARK.search(data)
            if found and found["file"]:
                self._note(offset, search + found.start(), reason)
                self._next = search + found.end("file")
                if self._last:
                    self._note(search + found.start(), self._size, _ANOTHER)
                    self._next = self._size
                return
            if found:
                self._next = search + found.end()
                break
            search += _STEP - (_LONGEST_LANDMARK - 1)
        self._note(offset, self._next, reason)

    def _note(self, offset: int, stop: int, reason: str) -> None:
        last = self.damage[-1] if self.damage else None
        if last and last.reason == reason and last.offset + last.size == offset:
            offset = self.damage.pop().offset
        if stop > offset:
            self.damage.append(Damage(offset, stop - offset, reason))

    def _read(self, start: int, stop: int) -> bytes:
        self._file.seek(start)
        return self._file.read(stop - start)
