# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written is read back by the `wfdb` package; what fails leaves nothing."""

import errno
import io
import itertools
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pandas' deprecations are not ours
    import wfdb

from streamer.core.errors import Field, InputError
from streamer.core.leads import LEADS, twelve_from_eight
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.export.band import HalfWidthsAtSourceRate
from streamer.export.wfdb_sink import WfdbSink
from streamer.formats.wfdb_writer import WfdbWriter
from streamer.session.description import SessionDescription
from tests.streamer.known_network import FACTORS, GAINS

PTB_XL_NAMES = ["I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6"]


def read(header: Path) -> wfdb.Record:
    return wfdb.rdrecord(str(header.with_suffix("")))


def test_wfdb_reads_back_what_was_written(tmp_path: Path) -> None:
    leads_mv = np.random.default_rng(2).normal(0, 2, (12, 1234)).astype(np.float32)
    leads_mv[:, 100:150] = np.nan
    leads_mv[4, 700] = np.nan
    writer = WfdbWriter(tmp_path, "r_1-x", 129.91)
    for start in range(0, 1234, 100):
        writer.append(leads_mv[:, start : start + 100])
    record = read(writer.finish(["one", "two\nlines, µ"]))
    assert (record.fs, record.sig_len, record.sig_name) == (129.91, 1234, PTB_XL_NAMES)
    assert record.units == ["mV"] * 12
    assert record.comments == ["one", "two lines, ?"]
    assert np.array_equal(np.isnan(record.p_signal.T), np.isnan(leads_mv))
    assert np.nanmax(np.abs(record.p_signal.T - leads_mv)) <= 0.00050001


def test_checksums_and_initial_values_agree_with_the_wfdb_package(tmp_path: Path) -> None:
    leads_mv = np.random.default_rng(3).normal(0, 3, (12, 999)).astype(np.float32)
    leads_mv[3, 0] = np.nan
    writer = WfdbWriter(tmp_path, "r", 500)
    writer.append(leads_mv)
    record = wfdb.rdrecord(str(writer.finish().with_suffix("")), physical=False)
    assert [c % 65536 for c in record.checksum] == [c % 65536 for c in record.calc_checksum()]
    assert record.init_value == record.d_signal[0].tolist()
    assert record.init_value[3] == -32768


@given(hnp.arrays(np.float32, (8, 5), elements=st.floats(-20, 20, width=32)))
def test_the_limb_lead_laws_hold_in_files_within_one_step(
    tmp_path_factory: pytest.TempPathFactory, eight_mv: np.ndarray
) -> None:
    eight_mv = np.clip(eight_mv, -10, 10)
    writer = WfdbWriter(tmp_path_factory.mktemp("laws"), "r", 500)
    writer.append(twelve_from_eight(eight_mv))
    record = wfdb.rdrecord(str(writer.finish().with_suffix("")), physical=False)
    d = dict(zip(LEADS, record.d_signal.T.astype(float), strict=True))
    for lead, law in {
        "III": d["II"] - d["I"],
        "aVR": -(d["I"] + d["II"]) / 2,
        "aVL": d["I"] - d["II"] / 2,
        "aVF": d["II"] - d["I"] / 2,
    }.items():
        assert np.abs(d[lead] - law).max() <= 1.25, lead


def test_values_out_of_range_are_clipped_and_counted_and_never_become_missing(tmp_path: Path) -> None:
    leads_mv = np.zeros((12, 3), np.float32)
    leads_mv[0] = [40, -40, np.inf]
    writer = WfdbWriter(tmp_path, "r", 500)
    writer.append(leads_mv)
    assert writer.clipped == 3
    record = read(writer.finish())
    assert record.p_signal[:, 0].tolist() == [32.767, -32.767, 32.767]


def test_nothing_has_the_records_name_before_it_is_whole(tmp_path: Path) -> None:
    writer = WfdbWriter(tmp_path, "r", 500)
    writer.append(np.zeros((12, 100), np.float32))
    assert not list(tmp_path.glob("r*"))
    writer.abort()
    assert not list(tmp_path.iterdir())
    writer.abort()


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    writer = WfdbWriter(tmp_path, "r", 500)
    writer.append(np.zeros((12, 100), np.float32))
    with pytest.raises(OSError, match="No space left"):
        writer.finish()
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_in_mid_record_leaves_nothing_behind(network: Network, tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    info = StreamInfo("test:", 500)
    pipeline = Pipeline(info, network)
    sink = WfdbSink(tmp_path, "r")
    sink.open(SessionDescription.of(info, network.spec, pipeline.latency))
    sink._writer._file.close()
    sink._writer._file = Full()
    chunk = Chunk(0, ecg_like(2000, 500))
    sink.chunk(chunk)
    with pytest.raises(OSError, match="No space left"):
        for frame in pipeline.push(chunk):
            sink.frame(frame)
    sink.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_record_is_the_users_alone_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        writer = WfdbWriter(tmp_path, "r", 500)
        writer.append(np.zeros((12, 10), np.float32))
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
        writer.finish()
    finally:
        os.umask(before)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "r.hea": 0o600,
        "r.dat": 0o600,
    }


