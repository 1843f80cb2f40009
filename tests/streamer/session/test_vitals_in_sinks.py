# SPDX-License-Identifier: GPL-3.0-or-later
"""Beats, quality and alarms on their way out: each at the instant at which it was."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from devices.lsl.outlet import LslOutlet
from devices.replay.pacing import Replay
from devices.replay.session import SessionReplay
from devices.replay.synthetic import Synthetic
from streamer.core.events import Alarm, Beat, Event, Quality, QualityChanged
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, StreamInfo
from streamer.core.vitals.vitals import Vitals
from streamer.export.excerpt import Excerpt
from streamer.export.to_csv import write_csv
from streamer.export.to_edf import write_edf
from streamer.export.to_pdf import pages_of
from streamer.export.to_wfdb import write_wfdb
from streamer.formats.wfdb_annotation_reader import read_annotations
from streamer.recording.reader import Recording
from streamer.recording.recorder import Recorder
from streamer.session.description import SessionDescription
from streamer.session.json_lines import JsonLines
from streamer.session.session import Items, Session
from streamer.session.sink import Sink
from streamer.session.status_line import StatusLine

HERE = Path(__file__).parent
FAST = Replay(speed=math.inf)


def session_of(source: Items, info: StreamInfo, network: Network, *sinks: Sink) -> Session:
    pipeline = Pipeline(info, network)
    description = SessionDescription.of(info, network.spec, pipeline.latency)
    delay_s = pipeline.latency.low_pass_delay_10hz_ms / 1e3
    session = Session(source, pipeline, description, vitals=Vitals(description.rate_hz, info, delay_s))
    for sink in sinks:
        session.attach(sink)
    return session


def recorded(source: Synthetic | SessionReplay | Turned, network: Network, folder: Path) -> Path:
    recorder = Recorder(folder, {}, lambda event: None)
    report = session_of(source, source.open(), network, recorder).run()
    assert report.failures == {} and report.dropped == {}
    return recorder.path


class Turned:
    """A synthetic Lead I that somebody turns for a while."""

    def __init__(self, rest: str, first: int, stop: int) -> None:
        self._source = Synthetic(rest, replay=FAST, chunk_samples=50)
        self._turned = range(first, stop)

    def open(self) -> StreamInfo:
        return self._source.open()

    def items(self) -> Iterator[Chunk | Event]:
        for item in self._source.items():
            if isinstance(item, Chunk) and item.start in self._turned:
                item = Chunk(item.start, -item.lead_mv, item.device_s, item.arrival_s)
            yield item

    def stop(self) -> None:
        self._source.stop()


@pytest.fixture(scope="module")
def turned(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 s at 500 Hz, upside down from 10 to 25 s."""
    source = Turned("?rate=500&bpm=75&seconds=40", 5000, 12500)
    return recorded(source, network, tmp_path_factory.mktemp("turned"))


def test_beats_in_a_recording_and_its_wfdb_annotations_stand_at_the_r_peaks(
    network: Network, tmp_path: Path
) -> None:
    source = Synthetic("?rate=500&bpm=75&seconds=60", replay=FAST)
    path = recorded(source, network, tmp_path)
    truth_s = source.beats(0, 30_000) / 500
    with Recording.open(path) as recording:
        beats = [event for event in recording.events if isinstance(event, Beat)]
        excerpt = Excerpt.of(recording)
    assert len(beats) >= 71
    assert max(np.abs(truth_s - beat.at_s).min() for beat in beats) <= 0.008
    assert beats[-1].bpm == pytest.approx(75, abs=1)
    write_wfdb(excerpt, tmp_path, "r")
    samples, symbols = read_annotations(tmp_path / "r")
    peaks = samples[np.array(symbols) == "N"]
    at_s = peaks / 250
    assert len(at_s) == len(beats)
    assert np.abs(at_s[:, None] - truth_s).min(axis=1).max() <= 0.008
    # And in the lead itself the peak is there, within the delay of the input band.
    lead = excerpt.mv[0]
    for at in peaks[1:-1]:
        assert abs(int(np.argmax(lead[at - 20 : at + 20])) - 20) <= 4


