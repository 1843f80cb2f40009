# SPDX-License-Identifier: GPL-3.0-or-later
"""The sessions behind one window: real sources, one after the other."""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from devices.replay.pacing import Replay
from gui.controller import RunningSession, SourceRequest
from gui.signal.inbox import Measured, Raw
from mecg.app.controller import Controller
from mecg.app.session_builder import source_of
from mecg.cli.monitor import AS_IT_COMES
from streamer.core.errors import InputError
from streamer.core.events import Alarm, AlarmKind, AlarmsSilenced, Event, State, StateChanged
from streamer.core.stream import Frame
from streamer.core.vitals.vitals import Limits
from streamer.formats.wfdb_reader import Record
from streamer.recording.reader import Recording
from streamer.session.source import ScanResult

PTB = Path(__file__).parents[3] / "recordings" / "ptb" / "s0010_re"
OTHER = "synthetic:?rate=250&bpm=100"


class Rig:
    def __init__(self, model: Path | None, source: str = "synthetic:?rate=500", **options: object) -> None:
        args = argparse.Namespace(**(vars(AS_IT_COMES) | {"source": source, "model": model} | options))
        self.bench = Controller(args)
        self.bench.prepare(source_of(source, replay=Replay(args.speed)))
        self.bench.begin()
        self.events: list[Event] = []

    def frames(self, showing: RunningSession, seconds: float) -> list[Frame]:
        """Wait for so much of the stream."""
        frames: list[Frame] = []
        end_s = time.monotonic() + 20
        while not frames or frames[-1].stop < seconds * frames[-1].rate_hz:
            assert time.monotonic() < end_s
            for _, item in showing.inbox.take():
                if isinstance(item, Frame):
                    frames.append(item)
                elif not isinstance(item, Measured | Raw):
                    self.events.append(item)
            time.sleep(0.01)
        return frames


@pytest.fixture
def start(model_file: Path) -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def begin(*args: str, **options: object) -> Rig:
        model = None if options.get("as_recorded") else model_file
        rigs.append(Rig(model, *args, **options))
        return rigs[-1]

    yield begin
    for rig in rigs:
        rig.bench.close()


Start = Callable[..., Rig]


def test_another_source_gets_a_session_of_its_own_and_the_old_one_ends(start: Start) -> None:
    rig = start()
    first = rig.bench.showing
    rig.frames(first, 0.5)
    second = rig.bench.open(SourceRequest(OTHER))
    assert first.inbox.closed and rig.bench.showing is second
    assert second.description.stream.source == OTHER and second.description.stream.rate_hz == 250
    assert rig.frames(second, 0.5)[0].start == 0
    assert not rig.bench.close().failures


def test_a_source_that_is_refused_leaves_what_runs(start: Start, tmp_path: Path) -> None:
    rig = start()
    first = rig.bench.showing
    for wanted in (
        SourceRequest(f"wfdb:{tmp_path}/none"),
        SourceRequest("nonsense:1"),
        SourceRequest(str(PTB), lead="V9"),
    ):
        with pytest.raises(InputError):
            rig.bench.open(wanted)
    assert rig.bench.showing is first and not first.inbox.closed
    before = first.inbox.take()
    assert rig.frames(first, 1.0) and before is not None


def test_each_source_has_a_recording_of_its_own_that_is_whole(start: Start, tmp_path: Path) -> None:
    rig = start(record=tmp_path / "sessions")
    rig.frames(rig.bench.showing, 1.0)
    second = rig.bench.open(SourceRequest(OTHER))
    rig.frames(second, 1.0)
    rig.bench.close()
    files = sorted((tmp_path / "sessions").glob("*.xdf"))
    recordings = [Recording.open(file) for file in files]
    assert {recording.description.stream.source for recording in recordings} == {"synthetic:?rate=500", OTHER}
    assert all(recording.complete and recording.seconds > 0.9 for recording in recordings)


def test_a_seek_is_a_new_stream_of_what_lies_there(start: Start) -> None:
    rig = start(f"wfdb:{PTB}", lead="v2")
    began_s = time.monotonic()
    there = rig.bench.open(SourceRequest(f"wfdb:{PTB}", lead="v2", start_s=30.0, speed=0.25))
    frames = rig.frames(there, there.lead_in_s - 0.1)
    assert there.lead_in_s == 10 and time.monotonic() - began_s < 9  # a screen full, at once
    assert frames[0].start == 0 and frames[0].settling.all() and not frames[-1].settling.any()
    assert there.player is not None and there.player.speed == 0.25 and 30 <= there.player.position_s < 33
    assert there.player.duration_s == pytest.approx(38.4)
    measured = np.concatenate([frame.measured_mv for frame in frames])
    raw = Record(PTB).read(22_000, 23_000)[Record(PTB).row("v2") or 0].astype(float)
    # The input band's low-pass takes 10 ms.
    shown = [measured[500 + lag : 750 + lag].astype(float) for lag in range(6)]
    alike = [np.corrcoef(np.diff(one), np.diff(raw[::4]))[0, 1] for one in shown]
    assert max(alike) > 0.9 and np.argmax(alike) in (2, 3)


def test_a_replay_begins_held_where_it_was_held(start: Start) -> None:
    rig = start(f"wfdb:{PTB}")
    there = rig.bench.open(SourceRequest(f"wfdb:{PTB}", start_s=12.0, paused=True))
    frames = rig.frames(there, 9.8)  # what lies before is there all the same
    time.sleep(0.3)
    assert there.player is not None and there.player.position_s == 12.0
    assert frames[-1].stop <= 10 * 250
    there.player.paused = False
    rig.frames(there, 10.5)


