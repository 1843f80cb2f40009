# SPDX-License-Identifier: MIT
"""The session files of a folder: what they hold, and how to close one that a crash left open."""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import platformdirs

from streamer.errors import InputError
from streamer.run.recorder import BOUNDARY_S
from streamer.run.recording import Recording
from streamer.run.session_file import (
    NEW_FILE,
    STREAMS,
    SUFFIX,
    Encoder,
    RawSums,
    Stream,
    built,
    claim,
    unpack_description,
    wall_clock,
)
from streamer.run.sink import SessionDescription
from streamer.run.xdf import BOUNDARY_UUID, ChunkReader, Tag, split_samples, split_text
from streamer.stream import Event, Frame

_BATCH = 64
"""Packets that are copied at a time."""

_TAIL = 1 << 16
"""Bytes at the end of a file in which a complete one has its sums and footers."""


def default_folder() -> Path:
    """Where sessions go unless somebody says otherwise: the platform's folder for a user's data."""
    return platformdirs.user_data_path("mecg", appauthor=False) / "sessions"


@dataclass(frozen=True, slots=True)
class Summary:
    """One file of a list of sessions."""

    path: Path
    size: int
    """Bytes."""
    state: str
    """``complete``; ``recording`` (somebody has it open); ``open`` (a crash left it so) or
    ``damaged``, which `repair` closes; ``unreadable``."""
    began: datetime | None = None
    """UTC."""
    seconds: float = 0.0
    """From the first raw sample to the last."""
    source: str = ""
    """The SOURCE that was recorded."""
    sums: RawSums = field(default_factory=RawSums)
    """Samples, gaps, lost."""
    problem: str = ""
    """Why it is not complete, where it is not."""


def sessions(folder: Path) -> Iterator[Summary]:
    """The sessions of a folder, the oldest first.

    Raises
    ------
    InputError
        Where there is no such folder.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == SUFFIX and path.is_file())
    except OSError as error:
        raise InputError(f"{folder} cannot be listed: {error.strerror}") from error
    for path in paths:
        yield summary(path)


def summary(path: Path) -> Summary:
    """What a session file holds; of a complete one only the end is read."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            in_use = not claim(file)
            quick = None if in_use else _of_the_end(path, file, size)
        if quick is not None:
            return quick
        with Recording.open(path) as recording:
            state = "recording" if in_use else "damaged" if recording.damage else "open"
            if recording.complete:
                state = "complete"
            problem = "; ".join(sorted({damage.reason for damage in recording.damage}))
            return Summary(
                path,
                size,
                state,
                recording.began,
                recording.seconds,
                recording.description.stream.source,
                recording.raw_sums,
                problem or ("" if state == "complete" else "it was not closed"),
            )
    except InputError as error:
        return Summary(path, size, "unreadable", problem=str(error))
    except OSError as error:
        return Summary(path, size, "unreadable", problem=error.strerror or str(error))


def _of_the_end(path: Path, file: BinaryIO, size: int) -> Summary | None:
    """From the last boundary on; None where the file is not complete."""
    file.seek(max(size - _TAIL, 0))
    tail = file.read(_TAIL)
    place = tail.rfind(BOUNDARY_UUID)
    if place < 0:
        return None
    reader = ChunkReader(file, size, STREAMS, begin=size - len(tail) + place + len(BOUNDARY_UUID))
    footers: set[int] = set()
    found: Summary | None = None
    try:
        for chunk in reader:
            if chunk.tag == Tag.STREAM_FOOTER:
                footers.add(chunk.stream)
            elif chunk.tag == Tag.SAMPLES and chunk.stream == Stream.DESCRIPTION:
                count, encoded = split_samples(chunk.content)
                ((_, (text, crc32)),) = split_text(encoded, count, 2)
                found = _described(path, size, text) if crc32 == f"{zlib.crc32(text.encode()):08x}" else None
    except (ValueError, OverflowError):
        return None
    return found if footers >= set(Stream) and not reader.damage else None


