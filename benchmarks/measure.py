# SPDX-License-Identifier: GPL-3.0-or-later
"""How a row of the table is measured, and what it is held to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
RATE_HZ = 500.0
MODEL = files("streamer") / "models" / "mecgnet-low.onnx"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    bar: str
    measured: str
    met: bool | None = None
    """None where there is no bar."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure."""

    repeats: int
    """Runs of everything that is run more than once; the median counts."""
    seconds: float
    """Of each live session."""


QUICK = Effort(1, 6.0)
FULL = Effort(3, 20.0)


def median_us(run: Callable[[], object], repeats: int = 1000) -> float:
    """Median duration of a call, microseconds."""
    for _ in range(20):
        run()
    took = []
    for _ in range(repeats):
        began = time.perf_counter_ns()
        run()
        took.append(time.perf_counter_ns() - began)
    return float(np.median(took)) / 1e3


def ratio(
    theirs: Callable[[], object], ours: Callable[[], object], rounds: int = 9
) -> tuple[float, float, float]:
    """Median durations of both, microseconds, and the median of their ratios, taken turn by turn.

    Turns are short, so that what else the machine does falls upon both.
    """
    pairs = np.array([(median_us(theirs, 60), median_us(ours, 60)) for _ in range(rounds)])
    return (
        float(np.median(pairs[:, 0])),
        float(np.median(pairs[:, 1])),
        float(np.median(pairs[:, 0] / pairs[:, 1])),
    )


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def child(code: str, *args: object, env: dict[str, str] | None = None) -> Any:
    """Run ``code`` in a fresh Python; returns what it prints last, as JSON.

    Raises
    ------
    RuntimeError
        It ended with an error.
    """
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        cwd=ROOT,
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
    return json.loads(done.stdout.strip().splitlines()[-1])
