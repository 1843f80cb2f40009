# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg reconstruct` keeps when a recording began."""

from __future__ import annotations

from pathlib import Path

from mecg.__main__ import main


def test_the_record_begins_when_the_file_did(tmp_path: Path) -> None:
    assert main(["reconstruct", "tests/streamer/formats/files/apple_en.csv", "--out", str(tmp_path)]) == 0
    for header in tmp_path.glob("*.hea"):
        assert header.read_text().splitlines()[0].endswith(" 09:15:00.000000 14/03/2026")
    assert len(list(tmp_path.glob("*.hea"))) == 2