def test_an_existing_record_is_kept_unless_forced(tmp_path: Path) -> None:
    def write(value: float, force: bool) -> Path:
        writer = WfdbWriter(tmp_path, "r", 500, force=force)
        writer.append(np.full((12, 10), value, np.float32))
        return writer.finish()

    header = write(1, force=False)
    with pytest.raises(InputError, match=r"r\.hea exists") as caught:
        write(2, force=False)
    assert caught.value.field is Field.OUTPUT
    assert read(header).p_signal[0, 0] == 1
    write(3, force=True)
    assert read(header).p_signal[0, 0] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.dat", "r.hea"]


def test_a_record_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    writer = WfdbWriter(tmp_path, "r", 500)
    writer.append(np.zeros((12, 10), np.float32))
    (tmp_path / "r.hea").write_text("somebody else's")
    with pytest.raises(InputError, match="exists"):
        writer.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["r.hea"]


@pytest.mark.parametrize("name", ["", "a b", "a.b", "../r", "é"])
def test_names_that_wfdb_does_not_allow_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot name"):
        WfdbWriter(tmp_path, name, 500)


def ecg_like(n: int, rate_hz: float) -> np.ndarray:
    t = np.arange(n) / rate_hz
    return (0.8 * np.exp(-0.5 * (((t - 0.4) % 0.8 - 0.4) / 0.012) ** 2)).astype(np.float32)


def converted(
    network: Network, folder: Path, rate_hz: float, chunks: list[Chunk], *, force: bool = False
) -> tuple[wfdb.Record, WfdbSink]:
    info = StreamInfo("test:", rate_hz)
    pipeline = Pipeline(info, network)
    sink = WfdbSink(folder, "r", force=force)
    sink.open(SessionDescription.of(info, network.spec, pipeline.latency))
    for chunk in chunks:
        sink.chunk(chunk)
        for frame in pipeline.push(chunk):
            sink.frame(frame)
    for frame in pipeline.finish():
        sink.frame(frame)
    sink.close()
    return read(folder / "r.hea"), sink


@pytest.mark.parametrize("rate_hz", [100.0, 129.91, 130.0, 250.0, 360.0, 500.0, 1000.0])
@pytest.mark.parametrize("n", [1, 2, 777, 3001])
def test_a_file_has_the_rate_and_the_length_of_the_source(
    network: Network, tmp_path: Path, rate_hz: float, n: int
) -> None:
    record, _ = converted(network, tmp_path, rate_hz, [Chunk(0, ecg_like(n, rate_hz))])
    assert (record.fs, record.sig_len) == (rate_hz, n)
    assert not np.isnan(record.p_signal).any()


@pytest.mark.parametrize("rate_hz", [250.0, 500.0, 1000.0])
def test_a_file_is_aligned_with_the_source_and_leads_keep_their_places(
    network: Network, tmp_path: Path, rate_hz: float
) -> None:
    lead_mv = ecg_like(round(8 * rate_hz), rate_hz)
    record, _ = converted(network, tmp_path, rate_hz, [Chunk(0, lead_mv)])
    leads = dict(zip(LEADS, record.p_signal.T, strict=True))
    one = leads["I"]
    later = slice(round(3 * rate_hz), None)
    # The identity network undoes no phase, so the file is late by the low-pass alone: about 10 ms.
    lags = np.arange(-round(0.05 * rate_hz), round(0.05 * rate_hz) + 1)
    best_s = lags[np.argmax([np.dot(np.roll(lead_mv, lag)[later], one[later]) for lag in lags])] / rate_hz
    assert 0.005 <= best_s <= 0.015
    assert np.abs(leads["V6"] - GAINS[7] * one).max() <= 0.0011
    assert np.abs(leads["III"] - (GAINS[1] - 1) * one).max() <= 0.0011


