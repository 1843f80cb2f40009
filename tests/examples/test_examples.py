# SPDX-License-Identifier: GPL-3.0-or-later
"""What we show to others runs, and passes the strictest type check: examples/ and the page on devices."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))


def strictly_typed(*files: str) -> None:
    """As somebody finds it who writes a program of their own: with none of our configuration."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent", *files],
        cwd=ROOT,
        env=os.environ | {"MYPYPATH": os.pathsep.join([str(ROOT), str(ROOT / "examples")]), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def run(name: str, folder: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", str(ROOT / "examples" / name), *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_examples_and_the_plug_in_of_the_docs_pass_mypy_strict(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "adding-a-device.md").read_text("utf-8")
    (plug_in,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "mecg_udp.py").write_text(plug_in, "utf-8")
    # That the class is what the registry takes, and what a session plays.
    (tmp_path / "conforms.py").write_text(
        "from devices.registry import Factory\nfrom streamer import Sink\n"
        "from csv_sink import CsvSink\nfrom mecg_udp import UdpSensor\n"
        "from text_file_source import TextFile\n\n"
        "factories: list[Factory] = [UdpSensor, TextFile]\nsinks: list[type[Sink]] = [CsvSink]\n",
        "utf-8",
    )
    own = [str(tmp_path / "mecg_udp.py"), str(tmp_path / "conforms.py")]
    strictly_typed(*(f"examples/{name}" for name in EXAMPLES), *own)


def test_an_array_goes_in_and_twelve_leads_come_out(tmp_path: Path) -> None:
    lines = run("array_in_array_out.py", tmp_path, str(ROOT / "recordings" / "ptb-xl" / "00010_hr"))
    assert len(lines) == 13 and lines[0].startswith("10.0 s")


def test_live_chunks_come_out_as_frames(tmp_path: Path) -> None:
    lines = run("live_chunks.py", tmp_path)
    assert len([line for line in lines if "V2 reaches" in line]) == 4
    assert "10 were lost" in lines[-1]


def test_a_text_file_is_a_source(tmp_path: Path) -> None:
    heart_mv = 0.5 * np.sin(np.arange(1000) / 8)
    (tmp_path / "my.txt").write_text("\n".join(f"{mv:.4f}" for mv in heart_mv))
    assert run("text_file_source.py", tmp_path, "my.txt?rate=250") == [
        "1000 samples of twelve leads at 250 Hz"
    ]


def test_a_sink_of_ones_own_gets_every_sample(tmp_path: Path) -> None:
    run("csv_sink.py", tmp_path, "synthetic:?rate=250&seconds=2", "out.csv")
    lines = (tmp_path / "out.csv").read_text("utf-8").splitlines()
    assert len([line for line in lines if line[0].isdigit()]) == 500
    assert lines[0].startswith("# ") and any("ended" in line for line in lines[2:])


def test_every_example_is_run_here() -> None:
    assert EXAMPLES == ["array_in_array_out.py", "csv_sink.py", "live_chunks.py", "text_file_source.py"]
