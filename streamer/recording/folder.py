# SPDX-License-Identifier: MIT
"""The session files of a folder: what they hold, and how to close one that a crash left open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import platformdirs

from streamer.core.errors import InputError
from streamer.formats.xdf import BOUNDARY_UUID, ChunkReader, Tag, split_samples, split_text
from streamer.recording.encoding import (
    STREAMS,
    SUFFIX,
    RawSums,
    Stream,
    is_claimed,
)
from streamer.recording.reader import Recording
from streamer.recording.stated import Stated, stated
from streamer.session.description import SessionDescription

UNMADE_S = 0.5
"""Less at the end is no cut: the ends of both rates' grids, samples that the source marked invalid."""

_TAIL = 1 << 16
"""Bytes at the end of a file in which a complete one has its sums and footers."""


def default_folder() -> Path:
    """Where sessions go unless stated otherwise: the platform's folder for a user's data."""
    return platformdirs.user_data_path("mecg", appauthor=False) / "sessions"


@dataclass(frozen=True, slots=True)
class Summary:
    """One file of a list of sessions."""

    path: Path
    size: int
    """Bytes."""
    state: str
    """``complete``; ``recording`` (it is open); ``open`` (a crash left it so) or
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
    unmade_s: float = 0.0
    """So much of the input's end has no leads beside it: the session was stopped before they were made."""


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
    size = 0
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            in_use = is_claimed(file)
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
                _unmade_s(recording.raw_sums, recording.description),
            )
    except InputError as error:
        return Summary(path, size, "unreadable", problem=str(error))
    except OSError as error:
        return Summary(path, size, "unreadable", problem=error.strerror or str(error))


def _of_the_end(path: Path, file: BinaryIO, size: int) -> Summary | None:
    """From the last boundary on; None if the file is not complete."""
    file.seek(max(size - _TAIL, 0))
    tail = file.read(_TAIL)
    place = tail.rfind(BOUNDARY_UUID)
    if place < 0:
        return None
    reader = ChunkReader(file, size, STREAMS, begin=size - len(tail) + place + len(BOUNDARY_UUID))
    footers: set[int] = set()
    found: Summary | None = None
    try:
        begun = _of_the_beginning(file, size)
        for chunk in reader:
            if chunk.tag == Tag.STREAM_FOOTER:
                footers.add(chunk.stream)
            elif chunk.tag == Tag.SAMPLES and chunk.stream == Stream.DESCRIPTION:
                count, encoded = split_samples(chunk.content)
                ((_, (text, crc32)),) = split_text(encoded, count, 2)
                about = stated(text, crc32, begun)
                found = Summary(
                    path,
                    size,
                    "complete",
                    about.began,
                    about.seconds,
                    about.description.stream.source,
                    about.so_far,
                    unmade_s=_unmade_s(about.so_far, about.description),
                )
    except (ValueError, OverflowError):
        return None
    return found if footers >= set(Stream) and not reader.damage else None


def _of_the_beginning(file: BinaryIO, size: int) -> Stated | None:
    """What the first description of a file says; raises ValueError if that cannot be."""
    for chunk in ChunkReader(file, size, STREAMS):
        if chunk.tag == Tag.SAMPLES:
            count, encoded = split_samples(chunk.content)
            ((_, (text, crc32)),) = split_text(encoded, count, 2)
            return stated(text, crc32)
    return None


def _unmade_s(sums: RawSums, description: SessionDescription) -> float:
    if sums.leads_stop < 0:
        return 0.0
    unmade_s = sums.stop / description.stream.rate_hz - sums.leads_stop / description.rate_hz
    return unmade_s if unmade_s > UNMADE_S else 0.0
