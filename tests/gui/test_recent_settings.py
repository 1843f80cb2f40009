# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.settings import MOST, source_of_file, with_newest

SOURCES = st.sampled_from([f"wfdb:{k}" for k in range(20)])


@given(st.lists(SOURCES))
def test_recent_ones_are_the_last_opened_each_once_newest_first(opened: list[str]) -> None:
    recent: list[str] = []
    for source in opened:
        recent = with_newest(recent, source)
    assert recent == list(dict.fromkeys(reversed(opened)))[:MOST]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a b.hea", "wfdb:{}/a b"),
        ("a b.dat", "wfdb:{}/a b"),
        ("x.XDF", "session:{}/x.XDF"),
        ("notes.txt", None),
    ],
)
def test_a_file_is_known_by_its_end(tmp_path: Path, name: str, source: str | None) -> None:
    expected = None if source is None else source.format(tmp_path)
    assert source_of_file(str(tmp_path / name)) == expected


def test_a_record_s_name_without_an_end_is_a_record(tmp_path: Path) -> None:
    (tmp_path / "r.1.hea").touch()
    assert source_of_file(str(tmp_path / "r.1")) == f"wfdb:{tmp_path / 'r.1'}"


@pytest.mark.parametrize(
    "name", ["apple_en.csv", "kardia_1lead.atc", "faros_like.edf", "labrecorder_ecg.xdf", "A00001.mat"]
)
def test_a_file_of_another_format_is_a_source_by_its_content(name: str, tmp_path: Path) -> None:
    file = Path(__file__).parents[1] / "streamer" / "formats" / "files" / name
    assert source_of_file(str(file)) == f"file:{file}"
    (tmp_path / "notes.txt").write_text("nothing")
    assert source_of_file(str(tmp_path / "notes.txt")) is None
