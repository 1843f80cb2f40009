# SPDX-License-Identifier: GPL-3.0-or-later
"""A measured lead that is not Lead I is called Lead I by no file and no line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mecg.__main__ import main
from streamer.core.network.network import Network
from streamer.export.excerpt import Excerpt
from streamer.export.to_csv import write_csv
from streamer.export.to_dicom import write_dicom
from streamer.export.to_edf import write_edf
from streamer.export.to_wfdb import write_wfdb
from streamer.formats.wfdb_writer import WfdbWriter
from streamer.lead_recording import open_recording
from streamer.recording.reader import Recording
from tests.streamer.a_session import a_session

FILES = Path("tests/streamer/formats/files")


def of_leads(folder: Path, *leads: str) -> Path:
    writer = WfdbWriter(folder, "made", 250.0, signals=leads)
    writer.append(np.random.default_rng(1).normal(0, 0.2, (len(leads), 2000)).astype(np.float32))
    return writer.finish()


@pytest.mark.parametrize(
    ("leads", "options", "first"),
    [
        (("I", "V5"), ["--lead", "V5"], "V5 corrected"),
        (("II",), ["--lead", "II"], "II corrected"),
        (("ECG",), ["--lead", "ECG"], "ECG corrected"),
        (("ECG",), ["--placement", "chest"], "ECG corrected"),
        (("I",), [], "I"),
        (("ECG",), ["--placement", "arms"], "I"),
    ],
)
def test_reconstruct_names_the_first_signal_as_what_it_is(
    leads: tuple[str, ...], options: list[str], first: str, tmp_path: Path
) -> None:
    record = of_leads(tmp_path, *leads)
    assert main(["reconstruct", str(record), *options, "--out", str(tmp_path / "out")]) == 0
    for end in ("", "_band"):
        recording = open_recording(tmp_path / "out" / f"made{end}")
        assert recording.names[0].removesuffix(" half width") == first
        assert len(recording.names) == 12
    assert (open_recording(tmp_path / "out" / "made").row("I") is None) == (first != "I")


@pytest.mark.parametrize("lead", ["V5", "ECG", "MLII"])
def test_no_export_names_it_lead_i(lead: str, network: Network, tmp_path: Path) -> None:
    with Recording.open(a_session(tmp_path, network, 1500, lead=lead, is_lead_i=False)) as session:
        excerpt = Excerpt.of(session)
    about, _, table = write_csv(excerpt, tmp_path, "mecg-1")
    head = table.read_text().splitlines()[0]
    assert "I [mV]" not in head.split(",")[1] and lead in head.split(",")[1]
    facts = json.loads(about.read_text())
    assert "I" not in facts["leads"] and "I" not in facts["origins"] and "I" not in facts["traces"]
    for path in (*write_edf(excerpt, tmp_path, "mecg-1"), *write_wfdb(excerpt, tmp_path, "mecg-1")):
        if path.suffix in (".edf", ".hea") and "_band" not in path.name:
            recording = open_recording(path)
            assert recording.row("I") is None and lead in recording.names[0]
    (path,) = (p for p in write_dicom(excerpt, tmp_path, "mecg-1") if p.suffix == ".dcm")
    assert open_recording(f"{path}?reading=2").row("I") is None


def test_json_lines_do_not_name_it_lead_i(capsys: pytest.CaptureFixture[str]) -> None:
    source = str(FILES / "dicom_I_II.dcm")
    assert main(["stream", source, "--lead", "II", "--speed", "max", "--seconds", "1", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "I" not in lines[0]["leads"] and "I" not in lines[0]["origins"]
    frame = next(line for line in lines if line["type"] == "frame")
    assert list(frame["leads_mv"]) == lines[0]["leads"]
