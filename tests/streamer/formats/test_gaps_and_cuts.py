# SPDX-License-Identifier: MIT
"""Files with pauses, without their end, or with two leads of one name: what is there is read, and said."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from devices.replay.file import FileReplay
from devices.replay.pacing import Replay
from mecg.__main__ import main
from streamer.core.errors import InputError
from streamer.core.stream import Chunk
from streamer.formats.wfdb_writer import WfdbWriter
from streamer.formats.xdf import MAGIC, ChunkReader, Tag
from streamer.lead_recording import open_recording

FILES = Path(__file__).parent / "files"
HEAD, SIZE, RECORDS = 768, 614, 12


def edf_with_pauses(folder: Path, onsets: list[float], kind: bytes = b"EDF+D") -> Path:
    raw = bytearray((FILES / "edfplus_I_uV.edf").read_bytes())
    raw[192:197] = kind
    for i, onset in enumerate(onsets):
        at = HEAD + i * SIZE + 500
        raw[at : at + 12] = f"+{onset:g}\x14\x14".encode().ljust(12, b"\0")
    (folder / "paused.edf").write_bytes(raw)
    return folder / "paused.edf"


@pytest.mark.parametrize("pauses", [{4: 5.0}, {1: 0.5, 11: 60.0}, {}])
def test_pauses_of_edf_plus_d_are_gaps_in_their_place(pauses: dict[int, float], tmp_path: Path) -> None:
    onsets, at = [], 0.25
    for i in range(RECORDS):
        at += pauses.get(i, 0.0)
        onsets.append(at)
        at += 1.0
    whole = open_recording(FILES / "edfplus_I_uV.edf").read()[0]
    recording = open_recording(edf_with_pauses(tmp_path, onsets))
    mv = recording.read()[0]
    lost = round(250 * sum(pauses.values()))
    assert len(mv) == len(whole) + lost and int(np.isnan(mv).sum()) == lost
    for i, onset in enumerate(onsets):
        first = round((onset - onsets[0]) * 250)
        assert np.array_equal(mv[first : first + 250], whole[250 * i : 250 * (i + 1)])
    assert any(str(lost) in note for note in recording.notes) == bool(lost)


def test_data_records_that_go_back_are_refused(tmp_path: Path) -> None:
    path = edf_with_pauses(tmp_path, [0, 1, 2, 7, 5, 6, 8, 9, 10, 11, 12, 13])
    with pytest.raises(InputError, match="overlap"):
        open_recording(path)


@pytest.mark.parametrize("kept", [1, 7.5, 11.99])
def test_of_a_cut_edf_the_whole_data_records_are_read_and_that_is_said(kept: float, tmp_path: Path) -> None:
    raw = (FILES / "edfplus_I_uV.edf").read_bytes()
    (tmp_path / "cut.edf").write_bytes(raw[: HEAD + round(kept * SIZE)])
    recording = open_recording(tmp_path / "cut.edf")
    whole = open_recording(FILES / "edfplus_I_uV.edf").read()
    assert np.array_equal(recording.read(), whole[:, : 250 * int(kept)])
    assert any(f"{int(kept)} of 12" in note for note in recording.notes)


def test_gaps_in_the_stamps_of_an_xdf_are_gaps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = (FILES / "labrecorder_ecg.xdf").read_bytes()
    whole = open_recording(FILES / "labrecorder_ecg.xdf").read()[0]
    with (FILES / "labrecorder_ecg.xdf").open("rb") as file:
        chunks = list(ChunkReader(file, len(raw), range(1 << 32)))
    tables = [chunk for chunk in chunks if chunk.tag == Tag.SAMPLES]
    assert len(tables) > 4
    left_out = tables[len(tables) // 2]
    parts = [raw[chunk.offset : chunk.stop] for chunk in chunks if chunk is not left_out]
    (tmp_path / "gap.xdf").write_bytes(MAGIC + b"".join(parts))
    recording = open_recording(tmp_path / "gap.xdf")
    mv = recording.read()[0]
    missing = np.isnan(mv)
    assert len(mv) == len(whole) and 0 < missing.sum() < len(mv) / 2
    assert np.array_equal(mv[~missing], whole[~missing])
    assert any(re.search(rf"\b{missing.sum()} samples are missing", note) for note in recording.notes)


@pytest.mark.parametrize("leads", [("I", "Lead I", "V5"), ("ECG", "ecg"), ("II", "II", "II")])
def test_two_leads_of_one_name_are_said(
    leads: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = WfdbWriter(tmp_path, "made", 250.0, signals=leads)
    mv = np.random.default_rng(1).normal(0, 0.2, (len(leads), 1500)).astype(np.float32)
    writer.append(mv)
    path = writer.finish()
    source = FileReplay(path, lead=leads[0], replay=Replay(speed=np.inf))
    assert any("the first is played" in note for note in source.open().notes)
    played = np.concatenate([item.lead_mv for item in source.items() if isinstance(item, Chunk)])
    assert np.allclose(played, mv[0], atol=1e-3)
    assert main(["reconstruct", str(path), "--lead", leads[0], "--out", str(tmp_path / "out")]) == 0
    assert "the first is played" in capsys.readouterr().err


def test_withings_says_what_lead_it_is() -> None:
    recording = open_recording(FILES / "withings_signal.csv")
    assert recording.row("I") is not None
    assert any("Lead I" in note for note in recording.notes) and any(
        "wrist" in note for note in recording.notes
    )
