# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg sessions`: what was recorded."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mecg.app.terminal import put, put_json, say
from mecg.cli.help_text import Help
from streamer.core.printable import printable
from streamer.recording.folder import Summary, default_folder, sessions

HELP = Help(
    about=(
        "Lists what was recorded, the oldest first: when, how long, what was lost, and whether the file is "
        "whole. A file that cannot be read is listed with the reason."
    ),
    examples=(
        "mecg sessions",
        "mecg sessions recordings-of-may --json",
    ),
)


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
        put_json({"folder": str(folder), "sessions": [_facts(each) for each in found]})
    else:
        rows = [("BEGAN", "LENGTH", "LOST", "SIZE", "STATE", "FILE", "SOURCE"), *map(_row, found)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
            put(line.rstrip())
        total = sum(each.size for each in found)
        say(f"{len(found)} in {folder}, {_size(total)}")
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
        "leads_missing_s": round(each.unmade_s, 3),
        "problem": each.problem or None,
    }


def _row(each: Summary) -> tuple[str, ...]:
    began = f"{each.began.astimezone():%Y-%m-%d %H:%M:%S}" if each.began else "-"
    minutes, seconds = divmod(round(each.seconds), 60)
    gaps = each.sums.gaps
    lost = f"{each.sums.lost} in {gaps} {'gap' if gaps == 1 else 'gaps'}" if gaps else "0"
    length = f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    state = f"{each.state}, leads end {each.unmade_s:.1f} s before" if each.unmade_s else each.state
    name, about = printable(each.path.name), printable(each.source or each.problem)
    return began, length, lost, _size(each.size), state, name, about


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
