# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg report`: any recording as a 12-lead page and what can be read from it."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mecg.__main__ import main
from mecg.cli.report import beside_others
from streamer.export.page import Page

FILES = Path("tests/streamer/formats/files")
PACED = Path("recordings/ptb-xl/00498_hr")
FACTS = json.loads((FILES / "facts.json").read_text())
READABLE = [
    "apple_en.csv",
    "healthkit_voltages.json",
    "fitbit_ecg.json",
    "withings_signal.csv",
    "kardia_1lead.atc",
    "Polar_H10_AAAAAAAA_20260314_091500_ECG.txt",
    "plain_time_s_mV.csv",
]


def reported(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    assert main(["report", *map(str, words), "--json"]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


@pytest.mark.parametrize("name", READABLE)
def test_the_facts_of_a_file_are_said_and_its_page_is_private(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts, right = reported(capsys, FILES / name, "--out", tmp_path), FACTS[name]
    assert facts["rate_hz"] == pytest.approx(right["rate_hz"], rel=1e-3)
    assert facts["length_s"] == pytest.approx(right["samples"] / right["rate_hz"], rel=1e-3)
    assert facts["is_lead_i"] == right["is_lead_i"]
    assert len(facts["estimated"]) == 11
    if "start" in right:
        assert datetime.fromisoformat(facts["began"]) == datetime.fromisoformat(right["start"])
    pdf, png = map(Path, facts["files"])
    assert pdf.read_bytes().startswith(b"%PDF") and png.read_bytes().startswith(b"\x89PNG")
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert sorted(tmp_path.iterdir()) == [pdf, png]


def test_a_page_is_overwritten_only_if_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["report", str(FILES / "plain_gap.csv"), "--out", str(tmp_path)]
    (tmp_path / "plain_gap.png").write_text("mine")
    assert main(command) == 2
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
    assert main([*command, "--force"]) == 0
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "words",
    [
        ["apple_no_rate.csv"],
        ["only_ecg"],
        ["nothing_here.csv"],
        ["facts.json"],
        ["apple_en.csv", "--lead", "V9"],
    ],
)
def test_what_cannot_be_shown_gets_one_line_and_leaves_nothing(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pages"
    assert main(["report", str(FILES / words[0]), *words[1:], "--out", str(out)]) == 2
    said = capsys.readouterr()
    assert not said.out and said.err.count("\n") == 1
    assert not out.exists()


def test_what_a_file_does_not_say_is_stated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = reported(capsys, FILES / "apple_no_rate.csv", "--rate", 512, "--invert", "--out", tmp_path)
    assert facts["rate_hz"] == 512 and facts["inverted"]
    facts = reported(capsys, FILES / "only_ecg", "--placement", "arms", "--out", tmp_path)
    assert facts["is_lead_i"] and facts["lead"] == "I"
    facts = reported(capsys, FILES / "dicom_I_II.dcm", "--lead", "II", "--out", tmp_path)
    assert not facts["is_lead_i"] and facts["lead"] == "II"
    assert len(facts["do_not_read"]) == 4


def test_a_live_source_is_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "synthetic:", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_window_writes_the_same_page_beside_those_that_are_there(tmp_path: Path) -> None:
    first = beside_others(str(FILES / "apple_en.csv"), tmp_path, None)
    second = beside_others(str(FILES / "apple_en.csv"), tmp_path, None)
    assert first[0].suffix == ".pdf" and {*first, *second} == {*tmp_path.iterdir()}
    assert first[1].read_bytes() == second[1].read_bytes() and len({*first, *second}) == 4


def test_the_page_is_opened_with_what_the_system_shows_pages_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, shown = tmp_path / "bin" / "xdg-open", tmp_path / "shown"
    viewer.parent.mkdir()
    viewer.write_text(f'#!/bin/sh\necho "$1" > {shown}\n')
    viewer.chmod(0o755)
    monkeypatch.setenv("PATH", f"{viewer.parent}:/usr/bin:/bin")
    monkeypatch.setattr("sys.platform", "linux")
    command = ["report", str(FILES / "plain_gap.csv"), "--out", str(tmp_path / "page"), "--open"]
    assert main(command) == 0
    until_s = time.monotonic() + 20
    while not (shown.exists() and shown.read_text().endswith("\n")) and time.monotonic() < until_s:
        time.sleep(0.02)
    assert Path(shown.read_text().strip()) == tmp_path / "page" / "plain_gap.pdf"


def test_without_a_viewer_the_page_is_there_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert main(["report", str(FILES / "plain_gap.csv"), "--out", str(tmp_path), "--open"]) == 0
    assert "plain_gap.pdf" in capsys.readouterr().err


def test_the_page_is_grey_where_the_input_is_not_to_be_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its legend says so: from where pacing spikes are known, which the page of the window has grey too."""
    made: list[Page] = []
    monkeypatch.setattr("mecg.cli.report.render_pdf", lambda page: (made.append(page), b"")[1])
    monkeypatch.setattr("mecg.cli.report.render_png", lambda page: b"")
    assert main(["report", str(PACED), "--out", str(tmp_path)]) == 0
    (page,) = made
    assert page.faint is not None and "pacing spikes" in page.quality
    settled = page.faint[round(2.5 * page.rate_hz) :]
    assert settled[-1] and not settled.all()  # not before they are known
    assert np.all(np.diff(settled.astype(int)) >= 0)


def test_the_page_says_that_it_is_of_a_recording_and_its_heart_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Page] = []
    monkeypatch.setattr("mecg.cli.report.render_pdf", lambda page: (made.append(page), b"")[1])
    monkeypatch.setattr("mecg.cli.report.render_png", lambda page: b"")
    beside_others(str(FILES / "apple_en.csv"), tmp_path, None)
    (page,) = made
    assert page.kind == "RECORDED" and re.fullmatch(r"[0-9]+ bpm", page.heart_rate)
