# SPDX-License-Identifier: GPL-3.0-or-later
"""Hours of a headless session, as fast as they go: what it holds does not grow."""

from __future__ import annotations

import gc
import io
import os
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from devices.replay.pacing import Replay
from devices.replay.synthetic import Synthetic
from streamer.core.events import Event
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Frame
from streamer.core.vitals.vitals import Vitals
from streamer.session.description import SessionDescription
from streamer.session.session import Session
from streamer.session.status_line import StatusLine

HOURS = 3


class Resident:
    """A sink that looks at the process's memory every ten minutes of stream time."""

    name = "resident"

    def __init__(self) -> None:
        self.mb: list[float] = []
        self._next_s = 600.0

    def open(self, description: SessionDescription) -> None:
        pass

    def chunk(self, chunk: Chunk) -> None:
        pass

    def frame(self, frame: Frame) -> None:
        if frame.start / frame.rate_hz >= self._next_s:
            self._next_s += 600.0
            gc.collect()
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.mb.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)

    def event(self, event: Event) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_over_hours() -> None:
    network = Network((files("streamer") / "models" / "mecgnet-low.onnx").read_bytes())
    source = Synthetic(f"?rate=500&seconds={HOURS * 3600}", replay=Replay(speed=float("inf")))
    info = source.open()
    pipeline = Pipeline(info, network)
    description = SessionDescription.of(info, network.spec, pipeline.latency)
    session = Session(source, pipeline, description, vitals=Vitals(network.spec.rate_hz, info))
    resident = Resident()
    session.attach(resident)
    session.attach(StatusLine(io.StringIO(), lambda: pipeline.lost))
    report = session.run()
    assert report.samples_out == HOURS * 3600 * network.spec.rate_hz and not report.lost
    assert not report.dropped and not report.failures
    assert len(resident.mb) == HOURS * 6 - 1
    # The first ten minutes fill the queues; a byte kept of every hop would be 0.7 MB.
    print(f"{resident.mb[0]:.1f} MB after 10 min, {resident.mb[-1]:.1f} MB after {HOURS} h")
    assert max(resident.mb[-6:]) - min(resident.mb[1:7]) < 2
