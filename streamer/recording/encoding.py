# SPDX-License-Identifier: MIT
"""What stands in a session file: its streams, and how chunks, frames and events become bytes.

docs/recording.md tells the same for people.  Samples are float32, stored as they are, NaN included.
The samples of `RAW` (and `LEADS`, `SCALE`) always follow a table that says of each packet (frame) where
it begins, how long it is and when it came, and that holds a checksum over all of them.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import platform
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from enum import IntEnum
from io import FileIO
from typing import Any, BinaryIO
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.core.events import Event
from streamer.core.leads import LEADS
from streamer.core.printable import printable
from streamer.core.stream import Chunk, Frame, Samples
from streamer.formats.xdf import MAGIC, Tag, boundary, chunk, clock_offset, samples, text_sample
from streamer.recording.dataclass_json import built, finite, plain
from streamer.session.description import NOT_FOR_DIAGNOSIS, SessionDescription
from streamer.session.event_wire import WireEvent, from_wire, to_wire

if sys.platform != "win32":
    import fcntl


SUFFIX = ".xdf"

FORMAT = "mecg-session 1"
"""Stands in every description; files of another format are refused."""

LONGEST_S = 20 * 366 * 86400.0
"""An index beyond this time is not believed, whatever wrote it.  A gap may last for years: in a file it
costs nothing."""

LARGEST_PACKET = 1 << 16
"""Samples; longer chunks are stored as several packets."""

STAMP_REACH_S = 10 * 366 * 86400.0
"""A stamp that lies farther from the start of its session is not believed, whatever wrote it."""

Bytes = NDArray[np.uint8]

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
"""How a file is opened that must not be there yet."""


def file_name(unix_s: float) -> str:
    """Of a session that begins then: the UTC to the millisecond, so that names sort by time."""
    whole, ms = divmod(round(unix_s * 1e3), 1000)
    return time.strftime("mecg-%Y%m%d-%H%M%S", time.gmtime(whole)) + f"-{ms:03d}{SUFFIX}"


CLAIM_S = 1.0
"""Who lists a folder looks at each file's lock for a moment: a claim waits for so long."""


def claim(file: FileIO | BinaryIO) -> bool:
    """Keep others from repairing a file as long as it is open; False if another has it."""
    if sys.platform == "win32":
        return True  # an open file cannot be replaced there anyway
    until_s = time.monotonic() + CLAIM_S
    while not _locked(file, fcntl.LOCK_EX):
        if time.monotonic() > until_s:
            return False
        time.sleep(0.01)
    return True


def is_claimed(file: FileIO | BinaryIO) -> bool:
    """Whether another has claimed a file; several may look at once."""
    if sys.platform == "win32":
        return False
    free = _locked(file, fcntl.LOCK_SH)
    if free:
        _locked(file, fcntl.LOCK_UN)
    return not free


def _locked(file: FileIO | BinaryIO, how: int) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.ENOLCK):  # some network folders have no locks
            raise
    return True


class Stream(IntEnum):
    """The numbers of the streams."""

    RAW = 1
    PACKETS = 2
    LEADS = 3
    SCALE = 4
    FRAMES = 5
    EVENTS = 6
    DESCRIPTION = 7


STREAMS = range(1, 8)

CHANNELS = {Stream.RAW: 1, Stream.LEADS: 14, Stream.SCALE: 12}
"""Of the streams of float32; `Stream.LEADS` holds the twelve, "I, as measured", and 1 where settling."""

ROW = np.dtype(
    [
        ("flag", "u1"),
        ("stamp", "<f8"),
        ("start", "<f8"),
        ("samples", "<f8"),
        ("device_s", "<f8"),
        ("arrival_s", "<f8"),
        ("crc32", "<f8"),
    ]
)
"""A sample of a table, as XDF stores it.  ``crc32`` is the same in all rows of a chunk: that of the
rows (with 0 in its place) and then of the encoded samples in all chunks that belong to them."""


