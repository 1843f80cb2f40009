# SPDX-License-Identifier: MIT
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.core.timing.breakdown import ALGORITHM, STAGES, LatencyBreakdown

Timed = tuple[LatencyBreakdown, list[Frame]]


@pytest.fixture(scope="module", params=[250.0, 500.0, 130.0])
def timed(request: pytest.FixtureRequest, networks: dict[str, Network]) -> Timed:
    """Frames of a stream that comes in packets, each 50 ms after its last sample, on a clock that ticks."""
    rate_hz: float = request.param
    network = networks["identity"]
    now = [0.0]

    def clock() -> float:
        now[0] += 1e-5
        return now[0]

    pipeline = Pipeline(StreamInfo("test:", rate_hz), network, clock=clock)
    frames: list[Frame] = []
    for start in range(0, 3000, 30):
        now[0] = (start + 29) / rate_hz + 0.05
        frames += pipeline.push(Chunk(start, np.zeros(30, np.float32), start / rate_hz, now[0]))
    waterfall = LatencyBreakdown(rate_hz, network.spec.rate_hz, network.spec.look_ahead, network.spec.overlap)
    return waterfall, [frame for frame in frames + pipeline.finish() if waterfall.waited(frame)]


def test_the_parts_add_up_to_the_whole(timed: Timed) -> None:
    waterfall, frames = timed
    assert len(frames) > 100
    for frame in frames:
        assert frame.stamps is not None
        parts = waterfall.parts_ms(frame, (frame.stamps.made + 0.25, frame.stamps.made + 1.0))
        middle_s = frame.device_s + (frame.stop - 1 - frame.start) / 2 / frame.rate_hz
        assert sum(parts) == pytest.approx(1e3 * (frame.stamps.made + 1.0 - middle_s), abs=1e-6)
        assert parts[len(STAGES) :] == pytest.approx([250, 750])


def test_no_part_is_negative_and_transport_is_what_it_was(timed: Timed) -> None:
    waterfall, frames = timed
    for frame in frames:
        parts = dict(zip(STAGES, waterfall.parts_ms(frame, ()), strict=True))
        assert min(parts.values()) > -1e-6
        assert parts["transport"] == pytest.approx(50, abs=1e-6)


def test_the_algorithm_s_part_does_not_depend_on_the_machine(timed: Timed) -> None:
    waterfall, frames = timed
    usual = [frame for frame in frames if frame.stop - frame.start == frames[5].stop - frames[5].start]
    owed = {tuple(np.round(waterfall.parts_ms(frame, ())[:2], 6)) for frame in usual}
    assert len(owed) == 1 and len(ALGORITHM) == 4


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_a_frame_without_stamps_is_refused(start: int, n: int) -> None:
    nothing = np.zeros((12, n), np.float32)
    frame = Frame(start, 250.0, nothing, nothing[0], nothing, np.ones(n, bool), np.zeros(n, bool))
    waterfall = LatencyBreakdown(500.0, 250.0, 14, 0)
    assert not waterfall.waited(frame)
    with pytest.raises(ValueError, match="without stamps"):
        waterfall.parts_ms(frame, ())


def test_what_only_the_end_completed_did_not_wait(networks: dict[str, Network]) -> None:
    network = networks["identity"]
    clock: Callable[[], float] = iter(range(10_000)).__next__  # type: ignore[assignment]
    pipeline = Pipeline(StreamInfo("test:", 250.0), network, clock=clock)
    waterfall = LatencyBreakdown(250.0, 250.0, network.spec.look_ahead, network.spec.overlap)
    came = pipeline.push(Chunk(0, np.zeros(500, np.float32), 0.0, 2.0))
    assert all(waterfall.waited(frame) for frame in came)
    assert not any(waterfall.waited(frame) for frame in pipeline.finish())
