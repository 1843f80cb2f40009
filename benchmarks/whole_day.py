# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole day of stream in one recorded session, as fast as it goes: its memory, and whether all is there.

``python -m benchmarks.whole_day FOLDER [--hours 24]`` takes half an hour and 3 GB of disk a day.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pyxdf  # type: ignore[import-untyped]

from benchmarks.measure import ROOT
from devices.replay.synthetic import Synthetic
from streamer.recording.reader import Recording

SOURCE = "synthetic:?rate=250"
RATE_HZ = 250
LOOK_S = 2.0
"""The memory is read so often."""
STEP = 1_000_000
"""Samples that are compared at a time."""


@dataclass(frozen=True, slots=True)
class Day:
    """What became of it."""

    recording: Path
    took_s: float
    cpu_s: float
    resident_mb: tuple[float, ...]
    """Every `LOOK_S`."""

    @property
    def later_mb(self) -> tuple[float, float]:
        """Least and most, without the first tenth, in which queues and buffers fill."""
        later = self.resident_mb[len(self.resident_mb) // 10 :]
        return min(later), max(later)


def record(folder: Path, hours: float) -> Day:
    """Run the session; raises ``CalledProcessError`` if it fails."""
    source = f"{SOURCE}&seconds={3600 * hours:.0f}"
    command = [sys.executable, "-m", "mecg", "stream", source, "--speed", "max", "--record", str(folder)]
    before = set(folder.glob("*.xdf"))
    began_s, cpu_s, resident_mb = time.monotonic(), 0.0, []
    running = psutil.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    while running.poll() is None:
        time.sleep(LOOK_S)
        if running.status() != psutil.STATUS_ZOMBIE:
            resident_mb.append(running.memory_info().rss / 1e6)
            cpu_s = sum(running.cpu_times()[:2])
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, command)
    (recording,) = set(folder.glob("*.xdf")) - before
    return Day(recording, time.monotonic() - began_s, cpu_s, tuple(resident_mb))


def missing(path: Path, samples: int) -> list[str]:
    """What our own reader finds wrong: how many samples, and whether each is the one that was played."""
    wrong = []
    played = Synthetic(f"?rate={RATE_HZ}")
    with Recording.open(path) as recording:
        if (recording.raw_stop, recording.stop) != (samples, samples) or not recording.complete:
            wrong.append(f"{recording.raw_stop} samples as received and {recording.stop} of the leads")
        for start in range(0, recording.raw_stop, STEP):
            stop = min(start + STEP, recording.raw_stop)
            if recording.raw_mv(start, stop).tobytes() != played.lead_mv(start, stop).tobytes():
                wrong.append(f"samples {start} to {stop} are not those that were played")
    return wrong


def misread(path: Path, samples: int) -> list[str]:
    """What pyxdf finds wrong, one stream after the other: as many samples, each at its own time."""
    wrong = []
    for name in ("mECG raw", "mECG leads", "mECG scale"):
        streams, _ = pyxdf.load_xdf(
            path, select_streams=[{"name": name}], synchronize_clocks=False, dejitter_timestamps=False
        )
        stamps_s = streams[0]["time_stamps"]
        if len(stamps_s) != samples:
            wrong.append(f"{name}: {len(stamps_s)} samples")
            continue
        off_s = float(np.abs(stamps_s - stamps_s[0] - np.arange(samples) / RATE_HZ).max())
        if off_s > 1e-6:
            wrong.append(f"{name}: a stamp is {off_s:.6f} s off")
        del streams, stamps_s
    return wrong


def main() -> int:
    """Record, look, say; 1 if anything is wrong or the memory grows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole_day", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hours", type=float, default=24.0)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    day = record(asked.folder, asked.hours)
    least_mb, most_mb = day.later_mb
    print(
        f"{asked.hours:g} h of stream in {day.took_s:.0f} s, {day.cpu_s:.0f} s of processor; "
        f"{day.resident_mb[0]:.0f} MB at first, then {least_mb:.1f} to {most_mb:.1f} MB; "
        f"{day.recording.stat().st_size / 1e9:.2f} GB",
        flush=True,
    )
    samples = round(3600 * asked.hours * RATE_HZ)
    wrong = [*missing(day.recording, samples), *misread(day.recording, samples)]
    print("\n".join(wrong) or f"all {samples} samples are there, in both readers, each at its own time")
    return 1 if wrong or most_mb - least_mb > 5 else 0


if __name__ == "__main__":
    sys.exit(main())
