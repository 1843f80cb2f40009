# SPDX-License-Identifier: GPL-3.0-or-later
"""All readers over mutated files: a result or one line, bounded time and memory, nothing else opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def violations(folder: Path, first: int, count: int) -> list[str]:
    command = [sys.executable, "-m", "tests.hostile.harness", str(folder), str(first), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_240_mutations_do_no_harm(tmp_path: Path) -> None:
    assert violations(tmp_path, 0, 240) == []


@pytest.mark.long
@pytest.mark.parametrize("part", range(10))
def test_10_000_mutations_do_no_harm(tmp_path: Path, part: int) -> None:
    assert violations(tmp_path, 1000 * (part + 1), 1000) == []
