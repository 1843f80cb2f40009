# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.formats.atomic_write import write_private, write_whole

Write = Callable[[Path, bytes], None]


@pytest.mark.parametrize("write", [write_whole, write_private])
@pytest.mark.parametrize("before", [None, b"older"])
def test_a_run_that_was_killed_while_it_wrote_does_not_hinder_the_next(
    write: Write, before: bytes | None, tmp_path: Path
) -> None:
    file = tmp_path / "mine.npz"
    if before is not None:
        file.write_bytes(before)
    (tmp_path / ".mine.npz.part").write_bytes(b"half of wh")
    write(file, b"whole")
    assert file.read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.npz"]


@pytest.mark.parametrize("write", [write_whole, write_private])
def test_what_cannot_be_put_in_its_place_leaves_nothing_beside_it(write: Write, tmp_path: Path) -> None:
    (tmp_path / "mine.npz").mkdir()
    with pytest.raises(OSError):
        write(tmp_path / "mine.npz", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.npz"]


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_what_is_private_is_its_owners_alone_and_goes_through_nobodys_link(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"theirs")
    (tmp_path / ".mine.npz.part").symlink_to(theirs)
    write_private(tmp_path / "mine.npz", b"whole")
    assert stat.S_IMODE((tmp_path / "mine.npz").lstat().st_mode) == 0o600
    assert theirs.read_bytes() == b"theirs" and (tmp_path / "mine.npz").read_bytes() == b"whole"


@pytest.mark.parametrize("write", [write_whole, write_private])
@pytest.mark.parametrize("where", ["no-folder/file", "a-file/file", "folder"])
def test_what_cannot_be_written_is_named_as_it_was_asked_for(tmp_path, write, where):
    (tmp_path / "a-file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError) as caught:
        write(tmp_path / where, b"whole")
    assert caught.value.filename == str(tmp_path / where)
    assert caught.value.errno and caught.value.strerror
    assert {p.name for p in tmp_path.rglob("*")} == {"a-file", "folder"}
