# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg sessions`: what was recorded."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.recording.folder import Summary, default_folder, sessions


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="another than the user's own")
    parser.add_argument("--json", action="store_true", help="as JSON")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    folder: Path | None
    json: bool


def run(options: Options) -> int:
    """List the sessions of a folder, the oldest first."""
    folder = options.folder or default_folder()
    nothing_yet = options.folder is None and not folder.exists()
    found = [] if nothing_yet else list(sessions(folder))
    if options.json:
        json.dump({"folder": str(folder), "sessions": [_facts(each) for each in found]}, sys.stdout, indent=1)
        print()
    else:
        rows = [("BEGAN", "LENGTH", "LOST", "SIZE", "STATE", "FILE", "SOURCE"), *map(_row, found)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
            print(line.rstrip())
        total = sum(each.size for each in found)
        print(f"{len(found)} in {folder}, {_size(total)}", file=sys.stderr)
    sys.stdout.flush()
    return 0


def _facts(each: Summary) -> dict[str, Any]:
    sums = each.sums
    return {
        "file": str(each.path),
        "began": each.began.isoformat() if each.began else None,
        "seconds": each.seconds,
        "source": each.source,
        "samples": sums.samples,
        "gaps": sums.gaps,
        "lost": sums.lost,
        "bytes": each.size,
        "state": each.state,
        "problem": each.problem or None,
    }


def _row(each: Summary) -> tuple[str, ...]:
    began = f"{each.began.astimezone():%Y-%m-%d %H:%M:%S}" if each.began else "-"
    minutes, seconds = divmod(round(each.seconds), 60)
    gaps = each.sums.gaps
    lost = f"{each.sums.lost} in {gaps} {'gap' if gaps == 1 else 'gaps'}" if gaps else "0"
    length = f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    return began, length, lost, _size(each.size), each.state, each.path.name, each.source or each.problem


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