def test_lsl_markers_of_beats_are_stamped_as_the_samples_of_their_r_peaks(
    network: Network, tmp_path: Path
) -> None:
    out = tmp_path / "received.npz"
    go = threading.Event()
    synthetic = Synthetic("?rate=500&bpm=75&seconds=8", chunk_samples=10)
    info = synthetic.open()

    class Waiting:
        def items(self) -> Iterator[Chunk | Event]:
            assert go.wait(60)
            yield from synthetic.items()

        def stop(self) -> None:
            synthetic.stop()

    session = session_of(Waiting(), info, network, LslOutlet("vitals"))
    command = [
        sys.executable,
        str(HERE.parents[1] / "devices" / "lsl" / "lsl_reader.py"),
        str(out),
        "vitals",
        "vitals-events",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        session.start()
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"ready\n"
        go.set()
        assert session.wait(30)
        assert reader.wait(30) == 0
    with np.load(out) as saved:
        markers, stamps = saved["vitals-events.x"][:, 0], saved["vitals-events.t"]
        sample_s = saved["vitals.t"]
    beats_s = stamps[markers == "beat"] - sample_s[0]
    truth_s = synthetic.beats(0, 4000) / 500
    assert len(beats_s) >= 7
    assert np.abs(beats_s[:, None] - truth_s).min(axis=1).max() <= 0.010


def test_quality_is_exported_as_the_stretches_that_it_was(turned: Path, tmp_path: Path) -> None:
    with Recording.open(turned) as recording:
        told = [event for event in recording.events if isinstance(event, QualityChanged)]
        excerpt = Excerpt.of(recording)
        part = Excerpt.of(recording, start_s=20.0, end_s=22.0)
    assert [event.wrong for event in told] == [
        frozenset(),
        frozenset({Quality.REVERSED, Quality.OUT_OF_RANGE}),
        frozenset(),
    ]
    (stretch,) = [mark for mark in excerpt.marks if mark.kind == "quality" and mark.stop > mark.start]
    assert "reversed, out of range" in stretch.text
    assert 10 < stretch.start / 250 < 20
    assert 25 < stretch.stop / 250 < 36
    inside = [mark for mark in part.marks if mark.kind == "quality"]
    assert [(mark.start, mark.stop) for mark in inside] == [(0, 500)]
    edfio = pytest.importorskip("edfio")
    write_edf(excerpt, tmp_path, "e")
    notes = [note for note in edfio.read_edf(tmp_path / "e.edf").annotations if "out of range" in note.text]
    assert notes[0].onset == pytest.approx(stretch.start / 250, abs=1e-3)
    assert notes[0].duration == pytest.approx((stretch.stop - stretch.start) / 250, abs=1e-3)
    write_csv(excerpt, tmp_path, "c")
    with (tmp_path / "c_events.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(row["kind"] == "beat" for row in rows) > 40
    assert any("out of range" in row["text"] and float(row["duration [s]"]) > 10 for row in rows)
    said = [page.quality for page in pages_of(excerpt)]
    assert said[0] == "" and "reversed" in said[1] and "reversed" in said[2]
    write_wfdb(excerpt, tmp_path, "w")
    assert b"reversed, out of range" in (tmp_path / "w.atr").read_bytes()


def test_a_replay_finds_beats_and_quality_anew_and_once(
    turned: Path, network: Network, tmp_path: Path
) -> None:
    again = recorded(SessionReplay(turned, replay=FAST), network, tmp_path)
    with Recording.open(turned) as one, Recording.open(again) as other:
        first, second = (
            [(type(e), e.at_s, e.text) for e in r.events if isinstance(e, Beat | QualityChanged | Alarm)]
            for r in (one, other)
        )
    assert first == second


def test_beats_do_not_crowd_the_status_and_are_in_the_json_lines(network: Network) -> None:
    status, lines = io.StringIO(), io.StringIO()
    source = Turned("?rate=500&bpm=75&seconds=20", 5000, 10_000)
    session = session_of(
        source, source.open(), network, JsonLines(lines, lambda: 0), StatusLine(status, lambda: 0)
    )
    session.run()
    assert "beat" not in status.getvalue()
    assert "HR 75" in status.getvalue().splitlines()[-1]
    assert "reversed" in status.getvalue().splitlines()[-1]
    objects = [json.loads(line) for line in lines.getvalue().splitlines()]
    statuses = [line for line in objects if line["type"] == "status"]
    assert len(statuses) == 20
    assert statuses[-1]["hr_bpm"] == pytest.approx(75, abs=1)
    assert statuses[-1]["quality"] == ["out_of_range", "reversed"]
    events = [line for line in objects if line["type"] == "event"]
    beats = [event for event in events if event["kind"] == "beat"]
    assert len(beats) > 20
    assert beats[-1]["value"] == pytest.approx(75, abs=1)
    assert [event["quality"] for event in events if event["kind"] == "quality"] == [
        [],
        ["out_of_range", "reversed"],
    ]
