# SPDX-License-Identifier: GPL-3.0-or-later
"""Stamps along the path: in order, complete, and without a trace in the samples."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.events import Event
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.signal.rate import RateConverter
from streamer.core.stream import Chunk, Frame, Stamps, StreamInfo
from streamer.session.description import SessionDescription
from streamer.session.session import Session
from tests.streamer.known_network import scaled_identity

NETWORK = Network(scaled_identity())
MV = np.random.default_rng(3).normal(0, 0.3, 3000).astype(np.float32)
MV[1200:1260] = np.nan


def ticking() -> Iterator[float]:
    now = 0.0
    while True:
        now += 1.0
        yield now


def run(sizes: list[int], gap: int, *, stamped: bool) -> list[Frame]:
    clock = ticking()
    pipeline = Pipeline(StreamInfo("test:", 500.0), NETWORK, clock=(lambda: next(clock)) if stamped else None)
    frames, start, missing = [], 0, 0
    for size in sizes:
        frames += pipeline.push(Chunk(start + missing, MV[start : start + size], 0.0, 0.0))
        start += size
        missing += gap if start > 800 and not missing else 0
    return frames + pipeline.finish()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=8), st.sampled_from([0, 7, 500, 2500]))
def test_stamps_are_in_order_and_change_no_bit(sizes: list[int], gap: int) -> None:
    stamped, plain = run(sizes, gap, stamped=True), run(sizes, gap, stamped=False)
    assert len(stamped) == len(plain)
    for one, other in zip(stamped, plain, strict=True):
        assert one.start == other.start
        assert np.array_equal(one.leads_mv, other.leads_mv, equal_nan=True)
        assert np.array_equal(one.measured_mv, other.measured_mv, equal_nan=True)
        assert other.stamps is None
        assert one.stamps is not None
        instants = one.stamps[:-1]
        assert all(np.isfinite(instants))
        assert list(instants) == sorted(instants)
    made = [frame.stamps.made for frame in stamped if frame.stamps is not None]
    assert made == sorted(made)


@pytest.mark.parametrize("rate_hz", [100.0, 130.0, 250.0, 500.0, 1000.0])
def test_an_output_comes_with_exactly_the_sample_that_it_is_said_to_need(rate_hz: float) -> None:
    converter = RateConverter(rate_hz, 250.0)
    came: dict[int, int] = {}
    for i in range(600):
        for run_ in converter.push(i, np.zeros(1)):
            came |= dict.fromkeys(range(run_.start, run_.stop), i + 1)
    for k, needed in came.items():
        assert needed == max(converter.needs(k), 1)


class Played:
    def items(self) -> Iterator[Chunk | Event]:
        for start in range(0, 2000, 20):
            now = time.monotonic()
            yield Chunk(start, np.zeros(20, np.float32), now, now)

    def stop(self) -> None:
        pass


class Idle:
    def __init__(self, name: str) -> None:
        self.name = name

    def open(self, description: SessionDescription) -> None:
        pass

    def chunk(self, chunk: Chunk) -> None:
        pass

    frame = event = chunk  # type: ignore[assignment]

    def close(self) -> None:
        pass


def test_a_watcher_sees_every_frame_reach_every_sink_in_order(network: Network) -> None:
    seen: dict[str, list[tuple[int, float, float, float, Stamps]]] = {"a": [], "b": []}

    def watch(sink: str, frame: Frame, put_s: float, taken_s: float, done_s: float) -> None:
        assert frame.stamps is not None
        seen[sink].append((frame.start, put_s, taken_s, done_s, frame.stamps))

    info = StreamInfo("test:", 500.0)
    pipeline = Pipeline(info, network, clock=time.monotonic)
    description = SessionDescription.of(info, network.spec, pipeline.latency)
    session = Session(Played(), pipeline, description, watch=watch)
    for name in seen:
        session.attach(Idle(name))
    session.run()
    starts = [row[0] for row in seen["a"]]
    assert starts == [row[0] for row in seen["b"]] == sorted(starts)
    assert len(starts) == 101
    for _, put_s, taken_s, done_s, stamps in seen["a"] + seen["b"]:
        assert stamps.made <= put_s <= taken_s <= done_s
    queues = session.queues()
    assert set(queues) == {"core", "a", "b"}
    assert all(waiting == 0 and deepest >= 1 for waiting, deepest in queues.values())


def test_numba_finds_a_place_where_installation_and_home_are_read_only(tmp_path: Path) -> None:
    package = tmp_path / "site" / "streamer"
    shutil.copytree(
        Path(__file__).parents[3] / "streamer", package, ignore=shutil.ignore_patterns("__pycache__")
    )
    for folder in [package, *(path for path in package.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").touch()  # a file of that name keeps even root from writing there
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    env = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA")}
    env |= {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null", "TMPDIR": str(temporary)}
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import numpy as np;"
        "import streamer.core.signal.filters as f;"
        "assert f.__file__.startswith(sys.argv[1]);"
        "print(f.sosfilt(np.array([[1., 0, 0, 1, 0, 0]]), np.ones(3), np.zeros((1, 2))))"
    )
    command = [sys.executable, "-c", code, str(package.parent)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "[1. 1. 1.]"
    kept = list(temporary.rglob("*.nbc"))
    assert kept
    assert all(path.stat().st_mode & 0o077 == 0 for path in temporary.iterdir())
    before = {path: path.stat().st_mtime_ns for path in kept}
    subprocess.run(command, env=env, capture_output=True, check=True, cwd=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in temporary.rglob("*.nbc")} == before  # used, not redone
