# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions whose every bit is known, recorded without a source or a model."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from streamer.core.events import Event, Marker
from streamer.core.network.latency import LatencyBudget
from streamer.core.stream import Chunk, Frame, Placement, StreamInfo
from streamer.recording.recorder import Recorder
from streamer.session.description import SessionDescription

MODEL_HZ = 250.0


def description(rate_hz: float = 500.0, **changes: object) -> SessionDescription:
    stream = StreamInfo(
        source="synthetic:?rate=500",
        rate_hz=rate_hz,
        placement=Placement.ARMS,
        device="Maker & Söhne <H10>",
        samples=None,
        notes=("one", 'two <b> & "three"'),
    )
    latency = LatencyBudget(56.0, 0.0, 16.0, 6.0, 78.0, 9.6)
    return SessionDescription(stream, "a model", "1.2", MODEL_HZ, latency, "0.5-40 Hz", **changes)  # type: ignore[arg-type]


@dataclass
class Made:
    """What was put in."""

    chunks: list[Chunk] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


def items(
    seconds: float,
    *,
    rate_hz: float = 500.0,
    packet: int = 10,
    loss: float = 0.0,
    gap: tuple[float, float] | None = None,
    scale: bool = True,
    hop: int = 4,
    zero_s: float | None = None,
    seed: int = 1,
) -> Iterator[Chunk | Frame | Event]:
    """Noise in packets, frames beside them; packets that are lost, and seconds without any."""
    rng = np.random.default_rng(seed)
    zero_s = time.monotonic() if zero_s is None else zero_s
    model = 0
    for start in range(0, int(seconds * rate_hz), packet):
        at_s = start / rate_hz
        if (gap and gap[0] <= at_s < gap[1]) or (start and rng.random() < loss):
            continue
        mv = rng.normal(0, 0.3, packet).astype(np.float32)
        if rng.random() < 0.01:
            mv[rng.integers(packet)] = np.nan
        stop_s = (start + packet) / rate_hz
        yield Chunk(start, mv, zero_s + at_s, zero_s + stop_s + rng.exponential(0.01))
        model = max(model, int(at_s * MODEL_HZ) // hop * hop)
        while (model + hop) / MODEL_HZ <= stop_s:
            yield frame(rng, model, zero_s, scale=scale, n=hop)
            model += hop
        if rng.random() < 0.02:
            yield Marker(f"pressed at {at_s:.2f} s – “ü”", host_s=zero_s + at_s)


def frame(rng: np.random.Generator, start: int, zero_s: float, *, scale: bool = True, n: int = 4) -> Frame:
    valid = np.ones(n, np.bool_)
    if rng.random() < 0.05:
        valid[rng.integers(n)] = False
    noise = rng.normal(0, 1, (25, n)).astype(np.float32)
    noise[:, ~valid] = np.nan
    return Frame(
        start=start,
        rate_hz=MODEL_HZ,
        leads_mv=noise[:12],
        measured_mv=noise[12],
        scale_mv=np.abs(noise[13:]) if scale else np.full((12, n), np.nan, np.float32),
        valid=valid,
        settling=np.arange(start, start + n) < 500,
        device_s=zero_s + start / MODEL_HZ,
        arrival_s=zero_s + (start + n) / MODEL_HZ + 0.08,
    )


def record(
    folder: Path, what: Iterator[Chunk | Frame | Event], about: SessionDescription
) -> tuple[Path, Made]:
    """Record these items; returns the file and what is in it."""
    made = Made()
    recorder = Recorder(folder, {"mecg": "0", "model_sha256": "ab"}, lambda event: None)
    recorder.open(about)
    for item in what:
        if isinstance(item, Chunk):
            made.chunks.append(item)
            recorder.chunk(item)
        elif isinstance(item, Frame):
            made.frames.append(item)
            recorder.frame(item)
        else:
            made.events.append(item)
            recorder.event(item)
    recorder.close()
    return recorder.path, made


def same_chunk(one: Chunk, other: Chunk) -> bool:
    """To the last bit."""
    stamps = np.array([[c.device_s, c.arrival_s] for c in (one, other)])
    return (
        one.start == other.start
        and one.lead_mv.dtype == other.lead_mv.dtype == np.float32
        and one.lead_mv.tobytes() == other.lead_mv.tobytes()
        and np.array_equal(stamps[0], stamps[1], equal_nan=True)
    )


def same_frame(one: Frame, other: Frame) -> bool:
    """To the last bit."""
    return (
        one.start == other.start
        and one.leads_mv.tobytes() == other.leads_mv.tobytes()
        and one.measured_mv.tobytes() == other.measured_mv.tobytes()
        and one.scale_mv.tobytes() == other.scale_mv.tobytes()
        and np.array_equal(one.valid, other.valid)
        and np.array_equal(one.settling, other.settling)
        and (one.device_s, one.arrival_s) == (other.device_s, other.arrival_s)
    )


def same_chunks(some: Iterable[Chunk], others: Iterable[Chunk]) -> bool:
    """All of them, and none more."""
    return all(same_chunk(one, other) for one, other in zip(some, others, strict=True))


def same_frames(some: Iterable[Frame], others: Iterable[Frame]) -> bool:
    """All of them, and none more."""
    return all(same_frame(one, other) for one, other in zip(some, others, strict=True))
