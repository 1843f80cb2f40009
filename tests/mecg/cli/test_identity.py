# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose recording it is, as any format has it, comes out nowhere but with ``--keep-identity``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from mecg.__main__ import main
from streamer.core.errors import InputError
from streamer.formats.xdf import MAGIC, ChunkReader, chunk
from streamer.lead_recording import open_recording

FILES = Path("tests/streamer/formats/files")
NAME, ID, BORN, SERIAL = "Zebulon Quandt", "QX77-4711", "1911-11-12", "A1B2C3D4"
PLANTED = (NAME, "Zebulon", "Quandt", ID, BORN, "19111112", "12-NOV-1911", SERIAL)


def text(name: str, *pairs: tuple[str, str]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        content = (FILES / name).read_text("utf-8")
        for old, new in pairs:
            assert old in content
            content = content.replace(old, new, 1)
        (folder / name).write_text(content, "utf-8")
        return folder / name

    return make


def binary(name: str, *places: tuple[int, str, int]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        raw = bytearray((FILES / name).read_bytes())
        for at, words, length in places:
            raw[at : at + length] = words.encode()[:length].ljust(length)
        (folder / name).write_bytes(raw)
        return folder / name

    return make


def kardia(folder: Path) -> Path:
    raw = (FILES / "kardia_1lead.atc").read_bytes()
    info = f"2026-03-14T09:15:00.000+01:00\0\0\0{ID}".ljust(68, "\0") + f"{SERIAL} {NAME} {BORN}".ljust(
        196, "\0"
    )
    block = b"info" + len(info).to_bytes(4, "little") + info.encode()
    at, rest = 12, b""
    while at < len(raw):
        end = at + 12 + int.from_bytes(raw[at + 4 : at + 8], "little")
        rest += b"" if raw[at : at + 4] == b"info" else raw[at:end]
        at = end
    (folder / "kardia.atc").write_bytes(raw[:12] + block + sum(block).to_bytes(4, "little") + rest)
    return folder / "kardia.atc"


def dicom(folder: Path) -> Path:
    data = pydicom.dcmread(FILES / "dicom_I_II.dcm")
    data.PatientName, data.PatientID, data.PatientBirthDate = NAME, ID, "19111112"
    data.DeviceSerialNumber, data.InstitutionName = SERIAL, f"Institute {NAME}"
    data.save_as(folder / "planted.dcm")
    return folder / "planted.dcm"


def xdf(folder: Path) -> Path:
    raw = (FILES / "labrecorder_ecg.xdf").read_bytes()
    (folder / "plain.xdf").write_bytes(raw)
    parts = [MAGIC]
    with (folder / "plain.xdf").open("rb") as file:
        for each in ChunkReader(file, len(raw), range(1 << 32)):
            content = each.content
            if each.tag == 2:
                head, tail = content.split(b"</name>", 1)
                before = head.rpartition(b"<name>")[0]
                named = (
                    f"<name>Polar H10 {SERIAL}</name><source_id>{ID}</source_id><hostname>{NAME}</hostname>"
                )
                content = before + named.encode() + tail
            parts.append(
                chunk(each.tag, content, stream=each.stream)
                if each.tag in (2, 3, 4, 6)
                else raw[each.offset : each.stop]
            )
    (folder / "planted.xdf").write_bytes(b"".join(parts))
    return folder / "planted.xdf"


def polar(folder: Path) -> Path:
    (path,) = FILES.glob("Polar*")
    return Path(shutil.copy(path, folder / path.name.replace("AAAAAAAA", SERIAL)))


def wfdb(folder: Path) -> Path:
    shutil.copy(FILES / "A00001.mat", folder)
    header = (FILES / "A00001.hea").read_text().rstrip("\n")
    (folder / "A00001.hea").write_text(f"# Name: {NAME}\n{header}\n# born {BORN}, id {ID}, device {SERIAL}\n")
    return folder / "A00001.hea"


KEYS = f'"userName": "{NAME}", "userId": "{ID}", "dateOfBirth": "{BORN}", "deviceId": "{SERIAL}", '
MADE: dict[str, tuple[Callable[[Path], Path], str | None]] = {
    "apple": (
        text("apple_en.csv", ("Name,", f"Name,{NAME} {ID} "), ("Date of Birth,", f"Date of Birth,{BORN} ")),
        NAME,
    ),
    "edf": (
        binary(
            "edfplus_I_uV.edf",
            (8, f"{ID} M 12-NOV-1911 {NAME.replace(' ', '_')}", 80),
            (113, f"ADMIN {SERIAL}", 40),
        ),
        ID,
    ),
    "bdf": (
        binary(
            "bdf_I.bdf", (8, f"{ID} M 12-NOV-1911 {NAME.replace(' ', '_')}", 80), (113, f"ADMIN {SERIAL}", 40)
        ),
        ID,
    ),
    "ishne": (binary("ishne_I_II.ecg", (28, NAME, 40), (68, NAME, 40), (108, ID, 20)), NAME),
    "kardia": (kardia, NAME),
    "dicom": (dicom, NAME),
    "fitbit": (text("fitbit_ecg.json", ("{", "{" + KEYS)), None),
    "healthkit": (text("healthkit_voltages.json", ("{", "{" + KEYS)), None),
    "polar": (polar, None),
    "xdf": (xdf, ID),
    "wfdb": (wfdb, NAME),
    "withings": (text("withings_signal.csv", (']",', f']",{ID} {BORN},{NAME},{SERIAL}')), None),
    "table": (text("plain_time_s_mV.csv", ("time", f"# Name: {NAME}, born {BORN}, id {ID}\ntime")), None),
}


def options_of(path: Path) -> list[str]:
    name = open_recording(path).names[0]
    return [] if open_recording(path).row("I") is not None else ["--lead", name]


def everything(folder: Path, capsys: pytest.CaptureFixture[str]) -> bytes:
    """All that commands have written and said."""
    said = capsys.readouterr()
    names = "\n".join(str(path.relative_to(folder)) for path in folder.rglob("*"))
    files = b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    return f"{said.out}{said.err}{names}".encode() + files


@pytest.mark.parametrize("kind", MADE)
def test_nobody_learns_whose_a_recording_is(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "in").mkdir()
    out = tmp_path / "out"
    path = MADE[kind][0](tmp_path / "in")
    lead = options_of(path)
    assert not any(word in repr(open_recording(path)) for word in PLANTED)
    command = ["stream", str(path), *lead, "--speed", "max", "--seconds", "4", "--json", "--record", str(out)]
    assert main(command) == 0
    assert main(["reconstruct", str(path), *lead, "--out", str(out)]) == 0
    assert main(["report", str(path), *lead, "--out", str(out), "--json"]) == 0
    (session,) = out.glob("*.xdf")
    for form in ("csv", "edf", "wfdb"):
        assert main(["export", str(session), "--format", form, "--out", str(out / form)]) == 0
    for wrong in (["--lead", "V9"], ["--unit", "mV", "--rate", "3"]):
        main(["stream", str(path), *wrong, "--speed", "max", "--seconds", "1"])
    found = everything(out, capsys) + caplog.text.encode()
    assert len(found) > 100_000
    leaked = [word for word in PLANTED if word.encode() in found]
    if kind == "polar":  # the typed path is the user's own word on the terminal: a refusal may repeat it
        found = b"".join(p.read_bytes() + p.name.encode() for p in out.rglob("*") if p.is_file())
        leaked = [word for word in PLANTED if word.encode() in found]
    assert not leaked


@pytest.mark.parametrize("kind", [kind for kind, (_, kept) in MADE.items() if kept])
def test_it_is_kept_if_the_user_asks_for_that(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, kept = MADE[kind]
    assert kept is not None
    (tmp_path / "in").mkdir()
    out, path = tmp_path / "out", make(tmp_path / "in")
    command = [str(path), *options_of(path), "--keep-identity"]
    assert main(["stream", *command, "--speed", "max", "--seconds", "3", "--record", str(out)]) == 0
    (session,) = out.glob("*.xdf")
    assert kept.encode() in session.read_bytes()
    assert main(["reconstruct", *command, "--out", str(out)]) == 0
    header = next(p for p in out.glob("*.hea") if "_band" not in p.name)
    assert "identity: " in header.read_text() and kept in header.read_text()
    capsys.readouterr()
    assert main(["report", *command, "--out", str(out / "page"), "--json"]) == 0
    assert kept in json.loads(capsys.readouterr().out)["identity"]


def test_a_cell_that_is_no_number_is_not_repeated(tmp_path: Path) -> None:
    rows = "".join(f"{i / 250},{np.sin(i):.3f}\n" for i in range(500))
    (tmp_path / "t.csv").write_text(f"time [s],I [mV]\n{rows}3.0,{NAME}\n")
    with pytest.raises(InputError) as refused:
        open_recording(tmp_path / "t.csv")
    assert NAME not in refused.value.line