def encode(values: Samples, counts: NDArray[np.int64], stamps_s: NDArray[np.float64]) -> bytes:
    """Float32 samples ``(n, channels)`` in packets of ``counts``, the first of each with its stamp."""
    width = 1 + 4 * values.shape[1]
    out = np.zeros(8 * len(counts) + width * len(values), np.uint8)
    firsts, holes = _places(counts, width)
    body = np.zeros((len(values), width), np.uint8)
    body[:, 1:] = np.ascontiguousarray(values, "<f4").view(np.uint8)
    keep = np.ones(len(out), np.bool_)
    keep[holes] = False
    out[keep] = body.ravel()
    out[holes] = np.ascontiguousarray(stamps_s, "<f8").view(np.uint8).reshape(-1, 8)
    out[firsts] = 8
    return out.tobytes()


def decode(encoded: bytes, counts: NDArray[np.int64], channels: int) -> Samples:
    """The other way; ``encoded`` has the right length and checksum."""
    width = 1 + 4 * channels
    data = np.frombuffer(encoded, np.uint8)
    keep = np.ones(len(data), np.bool_)
    keep[_places(counts, width)[1]] = False
    body = np.ascontiguousarray(data[keep].reshape(-1, width)[:, 1:])
    return body.view("<f4").astype(np.float32, copy=False)


def encoded_size(counts: NDArray[np.int64], channels: int) -> int:
    """Bytes of what `encode` makes."""
    return 8 * len(counts) + (1 + 4 * channels) * int(counts.sum())


