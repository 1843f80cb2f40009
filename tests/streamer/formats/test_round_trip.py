# SPDX-License-Identifier: MIT
"""What this program exports is read again, to the sample; several rates as the wfdb package reads them."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest

from streamer import InputError, open_recording
from streamer.core.network.network import Network
from streamer.export.excerpt import Excerpt
from streamer.export.to_csv import write_csv
from streamer.export.to_dicom import write_dicom
from streamer.export.to_edf import write_edf
from streamer.export.to_wfdb import write_wfdb
from streamer.formats.recording import Recording
from streamer.recording.reader import Recording as Session
from tests.streamer.a_session import a_session

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import wfdb


@pytest.fixture(scope="module")
def excerpt(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Excerpt:
    path = a_session(tmp_path_factory.mktemp("session"), network, 8200, lost=((3000, 3777),))
    with Session.open(path) as session:
        return Excerpt.of(session)


@pytest.mark.parametrize(
    ("write", "half_step_mv"), [(write_csv, 0.5e-4), (write_edf, 0.5e-3), (write_wfdb, 0.5e-3)]
)
def test_an_export_comes_back_to_the_sample(
    write: object, half_step_mv: float, excerpt: Excerpt, tmp_path: Path
) -> None:
    assert callable(write)
    path = next(
        p
        for p in write(excerpt, tmp_path, "mecg-1")
        if p.suffix in (".csv", ".edf", ".hea") and "_" not in p.stem
    )
    recording = open_recording(path)
    mv = recording.read()
    assert recording.rate_hz == excerpt.rate_hz
    assert mv.shape == excerpt.mv.shape
    assert np.array_equal(np.isnan(mv), np.isnan(excerpt.mv))
    assert np.nanmax(np.abs(mv - excerpt.mv)) <= half_step_mv * 1.001
    assert [lead.name for lead in recording.leads[:12]] == [trace.lead for trace in excerpt.traces[:12]]
    if isinstance(recording, Recording):
        assert recording.began is not None
        assert (
            abs(recording.began.replace(tzinfo=None) - excerpt.began.replace(tzinfo=None)).total_seconds()
            < 1e-3
        )


def test_a_dicom_export_comes_back(excerpt: Excerpt, tmp_path: Path) -> None:
    short = dataclasses.replace(excerpt, mv=excerpt.mv[:, :1000], marks=())
    (path,) = (p for p in write_dicom(short, tmp_path, "mecg-1") if p.suffix == ".dcm")
    recording = open_recording(f"{path}?reading=1")
    row = recording.row("I")
    assert row is not None
    assert np.nanmax(np.abs(recording.read()[row, :1000] - short.mv[0])) <= 1e-3


@pytest.mark.filterwarnings("ignore")  # pandas' deprecations are not ours
@pytest.mark.parametrize("number", ["16", "212", "32", "80", "24"])
def test_several_samples_per_frame_are_read_as_the_wfdb_package_reads_them(
    number: str, tmp_path: Path
) -> None:
    noise = np.random.default_rng(1)
    frames, counts = 50, (4, 1, 4)
    wide = {"80": 100, "212": 2000}.get(number, 30_000)
    digital = [noise.integers(-wide, wide, frames * count) for count in counts]
    record = wfdb.Record(
        record_name="r",
        n_sig=3,
        fs=125,
        sig_len=frames,
        file_name=["r.dat"] * 3,
        fmt=[number] * 3,
        samps_per_frame=list(counts),
        adc_gain=[200.0, 100.0, 1000.0],
        baseline=[0, 5, -3],
        units=["mV", "mmHg", "mV"],
        adc_res=[12] * 3,
        adc_zero=[0] * 3,
        init_value=[int(signal[0]) for signal in digital],
        checksum=[0] * 3,
        block_size=[0] * 3,
        sig_name=["I", "BP", "V"],
        e_d_signal=digital,
    )
    record.wrheader(write_dir=str(tmp_path))
    record.wr_dats(expanded=True, write_dir=str(tmp_path))
    theirs = wfdb.rdrecord(str(tmp_path / "r"), smooth_frames=False)
    recording = open_recording(tmp_path / "r.dat")
    assert (recording.rate_hz, recording.samples, recording.names) == (500.0, 200, ("I", "V"))
    ours = recording.read()
    assert np.allclose(ours[0], theirs.e_p_signal[0], atol=1e-5, equal_nan=True)
    assert np.allclose(ours[1], theirs.e_p_signal[2], atol=1e-5, equal_nan=True)
    assert np.array_equal(recording.read(37, 111), ours[:, 37:111], equal_nan=True)
    assert "BP" in recording.notes[0]


@pytest.mark.parametrize(("number", "subtype"), [(516, "PCM_16"), (524, "PCM_24"), (508, "PCM_S8")])
def test_flac_signals_are_read(number: int, subtype: str, tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    bits = number - 500
    values = np.random.default_rng(1).integers(-100, 100, (2000, 2))
    with soundfile.SoundFile(tmp_path / "r.flac", "w", 96_000, 2, subtype, format="FLAC") as file:
        file.write((values << 32 - bits).astype(np.int32))
    lines = "".join(f"r.flac {number} 200/mV 16 0 0 0 0 {lead}\n" for lead in ("I", "II"))
    (tmp_path / "r.hea").write_text(f"r 2 500 2000\n{lines}")
    recording = open_recording(tmp_path / "r.hea")
    assert np.allclose(recording.read(), values.T / 200)
    assert np.array_equal(recording.read(100, 200), recording.read()[:, 100:200])


@pytest.mark.parametrize(
    ("number", "subtype", "missing"),
    [(508, "PCM_S8", -128), (516, "PCM_16", -32_768), (524, "PCM_24", -8_388_608)],
)
def test_the_lowest_number_of_a_flac_signal_is_a_missing_sample_and_no_other_is(
    number: int, subtype: str, missing: int, tmp_path: Path
) -> None:
    soundfile = pytest.importorskip("soundfile")
    values = np.array([[0], [missing], [missing + 1], [missing // 2], [-missing - 1], [0]])
    with soundfile.SoundFile(tmp_path / "r.flac", "w", 96_000, 1, subtype, format="FLAC") as file:
        file.write((values << 532 - number).astype(np.int32))
    (tmp_path / "r.hea").write_text(f"r 1 500 6\nr.flac {number} 200/mV 16 0 0 0 0 I\n")
    lead_mv = open_recording(tmp_path / "r.hea").read()[0]
    assert np.isnan(lead_mv).tolist() == [False, True, False, False, False, False]
    assert np.allclose(lead_mv[2:], values[2:, 0] / 200)


def flac_that_states(path: Path, values: np.ndarray, count: int) -> None:
    """A FLAC file of 16 bits whose header states so many samples."""
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(path, values.astype(np.int16), 96_000, "PCM_16", format="FLAC")
    raw = bytearray(path.read_bytes())
    raw[21:26] = (int.from_bytes(raw[21:26], "big") >> 36 << 36 | count).to_bytes(5, "big")
    path.write_bytes(raw)


@pytest.mark.parametrize("count", [0, (1 << 36) - 1, 1 << 35, 1 << 28])
@pytest.mark.parametrize("length", ["", " 9000", " 5001", " 9001"])
@pytest.mark.parametrize(("leads", "many"), [(1, 1), (2, 1), (2, 3)])
def test_a_flac_file_of_unknown_or_impossible_length_is_read_as_far_as_it_goes(
    count: int, length: str, leads: int, many: int, tmp_path: Path
) -> None:
    digital = np.random.default_rng(1).integers(-3000, 3000, (9000 * many, leads))
    flac_that_states(tmp_path / "r.flac", digital, count)
    kind = f"516x{many}" if many > 1 else "516"
    lines = "".join(f"r.flac {kind} 200/mV 16 0 0 0 0 {lead}\n" for lead in ("I", "II")[:leads])
    (tmp_path / "r.hea").write_text(f"r {leads} 500{length}\n{lines}")
    if length == " 9001":
        with pytest.raises(InputError, match="truncated: 9000 samples of the 9001"):
            open_recording(tmp_path / "r.hea")
        return
    recording = open_recording(tmp_path / "r.hea")
    right = digital[: int(length or 9000) * many].T / 200
    assert np.allclose(recording.read(), right, atol=1e-6)
    for start, stop in ((0, 10), (4100, 5000), (777, 4000)):
        assert np.allclose(recording.read(start, stop), right[:, start:stop], atol=1e-6)


@pytest.mark.parametrize("length", ["", " 2000000"])
def test_a_flac_file_of_silence_without_end_fills_no_memory(
    length: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("streamer.formats.wfdb_reader._UNPACKED", 1 << 16)
    flac_that_states(tmp_path / "r.flac", np.zeros((2_000_000, 1)), 0)
    (tmp_path / "r.hea").write_text(f"r 1 500{length}\nr.flac 516 200/mV 16 0 0 0 0 I\n")
    with pytest.raises(InputError, match="unpacks"):
        open_recording(tmp_path / "r.hea")
