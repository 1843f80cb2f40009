# SPDX-License-Identifier: GPL-3.0-or-later
"""A session file made as the recorder makes it, without waiting for real time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from streamer.core.events import Beat, Event, Marker, State, StateChanged
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, StreamInfo
from streamer.recording.recorder import Recorder
from streamer.session.description import SessionDescription

RATE_HZ = 500.0


def a_session(
    folder: Path,
    network: Network,
    samples: int,
    *,
    lost: tuple[tuple[int, int], ...] = (),
    lead: str = "I",
    is_lead_i: bool = True,
    clock: float = 1.0,
    events: Sequence[Event] = (),
) -> Path:
    """Record ``samples`` at 500 Hz less the stretches ``lost``; a marker at second 1, a beat at 2.

    ``clock`` is the device's true rate over its nominal one; ``events`` come on top.
    """
    info = StreamInfo("test:session", RATE_HZ, lead=lead, is_lead_i=is_lead_i, live=True)
    pipeline = Pipeline(info, network)
    recorder = Recorder(folder, {"settings": {}}, lambda event: None)
    recorder.open(SessionDescription.of(info, network.spec, pipeline.latency))
    begun_s = time.monotonic()
    recorder.event(StateChanged(State.LIVE, "receiving samples", host_s=begun_s))
    mv = np.random.default_rng(8).normal(0, 0.4, samples).astype(np.float32)
    start = 0
    for first, stop in (*lost, (samples, samples)):
        while start < first:
            end = min(start + 50, first)
            at_s = begun_s + start / RATE_HZ / clock
            chunk = Chunk(start, mv[start:end], at_s, at_s + 0.1)
            recorder.chunk(chunk)
            for frame in pipeline.push(chunk):
                recorder.frame(frame)
            start = end
        start = stop
    for frame in pipeline.finish():
        recorder.frame(frame)
    recorder.event(Marker('said µ twice, "quoted"', host_s=begun_s + 1))
    recorder.event(Beat(host_s=begun_s + 2))
    for event in events:
        recorder.event(event)
    recorder.close()
    return recorder.path
