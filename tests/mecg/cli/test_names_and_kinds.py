# SPDX-License-Identifier: GPL-3.0-or-later
"""Any name that a file has can be given, and what is there is never said to be missing."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mecg.__main__ import main
from streamer.core.errors import InputError
from streamer.formats.wfdb_reader import Record
from streamer.lead_recording import open_recording
from streamer.recording.reader import Recording

FILES = Path("tests/streamer/formats/files")
NAMES = ("a.b", "ECG von Jürgen 1.2", "ÄÖÜ ß", "10.hea.old", "x y.csv.2", "心電図", "Café Nº 3")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scheme", ["", "wfdb:", "file:"])
def test_reconstruct_takes_the_names_that_stream_takes(name: str, scheme: str, tmp_path: Path) -> None:
    folder = tmp_path / "Träume & Co. 2"
    folder.mkdir()
    shutil.copy(FILES / "only_ecg.dat", folder / "only_ecg.dat")
    (folder / f"{name}.hea").write_text((FILES / "only_ecg.hea").read_text().replace(" ECG", " I"))
    shutil.copy(FILES / "plain_gap.csv", folder / f"{name}.csv")
    out = tmp_path / "out"
    ends = ("", ".hea", ".csv")
    for i, end in enumerate(ends):
        text = f"{scheme}{folder / name}{end}"
        assert main(["reconstruct", text, "--out", str(out / str(i))]) == 0
        headers = sorted(p for p in (out / str(i)).glob("*.hea") if not p.stem.endswith("_band"))
        assert len(headers) == 1
        assert Record(headers[0]).samples in (6000, 3000)
    assert main(["stream", f"{scheme}{folder / name}", "--speed", "max", "--seconds", "2"]) == 0


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return out.getvalue()


KINDS = {
    "a.pdf": (b"%PDF-1.7\n", "PDF"),
    "a.csv": (b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG"),
    "a.jpg": (b"\xff\xd8\xff\xe0" + bytes(50), "JPEG"),
    "a.scp": (b"\x01\x02\0\x10\0\0" + bytes(10) + b"SCPECG" + bytes(50), "SCP-ECG"),
    "a.fit": (b"\x0e\x10\0\0\0\0\0\0.FIT" + bytes(50), "FIT"),
    "a.xml": (b"<?xml version='1.0'?>\n<AnnotatedECG xmlns='urn:hl7-org:v3'>", "aECG"),
    "export.xml": (b"<?xml version='1.0'?>\n<!DOCTYPE HealthData [\n]>\n<HealthData x='y'>", "Apple Health"),
    "a.xlsx": (zipped("xl/workbook.xml", "[Content_Types].xml"), "Excel"),
    "a.npz": (zipped("low.npy", "high.npy"), "arrays"),
    "a.zip": (zipped("readme.txt"), "archive"),
    "a.gz": (b"\x1f\x8b\x08" + bytes(50), "gzip"),
    "a.mat": (b"MATLAB 5.0 MAT-file" + bytes(200), "MATLAB"),
    "a.dat": (np.arange(500, dtype="<i2").tobytes(), "WFDB"),
    "a.txt": (b"Dear diary, my heart went boom.\nIt did.\n", "text"),
    "a.header": (b"r 1 500 1000\nr.dat 16 200/mV 16 0 0 0 0 I\n", ".hea"),
    "a.ecg": (b"", "empty"),
    "a.bin": (bytes(range(256)) * 4, "no format"),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_is_no_ecg_is_named_by_its_kind(name: str, tmp_path: Path) -> None:
    raw, kind = KINDS[name]
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(InputError) as refused:
        open_recording(tmp_path / name)
    assert kind in refused.value.line and name in refused.value.line
    assert "no record " not in refused.value.line and "there is no" not in refused.value.line
    with pytest.raises(InputError):
        Recording(tmp_path / name)


def test_what_is_no_regular_file_is_said_to_be_that(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    for name, word in (("pipe", "pipe"), ("link", "link"), ("folder", "folder")):
        with pytest.raises(InputError, match=word):
            open_recording(tmp_path / name)


def test_a_file_of_another_kind_is_no_session_but_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Apple Watch"):
        Recording(FILES / "apple_en.csv")


@pytest.mark.parametrize("command", ["stream", "reconstruct", "report", "calibrate"])
def test_every_command_names_the_kind(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a b.pdf").write_bytes(b"%PDF-1.7\n")
    out = ["--out", str(tmp_path / "out")] if command != "stream" else []
    assert main([command, str(tmp_path / "a b.pdf"), *out]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "PDF" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["ecg_2026-03-14.csv", "night.edf", "export.zip", "folder/holter.ecg"])
def test_a_file_that_is_not_there_is_missed_by_the_name_that_was_typed(name: str, tmp_path: Path) -> None:
    typed = str(tmp_path / name)
    with pytest.raises(InputError) as refused:
        open_recording(typed)
    assert typed in refused.value.line and ".hea" not in refused.value.line
