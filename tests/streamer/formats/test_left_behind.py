# SPDX-License-Identifier: GPL-3.0-or-later
"""What killed runs leave is removed, once it is old and nobody writes it; nothing else is."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mecg.__main__ import main
from streamer.formats.left_behind import claimed, remove_left_behind
from streamer.formats.wfdb_writer import WfdbWriter

pytestmark = pytest.mark.skipif(os.name == "nt", reason="locks of POSIX")
HOSTILE = Path(__file__).parents[2] / "hostile"


def old(path: Path) -> Path:
    then = time.time() - 3600
    os.utime(path, (then, then))
    return path


def test_only_old_parts_that_nobody_holds_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".a.12.part").mkdir()
    (tmp_path / ".a.12.part" / "a.csv").write_text("x")
    (tmp_path / ".b.12.part").write_text("x")
    (tmp_path / ".held.12.part").write_text("x")
    (tmp_path / "keep.part").write_text("x")
    (tmp_path / ".mine.part").write_text("x")
    (tmp_path / "outside").write_text("x")
    (tmp_path / ".link.1.part").symlink_to(tmp_path / "outside")
    for path in tmp_path.iterdir():
        old(path)
    (tmp_path / ".young.12.part").write_text("x")
    with claimed(tmp_path / ".held.12.part"):
        remove_left_behind(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".held.12.part", "keep.part", ".mine.part", "outside", ".link.1.part", ".young.12.part"}


def test_a_writer_holds_its_part_and_clears_away_those_of_others(tmp_path: Path) -> None:
    (tmp_path / ".r.1.part").write_text("x")
    old(tmp_path / ".r.1.part")
    writer = WfdbWriter(tmp_path, "r", 250.0)
    assert not (tmp_path / ".r.1.part").exists()
    (part,) = tmp_path.glob(".*.part")
    old(part)
    remove_left_behind(tmp_path)
    assert part.exists()
    writer.append(np.zeros((12, 10), np.float32))
    writer.finish()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.dat", "r.hea"]


@pytest.mark.parametrize("form", ["csv", "wfdb", "edf"])
def test_exports_are_the_user_s_alone_as_recordings_are(tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    assert main(["export", str(HOSTILE / "escapes.xdf"), "--format", form, "--out", str(out)]) == 0
    files = list(out.iterdir())
    assert files and all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)


def test_a_run_over_many_records_looks_once_for_what_others_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[Path] = []
    iterdir = Path.iterdir

    def noted(self: Path) -> Iterator[Path]:
        listed.append(self)
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", noted)
    for name in ("a", "b", "c"):
        writer = WfdbWriter(tmp_path, name, 250.0)
        writer.append(np.zeros((12, 10), np.float32))
        writer.finish()
    assert listed == [tmp_path]
