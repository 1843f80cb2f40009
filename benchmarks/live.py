# SPDX-License-Identifier: GPL-3.0-or-later
"""Live sessions, each in a process of its own: share of a core, memory, delivery, many at once."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.measure import ROOT, Effort, Row
from devices.replay.synthetic import Synthetic
from mecg.app.session_builder import vitals_of
from streamer.core.events import Event
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.session.description import SessionDescription
from streamer.session.session import Session

MANY = 64
_MECG = (sys.executable, "-m", "mecg")
_SPIN = "while True: pass"


def rows(effort: Effort) -> Iterator[Row]:
    """Every row of this part."""
    yield alone(effort)
    yield beside_a_busy_core(effort)
    yield many(effort)


def alone(effort: Effort) -> Row:
    """`mecg stream` on a 500 Hz source: processor time and memory once it runs."""
    shares, resident, grown = [], [], []
    for _ in range(effort.repeats):
        process = subprocess.Popen(
            [*_MECG, "stream", "synthetic:?rate=500"], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        try:
            time.sleep(4.0)
            watched = psutil.Process(process.pid)
            before, memory = watched.cpu_times(), watched.memory_info().rss
            time.sleep(effort.seconds)
            after = watched.cpu_times()
            shares.append((after.user + after.system - before.user - before.system) / effort.seconds)
            resident.append(watched.memory_info().rss / 1e6)
            grown.append((watched.memory_info().rss - memory) / 1e6)
        finally:
            process.kill()
            process.wait()
    share, mb = float(np.median(shares)), float(np.median(resident))
    return Row(
        "headless live session, one stream, default setting (status line on)",
        "<= 3 % of one core; <= 200 MB resident; no growth",
        f"{share:.1%} of one core; {mb:.0f} MB; {np.median(grown):+.2f} MB in {effort.seconds:.0f} s",
        share <= 0.03 and mb <= 200 and float(np.median(grown)) < 1,
    )


def beside_a_busy_core(effort: Effort) -> Row:
    """Arrival to frame delivered while another process does its worst on the other core."""
    busy = subprocess.Popen([sys.executable, "-c", _SPIN])
    try:
        runs = [_profile(effort.seconds) for _ in range(effort.repeats)]
    finally:
        busy.kill()
        busy.wait()
    p50, p99 = (float(np.median([run["end_to_end_ms"][q] for run in runs])) for q in ("p50", "p99"))
    lost = sum(run["samples"]["lost"] for run in runs)
    return Row(
        "arrival to frame delivered, without the algorithmic part, the other core busy",
        "p50 <= 2 ms, p99 <= 8 ms",
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms; {lost} samples lost",
        p50 <= 2 and p99 <= 8 and not lost,
    )


def _profile(seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [*_MECG, "profile", "synthetic:?rate=500", "--seconds", str(seconds), "--out", folder],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        summary: dict[str, Any] = json.loads((Path(folder) / "summary.json").read_text())
        return summary


def many(effort: Effort) -> Row:
    """One stream and sixty-four, each in a process."""
    seconds = min(effort.seconds, 20.0)
    one, all_of_them = (
        json.loads(
            subprocess.run(
                [sys.executable, "-m", "benchmarks.live", str(n), str(seconds)],
                cwd=ROOT,
                capture_output=True,
                check=True,
            ).stdout
        )
        for n in (1, MANY)
    )
    each = all_of_them["share"] / MANY
    return Row(
        f"{MANY} live streams in one process",
        "no lost sample, none 1 s late; cost per stream below that of one alone",
        f"{all_of_them['lost']} lost; {each:.2%} of a core each against {one['share']:.2%} alone; "
        f"{all_of_them['memory_mb']:.0f} MB; arrival to sink p50 {all_of_them['p50_ms']:.1f}, "
        f"p99 {all_of_them['p99_ms']:.0f} ms",
        # Nothing is lost from queues that are deep enough, but who is a second behind is not live.
        all_of_them["lost"] == 0 and each < one["share"] and all_of_them["p99_ms"] < 1000,
    )


class _Counting:
    """A sink that only counts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.samples = 0
        self.missing = 0

    def open(self, description: SessionDescription) -> None:
        """Nothing."""

    def chunk(self, chunk: Chunk) -> None:
        """Nothing."""

    def frame(self, frame: Frame) -> None:
        """Count."""
        self.samples += len(frame.valid)
        self.missing += int(np.count_nonzero(~frame.valid))

    def event(self, event: Event) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def run_many(n: int, seconds: float) -> dict[str, float]:
    """``n`` live streams for so long in this process."""
    from importlib.resources import files

    network = Network((files("streamer") / "models" / "mecgnet-low.onnx").read_bytes())
    warm = Pipeline(StreamInfo("warm", 500.0), network)
    warm.push(Chunk(0, np.zeros(500, np.float32)))
    sessions, sinks = [], []
    for i in range(n):
        source = Synthetic(f"?rate=500&bpm={60 + i}&seconds={seconds}")
        # As a radio would be: what is not taken in time is dropped, and counted.
        info = StreamInfo(f"live {i}", source.open().rate_hz, live=True)
        pipeline = Pipeline(info, network, clock=time.monotonic)
        description = SessionDescription.of(info, network.spec, pipeline.latency)
        session = Session(source, pipeline, description, vitals=vitals_of(description))
        sink = _Counting(f"sink {i}")
        session.attach(sink)
        sessions.append(session)
        sinks.append(sink)
    cpu_s, wall_s = time.process_time(), time.monotonic()
    for session in sessions:
        session.start()
        time.sleep(0.02 / n)  # devices do not send in step
    for session in sessions:
        session.wait()
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
    reports = [session.report() for session in sessions]
    dropped = sum(sum(counts.values()) for report in reports for counts in report.dropped.values())
    lost = sum(report.lost for report in reports) + sum(sink.missing for sink in sinks) + dropped
    lost += sum(abs(round(seconds * network.spec.rate_hz) - sink.samples) for sink in sinks)
    ends = [report.end_to_end_ms for report in reports]
    return {
        "share": cpu_s / seconds,  # of signal: who falls behind takes longer, and no less work
        "took_s": wall_s,
        "lost": lost,
        "memory_mb": psutil.Process().memory_info().rss / 1e6,
        "p50_ms": float(np.median([end["p50"] or 0.0 for end in ends])),
        "p99_ms": float(np.max([end["p99"] or 0.0 for end in ends])),
        "threads": threading.active_count(),
    }


if __name__ == "__main__":
    print(json.dumps(run_many(int(sys.argv[1]), float(sys.argv[2]))))
