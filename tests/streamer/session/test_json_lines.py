# SPDX-License-Identifier: GPL-3.0-or-later
import io
import json

import numpy as np
import pytest

from streamer.core.events import State, StateChanged
from streamer.core.leads import LEADS, ORIGIN
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, StreamInfo
from streamer.session.description import SessionDescription
from streamer.session.json_lines import JsonLines


def test_every_line_is_valid_json_and_together_they_are_the_stream(network: Network) -> None:
    info = StreamInfo("test:", 500, live=True)
    pipeline = Pipeline(info, network)
    out = io.StringIO()
    sink = JsonLines(out, lambda: 200)
    sink.open(SessionDescription.of(info, network.spec, pipeline.latency))
    mv = np.random.default_rng(4).normal(0, 0.3, 1000).astype(np.float32)
    frames = [*pipeline.push(Chunk(0, mv[:400])), *pipeline.push(Chunk(600, mv[600:])), *pipeline.finish()]
    sink.event(StateChanged(State.LIVE, "receiving samples", host_s=1.0))
    for frame in frames:
        sink.frame(frame)
    sink.close()

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    first, event, *lines = [json.loads(line, parse_constant=refuse) for line in out.getvalue().splitlines()]
    assert (first["type"], first["leads"], first["units"]) == ("stream", list(LEADS), "mV")
    assert first["origins"] == ORIGIN
    assert first["algorithmic_ms"]["total"] == pytest.approx(pipeline.latency.total_ms)
    assert (event["type"], event["state"]) == ("event", "live")
    rest = [line for line in lines if line["type"] == "frame"]
    statuses = [line for line in lines if line["type"] == "status"]
    assert len(rest) + len(statuses) == len(lines)
    assert len(rest) == len(frames)
    assert len(statuses) == 2
    assert statuses[-1]["lost"] == 200
    assert statuses[-1]["state"] == "live"
    assert (statuses[-1]["hr_bpm"], statuses[-1]["quality"]) == (None, None)
    assert statuses[-1]["latency_ms"]["algorithmic"] == pytest.approx(pipeline.latency.total_ms)
    expected = 0
    for frame, line in zip(frames, rest, strict=True):
        assert line["start"] == frame.start == expected
        assert line["device_s"] is None
        assert line["scale_mv"] is None
        for lead, row in zip(LEADS, frame.leads_mv, strict=True):
            values = np.array([np.nan if v is None else v for v in line["leads_mv"][lead]])
            assert np.array_equal(np.isnan(values), np.isnan(row))
            assert np.all(np.isnan(row) | (np.abs(values - row) <= 0.500001e-4))
        expected = frame.stop
    assert expected == 500
