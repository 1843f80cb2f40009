# SPDX-License-Identifier: GPL-3.0-or-later
"""Each row of docs/files.md does what it says, typed as it stands there by the owner of such a file."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import zipfile
from pathlib import Path

import pytest

from mecg.__main__ import main
from streamer.core.network.network import Network
from streamer.export.excerpt import Excerpt
from streamer.export.to_csv import write_csv
from streamer.lead_recording import open_recording
from streamer.recording.reader import Recording
from tests.streamer.a_session import a_session

ROOT = Path(__file__).parents[3]
FILES = ROOT / "tests" / "streamer" / "formats" / "files"
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in (ROOT / "docs" / "files.md").read_text("utf-8").splitlines()
    if line.startswith("| ") and "`mecg " in line
]
COPIES = {
    "ecg_2026-03-14.csv": "apple_en.csv",
    "signal.csv": "withings_signal.csv",
    "recording.atc": "kardia_1lead.atc",
    "night.edf": "faros_like.edf",
    "table.csv": "plain_time_s_mV.csv",
    "ecg.dcm": "dicom_I_II.dcm",
    "sub-1.xdf": "labrecorder_ecg.xdf",
    "holter.ecg": "ishne_I_II.ecg",
    "Polar_H10_..._ECG.txt": "Polar_H10_AAAAAAAA_20260314_091500_ECG.txt",
    "ecg.json": "fitbit_ecg.json",
    "folder/A00001.mat": "A00001.mat",
    "folder/A00001.hea": "A00001.hea",
}


@pytest.fixture(scope="module")
def owned(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file for each row."""
    folder = tmp_path_factory.mktemp("owned")
    (folder / "folder").mkdir()
    for name, made in COPIES.items():
        shutil.copy(FILES / made, folder / name)
    apple = (FILES / "apple_en.csv").read_text("utf-8")
    with zipfile.ZipFile(folder / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for day in (14, 15):
            name = f"apple_health_export/electrocardiograms/ecg_2026-03-{day}.csv"
            archive.writestr(name, apple.replace("2026-03-14", f"2026-03-{day}"))
    packets = [
        {"Timestamp": 125 * i, "Samples": [round(2600 * (k == 7 and i % 6 == 0)) for k in range(16)]}
        for i in range(200)
    ]
    (folder / "movesense.json").write_text(json.dumps(packets))
    (folder / "numbers.json").write_text(json.dumps([(i % 200 == 0) * 1000 for i in range(3000)]))
    with Recording.open(a_session(folder, network, 4000)) as session:
        *_, table = write_csv(Excerpt.of(session), folder, "mecg-1")
    table.rename(folder / "mecg-....csv")
    return folder


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_row_is_typed_as_it_stands_there(
    row: list[str], owned: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(owned)
    typed = re.search(r"`mecg ([^`]*)`", row[1])
    assert typed is not None
    command, *words = shlex.split(typed[1])
    if command == "monitor":  # the same source without a window
        assert main(["stream", *words, "--speed", "max", "--seconds", "2"]) == 0
    else:
        assert main([command, *words]) == 0
    said = capsys.readouterr().err
    if "chest" in " ".join(row) or "Movesense" in row[0]:
        assert "not Lead I" in said


def test_the_readings_of_an_export_are_listed_and_chosen_by_number_or_date(
    owned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stream", str(owned / "export.zip")]) == 2
    listed = capsys.readouterr().err
    assert "2026-03-14" in listed and "2026-03-15" in listed
    for reading, day in (("1", 14), ("2", 15), ("2026-03-15", 15)):
        began = open_recording(f"{owned / 'export.zip'}?reading={reading}").began
        assert began is not None and began.day == day
