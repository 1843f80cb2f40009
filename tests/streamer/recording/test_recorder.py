# SPDX-License-Identifier: GPL-3.0-or-later
"""What is recorded is what came, to the last bit, for us and for pyxdf; and the disk may fill."""

from __future__ import annotations

import errno
import math
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import pyxdf

from streamer.core.errors import Field, InputError, RecordingLostError
from streamer.core.events import Beat, Event, Notice, RecordingStarted, State, StateChanged, Topic
from streamer.core.leads import LEADS
from streamer.core.stream import Chunk, Frame
from streamer.core.vitals.vitals import Vitals
from streamer.formats.xdf import BOUNDARY_UUID, boundary
from streamer.recording import recorder as recorder_module
from streamer.recording.encoding import LONGEST_S, claim, is_claimed
from streamer.recording.folder import summary
from streamer.recording.reader import Recording
from streamer.recording.recorder import Recorder
from streamer.recording.repair import repair
from streamer.session.session import Session
from tests.streamer.made_session import description, frame, items, record, same_chunks, same_frames
from tests.streamer.session.test_session import Listed
from tests.streamer.session.test_session import Recorder as Keeper

STREAMS = ["raw", "packets", "leads", "scale", "frames", "events", "description"]


def of_pyxdf(path: Path) -> dict[str, dict]:  # type: ignore[type-arg]
    streams, _ = pyxdf.load_xdf(path)
    return {stream["info"]["name"][0].removeprefix("mECG "): stream for stream in streams}


def silent(event: Event) -> None:
    """Nobody to tell."""


def test_everything_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    path, made = record(tmp_path, items(30, loss=0.05, gap=(12, 15)), description())
    with Recording.open(path) as recording:
        assert recording.complete and recording.damage == ()
        assert recording.description == description()
        assert recording.facts == {"mecg": "0", "model_sha256": "ab"}
        assert same_chunks(recording.chunks(), made.chunks)
        stored = [frame for frame in made.frames if frame.valid.any()]
        assert same_frames(recording.frames(), stored)
        assert recording.events == tuple(made.events)
        expected = np.full(recording.raw_stop, np.nan, np.float32)
        for chunk in made.chunks:
            expected[chunk.start : chunk.stop] = chunk.lead_mv
        assert recording.raw_mv(0, recording.raw_stop).tobytes() == expected.tobytes()
        assert recording.has_raw(0, recording.raw_stop).sum() == sum(len(c.lead_mv) for c in made.chunks)
        assert recording.lost == recording.raw_stop - sum(len(c.lead_mv) for c in made.chunks)
        assert any(stop - start >= 1500 for start, stop in recording.gaps)
        assert abs(recording.began.timestamp() - time.time()) < 60


def test_any_stretch_of_the_twelve_leads_can_be_read(tmp_path: Path) -> None:
    path, made = record(tmp_path, items(20, loss=0.1), description())
    with Recording.open(path) as recording:
        whole = recording.twelve(0, recording.stop)
        for made_frame in made.frames:
            here = slice(made_frame.start, made_frame.stop)
            assert whole.leads_mv[:, here].tobytes() == made_frame.leads_mv.tobytes()
            assert whole.scale_mv[:, here].tobytes() == made_frame.scale_mv.tobytes()
        rng = np.random.default_rng(5)
        for start in rng.integers(-10, recording.stop, 50):
            stop = start + int(rng.integers(0, 900))
            part = recording.twelve(int(start), stop)
            assert part.leads_mv.shape == (12, stop - start)
            inside = slice(max(start, 0), max(stop, 0))
            kept = part.leads_mv[:, max(-start, 0) : max(-start, 0) + recording.stop - max(start, 0)]
            assert np.array_equal(kept, whole.leads_mv[:, inside][:, : kept.shape[1]], equal_nan=True)
            assert np.isnan(part.leads_mv).all(axis=0).tolist() == (~part.valid).tolist()


