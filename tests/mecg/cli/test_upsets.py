# SPDX-License-Identifier: MIT
"""What befalls a recording: its program is held up, another records beside it, a ward is killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from devices.replay.synthetic import Synthetic
from streamer.recording.folder import summary
from streamer.recording.reader import Recording
from streamer.recording.repair import repair

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot stop a process and go on")


def mecg(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mecg", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(folder: Path, files: int) -> None:
    until_s = time.monotonic() + 60
    while len(list(folder.rglob("*.xdf"))) < files:
        assert time.monotonic() < until_s
        time.sleep(0.01)


def holds_all_that_was_sent(path: Path, seconds: float, rate_hz: int) -> None:
    """Every sample of the source, and the leads that belong to them."""
    assert summary(path).state == "complete"
    with Recording.open(path) as recording:
        assert recording.complete and recording.lost == 0
        assert recording.raw_stop == round(seconds * rate_hz)
        sent_mv = Synthetic(f"?rate={rate_hz}").lead_mv(0, recording.raw_stop)
        assert recording.raw_mv(0, recording.raw_stop).tobytes() == sent_mv.tobytes()
        assert recording.stop == round(seconds * recording.description.rate_hz)


@pytest.mark.parametrize(
    ("held_s", "seconds"),
    [(3, 5), pytest.param(60, 70, marks=[pytest.mark.long, pytest.mark.timeout(300)])],
)
def test_a_program_that_is_held_up_goes_on_and_loses_nothing_while_another_records_beside_it(
    held_s: int, seconds: int, tmp_path: Path
) -> None:
    held = mecg("stream", f"synthetic:?rate=500&seconds={seconds}", "--record", str(tmp_path))
    other = mecg("stream", f"synthetic:?rate=250&seconds={seconds}", "--record", str(tmp_path))
    wait_for(tmp_path, 2)
    held.send_signal(signal.SIGSTOP)
    time.sleep(held_s)
    held.send_signal(signal.SIGCONT)
    assert (held.wait(60 + seconds), other.wait(60 + seconds)) == (0, 0)
    rates_hz = {}
    for path in tmp_path.rglob("*.xdf"):
        with Recording.open(path) as recording:
            rates_hz[round(recording.description.stream.rate_hz)] = path
    assert set(rates_hz) == {250, 500}
    for rate_hz, path in rates_hz.items():
        holds_all_that_was_sent(path, seconds, rate_hz)


@pytest.mark.parametrize("turns", [1, pytest.param(10, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_a_ward_that_is_killed_loses_a_second_of_each_bed_and_ten_of_its_trends(
    turns: int, tmp_path: Path
) -> None:
    for turn in range(turns):
        folder, history = tmp_path / str(turn), tmp_path / f"{turn}.sqlite"
        beds = [f"synthetic:?rate=250&bpm={60 + bed}" for bed in range(3)]
        kept_in = ("--record", str(folder), "--history", str(history))
        ward = subprocess.Popen(
            [sys.executable, "-m", "mecg", "ward", *beds, "--serve", "127.0.0.1:0", *kept_in],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for(folder, len(beds))
            began_at_s = time.time()
            time.sleep(float(np.random.default_rng().uniform(2, 14)))
        finally:
            os.killpg(ward.pid, signal.SIGKILL)
            killed_s, killed_at_s = time.monotonic(), time.time()
            ward.wait()
        for path in folder.rglob("*.xdf"):
            with Recording.open(path) as recording:
                newest_s = max((chunk.arrival_s for chunk in recording.chunks()), default=-np.inf)
                assert killed_s - newest_s <= 1.0
            repair(path)
            assert summary(path).state == "complete"
        with sqlite3.connect(history) as kept:
            assert kept.execute("pragma integrity_check").fetchone() == ("ok",)
            (newest_at_s,) = kept.execute("select max(at_s) from trend").fetchone()
        kept.close()
        assert killed_at_s - (newest_at_s or began_at_s) <= 11
