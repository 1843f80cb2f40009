# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that is full or goes away is said in one line, and leaves nothing half-written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mecg.cli.exit_codes import os_error_line

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
SESSION = Path(__file__).parents[2] / "hostile" / "escapes.xdf"

SCRIPT = """
import resource, signal, sys
from mecg.__main__ import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
sys.exit(main(["export", sys.argv[1], "--format", sys.argv[2], "--out", sys.argv[3]]))
"""


@pytest.mark.parametrize(
    "form", ["pdf", "edf", *(pytest.param(form, marks=pytest.mark.long) for form in ("csv", "wfdb", "dicom"))]
)
def test_an_export_onto_a_full_disk_is_one_line(tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", SCRIPT, str(SESSION), form, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr[-1500:]
    assert len([line for line in done.stderr.splitlines() if line.startswith("mecg:")]) == 1
    assert not out.exists()


REPAIR = """
import resource, signal, sys
from mecg.__main__ import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
sys.exit(main(["repair", sys.argv[1]]))
"""


def test_a_repair_without_room_is_one_line_that_names_the_file_and_leaves_it_as_it_was(
    tmp_path: Path, model_file: Path
) -> None:
    source = ["stream", "synthetic:?seconds=60", "--speed", "max", "--model", str(model_file)]
    recorded = [sys.executable, "-m", "mecg", *source, "--record", str(tmp_path)]
    subprocess.run(recorded, capture_output=True, check=True)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 1000] = bytes(1000)  # not readable: a new file is needed
    path.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", REPAIR, str(path)], capture_output=True, text=True, check=False
    )
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and str(path) in line and "Errno" not in line
    assert path.read_bytes() == data and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", sorted(errno.errorcode))
@pytest.mark.parametrize("name", [None, "folder/file.xdf"])
def test_what_the_system_says_is_told_in_words(number: int, name: str | None) -> None:
    line = os_error_line(OSError(number, os.strerror(number), name))
    assert "Errno" not in line and "\n" not in line and line.startswith(name or line)