def _places(counts: NDArray[np.int64], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where packets begin, and the 8 bytes ``(packets, 8)`` of their stamps."""
    firsts = np.concatenate(([0], np.cumsum(8 + width * counts)[:-1])).astype(np.int64)
    return firsts, firsts[:, None] + np.arange(1, 9)


def checksum(rows: NDArray[Any], *encoded: bytes) -> int:
    """What the rows' ``crc32`` has to be."""
    plain = rows.copy()
    plain["crc32"] = 0
    total = zlib.crc32(plain.tobytes())
    for part in encoded:
        total = zlib.crc32(part, total)
    return total


def believable(stamps_s: NDArray[np.float64], zero_s: float) -> NDArray[np.float64]:
    """Stamps of a session that began at ``zero_s`` on the same clock; NaN for those that cannot be."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(np.abs(stamps_s - zero_s) <= STAMP_REACH_S, stamps_s, np.nan)


def _rows(items: Sequence[Chunk] | Sequence[Frame], lengths: list[int], rate_hz: float, zero_s: float) -> Any:
    rows = np.zeros(len(items), ROW)
    rows["flag"] = 8
    rows["start"] = [item.start for item in items]
    rows["samples"] = lengths
    rows["device_s"] = believable(np.array([item.device_s for item in items]), zero_s)
    rows["arrival_s"] = believable(np.array([item.arrival_s for item in items]), zero_s)
    known = np.isfinite(rows["device_s"])
    rows["stamp"] = np.where(known, rows["device_s"], zero_s + rows["start"] / rate_hz)
    return rows


@dataclasses.dataclass(frozen=True, slots=True)
class RawSums:
    """What a session has brought so far."""

    start: int = 0
    """Index of the first raw sample."""
    stop: int = 0
    """Index behind the last."""
    samples: int = 0
    """Delivered."""
    gaps: int = 0
    """Jumps of the index."""
    lost: int = 0
    """Samples in the gaps."""
    leads_stop: int = dataclasses.field(default=-1, compare=False)
    """Index behind the last sample of the twelve leads, at the model's rate; -1 if there is none yet, or an
    older version wrote the file: so it is left out where two sums are compared."""


class Encoder:
    """Turns what a session brings into the bytes of its file.

    Parameters
    ----------
    description : SessionDescription
        Of the session.
    facts : mapping
        Settings, model file and versions, as plain JSON types.
    began_unix_s, began_host_s : float
        The instant of the start, in Unix and in monotonic seconds.
    """

    def __init__(
        self,
        description: SessionDescription,
        facts: Mapping[str, Any],
        began_unix_s: float,
        began_host_s: float,
    ) -> None:
        self._description = description
        self._facts = dict(facts)
        self._began = (began_unix_s, began_host_s)
        self.so_far = RawSums()
        self._counts = dict.fromkeys(Stream, 0)
        self._stamps: dict[Stream, tuple[float, float]] = {}
        self._zero_s: float | None = None  # of what is played: the stamp of its sample 0
        self._played = np.empty((2, 0))  # when samples were handed over, and the stamps they got

    def mark(self) -> tuple[Any, ...]:
        """Where it stands, for `undo`: what could not be written does not count."""
        return self.so_far, dict(self._counts), dict(self._stamps)

    def undo(self, mark: tuple[Any, ...]) -> None:
        """Stand where `mark` was taken."""
        self.so_far, self._counts, self._stamps = mark

    def head(self) -> bytes:
        """What a file begins with."""
        unix_s, host_s = self._began
        header = f"<info><version>1.0</version><datetime>{_iso(unix_s)}</datetime></info>"
        parts = [MAGIC, chunk(Tag.FILE_HEADER, _xml(header))]
        for stream in Stream:
            info = _stream_header(stream, self._description, host_s)
            parts.append(chunk(Tag.STREAM_HEADER, _xml(info), stream=stream))
        return b"".join(parts) + self.boundary(host_s, unix_s, first=True)

    def boundary(self, host_s: float, unix_s: float, *, first: bool = False) -> bytes:
        """A boundary; behind it, so that it stands in every readable stretch, the description."""
        offsets = [clock_offset(stream, host_s, 0.0) for stream in Stream]
        about = self._about(host_s, unix_s)
        return (
            (b"" if first else boundary())
            + b"".join(offsets)
            + self._text(Stream.DESCRIPTION, [(host_s, (about, f"{zlib.crc32(about.encode()):08x}"))])
        )

    def raw(self, chunks: Sequence[Chunk]) -> bytes:
        """Chunks as they came, in the order of their index; raises InputError beyond `LONGEST_S`."""
        chunks = [part for chunk in chunks for part in _parts(chunk)]
        if not chunks:
            return b""
        rate_hz = self._description.stream.rate_hz
        if chunks[-1].stop > LONGEST_S * rate_hz:
            raise InputError(f"a recording holds {LONGEST_S / 86400:.0f} days at most: begin a new one")
        before = self.so_far
        stops = [before.stop if before.samples else chunks[0].start, *(item.stop for item in chunks)]
        jumps = [item.start - stop for item, stop in zip(chunks, stops, strict=False)]
        values = np.concatenate([item.lead_mv for item in chunks]).astype(np.float32, copy=False)[:, None]
        self.so_far = RawSums(
            start=before.start if before.samples else chunks[0].start,
            stop=stops[-1],
            samples=before.samples + len(values),
            gaps=before.gaps + sum(jump > 0 for jump in jumps),
            lost=before.lost + sum(jumps),
            leads_stop=before.leads_stop,
        )
        rows = _rows(chunks, [len(item.lead_mv) for item in chunks], rate_hz, self._began[1])
        self._stamp(rows, rate_hz)
        known = rows[np.isfinite(rows["device_s"])]
        self._played = np.concatenate([self._played[:, -1:], [known["device_s"], known["stamp"]]], axis=1)
        return self._with_table(Stream.PACKETS, rows, {Stream.RAW: values}, rate_hz)

    def frames(self, frames: Sequence[Frame]) -> bytes:
        """Frames; those without any valid sample are gaps, and not stored."""
        frames = [frame for frame in frames if frame.valid.any()]
        if not frames:
            return b""
        self.so_far = dataclasses.replace(self.so_far, leads_stop=frames[-1].stop)
        rate_hz = self._description.rate_hz
        rows = _rows(frames, [len(frame.valid) for frame in frames], rate_hz, self._began[1])
        self._stamp(rows, rate_hz)
        leads = np.concatenate(
            [np.vstack((f.leads_mv, f.measured_mv, f.settling)).astype(np.float32) for f in frames], axis=1
        )
        scale = np.concatenate([frame.scale_mv for frame in frames], axis=1)
        values = {Stream.LEADS: leads.T}
        if np.isfinite(scale).any():
            values[Stream.SCALE] = scale.T
        return self._with_table(Stream.FRAMES, rows, values, rate_hz)

    def events(self, events: Sequence[Event], now_s: float) -> bytes:
        """Events, as one JSON object each."""
        stamped = [
            (self._stamp_of(event, now_s), (json.dumps(plain(to_wire(event)), allow_nan=False),))
            for event in events
        ]
        return self._text(Stream.EVENTS, stamped) if stamped else b""

    def _stamp(self, rows: NDArray[Any], rate_hz: float) -> None:
        """What is played, fast, slowly or with pauses, was sampled at its own rate all the same."""
        if self._description.stream.live:
            return
        if self._zero_s is None:
            self._zero_s = float(rows["stamp"][0] - rows["start"][0] / rate_hz)
        rows["stamp"] = self._zero_s + rows["start"] / rate_hz

    def _stamp_of(self, event: Event, now_s: float) -> float:
        """When it was, on the clock of the samples."""
        zero_s = self._began[1]
        host_s = event.host_s if abs(event.host_s - zero_s) <= STAMP_REACH_S else now_s
        if self._description.stream.live:
            return host_s
        if abs(event.at_s) <= STAMP_REACH_S:
            return (self._zero_s or zero_s) + event.at_s
        return float(np.interp(host_s, *self._played)) if self._played.shape[1] else host_s

    def tail(self, host_s: float, unix_s: float) -> bytes:
        """What a complete file ends with: a boundary, the sums, and a footer for each stream."""
        parts = [self.boundary(host_s, unix_s)]
        for stream in Stream:
            first_s, last_s = self._stamps.get(stream, (0.0, 0.0))
            parts.append(
                chunk(
                    Tag.STREAM_FOOTER,
                    _xml(
                        f"<info><first_timestamp>{first_s!r}</first_timestamp>"
                        f"<last_timestamp>{last_s!r}</last_timestamp>"
                        f"<sample_count>{self._counts[stream]}</sample_count></info>"
                    ),
                    stream=stream,
                )
            )
        return b"".join(parts)

    def _about(self, host_s: float, unix_s: float) -> str:
        unix_0, host_0 = self._began
        return json.dumps(
            {
                "format": FORMAT,
                "note": NOT_FOR_DIAGNOSIS,
                "began_unix_s": unix_0,
                "began_host_s": host_0,
                "unix_s": unix_s,
                "host_s": host_s,
                "so_far": plain(self.so_far),
                "description": plain(self._description),
                "facts": plain(self._facts),
            },
            allow_nan=False,
        )

    def _with_table(
        self, table: Stream, rows: NDArray[Any], values: Mapping[Stream, Samples], rate_hz: float
    ) -> bytes:
        counts, stamps_s = rows["samples"].astype(np.int64), rows["stamp"]
        encoded = {stream: encode(v, counts, stamps_s) for stream, v in values.items()}
        rows["crc32"] = checksum(rows, *encoded.values())
        last_s = float(stamps_s[-1] + (counts[-1] - 1) / rate_hz)
        self._count(table, len(rows), float(stamps_s[0]), float(stamps_s[-1]))
        total = int(counts.sum())
        for stream in values:
            self._count(stream, total, float(stamps_s[0]), last_s)
        return samples(table, len(rows), rows.tobytes()) + b"".join(
            samples(stream, total, data) for stream, data in encoded.items()
        )

    def _text(self, stream: Stream, stamped: Sequence[tuple[float, tuple[str, ...]]]) -> bytes:
        self._count(stream, len(stamped), stamped[0][0], stamped[-1][0])
        return samples(stream, len(stamped), *(text_sample(at_s, *values) for at_s, values in stamped))

    def _count(self, stream: Stream, count: int, first_s: float, last_s: float) -> None:
        self._counts[stream] += count
        self._stamps[stream] = (self._stamps.get(stream, (first_s, 0.0))[0], last_s)


def _parts(chunk: Chunk) -> list[Chunk]:
    n = len(chunk.lead_mv)
    if n <= LARGEST_PACKET:
        return [chunk] if n else []
    return [
        dataclasses.replace(
            chunk, start=chunk.start + i, lead_mv=chunk.lead_mv[i : i + LARGEST_PACKET], reference_mv=None
        )
        for i in range(0, n, LARGEST_PACKET)
    ]


def _stream_header(stream: Stream, description: SessionDescription, created_s: float) -> str:
    info = description.stream
    ecg = "<type>ECG</type><unit>millivolts</unit>"
    if stream is Stream.RAW:
        name, kind, rate_hz, form = "mECG raw", "ECG", info.rate_hz, "float32"
        channels = [f"<label>{_text(info.lead)}</label>{ecg}<origin>measured</origin>"]
    elif stream is Stream.LEADS:
        name, kind, rate_hz, form = "mECG leads", "ECG", description.rate_hz, "float32"
        channels = [
            f"<label>{lead}</label>{ecg}<origin>{_text(description.origins.get(lead, 'predicted'))}</origin>"
            for lead in LEADS
        ]
        channels += [
            f"<label>I, as measured</label>{ecg}<origin>measured</origin>",
            "<label>settling</label><type>Flag</type><unit>1</unit>",
        ]
    elif stream is Stream.SCALE:
        name, kind, rate_hz, form = "mECG scale", "Uncertainty", description.rate_hz, "float32"
        channels = [f"<label>{lead}</label><type>Uncertainty</type><unit>millivolts</unit>" for lead in LEADS]
    elif stream in (Stream.PACKETS, Stream.FRAMES):
        name = "mECG packets" if stream is Stream.PACKETS else "mECG frames"
        kind, rate_hz, form = "Index", 0.0, "double64"
        channels = [
            f"<label>{label}</label><unit>{unit}</unit>"
            for label, unit in (
                ("start", "samples"),
                ("samples", "samples"),
                ("device", "seconds"),
                ("arrival", "seconds"),
                ("crc32", "1"),
            )
        ]
    elif stream is Stream.EVENTS:
        name, kind, rate_hz, form = "mECG events", "Markers", 0.0, "string"
        channels = ["<label>event</label><unit>json</unit>"]
    else:
        name, kind, rate_hz, form = "mECG description", "Settings", 0.0, "string"
        channels = ["<label>description</label><unit>json</unit>", "<label>crc32</label><unit>hex</unit>"]
    drops = "<synchronization><can_drop_samples>true</can_drop_samples></synchronization>" if rate_hz else ""
    model = (
        f"<reconstruction><model>{_text(description.model)}</model>"
        f"<version>{_text(description.model_version)}</version>"
        f"<calibration>{_text(description.whose)}</calibration><band>{_text(description.filters)}</band>"
        f"<latency_removed_ms>{description.latency.total_ms!r}</latency_removed_ms>"
        f"<note>{_text('; '.join(description.warnings))}</note></reconstruction>"
        if stream in (Stream.LEADS, Stream.SCALE)
        else ""
    )
    return (
        f"<info><name>{name}</name><type>{kind}</type><channel_count>{len(channels)}</channel_count>"
        f"<nominal_srate>{rate_hz!r}</nominal_srate><channel_format>{form}</channel_format>"
        f"<source_id>{FORMAT.replace(' ', '-')}-{stream}</source_id><created_at>{created_s!r}</created_at>"
        f"<desc><channels>{''.join(f'<channel>{c}</channel>' for c in channels)}</channels>"
        f"<acquisition><manufacturer/><model>{_text(info.device)}</model></acquisition>"
        f"{model}{drops}</desc></info>"
    )


def _xml(text: str) -> bytes:
    return f'<?xml version="1.0"?>{text}'.encode()


def _text(text: str) -> str:
    return escape(printable(text))


def _iso(unix_s: float) -> str:
    return str(np.datetime64(round(unix_s * 1e3), "ms")) + "+00:00"


def unpack_description(text: str) -> dict[str, Any]:
    """The JSON of a description; raises ValueError where it is none, or of another format."""
    try:
        facts = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ValueError("another format")
    return facts


def unpack_event(text: str) -> Event:
    """An event; raises ValueError where it is none."""
    try:
        wire = built(WireEvent, json.loads(text))
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if math.isfinite(wire.value):
        finite(wire.value)
    return from_wire(wire)


def platform_facts() -> dict[str, str]:
    """The machine and the interpreter: across others the twelve leads agree within 1e-4 mV only."""
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