def _described(path: Path, size: int, text: str) -> Summary:
    facts = unpack_description(text)
    stream = built(SessionDescription, facts.get("description")).stream
    sums = built(RawSums, facts.get("so_far"))
    began = wall_clock(facts.get("began_unix_s"))
    seconds = (sums.stop - sums.start) / stream.rate_hz
    return Summary(path, size, "complete", began, seconds, stream.source, sums)


@dataclass(frozen=True, slots=True)
class Repaired:
    """What `repair` did."""

    seconds: float
    """Of signal, from the first sample to the last."""
    dropped: int
    """Bytes that could not be read; 0 where only the end was missing."""
    kept: Path | None
    """The file as it was, where bytes were dropped."""


def repair(path: Path) -> Repaired | None:
    """Close a session that a crash left open, or that is damaged; None where it is complete.

    Where only the end is missing it is added.  Where bytes cannot be read, a new file of all that
    can be takes the name, and the old one stays beside it as ``NAME.damaged``.

    Raises
    ------
    InputError
        No session file, nothing in it that can be read, or it is being recorded.
    OSError
        Where the folder cannot be written, or is full; the file is as before.
    """
    with Recording.open(path) as recording, path.open("r+b", buffering=0) as file:
        if not claim(file):
            raise InputError(f"{path} is being recorded: stop that first")
        if recording.complete:
            return None
        if not recording.damage:
            _append(file, recording)
            return Repaired(recording.seconds, 0, None)
        part, kept = path.with_name(f".{path.name}.part"), _free(path)
        part.unlink(missing_ok=True)  # of a repair that was cut off
        try:
            with os.fdopen(os.open(part, NEW_FILE, 0o600), "wb") as new:
                _copy(recording, new)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        seconds, dropped = recording.seconds, sum(damage.size for damage in recording.damage)
    path.rename(kept)
    part.rename(path)
    return Repaired(seconds, dropped, kept)


def _free(path: Path) -> Path:
    """A name beside a file for what it was."""
    kept = path.with_name(f"{path.name}.damaged")
    number = 2
    while kept.exists():
        kept = path.with_name(f"{path.name}.damaged-{number}")
        number += 1
    return kept


def _encoder(recording: Recording) -> Encoder:
    began = recording.began.timestamp()
    return Encoder(recording.description, recording.facts, began, recording.began_host_s)


def _append(file: FileIO, recording: Recording) -> None:
    """Add the end; on a full disk nothing."""
    encoder = _encoder(recording)
    encoder.undo(recording.mark())
    end_s = recording.end_host_s
    file.seek(recording.size)
    try:
        left = memoryview(encoder.tail(end_s, recording.unix_of(end_s)))
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
    except OSError:
        file.truncate(recording.size)
        raise


def _copy(recording: Recording, new: BinaryIO) -> None:
    """All that can be read, as if it had been recorded so."""
    encoder, rate_hz = _encoder(recording), recording.description.stream.rate_hz
    new.write(encoder.head())
    chunks = iter(recording.chunks())
    frames, events = deque[Frame](), deque(recording.events)
    source = recording.frames()
    boundary = recording.raw_start
    end_s = recording.end_host_s
    while batch := list(islice(chunks, _BATCH)):
        host_s, stop_s = batch[-1].arrival_s, batch[-1].stop / rate_hz
        new.write(encoder.raw(batch))
        while frame := next(source, None):
            frames.append(frame)
            if frame.stop / frame.rate_hz > stop_s:
                break
        new.write(encoder.frames(frames))
        frames.clear()
        told = []
        while events and not events[0].host_s > host_s:
            told.append(events.popleft())
        new.write(encoder.events(told, host_s))
        if batch[-1].stop >= boundary + BOUNDARY_S * rate_hz:
            boundary = batch[-1].stop
            new.write(encoder.boundary(host_s, recording.unix_of(host_s)))
    while rest := list(islice(source, _BATCH)):
        new.write(encoder.frames(rest))
    lost = sum(damage.size for damage in recording.damage)
    events.append(Event("repaired", f"{lost} bytes of this session could not be read", end_s))
    new.write(encoder.events(events, end_s))
    new.write(encoder.tail(end_s, recording.unix_of(end_s)))
    new.flush()
    os.fsync(new.fileno())