def test_odd_samples_and_stamps_survive(tmp_path: Path) -> None:
    bits = np.array([0x7FC00000, 0xFFC00000, 0x7FC12345, 0x7F800000, 0x80000000, 1, 0x7F7FFFFF], np.uint32)
    odd = bits.view(np.float32)
    chunks = [Chunk(7, odd), Chunk(14, odd, math.nan, 3.0), Chunk(100, odd[::-1], 5.0), Chunk(107, odd, 4.0)]
    empty, huge = Chunk(200, odd[:0]), Chunk(300, np.arange(200_000, dtype=np.float32), 9.0)
    path, _ = record(tmp_path, iter([*chunks, empty, huge]), description())
    with Recording.open(path) as recording:
        back = list(recording.chunks())
        assert same_chunks(back[:4], chunks)
        assert np.concatenate([chunk.lead_mv for chunk in back[4:]]).tobytes() == huge.lead_mv.tobytes()
        assert (recording.raw_start, recording.raw_stop, recording.start, recording.stop) == (
            7,
            200_300,
            0,
            0,
        )


def test_long_gaps_are_jumps_and_missing_samples_nan(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nothing = Frame(
        8, 250.0, *(np.full(s, np.nan, np.float32) for s in [(12, 250), 250, (12, 250)]),
        np.zeros(250, np.bool_), np.zeros(250, np.bool_),
    )  # fmt: skip
    some = [frame(rng, 0, 0.0), frame(rng, 4, 0.0), nothing, frame(rng, 258, 0.0)]
    path, _ = record(tmp_path, iter([Chunk(0, np.zeros(4, np.float32), 1.0), *some]), description())
    with Recording.open(path) as recording:
        assert len(list(recording.frames())) == 3
        assert np.isnan(recording.twelve(8, 258).leads_mv).all()
        assert recording.stop == 262


@pytest.mark.parametrize(("rate_hz", "packet"), [(500.0, 10), (130.0, 73), (129.91, 16)])
def test_pyxdf_with_its_defaults_returns_every_stamp_within_a_millisecond(
    tmp_path: Path, rate_hz: float, packet: int
) -> None:
    path, made = record(
        tmp_path, items(60, rate_hz=rate_hz, packet=packet, loss=0.05, gap=(30, 33)), description(rate_hz)
    )
    streams = of_pyxdf(path)
    assert list(streams) == STREAMS
    raw, leads, scale = streams["raw"], streams["leads"], streams["scale"]
    truth = np.concatenate([c.device_s + np.arange(len(c.lead_mv)) / rate_hz for c in made.chunks])
    assert np.abs(raw["time_stamps"] - truth).max() < 1e-3
    stored = [frame for frame in made.frames if frame.valid.any()]
    instants = np.concatenate([f.device_s + np.arange(len(f.valid)) / 250 for f in stored])
    assert np.abs(leads["time_stamps"] - instants).max() < 1e-3
    assert np.abs(scale["time_stamps"] - instants).max() < 1e-3
    assert raw["time_series"].tobytes() == np.concatenate([c.lead_mv for c in made.chunks]).tobytes()
    twelve = np.concatenate([f.leads_mv for f in stored], axis=1)
    assert np.array_equal(leads["time_series"][:, :12].T, twelve, equal_nan=True)
    for stream in streams.values():
        assert int(stream["footer"]["info"]["sample_count"][0]) == len(stream["time_stamps"])
        assert not stream["clock_values"] or set(stream["clock_values"]) == {0.0}


def test_the_metadata_tell_measured_from_reconstructed(tmp_path: Path) -> None:
    path, _ = record(tmp_path, items(1), description())
    streams = of_pyxdf(path)
    info = streams["leads"]["info"]
    channels = info["desc"][0]["channels"][0]["channel"]
    assert [channel["label"][0] for channel in channels] == [*LEADS, "I, as measured", "settling"]
    assert [channel["origin"][0] for channel in channels[:4]] == [
        "measured",
        "predicted",
        "derived",
        "derived",
    ]
    assert {channel["unit"][0] for channel in channels[:13]} == {"millivolts"}
    assert info["nominal_srate"] == ["250.0"]
    about = info["desc"][0]["reconstruction"][0]
    assert about["model"] == ["a model"] and "not for diagnosis" in about["note"][0]
    assert float(about["latency_removed_ms"][0]) == 78.0
    raw = streams["raw"]["info"]
    assert raw["desc"][0]["acquisition"][0]["model"] == ["Maker & Söhne <H10>"]
    assert raw["desc"][0]["synchronization"][0]["can_drop_samples"] == ["true"]
    assert streams["events"]["info"]["channel_format"] == ["string"]


def test_a_model_without_uncertainty_costs_no_room_for_it(tmp_path: Path) -> None:
    path, made = record(tmp_path, items(5, scale=False), description())
    assert len(of_pyxdf(path)["scale"]["time_stamps"]) == 0
    with Recording.open(path) as recording:
        assert recording.complete
        assert np.isnan(recording.twelve(0, recording.stop).scale_mv).all()
        assert same_frames(recording.frames(), [f for f in made.frames if f.valid.any()])


def test_files_are_private_never_overwritten_and_sort_by_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a" / "b"
    monkeypatch.setattr(time, "time", lambda: 1.8e9 + 0.9995)
    paths = [record(folder, items(0.1), description())[0] for _ in range(3)]
    monkeypatch.setattr(time, "time", lambda: 1.8e9 + 3600)
    paths.append(record(folder, items(0.1), description())[0])
    assert sorted(paths) == paths and len(set(paths)) == 4
    assert sorted(folder.iterdir()) == paths
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}


