# SPDX-License-Identifier: MIT
"""Closes a session file that a crash left open, or that is damaged."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from streamer.core.errors import InputError
from streamer.core.events import Notice, Topic
from streamer.core.stream import Frame
from streamer.formats.atomic_write import write_private
from streamer.recording.encoding import (
    NEW_FILE,
    Encoder,
    claim,
)
from streamer.recording.reader import Recording
from streamer.recording.recorder import BOUNDARY_S

_BATCH = 64
"""Packets that are copied at a time."""


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
    """Close a session that a crash left open, or that is damaged; None if it is complete.

    Where only the end is missing it is added.  Where bytes cannot be read, a new file of all that
    can be takes the name, and the old one stays beside it as ``NAME.damaged``.

    Raises
    ------
    InputError
        No session file, nothing in it that can be read, or it is being recorded.
    OSError
        Where the folder cannot be written, or is full; the file is as before.
    """
    if not path.is_file():
        Recording.open(path)  # says so
    with path.open("r+b", buffering=0) as file:
        if not claim(file):
            raise InputError(f"{path} is being recorded: stop that first")
        recording = Recording.open(path)
        if recording.complete:
            return None
        if not recording.damage and _append(file, recording):
            return Repaired(recording.seconds, 0, None)
        part = path.with_name(f".{path.name}.part")
        part.unlink(missing_ok=True)  # of a repair that was cut off
        try:
            with os.fdopen(os.open(part, NEW_FILE, 0o600), "wb") as new:
                _copy(recording, new)
            if not Recording.open(part).complete:
                raise InputError(f"{path} cannot be closed so that it can be read: it stays as it is")
            kept = _keep(path)
        except BaseException as error:
            part.unlink(missing_ok=True)
            if isinstance(error, OSError):  # a write that fails does not know its file
                raise OSError(error.errno, error.strerror, str(path)) from error
            raise
    part.replace(path)
    dropped = sum(damage.size for damage in recording.damage)
    return Repaired(recording.seconds, dropped, kept)


def _keep(path: Path) -> Path:
    """Give a file a second name; its first one is never free meanwhile, whatever ends this process."""
    kept = _free(path)
    try:
        os.link(path, kept)
    except OSError:  # no links on this disk: a copy, whole before it has its name
        write_private(kept, path.read_bytes())
    return kept


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


def _append(file: FileIO, recording: Recording) -> bool:
    """Add the end; nothing on a full disk, or if the file were not complete by it."""
    encoder = _encoder(recording)
    encoder.undo(recording.mark())
    end_s = recording.end_host_s
    file.seek(recording.size)
    try:
        left = memoryview(encoder.tail(end_s, recording.unix_of(end_s)))
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())
        complete = Recording.open(recording.path).complete
    except BaseException:
        file.truncate(recording.size)
        raise
    if not complete:
        file.truncate(recording.size)
    return complete


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
    events.append(Notice(Topic.REPAIR, f"{lost} bytes of this session could not be read", host_s=end_s))
    new.write(encoder.events(events, end_s))
    new.write(encoder.tail(end_s, recording.unix_of(end_s)))
    new.flush()
    os.fsync(new.fileno())
