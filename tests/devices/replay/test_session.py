# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded session, played again: the same input, the same gaps, the same twelve leads."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from devices.registry import open_source
from devices.replay.pacing import Drop, Replay
from devices.replay.session import SessionReplay
from devices.replay.synthetic import Synthetic
from streamer.core.errors import InputError
from streamer.core.events import Marker, SamplesLost, State, StateChanged
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Frame, Placement
from streamer.recording.reader import Recording
from streamer.recording.recorder import Recorder
from streamer.recording.replay_core import ReplayCore
from streamer.session.description import SessionDescription
from streamer.session.session import Session
from tests.streamer.known_network import scaled_identity
from tests.streamer.made_session import description, items, record, same_chunks

FAST = Replay(speed=math.inf)


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(scaled_identity())


@pytest.fixture(scope="module", params=["?rate=500&seconds=20", "?rate=130&seconds=20"])
def session(
    request: pytest.FixtureRequest, network: Network, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """20 s with gaps, some of them longer than the filters' memory, through the real path."""
    source = Synthetic(request.param, replay=Replay(math.inf, drop=Drop.parse("20%:2.5s")), chunk_samples=11)
    return run(source, network, tmp_path_factory.mktemp("session"))


def run(source: Synthetic | SessionReplay, network: Network, folder: Path) -> Path:
    info = source.open()
    pipeline = Pipeline(info, network)
    run_of = Session(source, pipeline, SessionDescription.of(info, network.spec, pipeline.latency))
    recorder = Recorder(folder, {}, run_of.tell)
    run_of.attach(recorder)
    report = run_of.run()
    assert report.failures == {} and report.dropped == {}
    return recorder.path


def chunks_of(source: SessionReplay) -> list[Chunk]:
    return [item for item in source.items() if isinstance(item, Chunk)]


def twelve(path: Path) -> Frame:
    with Recording.open(path) as recording:
        return recording.twelve(0, recording.stop)


def same_leads(one: Frame, other: Frame) -> bool:
    return (
        one.leads_mv.tobytes() == other.leads_mv.tobytes()
        and one.measured_mv.tobytes() == other.measured_mv.tobytes()
        and np.array_equal(one.settling, other.settling)
    )


@pytest.mark.parametrize("chunk_samples", [None, 1, 37, 5000])
def test_the_raw_input_gives_the_same_twelve_leads_to_the_last_bit(
    session: Path, network: Network, tmp_path: Path, chunk_samples: int | None
) -> None:
    again = run(SessionReplay(session, replay=FAST, chunk_samples=chunk_samples), network, tmp_path)
    assert same_leads(twelve(session), twelve(again))
    with Recording.open(session) as first, Recording.open(again) as second:
        assert first.gaps == second.gaps != ()
        assert first.raw_mv(0, first.raw_stop).tobytes() == second.raw_mv(0, second.raw_stop).tobytes()


def test_gaps_are_jumps_and_told(session: Path) -> None:
    source = SessionReplay(session, replay=FAST)
    source.open()
    played = list(source.items())
    chunks = [item for item in played if isinstance(item, Chunk)]
    jumps = [(a.stop, b.start) for a, b in itertools.pairwise(chunks) if b.start > a.stop]
    with Recording.open(session) as recording:
        assert tuple(jumps) == recording.gaps
        assert [i.count for i in played if isinstance(i, SamplesLost)] == [b - a for a, b in jumps]
    states = [item.state for item in played if isinstance(item, StateChanged)]
    assert states == [State.CONNECTING, State.LIVE, State.ENDED]


def test_as_recorded_gives_the_frames_of_the_file_when_they_were_due(session: Path) -> None:
    source = SessionReplay(session, replay=FAST)
    source.open()
    core = ReplayCore(source.recording)
    late_s = source.recording.description.latency.total_ms / 1e3
    rate_hz = source.recording.description.stream.rate_hz
    frames: list[Frame] = []
    for chunk in chunks_of(source):
        new = core.push(chunk)
        if new:
            assert new[-1].stop / 250 + late_s <= chunk.stop / rate_hz + 1e-9
        frames += new
    frames += core.finish()
    assert all(a.stop == b.start for a, b in itertools.pairwise(frames))
    whole = twelve(session)
    assert np.concatenate([f.leads_mv for f in frames], axis=1).tobytes() == whole.leads_mv.tobytes()
    assert max(len(frame.valid) for frame in frames) <= 250
    assert core.lost == source.recording.lost


def test_both_can_begin_later(session: Path, network: Network) -> None:
    whole = twelve(session)
    source = SessionReplay(session, replay=Replay(math.inf, start_s=4.0))
    info = source.open()
    assert info.samples == source.recording.raw_stop - source.origin
    chunks = chunks_of(source)
    core = ReplayCore(source.recording, source.origin)
    frames = [frame for chunk in chunks for frame in core.push(chunk)] + core.finish()
    first = frames[0].start
    back = np.concatenate([f.leads_mv for f in frames], axis=1)
    assert back.tobytes() == whole.leads_mv[:, 1000 + first :].tobytes()
    assert first == math.ceil(chunks[0].start * 250 / info.rate_hz)
    Pipeline(info, network).push(chunks[0])


def test_it_plays_in_real_time_faster_in_rounds_and_with_losses(tmp_path: Path) -> None:
    path, made = record(tmp_path, items(2, loss=0.2), description())
    now = [100.0]
    source = SessionReplay(
        path, replay=Replay(speed=2.0), clock=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s)
    )
    source.open()
    chunks = chunks_of(source)
    assert now[0] == pytest.approx(101, abs=0.1)
    assert all(chunk.device_s == pytest.approx(100 + chunk.start / 1000) for chunk in chunks[5:])

    rounds = SessionReplay(path, replay=Replay(math.inf, start_s=0.5, loop=True))
    assert rounds.open().samples is None
    played: list[Chunk] = []
    for item in rounds.items():
        if isinstance(item, Chunk):
            played.append(item)
            if item.stop > 4000:
                break
    with Recording.open(path) as recording:
        length = recording.raw_stop - 250
        for chunk in played:
            place = np.arange(chunk.start, chunk.stop) % length + 250
            assert all(recording.has_raw(p, p + 1)[0] for p in place)
            expected = np.concatenate([recording.raw_mv(p, p + 1) for p in place])
            assert expected.tobytes() == chunk.lead_mv.tobytes()

    lossy = SessionReplay(path, replay=Replay(math.inf, drop=Drop.parse("30%")))
    lossy.open()
    kept = chunks_of(lossy)
    assert sum(len(c.lead_mv) for c in kept) < 0.9 * sum(len(c.lead_mv) for c in made.chunks)


