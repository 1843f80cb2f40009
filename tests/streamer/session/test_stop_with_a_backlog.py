# SPDX-License-Identifier: GPL-3.0-or-later
"""A session that is stopped while input waits for its leads: they agree, or the difference is stated."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mecg.__main__ import main
from streamer.core.events import Dropped, Event
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.recording.folder import summary
from streamer.recording.reader import Recording
from streamer.recording.recorder import Recorder
from streamer.session.description import SessionDescription
from streamer.session.session import Session

RATE_HZ = 500.0


class Endless:
    """20 ms at a time, as fast as it goes."""

    def __init__(self) -> None:
        self._stopped = False

    def items(self) -> Iterator[Chunk | Event]:
        x = np.random.default_rng(0).normal(0, 0.3, 10).astype(np.float32)
        start = 0
        while not self._stopped:
            yield Chunk(start, x, start / RATE_HZ, time.monotonic())
            start += 10

    def stop(self) -> None:
        self._stopped = True


class Slow(Pipeline):
    """A model that takes its time."""

    def push(self, chunk: Chunk) -> list[Frame]:
        time.sleep(0.002)
        return super().push(chunk)


@pytest.mark.parametrize("after_s", [0.05, 0.3, 0.7, 1.1])
@pytest.mark.parametrize("core", [Pipeline, Slow])
def test_raw_and_leads_agree_or_the_difference_is_stated(
    network: Network, tmp_path: Path, after_s: float, core: type[Pipeline], capsys: pytest.CaptureFixture[str]
) -> None:
    info = StreamInfo("test:", RATE_HZ)
    pipeline = core(info, network)
    session = Session(Endless(), pipeline, SessionDescription.of(info, network.spec, pipeline.latency))
    recorder = Recorder(tmp_path, {"settings": {}}, session.tell)
    session.attach(recorder)
    session.start()
    time.sleep(after_s)
    session.stop()
    assert session.wait(3.0)
    with Recording.open(recorder.path) as recording:
        assert recording.complete
        unmade_s = recording.raw_stop / RATE_HZ - recording.stop / network.spec.rate_hz
        told = [e for e in recording.events if isinstance(e, Dropped)]
    listed = summary(recorder.path)
    assert listed.state == "complete"
    if unmade_s > 0.5:
        assert listed.unmade_s == pytest.approx(unmade_s, abs=0.01)
        assert sum(e.count for e in told) == pytest.approx(unmade_s / 0.02, abs=2)
        assert main(["sessions", str(tmp_path)]) == 0
        assert f"{unmade_s:.1f} s" in capsys.readouterr().out
    else:
        assert listed.unmade_s == 0
    assert core is Pipeline or unmade_s > 0.5