def test_another_recording_has_no_lead_in(start: Start) -> None:
    rig = start()
    there = rig.bench.open(SourceRequest(f"wfdb:{PTB}", start_s=12.0))
    assert there.lead_in_s == 0 and there.player is not None and there.player.position_s >= 12


@pytest.mark.parametrize("as_recorded", [False, True])
def test_a_recorded_session_can_be_sought_in(start: Start, tmp_path: Path, as_recorded: bool) -> None:
    recorder = start("synthetic:?rate=250&bpm=60&seconds=14", record=tmp_path, speed=8.0)
    recorder.frames(recorder.bench.showing, 13.9)
    recorder.bench.close()
    (file,) = tmp_path.glob("*.xdf")
    rig = start(f"session:{file}", as_recorded=as_recorded)
    there = rig.bench.open(SourceRequest(f"session:{file}", start_s=12.0, paused=True))
    frames = rig.frames(there, 9.0)
    assert there.player is not None and there.player.duration_s == pytest.approx(14)
    measured = np.concatenate([frame.measured_mv for frame in frames])
    # Beats stand at 0.5 s, 1.5 s ...; the stream begins at 2 s, and the low-pass takes 10 ms.
    peak = 500 + int(np.argmax(measured[500:750]))
    assert peak / 250 % 1 == pytest.approx(0.51, abs=0.02)


def test_alarm_limits_go_on_from_source_to_source(start: Start) -> None:
    rig = start(OTHER)
    rig.bench.showing.watch_for(Limits(30, 90))
    second = rig.bench.open(SourceRequest(OTHER, speed=8.0))
    rig.frames(second, 20.0)
    assert any(isinstance(event, Alarm) and event.alarm is AlarmKind.HIGH_RATE for event in rig.events)


def test_what_a_person_does_reaches_the_recording(start: Start, tmp_path: Path) -> None:
    rig = start(record=tmp_path)
    rig.frames(rig.bench.showing, 0.5)
    rig.bench.showing.tell(AlarmsSilenced((AlarmKind.ASYSTOLE,)))
    rig.bench.close()
    (file,) = tmp_path.glob("*.xdf")
    assert "alarm silenced: asystole" in [event.text for event in Recording.open(file).events]


def test_lsl_out_refuses_what_does_not_run_in_real_time(start: Start) -> None:
    rig = start(lsl_out="a bench")
    with pytest.raises(InputError, match="leave --speed out"):
        rig.bench.open(SourceRequest(OTHER, speed=2.0))
    assert not rig.bench.showing.inbox.closed


def test_a_person_s_calibration_is_for_no_other_source(start: Start, tmp_path: Path) -> None:
    rig = start("synthetic:?rate=250")
    rig.bench._args.calibration = tmp_path / "a person.json"
    assert rig.bench._args_for(SourceRequest("synthetic:?rate=250", start_s=5)).calibration is not None
    assert rig.bench._args_for(SourceRequest(OTHER)).calibration is None


def test_nothing_begins_behind_a_closed_window(start: Start) -> None:
    rig = start()
    rig.bench.close()
    with pytest.raises(InputError, match="closed"):
        rig.bench.open(SourceRequest(OTHER))


def test_the_card_is_that_of_the_model(start: Start, model_file: Path) -> None:
    assert start().bench.card == ""
    assert "What it cannot know" in Controller(AS_IT_COMES).card


def test_scans_run_side_by_side_round_after_round_until_stopped() -> None:
    slow = threading.Event()
    told: list[tuple[str, int, str]] = []

    def ble(seconds: float) -> list[ScanResult]:
        slow.wait(10)
        raise InputError("there is no\nBluetooth")

    def lsl(seconds: float) -> list[ScanResult]:
        time.sleep(0.01)
        return [ScanResult("lsl:a", "lsl", "a", "")]

    bench = Controller(AS_IT_COMES, {"ble": ble, "lsl": lsl})
    stop = bench.scan(lambda kind, seen, problem: told.append((kind, len(seen), problem)))
    wait(lambda: len(told) >= 3)
    assert set(told) == {("lsl", 1, "")}  # the slow one keeps nobody waiting
    slow.set()
    wait(lambda: ("ble", 0, "there is no Bluetooth") in told)
    stop()
    time.sleep(0.1)
    count = len(told)
    time.sleep(0.1)
    assert len(told) == count


def wait(until: Callable[[], object], seconds: float = 20.0) -> None:
    end_s = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_a_sender_that_is_killed_and_started_again_comes_back_by_itself(start: Start) -> None:
    def send() -> subprocess.Popen[bytes]:
        command = (sys.executable, "-m", "mecg", "send", "synthetic:?rate=250", "--lsl", "bench")
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    sender = send()
    try:
        rig = start()
        showing = rig.bench.open(SourceRequest("lsl:bench"))
        rig.frames(showing, 1.0)
        sender.kill()
        sender.wait()

        def states() -> list[State]:
            for _, item in showing.inbox.take():
                if isinstance(item, StateChanged):
                    rig.events.append(item)
            return [event.state for event in rig.events if isinstance(event, StateChanged)]

        wait(lambda: states()[-1] is State.RECONNECTING)
        assert not showing.inbox.closed
        sender = send()
        wait(lambda: states()[-1] is State.LIVE, 40)
        assert rig.bench.showing is showing and not showing.inbox.closed
    finally:
        sender.kill()
        sender.wait()
