# SPDX-License-Identifier: MIT
"""A DICOM export keeps to the standard, as David Clunie's dciodvfy has it (Debian: dicom3tools)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from streamer.core.network.network import Network
from streamer.export.excerpt import Excerpt
from streamer.export.to_dicom import LONGEST, write_dicom
from streamer.recording.reader import Recording
from tests.streamer.a_session import a_session

pytestmark = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")


@pytest.mark.parametrize(
    ("samples", "lost", "lead"),
    [(8200, ((3000, 3777),), "I"), (2 * LONGEST + 5000, (), "I"), (1500, (), "Brustgurt µ\\ÿ, *")],
)
def test_dciodvfy_finds_no_error(
    samples: int, lost: tuple[tuple[int, int], ...], lead: str, banded_network: Network, tmp_path: Path
) -> None:
    path = a_session(tmp_path, banded_network, samples, lost=lost, lead=lead, is_lead_i=lead == "I")
    with Recording.open(path) as session:
        files = write_dicom(Excerpt.of(session), tmp_path, "mecg-1")
    assert files
    for file in files:
        done = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert "TwelveLeadECG" in said
        assert not [line for line in said.splitlines() if line.startswith("Error")]
