# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg repair`: close a recording that a crash left open, or that is damaged."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path

from mecg.app.terminal import say
from streamer.recording.repair import repair


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a session's file")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    file: Path


def run(options: Options) -> int:
    """Repair one file, and say what that took."""
    done = repair(options.file)
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