@pytest.mark.parametrize(("first", "last"), [(1000, 1001), (1001, 1500), (999, 3001), (3999, 4000)])
@pytest.mark.parametrize("rate_hz", [100.0, 130.0, 500.0, 1000.0])
def test_lost_samples_are_missing_in_the_file_at_their_own_indices(
    network: Network, tmp_path: Path, rate_hz: float, first: int, last: int
) -> None:
    lead_mv = ecg_like(4000, rate_hz)
    jump = [Chunk(0, lead_mv[:first]), Chunk(last, lead_mv[last:])] if last < 4000 else []
    marked_mv = lead_mv.copy()
    marked_mv[first:last] = np.nan
    for chunks in (jump, [Chunk(0, marked_mv)]):
        if not chunks:
            continue
        record, _ = converted(network, tmp_path, rate_hz, chunks)
        missing = np.isnan(record.p_signal).any(axis=1)
        assert record.sig_len == 4000
        assert missing[first:last].all()
        # The model's grid is another: next to a gap, the nearest sample may be missing too.
        spill = max(1, int(np.ceil(rate_hz / 250)))
        missing[max(first - spill, 0) : last + spill] = False
        assert not missing.any()
        for path in tmp_path.iterdir():
            path.unlink()


def test_the_header_says_what_is_measured_and_what_is_an_estimate(network: Network, tmp_path: Path) -> None:
    record, _ = converted(network, tmp_path, 500.0, [Chunk(0, ecg_like(1000, 500))])
    said = "\n".join(record.comments)
    for words in (
        "not for diagnosis",
        "measured: I\n",
        "predicted: II, V1, V2, V3, V4, V5, V6",
        "derived: III, aVR, aVL, aVF",
        "model: scaled identity 1, generic, input band 0.5-40 Hz",
        "algorithmic latency removed: ",
    ):
        assert words in said


def test_neither_record_names_the_home_folder(banded_network: Network, tmp_path: Path) -> None:
    info = StreamInfo(f"wfdb:{Path.home()}/records/r", 500)
    pipeline, sink = Pipeline(info, banded_network), WfdbSink(tmp_path, "r")
    sink.open(SessionDescription.of(info, banded_network.spec, pipeline.latency))
    chunk = Chunk(0, ecg_like(1000, 500))
    sink.chunk(chunk)
    for frame in [*pipeline.push(chunk), *pipeline.finish()]:
        sink.frame(frame)
    sink.close()
    for name in ("r", "r_band"):
        assert "source: wfdb:~/records/r, lead I" in read(tmp_path / f"{name}.hea").comments


def test_a_session_without_a_sample_leaves_no_record(network: Network, tmp_path: Path) -> None:
    info = StreamInfo("test:", 500)
    sink = WfdbSink(tmp_path, "r")
    sink.open(SessionDescription.of(info, network.spec, Pipeline(info, network).latency))
    sink.close()
    assert not list(tmp_path.iterdir())


# ---- the band


def frames_of(network: Network, rate_hz: float, chunks: list[Chunk]) -> list[Frame]:
    pipeline = Pipeline(StreamInfo("test:", rate_hz), network)
    return [*(frame for chunk in chunks for frame in pipeline.push(chunk)), *pipeline.finish()]


@pytest.mark.parametrize("rate_hz", [100.0, 129.91, 250.0, 500.0, 1000.0])
def test_the_band_is_a_record_beside_the_leads_and_changes_nothing_of_them(
    network: Network, banded_network: Network, tmp_path: Path, rate_hz: float
) -> None:
    lead_mv = ecg_like(round(6 * rate_hz), rate_hz)
    cut, resumed = round(2.2 * rate_hz), round(2.5 * rate_hz)
    chunks = [Chunk(0, lead_mv[:cut]), Chunk(resumed, lead_mv[resumed:])]
    record, _ = converted(banded_network, tmp_path / "with", rate_hz, chunks)
    without, _ = converted(network, tmp_path / "without", rate_hz, chunks)
    assert np.array_equal(record.p_signal, without.p_signal, equal_nan=True)
    assert (tmp_path / "with" / "r.dat").read_bytes() == (tmp_path / "without" / "r.dat").read_bytes()
    assert "half width of the 90 % band of each lead, mV: in r_band" in record.comments
    assert "no 90 % band: the model stated no uncertainty" in without.comments
    assert not (tmp_path / "without" / "r_band.hea").exists()

    band = read(tmp_path / "with" / "r_band.hea")
    assert (band.fs, band.sig_len, band.units) == (record.fs, record.sig_len, ["mV"] * 12)
    assert band.sig_name == [f"{name} half width" for name in PTB_XL_NAMES]
    assert band.comments[0].startswith("no ECG: half width of the 90 % band of each lead of r, mV")
    assert np.array_equal(np.isnan(band.p_signal), np.isnan(record.p_signal))
    assert np.nanmin(band.p_signal) > 0
    frames = frames_of(banded_network, rate_hz, chunks)
    stated_mv = np.concatenate([f.scale_mv for f in frames], axis=1) * np.float32(FACTORS)[:, None]
    # The source's samples that lie on the model's grid.
    at = np.arange(record.sig_len) * 250 / rate_hz
    on_grid = (at == np.round(at)) & (at < stated_mv.shape[1]) & np.isfinite(band.p_signal[:, 0])
    told_mv, known_mv = band.p_signal[on_grid].T, stated_mv[:, at[on_grid].astype(int)]
    both = np.isfinite(known_mv)
    assert both.mean() > 0.95 if rate_hz != 129.91 else both.any()
    assert np.abs(told_mv - known_mv)[both].max() <= 0.00050001


