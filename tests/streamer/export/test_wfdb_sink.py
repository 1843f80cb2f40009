# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a running session, across gaps of any length."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.export.wfdb_sink import AtSourceRate, WfdbSink
from streamer.formats.wfdb_reader import Record
from streamer.session.description import SessionDescription

HOUR_S = 3600.0


def around_a_gap(rate_hz: float, gap_s: float) -> tuple[list[Chunk], int, int]:
    """Two seconds, a gap, two seconds; and where the gap begins and ends."""
    n = round(2 * rate_hz)
    resumed = n + round(gap_s * rate_hz)
    lead_mv = np.sin(np.arange(n) / 9).astype(np.float32)
    return [Chunk(0, lead_mv), Chunk(resumed, lead_mv)], n, resumed


def frames_beside(chunk: Chunk, rate_hz: float) -> Iterator[Frame]:
    """500 valid samples, as the model makes them of two seconds."""
    begins = ceil(chunk.start * 250 / rate_hz)
    twelve, one = np.ones((12, 10), np.float32), np.ones(10, np.float32)
    for start in range(begins, begins + 500, 10):
        yield Frame(start, 250.0, twelve, one, twelve, one > 0, one < 0)


def leads_of(chunks: Sequence[Chunk], rate_hz: float) -> Iterator[np.ndarray]:
    resampled = AtSourceRate(250.0, rate_hz)
    for chunk in chunks:
        resampled.chunk(chunk)
        for frame in frames_beside(chunk, rate_hz):
            yield from resampled.frame(frame)
    yield from resampled.finish()


@settings(max_examples=8, phases=[Phase.explicit, Phase.generate])
@given(gap_s=st.floats(2.0, 36 * HOUR_S), rate_hz=st.sampled_from([100.0, 129.91, 500.0]))
@example(gap_s=2.0, rate_hz=500.0)  # first: it compiles, too
@example(gap_s=36 * HOUR_S, rate_hz=500.0)
def test_every_sample_has_its_place_beyond_a_gap_of_any_length(gap_s, rate_hz):
    chunks, gap_begins, gap_ends = around_a_gap(rate_hz, gap_s)
    samples, present, in_the_gap = 0, 0, 0
    for block in leads_of(chunks, rate_hz):
        assert block.nbytes < 1e6
        known = samples + np.flatnonzero(np.isfinite(block).all(axis=0))
        present += len(known)
        in_the_gap += int(((known >= gap_begins) & (known < gap_ends)).sum())
        samples += block.shape[1]
    assert samples == chunks[-1].stop
    assert in_the_gap == 0
    assert 0 <= 2 * gap_begins - present <= 4


def write(model: Network, folder: Path, chunks: Sequence[Chunk]) -> None:
    info = StreamInfo("test:", 250.0)
    pipeline, sink = Pipeline(info, model), WfdbSink(folder, "r")
    sink.open(SessionDescription.of(info, model.spec, pipeline.latency))
    for chunk in chunks:
        sink.chunk(chunk)
        for frame in pipeline.push(chunk):
            sink.frame(frame)
    for frame in pipeline.finish():
        sink.frame(frame)
    sink.close()


def memory_to_write(model: Network, folder: Path, chunks: Sequence[Chunk]) -> int:
    tracemalloc.start()
    try:
        write(model, folder, chunks)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("banded", [False, True])
def test_a_record_with_a_gap_of_an_hour_takes_the_memory_of_one_with_12_s(
    network: Network, banded_network: Network, tmp_path: Path, banded: bool
) -> None:
    model = banded_network if banded else network
    chunks, gap_begins, gap_ends = around_a_gap(250.0, HOUR_S)
    shorter, _, _ = around_a_gap(250.0, 12.0)
    write(model, tmp_path / "first", shorter)  # compiles, too
    short = memory_to_write(model, tmp_path / "short", shorter)
    assert memory_to_write(model, tmp_path / "long", chunks) < short + 2e6
    for name in ("r", "r_band")[: 1 + banded]:
        record = Record(tmp_path / "long" / name)
        assert record.samples == chunks[-1].stop
        assert np.isnan(record.read(gap_begins, gap_ends)).all()
        assert np.isfinite(record.read(gap_ends, record.samples)).all()
