# SPDX-License-Identifier: GPL-3.0-or-later
"""A session with a gap of hours or years: recorded, read, exported and played at the cost of a short one."""

from __future__ import annotations

import csv
import time
import tracemalloc
import warnings
from itertools import pairwise
from pathlib import Path

import edfio
import numpy as np
import pydicom
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pandas' deprecations are not ours
    import wfdb

from devices.replay.pacing import Replay
from devices.replay.session import SessionReplay
from mecg.cli.export import FORMATS, write_whole_set
from streamer.core.events import Marker
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.export.excerpt import LONGEST_GAP_S, Excerpt, excerpts_of
from streamer.formats.wfdb_reader import Record
from streamer.recording.reader import Recording
from streamer.recording.recorder import Recorder
from streamer.recording.replay_core import ReplayCore
from streamer.session.description import SessionDescription

RATE_HZ = 500.0
YEAR_S = 366 * 86400.0
PART_S = 4.0
GAPS_S = (3.0, 36 * 3600.0, YEAR_S)


def session_with_gap(folder: Path, network: Network, gap_s: float) -> tuple[Path, list[Chunk], list[Frame]]:
    """4 s, a gap, 4 s; a marker in its midst."""
    info = StreamInfo("test:gap", RATE_HZ)
    pipeline = Pipeline(info, network)
    recorder = Recorder(folder, {"settings": {}}, lambda event: None)
    recorder.open(SessionDescription.of(info, network.spec, pipeline.latency))
    begun_s = time.monotonic()
    rng = np.random.default_rng(1)
    n, gap = round(PART_S * RATE_HZ), round(gap_s * RATE_HZ)
    chunks, frames = [], []
    for first in (0, n + gap):
        for start in range(first, first + n, 50):
            at_s = begun_s + start / RATE_HZ
            chunks.append(Chunk(start, rng.normal(0, 0.3, 50).astype(np.float32), at_s, at_s + 0.1))
            recorder.chunk(chunks[-1])
            made = pipeline.push(chunks[-1])
            for frame in made:
                recorder.frame(frame)
            frames += made
    rest = pipeline.finish()
    for frame in rest:
        recorder.frame(frame)
    frames += rest
    recorder.event(Marker("in the gap", host_s=begun_s + PART_S + gap_s / 2))
    recorder.close()
    return recorder.path, chunks, frames


@pytest.mark.parametrize("gap_s", GAPS_S)
def test_a_recording_has_the_size_of_its_samples_and_reads_back_exactly(network, tmp_path, gap_s):
    path, chunks, frames = session_with_gap(tmp_path, network, gap_s)
    assert path.stat().st_size < 1_000_000
    with Recording.open(path) as recording:
        assert recording.complete
        assert [(c.start, c.lead_mv.tobytes()) for c in recording.chunks()] == [
            (c.start, c.lead_mv.tobytes()) for c in chunks
        ]
        assert recording.lost == round(gap_s * RATE_HZ)
        assert recording.raw_stop == chunks[-1].stop
        stored = {f.start: f.leads_mv.tobytes() for f in recording.frames()}
    made = {f.start: f.leads_mv.tobytes() for f in frames if f.valid.any()}
    assert stored.items() <= made.items()
    assert len(stored) >= 2 * (PART_S * 250 - 40) // 10


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("gap_s", [3.0, pytest.param(36 * 3600.0, marks=pytest.mark.long), YEAR_S])
def test_an_export_takes_no_more_for_a_long_gap_than_for_a_short_one(network, tmp_path, name, gap_s):
    path, _, _ = session_with_gap(tmp_path, network, gap_s)
    write = FORMATS[name][1]
    begun_s = time.monotonic()
    tracemalloc.start()
    with Recording.open(path) as recording:
        parts = excerpts_of(recording)
    written = write_whole_set(write, parts, tmp_path / "out", "s", force=False)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 60e6
    assert time.monotonic() - begun_s < 20
    assert sum(file.stat().st_size for file in written) < 2e6
    assert len(parts) == (1 if gap_s <= LONGEST_GAP_S else 2)


