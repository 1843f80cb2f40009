# SPDX-License-Identifier: GPL-3.0-or-later
"""How long until something is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.measure import ROOT, Effort, Row, child


def rows(effort: Effort) -> Iterator[Row]:
    """Every row of this part."""
    repeats = 2 * effort.repeats + 1
    said, met = [], True
    for command, most_s in ((["--version"], 0.2), (["info"], 0.6)):
        took_s = float(np.median([_until_end(command) for _ in range(repeats)]))
        said.append(f"`mecg {command[0]}` {took_s:.2f} s")
        met &= took_s <= most_s
    first_s = float(np.median([_first_frame() for _ in range(repeats)]))
    cold_s = _first_frame(cold=True)
    said.append(
        f"first frame of `mecg stream` {first_s:.2f} s ({cold_s:.1f} s once, with nothing compiled yet)"
    )
    yield Row(
        "start-up",
        "<= 0.2, 0.6 and 2.5 s",
        "; ".join(said),
        met and first_s <= 2.5,
    )
    yield cache_place()


def _until_end(command: list[str]) -> float:
    began_s = time.perf_counter()
    subprocess.run([sys.executable, "-m", "mecg", *command], cwd=ROOT, capture_output=True, check=True)
    return time.perf_counter() - began_s


def _first_frame(*, cold: bool = False) -> float:
    """Until the first frame has been written, at the speed of a live source."""
    with tempfile.TemporaryDirectory() as empty:
        env = os.environ | ({"NUMBA_CACHE_DIR": empty} if cold else {})
        began_s = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "mecg", "stream", "synthetic:", "--seconds", "2", "--json"],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        took_s = np.nan
        for line in process.stdout:
            if b'"type":"frame"' in line:
                took_s = time.perf_counter() - began_s
                break
        process.kill()
        process.communicate()
    return float(took_s)


def cache_place() -> Row:
    """Numba in a read-only installation run by somebody without a home."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "streamer"
        shutil.copytree(ROOT / "streamer", package, ignore=shutil.ignore_patterns("__pycache__"))
        for place in [package, *(p for p in package.rglob("*") if p.is_dir())]:
            (place / "__pycache__").touch()  # a file of that name keeps even root from writing there
        nowhere = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null", "TMPDIR": folder}
        code = (
            "import sys, json, glob; sys.path.insert(0, sys.argv[1]);"
            "import numpy as np; import streamer.core.signal.filters as f;"
            "f.sosfilt(np.eye(1, 6), np.zeros(3), np.zeros((1, 2)));"
            "import numba; place = numba.config.CACHE_DIR;"
            "print(json.dumps(len(glob.glob(place + '/**/*.nbc', recursive=True))))"
        )
        kept = child(code, folder, env=nowhere)
    return Row(
        "numba's cache in a read-only installation without a home",
        "finds a place to write",
        "finds one" if kept else "finds none",
        bool(kept),
    )
