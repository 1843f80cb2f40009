# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg repair`: close a recording that a crash left open, or that is damaged."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mecg.app.terminal import put_json, say
from mecg.cli.help_text import Help
from streamer.recording.repair import Repaired, repair

HELP = Help(
    about=(
        "Closes a recording that a crash left open, or that is damaged. If bytes cannot be read, a new file "
        "of all that can be takes its place, and the old one is kept beside it. A whole file stays as it "
        "is."
    ),
    examples=("mecg repair mecg-20261128-081500-000.xdf",),
)


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a session's file")
    parser.add_argument("--json", action="store_true", help="what was done as JSON")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    file: Path
    json: bool


def run(options: Options) -> int:
    """Repair one file, and say what that took."""
    done = repair(options.file)
    if options.json:
        put_json(_facts(options.file, done))
        return 0
    if done is None:
        say(f"{options.file} is complete: nothing to repair")
    elif done.kept is None:
        say(f"{options.file}: closed, {done.seconds:.1f} s, nothing lost")
    else:
        say(
            f"{options.file}: closed, {done.seconds:.1f} s; {done.dropped} bytes could not be read, so the "
            f"file as it was is kept as {done.kept}"
        )
    return 0


def _facts(file: Path, done: Repaired | None) -> dict[str, Any]:
    return {
        "file": str(file),
        "repaired": done is not None,
        "seconds": None if done is None else done.seconds,
        "dropped_bytes": 0 if done is None else done.dropped,
        "kept": None if done is None or done.kept is None else str(done.kept),
    }
