# SPDX-License-Identifier: MIT
"""An ECG in an XDF file of LabRecorder: one stream of several, by what it says of itself."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.core.leads import canonical_lead
from streamer.core.units import mv_per_unit
from streamer.formats.file_format import Format, Head
from streamer.formats.recording import Identity, Lead, Recording, Stated, choose, without_serials
from streamer.formats.sample_times import grid_of, place
from streamer.formats.xdf import MAGIC, ChunkReader, Tag, split_samples

KIND = "an XDF recording"
_TYPES = {"float32": "<f4", "double64": "<f8", "int8": "i1", "int16": "<i2", "int32": "<i4", "int64": "<i8"}
_LONGEST = 1 << 30
_LONGEST_XML = 1 << 20


@dataclass
class _Stream:
    root: ElementTree.Element
    stamps: list[NDArray[np.float64]] = field(default_factory=list)
    values: list[NDArray[np.float64]] = field(default_factory=list)

    def text(self, path: str) -> str:
        return (self.root.findtext(path) or "").strip()

    @property
    def channels(self) -> int:
        count = self.text("channel_count")
        return int(count) if count.isdecimal() and len(count) < 5 else 0

    @property
    def leads(self) -> list[tuple[str, str]]:
        """Label and unit of each channel."""
        nodes = self.root.findall("desc/channels/channel")[: self.channels]
        found = [
            ((n.findtext("label") or n.findtext("name") or "").strip(), (n.findtext("unit") or "").strip())
            for n in nodes
        ]
        return found + [(f"channel {i + 1}", "") for i in range(len(found), self.channels)]

    @property
    def is_ecg(self) -> bool:
        text = " ".join(
            (self.text("type"), self.text("name"), *(label for label, _ in self.leads))
        ).casefold()
        known = any(canonical_lead(label) for label, _ in self.leads)
        return (
            bool(self.values)
            and self.text("channel_format") in _TYPES
            and ("ecg" in text or "ekg" in text or known)
        )


def recognizes(head: Head) -> bool:
    """The magic of XDF."""
    return head.data.startswith(MAGIC)


def read(path: Path, stated: Stated) -> Recording:
    """Read the ECG of one; raises InputError or OSError."""
    if path.stat().st_size > _LONGEST:
        raise InputError(f"{KIND} of over {_LONGEST >> 20} MB; cut it into parts")
    streams, began, damaged = _streams(path)
    ecgs = [stream for stream in streams if stream.is_ecg]
    if not ecgs and damaged:
        raise InputError(f"{KIND} that is damaged, without an ECG in what can be read; fetch it again")
    if not ecgs:
        raise InputError(f"{KIND} without a stream of an ECG; name another file")
    stream = ecgs[choose(len(ecgs), [without_serials(s.text("name")) for s in ecgs], stated.reading, KIND)]
    values, stamps = np.concatenate(stream.values, axis=0).T, np.concatenate(stream.stamps)
    nominal = stream.text("nominal_srate")
    try:
        rate_hz = float(nominal)
    except ValueError:
        rate_hz = 0.0
    if not 0 < rate_hz < 1e6:
        rate_hz = 0.0
    filled = _filled(stamps, rate_hz or stated.rate_hz)
    index = np.arange(values.shape[1])
    if filled is not None:
        found, index = grid_of(np.maximum.accumulate(filled - filled[0]), KIND)
        rate_hz = rate_hz or stated.rate_hz or found
    rate_hz = stated.rate(rate_hz or None, KIND)
    rows, leads = [], []
    for i, (label, unit) in enumerate(stream.leads):
        voltage = mv_per_unit(unit) is not None or stated.unit_mv is not None
        if voltage or canonical_lead(label) or "ecg" in label.casefold() or len(stream.leads) == 1:
            rows.append(values[i] * stated.mv_per_step(unit, f"{KIND}, in its channel {label[:30]!r},"))
            leads.append(Lead(label, stated.unit(unit)))
    if not rows:
        raise InputError(f"{KIND} whose ECG has no channel in volts; name another file")
    mv = place(np.stack(rows), index)
    notes = (
        [f"The stream is {without_serials(stream.text('name')[:40])!r}, of {len(streams)} in the file."]
        if len(streams) > 1
        else []
    )
    if (lost := mv.shape[1] - values.shape[1]) > 0:
        notes.append(f"{lost} samples are missing by the stream's stamps.")
    if damaged:
        notes.append("Parts of the file are damaged and left out.")
    names = ("name", "source_id", "hostname", "desc/acquisition/serial_number")
    identity = Identity({name.rpartition("/")[2]: stream.text(name) for name in names})
    return Recording(KIND, rate_hz, tuple(leads), mv, began, notes=tuple(notes), identity=identity)


def _streams(path: Path) -> tuple[list[_Stream], datetime | None, bool]:
    found: dict[int, _Stream] = {}
    began = None
    with path.open("rb") as file:
        chunks = ChunkReader(file, path.stat().st_size, range(1 << 32))
        for chunk in chunks:
            try:
                if chunk.tag == Tag.FILE_HEADER:
                    text = (_xml(chunk.content).findtext("datetime") or "").strip()
                    began = datetime.fromisoformat(text) if text else None
                elif chunk.tag == Tag.STREAM_HEADER and len(found) < 1000 and chunk.stream not in found:
                    found[chunk.stream] = _Stream(_xml(chunk.content))
                elif chunk.tag == Tag.SAMPLES and chunk.stream in found:
                    _add(found[chunk.stream], chunk.content)
            except (ValueError, LookupError, ElementTree.ParseError, struct.error) as error:
                chunks.reject(str(error)[:80])
    return list(found.values()), began, bool(chunks.damage)


def _xml(content: bytes) -> ElementTree.Element:
    if len(content) > _LONGEST_XML or b"<!" in content:
        raise ValueError("a description that is too long, or defines words of its own")
    return ElementTree.fromstring(content)


def _add(stream: _Stream, content: bytes) -> None:
    kind, channels = _TYPES.get(stream.text("channel_format")), stream.channels
    if kind is None or not channels:
        return
    count, data = split_samples(content)
    width = np.dtype(kind).itemsize * channels
    if count * (1 + width) > len(data):
        raise ValueError("it claims more samples than it has bytes")
    for size in (8, 0):  # all with a stamp, or none
        if count and len(data) == count * (1 + size + width):
            rows = np.frombuffer(data, np.uint8).reshape(count, 1 + size + width)
            if (rows[:, 0] == size).all():
                stamps = rows[:, 1 : 1 + size].copy().view("<f8").ravel() if size else np.full(count, np.nan)
                stream.stamps.append(stamps)
                values = np.ascontiguousarray(rows[:, 1 + size :]).view(kind).reshape(count, channels)
                stream.values.append(values.astype(np.float64))
                return
    at, stamps_s, picked = 0, [], []
    for _ in range(count):
        size = data[at] if at < len(data) else -1
        if size not in (0, 8) or at + 1 + size + width > len(data):
            raise ValueError("a sample beyond its chunk")
        stamps_s.append(struct.unpack_from("<d", data, at + 1)[0] if size else math.nan)
        picked.append(data[at + 1 + size : at + 1 + size + width])
        at += 1 + size + width
    if picked:
        stream.stamps.append(np.array(stamps_s))
        stream.values.append(np.frombuffer(b"".join(picked), kind).reshape(-1, channels).astype(np.float64))


def _filled(stamps: NDArray[np.float64], rate_hz: float | None) -> NDArray[np.float64] | None:
    """Stamps for all samples: one without follows the last that has one, by the rate."""
    known = np.isfinite(stamps)
    if len(stamps) < 3 or not known[0]:
        return None
    if known.all():
        return stamps
    if not rate_hz:
        return None
    last = np.maximum.accumulate(np.where(known, np.arange(len(stamps)), 0))
    filled: NDArray[np.float64] = stamps[last] + (np.arange(len(stamps)) - last) / rate_hz
    return filled


FORMAT = Format("lab-recorder", KIND, recognizes, read)
