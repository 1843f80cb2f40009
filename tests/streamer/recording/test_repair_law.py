# SPDX-License-Identifier: GPL-3.0-or-later
"""What repair says is whole reads whole; repair twice is repair once; whatever ends it, the name stays."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from streamer.core.errors import InputError
from streamer.core.events import Marker
from streamer.core.stream import Chunk
from streamer.recording.encoding import STAMP_REACH_S
from streamer.recording.folder import sessions, summary
from streamer.recording.reader import Recording
from streamer.recording.repair import repair
from tests.hostile.mutations import changed_bytes, changed_session
from tests.streamer.made_session import description, items, record

HOSTILE = Path(__file__).parents[2] / "hostile"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    what = items(25, rate_hz=130.0, packet=26, loss=0.05, gap=(12, 15), hop=50, zero_s=100.0)
    return record(tmp_path_factory.mktemp("whole"), what, description(130.0))[0].read_bytes()


def law_holds(path: Path) -> None:
    """However a file came about: the listing and the reader agree, and repair does what it says."""
    listed = summary(path)
    try:
        done = repair(path)
    except InputError:
        assert listed.state == "unreadable"
        return
    with Recording.open(path) as recording:
        assert recording.complete
        assert done is None or done.seconds == recording.seconds
        again = summary(path)
        assert again.state == "complete" and again.seconds == recording.seconds
        assert again.sums == recording.raw_sums and again.source == recording.description.stream.source
    before = sorted(path.parent.iterdir())
    data = path.read_bytes()
    assert repair(path) is None
    assert path.read_bytes() == data and sorted(path.parent.iterdir()) == before


@pytest.mark.parametrize("seed", range(40))
def test_what_repair_says_is_whole_reads_whole(whole: bytes, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / "s.xdf"
        path.write_bytes((changed_session if number else changed_bytes)(whole, rng))
        law_holds(path)


@pytest.mark.parametrize("name", ["arrival1e16.xdf", "rate0.xdf", "escapes.xdf"])
def test_the_law_holds_for_made_files(tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(HOSTILE / name, tmp_path))
    path.chmod(0o600)
    law_holds(path)


def test_one_bad_file_does_not_hide_the_others(whole: bytes, tmp_path: Path) -> None:
    for name in ("arrival1e16.xdf", "rate0.xdf", "escapes.xdf"):
        shutil.copy(HOSTILE / name, tmp_path)
    (tmp_path / "good.xdf").write_bytes(whole)
    (tmp_path / os.fsdecode(b"not utf-8 \xff.xdf")).write_bytes(whole[:-1])
    os.mkfifo(tmp_path / "pipe.xdf")
    (tmp_path / "nowhere.xdf").symlink_to(tmp_path / "nothing")
    states = {each.path.name: (each.state, bool(each.problem)) for each in sessions(tmp_path)}
    assert states["good.xdf"] == ("complete", False)
    assert states["rate0.xdf"] == ("unreadable", True)
    assert len(states) == 5


def test_the_writer_keeps_to_the_bounds_that_the_reader_has(tmp_path: Path) -> None:
    wild = (1e16, -1e300, 2 * STAMP_REACH_S, float("inf"))
    chunks = [
        Chunk(100 * i, np.ones(100, np.float32), device_s=stamp_s, arrival_s=-stamp_s)
        for i, stamp_s in enumerate(wild)
    ]
    said = [Marker("\ud800 \x1b", host_s=1e300), Marker("x", host_s=float("nan"))]
    path, _ = record(tmp_path, [*chunks, *said], description())
    with Recording.open(path) as recording:
        assert recording.complete and recording.raw_sums.samples == 400
        assert all(np.isnan(chunk.device_s) and np.isnan(chunk.arrival_s) for chunk in recording.chunks())
        assert len(recording.events) == 2
    assert summary(path).state == "complete"


KILLED = """
import os, signal, sys
from pathlib import Path
from streamer.recording.repair import repair
count = int(sys.argv[2])
def hook(name, args):
    global count
    if name in ("os.rename", "os.link", "os.remove") and "s.xdf" in str(args):
        count -= 1
        if count == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
repair(Path(sys.argv[1]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("moment", [1, 2, 3, 4])
def test_a_repair_that_is_killed_leaves_a_session_of_that_name(
    whole: bytes, tmp_path: Path, moment: int
) -> None:
    path = tmp_path / "s.xdf"
    path.write_bytes(whole[:5000] + b"damage" + whole[5000:])
    seconds = Recording.open(path).seconds
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path), str(moment)], check=False)
    assert ended.returncode in (0, -signal.SIGKILL)
    assert Recording.open(path).seconds == seconds
    law_holds(path)
    assert not list(tmp_path.glob(".*"))


def test_facts_that_cannot_be_encoded_are_kept_as_their_escapes(tmp_path: Path) -> None:
    path, _ = record(tmp_path, items(1.0), description(calibration="\udcff"))
    assert Recording.open(path).description.calibration == "\\udcff"
    json.dumps(dict(Recording.open(path).facts), ensure_ascii=False).encode()
