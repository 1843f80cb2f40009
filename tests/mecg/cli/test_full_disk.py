# SPDX-License-Identifier: GPL-3.0-or-later
"""An export onto a full disk is one line and leaves nothing, whatever the format."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