def test_packets_without_losses_come_back_as_they_were(tmp_path: Path) -> None:
    path, made = record(tmp_path, items(3), description())
    source = SessionReplay(path, replay=FAST, chunk_samples=10)
    source.open()
    plain = [dataclasses.replace(c, device_s=0.0, arrival_s=0.0) for c in chunks_of(source)]
    assert same_chunks(plain, [dataclasses.replace(c, device_s=0.0, arrival_s=0.0) for c in made.chunks])


def test_what_was_marked_is_told_again_at_its_place(tmp_path: Path) -> None:
    path, made = record(tmp_path, items(20), description())
    source = SessionReplay(path, replay=FAST)
    source.open()
    at = 0
    told = []
    for item in source.items():
        if isinstance(item, Chunk):
            at = item.stop
        elif isinstance(item, Marker):
            told.append((item.text, at))
    assert [text for text, _ in told] == [event.text for event in made.events]
    for text, place in told:
        assert float(text.split()[2]) == pytest.approx(place / 500, abs=0.05)


def test_it_says_what_it_plays(tmp_path: Path) -> None:
    path, _ = record(tmp_path, items(3), description())
    info = open_source(f"session:{path}", replay=FAST).open()
    then = description().stream
    assert info.source == f"session:{path}"
    assert (info.rate_hz, info.lead, info.is_lead_i, info.device) == (500, "I", True, then.device)
    assert (info.placement, info.samples, info.live, info.inverted) == (Placement.ARMS, 1500, False, False)
    assert "3.0 s of lead I from synthetic:?rate=500" in info.notes[0]
    assert open_source(f"session:{path}", lead="MDC_ECG_LEAD_I").open().lead == "I"
    turned = open_source(f"session:{path}", invert=True, placement=Placement.CHEST, replay=FAST)
    info = turned.open()
    assert info.inverted and not info.is_lead_i and info.placement is Placement.CHEST
    with Recording.open(path) as recording:
        first = next(item for item in turned.items() if isinstance(item, Chunk))
        assert np.array_equal(first.lead_mv, -recording.raw_mv(0, len(first.lead_mv)), equal_nan=True)


def test_a_torn_session_is_played_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    path, _ = record(tmp_path, items(10), description())
    path.write_bytes(path.read_bytes()[:-60_000])
    source = SessionReplay(path, replay=FAST)
    assert any("not complete" in note for note in source.open().notes)
    assert chunks_of(source)[-1].stop == source.recording.raw_stop


def test_what_cannot_be_played_is_one_line(tmp_path: Path) -> None:
    path, _ = record(tmp_path, items(3), description())
    empty, _ = record(tmp_path / "b", items(0.1), description())
    with Recording.open(empty) as recording:
        assert recording.seconds > 0
    for text, options, says in (
        (f"session:{path}", {"lead": "V2"}, "holds lead I, no 'V2'"),
        (f"session:{path}", {"replay": Replay(start_s=5)}, "ends after 3.0 s"),
        ("session:", {}, "there is no session file"),
        (f"session:{tmp_path}/none", {}, "there is no session file"),
        (f"session:{__file__}", {}, "is no recording of this program"),
    ):
        with pytest.raises(InputError, match=says):
            open_source(text, **options).open()  # type: ignore[arg-type]
    with pytest.raises(RuntimeError):
        next(iter(SessionReplay(path).items()))
