# SPDX-License-Identifier: GPL-3.0-or-later
"""The sessions behind one window: real sources, one after the other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gui.controller import RunningSession, SourceRequest
from gui.signal.inbox import Measured, Raw
from mecg.app.controller import Controller, options_for
from mecg.app.options import ModelOptions, ReplayOptions, SessionOptions, SourceOptions
from streamer.core.errors import InputError
from streamer.core.events import Alarm, AlarmKind, AlarmsSilenced, Event, State, StateChanged
from streamer.core.stream import Frame
from streamer.core.vitals.vitals import Limits
from streamer.formats.wfdb_reader import Record
from streamer.recording.reader import Recording
from streamer.session.source import ScanResult

PTB = Path(__file__).parents[3] / "recordings" / "ptb" / "s0010_re"
OTHER = "synthetic:?rate=250&bpm=100"


def session_options(source: str, model: Path | None, **options: Any) -> SessionOptions:
    """By the names of the options themselves, as a test reads best."""
    read = SourceOptions(source, **{k: options.pop(k) for k in ("lead", "invert") if k in options})
    replay = ReplayOptions(speed=options.pop("speed", 1.0))
    models = ModelOptions(model, options.pop("calibration", None))
    return SessionOptions(read, replay, models, **options)


class Rig:
    def __init__(self, model: Path | None, source: str = "synthetic:?rate=500", **options: Any) -> None:
        self.controller = Controller(session_options(source, model, **options))
        self.controller.prepare()
        self.controller.begin()
        self.events: list[Event] = []

    def frames(self, running: RunningSession, seconds: float) -> list[Frame]:
        """Wait for so much of the stream."""
        frames: list[Frame] = []
        end_s = time.monotonic() + 20
        while not frames or frames[-1].stop < seconds * frames[-1].rate_hz:
            assert time.monotonic() < end_s
            for _, item in running.inbox.take():
                if isinstance(item, Frame):
                    frames.append(item)
                elif not isinstance(item, Measured | Raw):
                    self.events.append(item)
            time.sleep(0.01)
        return frames


@pytest.fixture
def start(model_file: Path) -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def begin(*args: str, **options: Any) -> Rig:
        model = None if options.get("as_recorded") else model_file
        rigs.append(Rig(model, *args, **options))
        return rigs[-1]

    yield begin
    for rig in rigs:
        rig.controller.close()


Start = Callable[..., Rig]


def test_another_source_gets_a_session_of_its_own_and_the_old_one_ends(start: Start) -> None:
    rig = start()
    first = rig.controller.running
    rig.frames(first, 0.5)
    second = rig.controller.open(SourceRequest(OTHER))
    assert first.inbox.closed and rig.controller.running is second
    assert second.description.stream.source == OTHER and second.description.stream.rate_hz == 250
    assert rig.frames(second, 0.5)[0].start == 0
    assert not rig.controller.close().failures


def test_a_source_that_is_refused_leaves_what_runs(start: Start, tmp_path: Path) -> None:
    rig = start()
    first = rig.controller.running
    for request in (
        SourceRequest(f"wfdb:{tmp_path}/none"),
        SourceRequest("nonsense:1"),
        SourceRequest(str(PTB), lead="V9"),
    ):
        with pytest.raises(InputError):
            rig.controller.open(request)
    assert rig.controller.running is first and not first.inbox.closed
    before = first.inbox.take()
    assert rig.frames(first, 1.0) and before is not None


def test_each_source_has_a_recording_of_its_own_that_is_whole(start: Start, tmp_path: Path) -> None:
    rig = start(record=tmp_path / "sessions")
    rig.frames(rig.controller.running, 1.0)
    second = rig.controller.open(SourceRequest(OTHER))
    rig.frames(second, 1.0)
    rig.controller.close()
    files = sorted((tmp_path / "sessions").glob("*.xdf"))
    recordings = [Recording.open(file) for file in files]
    assert {recording.description.stream.source for recording in recordings} == {"synthetic:?rate=500", OTHER}
    assert all(recording.complete and recording.seconds > 0.9 for recording in recordings)


def test_a_seek_is_a_new_stream_of_what_lies_there(start: Start) -> None:
    rig = start(f"wfdb:{PTB}", lead="v2")
    began_s = time.monotonic()
    there = rig.controller.open(SourceRequest(f"wfdb:{PTB}", lead="v2", start_s=30.0, speed=0.25))
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
    there = rig.controller.open(SourceRequest(f"wfdb:{PTB}", start_s=12.0, paused=True))
    frames = rig.frames(there, 9.8)  # what lies before is there all the same
    time.sleep(0.3)
    assert there.player is not None and there.player.position_s == 12.0
    assert frames[-1].stop <= 10 * 250
    there.player.paused = False
    rig.frames(there, 10.5)


def test_another_recording_has_no_lead_in(start: Start) -> None:
    rig = start()
    there = rig.controller.open(SourceRequest(f"wfdb:{PTB}", start_s=12.0))
    assert there.lead_in_s == 0 and there.player is not None and there.player.position_s >= 12


@pytest.mark.parametrize("as_recorded", [False, True])
def test_a_recorded_session_can_be_sought_in(start: Start, tmp_path: Path, as_recorded: bool) -> None:
    recorder = start("synthetic:?rate=250&bpm=60&seconds=14", record=tmp_path, speed=8.0)
    recorder.frames(recorder.controller.running, 13.9)
    recorder.controller.close()
    (file,) = tmp_path.glob("*.xdf")
    rig = start(f"session:{file}", as_recorded=as_recorded)
    there = rig.controller.open(SourceRequest(f"session:{file}", start_s=12.0, paused=True))
    frames = rig.frames(there, 9.0)
    assert there.player is not None and there.player.duration_s == pytest.approx(14)
    measured = np.concatenate([frame.measured_mv for frame in frames])
    # Beats stand at 0.5 s, 1.5 s ...; the stream begins at 2 s, and the low-pass takes 10 ms.
    peak = 500 + int(np.argmax(measured[500:750]))
    assert peak / 250 % 1 == pytest.approx(0.51, abs=0.02)


def test_alarm_limits_go_on_from_source_to_source(start: Start) -> None:
    rig = start(OTHER)
    rig.controller.running.watch_for(Limits(30, 90))
    second = rig.controller.open(SourceRequest(OTHER, speed=8.0))
    rig.frames(second, 20.0)
    assert any(isinstance(event, Alarm) and event.alarm is AlarmKind.HIGH_RATE for event in rig.events)


def test_what_a_person_does_reaches_the_recording(start: Start, tmp_path: Path) -> None:
    rig = start(record=tmp_path)
    rig.frames(rig.controller.running, 0.5)
    rig.controller.running.tell(AlarmsSilenced((AlarmKind.ASYSTOLE,)))
    rig.controller.close()
    (file,) = tmp_path.glob("*.xdf")
    assert "alarm silenced: asystole" in [event.text for event in Recording.open(file).events]


def test_lsl_out_refuses_what_does_not_run_in_real_time(start: Start) -> None:
    rig = start(lsl_out="a controller")
    with pytest.raises(InputError, match="leave --speed out"):
        rig.controller.open(SourceRequest(OTHER, speed=2.0))
    assert not rig.controller.running.inbox.closed


def test_a_person_s_calibration_is_for_no_other_source(tmp_path: Path) -> None:
    first = SessionOptions(models=ModelOptions(calibration=tmp_path / "a person.json"))
    same = SourceRequest("synthetic:?rate=250", start_s=5)
    assert options_for(same, first, given=True).models.calibration is not None
    assert options_for(SourceRequest(OTHER), first, given=False).models.calibration is None


def test_nothing_begins_behind_a_closed_window(start: Start) -> None:
    rig = start()
    rig.controller.close()
    with pytest.raises(InputError, match="closed"):
        rig.controller.open(SourceRequest(OTHER))


def test_the_card_is_that_of_the_model(start: Start, model_file: Path) -> None:
    assert start().controller.card == ""
    assert "What it cannot know" in Controller().card


def test_scans_run_side_by_side_round_after_round_until_stopped() -> None:
    slow = threading.Event()
    told: list[tuple[str, int, str]] = []

    def ble(seconds: float) -> list[ScanResult]:
        slow.wait(10)
        raise InputError("there is no\nBluetooth")

    def lsl(seconds: float) -> list[ScanResult]:
        time.sleep(0.01)
        return [ScanResult("lsl:a", "lsl", "a", "")]

    controller = Controller(scans={"ble": ble, "lsl": lsl})
    stop = controller.scan(lambda kind, seen, problem: told.append((kind, len(seen), problem)))
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
        command = (sys.executable, "-m", "mecg", "send", "synthetic:?rate=250", "--lsl", "controller")
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    sender = send()
    try:
        rig = start()
        running = rig.controller.open(SourceRequest("lsl:controller"))
        rig.frames(running, 1.0)
        sender.kill()
        sender.wait()

        def states() -> list[State]:
            for _, item in running.inbox.take():
                if isinstance(item, StateChanged):
                    rig.events.append(item)
            return [event.state for event in rig.events if isinstance(event, StateChanged)]

        wait(lambda: states()[-1] is State.RECONNECTING)
        assert not running.inbox.closed
        sender = send()
        wait(lambda: states()[-1] is State.LIVE, 40)
        assert rig.controller.running is running and not running.inbox.closed
    finally:
        sender.kill()
        sender.wait()


def test_a_controller_that_waits_for_a_choice_runs_nothing_and_then_what_is_chosen(model_file: Path) -> None:
    controller = Controller(SessionOptions(models=ModelOptions(model_file)))
    waiting = controller.wait_for_choice()
    try:
        assert waiting.request.source == "" and waiting.recording is None and not waiting.inbox.closed
        running = controller.open(SourceRequest(OTHER))
        assert running.request.source == OTHER and controller.running is running
    finally:
        report = controller.close()
    assert report is not None and not report.failures
    unused = Controller(SessionOptions(models=ModelOptions(model_file)))
    unused.wait_for_choice()
    assert unused.close() is None


def test_what_runs_can_be_recorded_from_the_window(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mecg.app.session_builder.default_folder", lambda: tmp_path / "sessions")
    rig = start()
    rig.frames(rig.controller.running, 1.0)
    recording = rig.controller.running.recording
    assert recording is not None and recording.status() is None
    path = recording.begin()
    rig.frames(rig.controller.running, 2.0)
    status = recording.status()
    assert status is not None and status.path == path and status.seconds > 0.3
    recording.end()
    assert recording.status() is None
    with Recording.open(path) as recorded:
        assert recorded.complete and recorded.lost == 0


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_hundred_changes_of_source_take_no_more_memory(model_file: Path) -> None:
    controller = Controller(session_options("synthetic:?rate=500", model_file))
    controller.prepare()
    controller.begin()
    taken_mb = []
    for _ in range(100):
        controller.open(SourceRequest(OTHER))
        time.sleep(0.1)
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        taken_mb.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
    controller.close()
    assert max(taken_mb[80:]) < max(taken_mb[20:40]) + 20