def test_the_home_folder_s_name_is_not_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/jane.doe")
    about = description()
    stream = SimpleNamespace(source="wfdb:/home/jane.doe/r", notes=("Playing /home/jane.doe/r.",))
    about = replace(about, stream=replace(about.stream, source=stream.source, notes=stream.notes))
    recorder = Recorder(tmp_path / "x", {"--model": "/home/jane.doe/m.onnx"}, silent)
    recorder.open(about)
    recorder.chunk(Chunk(0, np.zeros(5, np.float32), 1.0))
    recorder.close()
    data = recorder.path.read_bytes()
    assert b"jane" not in data and b"wfdb:~/r" in data and b"~/m.onnx" in data


def test_a_session_without_a_sample_leaves_nothing(tmp_path: Path) -> None:
    record(tmp_path, iter([StateChanged(State.CONNECTING, "connecting")]), description())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as caught:
        Recorder(tmp_path / "file", {}, silent).open(description())
    assert caught.value.field is Field.RECORDINGS


def test_what_has_come_is_written_half_a_second_later_and_synced_after_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[float] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(time.monotonic()), fsync(fd)))
    recorder = Recorder(tmp_path, {}, silent)
    recorder.open(description())
    begun_s = time.monotonic()
    chunk = Chunk(0, np.ones(10, np.float32), begun_s, begun_s)
    recorder.chunk(chunk)
    time.sleep(0.5)  # and nothing more comes
    with Recording.open(recorder.path) as recording:
        assert [c.start for c in recording.chunks()] == [0]
    while time.monotonic() < begun_s + 2.5:
        time.sleep(0.1)
    recorder.close()
    times = [begun_s, *(at_s for at_s in synced if at_s > begun_s + 0.5)]
    assert 0.5 < times[1] - begun_s < 2.4


def test_a_boundary_stands_at_least_every_10_s(tmp_path: Path) -> None:
    path, _ = record(tmp_path, items(65), description())
    data = path.read_bytes()
    assert data.count(BOUNDARY_UUID) >= 7
    for stretch in data.split(BOUNDARY_UUID)[1:-1]:
        part = tmp_path / "part.xdf"  # whatever lies between two boundaries can be read by itself
        part.write_bytes(b"XDF:" + boundary() + stretch)
        with Recording.open(part) as recording:
            assert recording.seconds <= 10
            assert recording.description == description()


def test_a_disk_that_fills_is_told_of_10_minutes_ahead(tmp_path: Path) -> None:
    told: list[Event] = []
    recorder = Recorder(tmp_path, {}, told.append)
    recorder.open(description())

    def watched(left_s: float) -> list[str]:
        """What is said while 1 MB goes each second, somebody else's, and so much time is left."""
        told.clear()
        recorder._space.clear()
        for second in range(0, 30, 5):
            recorder._watch_disk(1000.0 + second, int(1e6 * (left_s - second)))
        return [event.text for event in told if isinstance(event, Notice)]

    assert watched(3600) == []
    (warning,) = watched(612)
    assert "full in 10 minutes" in warning
    assert watched(500) == []  # said already
    (last,) = watched(80)
    assert "full in 60 s" in last or "full in 55 s" in last
    assert watched(1e7) == []  # room was made
    assert len(watched(300)) == 1
    recorder.close()


def test_our_own_growth_is_reckoned_with_where_free_space_does_not_show_it(tmp_path: Path) -> None:
    told: list[Event] = []
    recorder = Recorder(tmp_path, {}, told.append)
    recorder.open(description())
    for second in range(0, 30, 5):
        recorder._size += 5 * 40_000
        recorder._watch_disk(1000.0 + second, 20_000_000)  # a quota, say
    assert [type(event) for event in told] == [RecordingStarted, Notice]
    recorder._size -= 30 * 40_000
    recorder.close()