def two_parts(network: Network, tmp_path: Path) -> list[Excerpt]:
    path, _, _ = session_with_gap(tmp_path, network, 36 * 3600.0)
    with Recording.open(path) as recording:
        return excerpts_of(recording)


def test_nothing_but_the_gap_is_missing_from_the_parts(network, tmp_path):
    path, _, frames = session_with_gap(tmp_path, network, 36 * 3600.0)
    with Recording.open(path) as recording:
        parts = excerpts_of(recording)
        assert [(part.first, part.first + part.samples) for part in parts] == list(recording.stretches(60))
        for part in parts:
            same = recording.twelve(part.first, part.first + part.samples)
            assert np.array_equal(part.mv[:12], same.leads_mv, equal_nan=True)
    between = parts[1].began - parts[0].began
    assert abs(between.total_seconds() - (parts[1].first - parts[0].first) / 250) < 1e-5
    (marker,) = [mark for part in parts for mark in part.marks if mark.kind == "marker"]
    assert marker in parts[0].marks and marker.start == parts[0].samples - 1
    assert any(mark.kind == "gap" for mark in parts[0].marks)
    assert len(frames) < 600


def test_what_happened_in_the_gap_is_marked_at_the_last_sample_before_it(network, tmp_path):
    before, after = two_parts(network, tmp_path)
    for part in (before, after):
        assert all(0 <= mark.start <= mark.stop <= part.samples for mark in part.marks)
    in_the_gap = [
        mark for mark in before.marks if "not in this file" in mark.text or "in the gap" in mark.text
    ]
    assert [(mark.start, mark.stop) for mark in in_the_gap] == [(before.samples - 1, before.samples - 1)] * 2


def test_a_time_within_one_part_is_exported_as_one(network, tmp_path):
    path, _, _ = session_with_gap(tmp_path, network, 36 * 3600.0)
    with Recording.open(path) as recording:
        begin_s = 36 * 3600.0 + PART_S
        (part,) = excerpts_of(recording, ["V2"], begin_s + 1, begin_s + 2)
        assert np.array_equal(part.mv, Excerpt.of(recording, ["V2"], begin_s + 1, begin_s + 2).mv)
        assert part.samples == 250


def test_the_wfdb_parts_are_one_record_of_segments(network, tmp_path):
    parts = two_parts(network, tmp_path)
    out = tmp_path / "out"
    write_whole_set(FORMATS["wfdb"][1], parts, out, "s", force=False)
    whole = Record(out / "s")
    assert whole.samples == parts[1].first + parts[1].samples - parts[0].first
    last = whole.read(whole.samples - parts[1].samples, whole.samples)
    assert np.nanmax(np.abs(last - parts[1].mv)) < 1e-3
    assert np.isnan(whole.read(parts[0].samples, parts[0].samples + 100)).all()
    header = wfdb.rdheader(str(out / "s"))
    assert header.sig_len == whole.samples and header.seg_name[1] == "~"
    assert header.base_datetime is not None


def test_the_bands_of_the_parts_are_one_record_that_the_leads_name(banded_network, tmp_path):
    parts = two_parts(banded_network, tmp_path)
    out = tmp_path / "out"
    written = write_whole_set(FORMATS["wfdb"][1], parts, out, "s", force=False)
    assert {path.name for path in written} == {path.name for path in out.iterdir()}
    band, leads = Record(out / "s_band"), Record(out / "s")
    assert (band.samples, band.rate_hz) == (leads.samples, leads.rate_hz)
    header = wfdb.rdheader(str(out / "s_band"))
    assert header.seg_name == ["s_001_band", "~", "s_002_band"]
    assert header.n_sig == len(parts[0].banded) == 12
    last = band.read(band.samples - parts[1].samples, band.samples)
    assert np.nanmax(np.abs(last - parts[1].half_width_mv)) < 1e-3
    assert any(comment.endswith("in s_band") for comment in wfdb.rdheader(str(out / "s")).comments)


