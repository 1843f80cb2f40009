"""Reads LSL streams in a process of its own, as any other program would.

Arguments: an output file and the names of the streams.  It prints ``ready`` once it is connected to
all, reads until every sender has gone, and writes per stream ``NAME.x`` (samples, channels),
``NAME.t`` (stamps mapped to this process' clock) and ``NAME.xml``.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pylsl


def main() -> None:
    out, *names = sys.argv[1:]
    inlets: dict[str, Any] = {}
    saved: dict[str, Any] = {}
    for name in names:
        found = pylsl.resolve_byprop("name", name, 1, 30)
        if not found:
            raise SystemExit(f"{name} is not there")
        inlets[name] = pylsl.StreamInlet(found[0], recover=False, processing_flags=pylsl.proc_clocksync)
        inlets[name].time_correction(10)
        saved[f"{name}.xml"] = inlets[name].info(10).as_xml()
        inlets[name].open_stream(10)
    print("ready", flush=True)
    open_ones = set(names)
    samples: dict[str, list[Any]] = {name: [] for name in names}
    stamps: dict[str, list[float]] = {name: [] for name in names}
    deadline = time.monotonic() + 60
    while open_ones and time.monotonic() < deadline:
        for name in sorted(open_ones):
            try:
                x, t = inlets[name].pull_chunk(0.0)
            except pylsl.util.LostError:
                open_ones.remove(name)
                continue
            samples[name] += x
            stamps[name] += t
        time.sleep(0.005)
    for name in names:
        saved[f"{name}.x"] = np.array(samples[name])
        saved[f"{name}.t"] = np.array(stamps[name])
    with Path(out).open("wb") as file:
        np.savez(file, **saved)


if __name__ == "__main__":
    main()