def test_the_clock_s_thread_watches_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "DISK_S", 0.1)
    free = iter(range(10**9, 0, -(10**7)))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=next(free, 0)))
    warned = threading.Event()
    recorder = Recorder(tmp_path, {}, lambda event: warned.set() if isinstance(event, Notice) else None)
    recorder.open(description())
    assert warned.wait(20)
    recorder.close()


class FullDisk:
    """A file on a disk with so much room; like a real one it takes a part before it refuses."""

    def __init__(self, file: object, room: int, code: int) -> None:
        self._file, self._room, self._code = file, room, code

    def write(self, data: memoryview) -> int:
        size = self._file.seek(0, os.SEEK_END)  # type: ignore[attr-defined]
        if size >= self._room:
            raise OSError(self._code, os.strerror(self._code))
        return int(self._file.write(data[: self._room - size]))  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_is_full_at_any_write_leaves_a_valid_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(recorder_module, "TICK_S", 0.001)
    whole, made = record(tmp_path / "whole", items(20, zero_s=0.0), description())
    new_file = Recorder._new_file
    for room in np.random.default_rng(code).integers(9_000, whole.stat().st_size - 3000, 12).tolist():
        monkeypatch.setattr(
            Recorder,
            "_new_file",
            lambda self, unix_s, room=room: FullDisk(new_file(self, unix_s), room, code),
        )
        recorder = Recorder(tmp_path / f"{code}-{room}", {}, silent)
        recorder.open(description())
        with pytest.raises(InputError, match=r"the recording ends here; .* stays valid") as caught:
            for item in items(20, zero_s=0.0):
                kind = "chunk" if isinstance(item, Chunk) else "frame" if isinstance(item, Frame) else "event"
                getattr(recorder, kind)(item)
            recorder.close()
        assert ("the disk is full" in str(caught.value)) == (code != errno.EIO)
        recorder.close() if not recorder._file.closed else None  # as a session does
        if not recorder.path.exists():
            continue  # not even the first samples had room
        with Recording.open(recorder.path) as recording:
            assert recording.damage == ()
            back = list(recording.chunks())
            assert same_chunks(back, made.chunks[: len(back)])
            if recording.closed:
                assert summary(recorder.path).sums == recording.raw_sums
        repair(recorder.path)
        assert summary(recorder.path).state == "complete"


def test_what_came_a_moment_ago_waits_for_more_and_is_written_once_it_has_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "WRITE_S", 600.0)
    monkeypatch.setattr(recorder_module, "TICK_S", 0.01)
    recorder = Recorder(tmp_path, {}, silent)
    recorder.open(description())
    head = recorder.size
    recorder.chunk(Chunk(0, np.zeros(20, np.float32), 1.0))
    time.sleep(0.3)
    assert recorder.size == head
    monkeypatch.setattr(recorder_module, "WRITE_S", 0.0)
    until_s = time.monotonic() + 30.0
    while recorder.size == head and time.monotonic() < until_s:
        time.sleep(0.01)
    written = recorder.size
    recorder.close()
    assert written > head


