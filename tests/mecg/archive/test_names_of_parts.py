# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a recording is called, what a killed run leaves of it is found; other programs' files are not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mecg.archive.naming import result_name
from mecg.archive.unfinished import remove_unfinished
from mecg.cli.export import record_name
from streamer.formats.left_behind import remove_left_behind
from streamer.formats.wfdb_writer import WfdbWriter

pytestmark = pytest.mark.skipif(os.name == "nt", reason="locks of POSIX")

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60)


def left(folder: Path, name: str) -> Path:
    """A file as a run leaves it that was killed an hour ago."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(b"half")
    os.utime(path, (time.time() - 3600,) * 2)
    return path


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES)
@example(name="night.v2 (1).edf")
@example(name="Müller, Jörg 2026.11.28")
@example(name="心電図.hea")
@example(name=".hidden")
@example(name="a\nb.part")
def test_the_part_of_a_recording_of_any_name_is_found(name: str, tmp_path: Path) -> None:
    writer = WfdbWriter(tmp_path / "written", result_name(Path(name)), 250.0)
    (part,) = (tmp_path / "written").glob(".*.part")
    writer.abort()
    exported = f".{record_name(Path(name))}.{os.getpid()}.part"
    for remove in (lambda folder: remove_unfinished([folder]), remove_left_behind):
        for named in (part.name, part.with_suffix(".hea.part").name, exported):
            path = left(tmp_path / "left", named)
            remove(path.parent)
            assert not path.exists(), named


def test_files_that_no_writer_here_names_so_are_left_alone(tmp_path: Path) -> None:
    """So the pattern has no dots or spaces: results have none, and a download of somebody's may have."""
    names = (".film.mkv.1.part", ".my notes.2.part", "x.3.part", ".part", ".x.part", ".x.y.part")
    paths = [left(tmp_path, name) for name in names]
    remove_unfinished([tmp_path])
    remove_left_behind(tmp_path)
    assert all(path.exists() for path in paths)