@given(st.data())
def test_half_widths_lie_between_their_neighbours_however_they_come(data: st.DataObject) -> None:
    n, step = data.draw(st.integers(1, 60)), data.draw(st.sampled_from([0.25, 0.5, 1.0, 1.924, 2.5]))
    given_mv = np.random.default_rng(n).uniform(0.01, 2, (12, n)).astype(np.float32)
    known = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    known[0] = True
    given_mv[:, ~known] = np.nan
    edges = sorted({0, n, *data.draw(st.lists(st.integers(0, n), max_size=5))})
    widths = HalfWidthsAtSourceRate(250.0 * step, 250.0)
    told, done = [np.empty((12, 0), np.float32)], 0
    for first, stop in itertools.pairwise(edges):
        widths.frame(first, given_mv[:, first:stop])
        upto = int((stop - 1) // step) + 1  # what lies at or before the newest sample
        told.append(widths.beside(np.zeros((12, max(upto - done, 0)), np.float32)))
        done = max(upto, done)
    told_mv = np.concatenate(told, axis=1)
    index = np.flatnonzero(known)
    for i in range(told_mv.shape[1]):
        before, after = index[index <= i * step][-1:], index[index >= i * step][:1]
        around = given_mv[:, np.concatenate([before, after])]
        assert (told_mv[:, i] >= around.min(axis=1) - 1e-6).all()
        if len(after):  # else more was to come, and the last one holds
            assert (told_mv[:, i] <= around.max(axis=1) + 1e-6).all()
        if step == 1 and known[i]:
            assert np.array_equal(told_mv[:, i], given_mv[:, i])


def test_a_band_that_is_there_already_is_kept_with_all_else_unless_forced(
    banded_network: Network, tmp_path: Path
) -> None:
    chunks = [Chunk(0, ecg_like(1000, 500))]
    (tmp_path / "r_band.hea").write_text("somebody else's")
    with pytest.raises(InputError, match=r"r_band\.hea exists") as caught:
        converted(banded_network, tmp_path, 500, chunks)
    assert caught.value.field is Field.OUTPUT
    assert [path.name for path in tmp_path.iterdir()] == ["r_band.hea"]
    converted(banded_network, tmp_path, 500, chunks, force=True)
    files = {"r.dat", "r.hea", "r_band.dat", "r_band.hea"}
    assert {path.name for path in tmp_path.iterdir()} == files
    assert read(tmp_path / "r_band.hea").sig_len == 1000


def test_a_band_of_an_earlier_record_never_passes_for_one_of_a_record_without(
    banded_network: Network, network: Network, tmp_path: Path
) -> None:
    chunks = [Chunk(0, np.sin(np.arange(2000) / 20).astype(np.float32))]
    converted(banded_network, tmp_path, 500, chunks)
    leads = tmp_path / "r.hea", tmp_path / "r.dat"
    for path in leads:
        path.unlink()
    with pytest.raises(InputError, match=r"r_band\.hea exists") as caught:
        converted(network, tmp_path, 500, chunks)
    assert caught.value.field is Field.OUTPUT
    assert not any(path.exists() for path in leads)
    converted(network, tmp_path, 500, chunks, force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.dat", "r.hea"]


@pytest.mark.parametrize("failing", range(4))
def test_where_one_of_both_records_cannot_be_finished_neither_is_there(
    banded_network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Each of the two is synced and then renamed; any of these may fail."""
    calls = itertools.count()
    sync, rename = os.fsync, Path.replace

    def fails() -> None:
        if next(calls) == failing:
            raise OSError(errno.ENOSPC, "No space left on device")

    def synced(fd: int) -> None:
        fails()
        sync(fd)

    def renamed(path: Path, to: Path) -> Path:
        if path.suffix == ".part" and not path.name.endswith(".hea.part"):
            fails()
        return rename(path, to)

    monkeypatch.setattr("os.fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    with pytest.raises(OSError, match="No space left"):
        converted(banded_network, tmp_path, 500, [Chunk(0, ecg_like(1000, 500))])
    assert next(calls) == failing + 1
    assert not list(tmp_path.iterdir())