def test_parts_without_a_band_name_none(network, tmp_path):
    out = tmp_path / "out"
    written = write_whole_set(FORMATS["wfdb"][1], two_parts(network, tmp_path), out, "s", force=False)
    assert not [path for path in written if "band" in path.name]
    assert not any(comment.endswith("in s_band") for comment in wfdb.rdheader(str(out / "s")).comments)


def test_the_parts_of_other_formats_stand_at_their_times(network, tmp_path):
    parts = two_parts(network, tmp_path)
    for name in ("edf", "dicom", "csv"):
        write_whole_set(FORMATS[name][1], parts, tmp_path / name, "s", force=False)
    began = [edfio.read_edf(tmp_path / "edf" / f"s_{k:03d}.edf") for k in (1, 2)]
    assert [len(file.signals[0].data) for file in began] == [part.samples for part in parts]
    read = [pydicom.dcmread(tmp_path / "dicom" / f"s_{k:03d}.dcm") for k in (1, 2)]
    assert [d.AcquisitionDateTime for d in read] == [f"{part.began:%Y%m%d%H%M%S.%f}" for part in parts]
    for k, part in enumerate(parts, 1):
        with (tmp_path / "csv" / f"s_{k:03d}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert len(rows) == part.samples + 1
        assert float(rows[1][0]) == pytest.approx(part.first / 250, abs=1e-6)


@pytest.mark.parametrize("gap_s", [3.0, 9.0, 15.0, 3600.0, YEAR_S])
def test_played_at_the_highest_speed_a_long_gap_takes_no_time(network, tmp_path, gap_s):
    path, chunks, frames = session_with_gap(tmp_path, network, gap_s)
    source = SessionReplay(path, replay=Replay(speed=float("inf")))
    info = source.open()
    begun_s = time.monotonic()
    played = [item for item in source.items() if isinstance(item, Chunk)]
    assert time.monotonic() - begun_s < 5
    assert (
        np.concatenate([c.lead_mv for c in played]).tobytes()
        == np.concatenate([c.lead_mv for c in chunks]).tobytes()
    )
    assert (played[0].start, played[-1].stop) == (0, chunks[-1].stop)
    pipeline = Pipeline(info, network)
    again = [f for c in played for f in pipeline.push(c)] + pipeline.finish()
    assert [(f.start, f.leads_mv.tobytes()) for f in again] == [
        (f.start, f.leads_mv.tobytes()) for f in frames
    ]


@pytest.mark.parametrize("gap_s", [3.0, 9.0, 15.0, 3600.0, YEAR_S])
@pytest.mark.parametrize("cut", [10, 50, 999])
def test_replayed_as_recorded_the_frames_jump_as_they_did(network, tmp_path, gap_s, cut):
    path, _, frames = session_with_gap(tmp_path, network, gap_s)
    source = SessionReplay(path, replay=Replay(speed=float("inf")), chunk_samples=cut)
    source.open()
    core = ReplayCore(source.recording)
    again = [f for c in source.items() if isinstance(c, Chunk) for f in core.push(c)] + core.finish()
    for before, after in pairwise(again):
        assert after.start >= before.stop
    jump = [after.start - before.stop for before, after in pairwise(again) if after.start > before.stop]
    were = [after.start - before.stop for before, after in pairwise(frames) if after.start > before.stop]
    assert len(jump) == (1 if gap_s > 10.5 else 0) == len(were)
    stored = np.concatenate([f.leads_mv for f in again], axis=1)
    with Recording.open(path) as recording:
        assert again[-1].stop == recording.stop
        for frame in again:
            same = recording.twelve(frame.start, frame.stop)
            assert frame.leads_mv.tobytes() == same.leads_mv.tobytes()
    assert stored.shape[1] < 250 * (2 * PART_S + 11)
