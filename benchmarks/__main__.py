# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures every row of the table in docs/performance.md and writes it there: ``python -m benchmarks``.

Ratios are taken turn by turn in one process; what is run several times counts by its median.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from datetime import date
from importlib import metadata

from benchmarks import live, path, peers, quantised, screen, start_up, ward
from benchmarks.measure import FULL, MODEL, QUICK, ROOT, Row
from streamer.core.network.network import Network

BEGIN, END = "<!-- begin of table -->", "<!-- end of table -->"
PAGE = ROOT / "docs" / "performance.md"
PARTS = (path, start_up, live, ward, screen, peers, quantised)


def main() -> int:
    """Measure, print, write; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="once each, and nothing is written")
    quick: bool = parser.parse_args().quick
    spec = Network(MODEL.read_bytes()).spec
    load = f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"
    rows: list[Row] = []
    for part in PARTS:
        for row in part.rows(QUICK if quick else FULL):
            print(_line(row), flush=True)
            rows.append(row)
    ended = f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("numpy", "numba", "onnxruntime"))
    words = (
        f"{date.today().isoformat()}, model {spec.name} {spec.version}, {platform.machine()}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {packages}; "
        f"load {load} at the start, {ended} at the end."
    )
    print(words, file=sys.stderr)
    if not quick:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        table = "\n".join(("| what | bar | measured | |", "|---|---|---|---|", *map(_line, rows)))
        PAGE.write_text(f"{before}{BEGIN}\n{words}\n\n{table}\n{END}{after}", encoding="utf-8")
    return 1 if any(row.met is False for row in rows) else 0


def _line(row: Row) -> str:
    mark = {True: "yes", False: "**no**", None: ""}[row.met]
    return f"| {row.what} | {row.bar} | {row.measured} | {mark} |"


if __name__ == "__main__":
    sys.exit(main())