def test_a_disk_that_is_full_while_nothing_comes_is_told_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "WRITE_S", 0.01)
    monkeypatch.setattr(recorder_module, "TICK_S", 0.01)
    new_file = Recorder._new_file
    monkeypatch.setattr(
        Recorder, "_new_file", lambda self, unix_s: FullDisk(new_file(self, unix_s), 9000, errno.ENOSPC)
    )
    recorder = Recorder(tmp_path, {}, silent)
    recorder.open(description())
    recorder.chunk(Chunk(0, np.zeros(1500, np.float32), 1.0))
    time.sleep(0.3)
    with pytest.raises(InputError, match="the disk is full"):
        recorder.close()


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    # A real limit on the file's size, in a process of its own; the whole would be 1 MB.
    script = f"""
        import resource, sys
        from pathlib import Path
        from streamer.core.events import Failed
        from streamer.core.network.network import Network
        from streamer.recording.recorder import Recorder
        from tests.streamer.known_network import scaled_identity
        from tests.streamer.session.test_session import Listed, chunks, session_of
        from tests.streamer.session.test_session import Recorder as Keeper
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
        items = chunks(3000)
        session = session_of(Listed(list(items)), Network(scaled_identity()), live=False)
        recorder, keeper = Recorder(Path({str(tmp_path)!r}), {{}}, session.tell), Keeper("monitor")
        session.attach(recorder)
        session.attach(keeper)
        report = session.run()
        assert list(report.failures) == ["recorder"], report
        assert keeper.leads_mv().shape == (12, 15000) and len(keeper.raw_mv()) == 30000
        said = [event.text for event in keeper.of(Failed)]
        assert len(said) == 1 and "the disk is full" in said[0], said
        assert "monitor" not in report.dropped
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size <= 400_000
    with Recording.open(path) as recording:
        assert recording.damage == () and recording.seconds > 1
    assert len(of_pyxdf(path)["raw"]["time_stamps"]) == summary(path).sums.samples


@pytest.mark.parametrize("stuck", ["monitor", "recorder"])
def test_who_is_stuck_for_10_s_costs_neither_recorder_nor_monitor_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stuck: str
) -> None:
    # Ten seconds of a live stream, as many items, all at once.
    what = [item for item in items(10) if isinstance(item, Chunk | Frame)]
    chunks = [item for item in what if isinstance(item, Chunk)]
    frames = [item for item in what if isinstance(item, Frame)]

    class Core:
        lost = 0

        def push(self, chunk: Chunk) -> list[Frame]:
            return []

        def finish(self) -> list[Frame]:
            return frames

    about = description()
    about = replace(about, stream=replace(about.stream, live=True))
    session = Session(Listed(list(chunks)), Core(), about)
    recorder, monitor, other = Recorder(tmp_path, {}, session.tell), Keeper("monitor"), Keeper("other")
    free = threading.Event()
    if stuck == "monitor":
        monitor.free = free
    else:
        write = Recorder._append
        monkeypatch.setattr(Recorder, "_append", lambda self, data: (free.wait(), write(self, data)))
        free.set()
    session.attach(recorder)
    session.attach(monitor)
    session.attach(other)
    session.start()
    free.clear()
    deadline_s = time.monotonic() + 20
    while len(other.of(Frame)) < len(frames) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    time.sleep(0.5)
    free.set()
    assert session.wait(20)
    assert session.report().dropped == {}
    assert len(other.of(Frame)) == len(monitor.of(Frame)) == len(frames)
    with Recording.open(recorder.path) as recording:
        assert recording.complete
        assert b"".join(c.lead_mv.tobytes() for c in recording.chunks()) == monitor.raw_mv().tobytes()
        assert recording.stop == frames[-1].stop


@pytest.mark.long
def test_an_hour_at_500_hz_is_in_the_file_bit_for_bit(
    tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    rng = np.random.default_rng(8)
    raw = rng.normal(0, 0.3, 3600 * 500).astype(np.float32)
    raw[rng.integers(0, len(raw), 500)] = np.nan
    noise = rng.normal(0, 1, (25, 250)).astype(np.float32)
    yes, no = np.ones(4, np.bool_), np.zeros(4, np.bool_)
    recorder = Recorder(tmp_path, {}, silent)
    recorder.open(description())
    cpu_s = time.process_time()
    for i in range(0, len(raw), 40):
        for j in range(i, i + 40, 10):
            recorder.chunk(Chunk(j, raw[j : j + 10], j / 500, j / 500 + 0.02))
        for j in range(i // 2, i // 2 + 20, 4):
            k = j % 240
            part = noise[:, k : k + 4]
            recorder.frame(Frame(j, 250.0, part[:12], part[12], part[13:], yes, no, j / 250, j / 250))
    recorder.close()
    cpu_s = time.process_time() - cpu_s
    size = recorder.path.stat().st_size
    cpu_open_s = time.process_time()
    with Recording.open(recorder.path) as recording:
        cpu_open_s = time.process_time() - cpu_open_s
        assert recording.complete
        for start in range(0, len(raw), 250_000):
            assert recording.raw_mv(start, start + 250_000)[: len(raw) - start].tobytes() == (
                raw[start : start + 250_000].tobytes()
            )
        assert recording.stop == 3600 * 250
    for name, value in (("MB an hour", size / 1e6), ("CPU s an hour", cpu_s), ("CPU s to open", cpu_open_s)):
        record_property(name, round(value, 2))
        print(f"{name}: {value:.2f}")
    assert size < 170e6
    assert cpu_s < 60  # under 2 % of a core


@pytest.mark.long
def test_hours_of_recording_take_no_more_memory(tmp_path: Path) -> None:
    """Four hours at 500 Hz, through sessions' own parts: what is kept does not grow with what was said."""
    recorder, watch = Recorder(tmp_path, {}, silent), Vitals(250.0, description().stream)
    recorder.open(description())
    rng = np.random.default_rng(2)
    raw = rng.normal(0, 0.3, 500).astype(np.float32)
    leads, whole = rng.normal(0, 0.3, (12, 250)).astype(np.float32), np.ones(250, np.bool_)
    process, taken = psutil.Process(), []
    for second in range(4 * 3600):
        watch.chunk(Chunk(500 * second, raw, second, second))
        recorder.chunk(Chunk(500 * second, raw, second, second))
        made = Frame(250 * second, 250.0, leads, leads[0], leads, whole, ~whole, second, second)
        recorder.frame(made)
        for event in watch.push(made):
            recorder.event(event)
        recorder.event(Beat(60.0, host_s=float(second), at_s=float(second)))
        if second % 3600 == 1800:
            taken.append(process.memory_info().rss)
    recorder.close()
    assert recorder.path.stat().st_size > 200_000_000
    # The tables of a reader take 26 MB for each hour.
    assert max(taken) - taken[0] < 8_000_000


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed there")
def test_a_file_that_is_removed_while_it_is_recorded_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    recorder = Recorder(folder, {}, lambda event: None)
    recorder.open(description())
    recorder.chunk(Chunk(0, np.ones(500, np.float32)))
    time.sleep(0.5)
    shutil.rmtree(folder)
    time.sleep(0.3)
    with pytest.raises(RecordingLostError):
        recorder.chunk(Chunk(500, np.ones(500, np.float32)))
    recorder.close()


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be removed there")
def test_a_folder_that_goes_at_the_last_moment_is_said_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    recorder = Recorder(folder, {}, lambda event: None)
    recorder.open(description())
    recorder.chunk(Chunk(0, np.ones(500, np.float32)))
    shutil.rmtree(folder)
    with pytest.raises(RecordingLostError):
        recorder.close()


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be moved there")
@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_no_longer_where_it_was_is_told_once_and_recorded_on(
    replaced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moved, or on a disk that was taken away: the program cannot tell which."""
    monkeypatch.setattr(recorder_module, "DISK_S", 0.05)
    told: list[Event] = []
    recorder = Recorder(tmp_path / "here", {}, told.append)
    recorder.open(description())
    path = recorder.path
    recorder.chunk(Chunk(0, np.ones(500, np.float32)))
    time.sleep(0.5)
    assert not any(isinstance(event, Notice) for event in told)
    path.rename(tmp_path / "moved.xdf")
    if replaced:
        path.write_bytes(b"another's")
    time.sleep(0.5)
    recorder.chunk(Chunk(500, np.ones(500, np.float32)))
    recorder.close()
    assert [event.topic for event in told if isinstance(event, Notice)] == [Topic.DISK]
    with Recording.open(tmp_path / "moved.xdf") as recording:
        assert recording.complete and recording.raw_stop == 1000


def test_an_index_beyond_what_is_read_again_ends_the_recording_whole(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {}, lambda event: None)
    recorder.open(description())
    recorder.chunk(Chunk(0, np.ones(500, np.float32)))
    time.sleep(0.5)  # it is written
    recorder.chunk(Chunk(int(LONGEST_S * 500), np.ones(500, np.float32)))
    with pytest.raises(InputError):
        time.sleep(0.5)
        recorder.chunk(Chunk(int(LONGEST_S * 500) + 500, np.ones(500, np.float32)))
    recorder.close()
    with Recording.open(recorder.path) as recording:
        assert recording.complete and recording.raw_sums.samples == 500


@pytest.mark.skipif(os.name == "nt", reason="locks of POSIX")
def test_a_new_file_that_another_holds_is_not_recorded_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.recording.recorder.claim", lambda file: False)
    with pytest.raises(InputError):
        Recorder(tmp_path, {}, lambda event: None).open(description())
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="locks of POSIX")
def test_listing_claims_nothing(tmp_path: Path) -> None:
    path, _ = record(tmp_path, items(2.0), description())
    with path.open("rb") as one, path.open("rb") as other:
        assert not is_claimed(one) and not is_claimed(other)
        assert claim(other) and is_claimed(one)
