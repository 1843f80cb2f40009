# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg repair`: close a recording that a crash left open, or that is damaged."""

from __future__ import annotations

import argparse
import sys

from streamer.recording.repair import repair


def run(args: argparse.Namespace) -> int:
    """Repair one file, and say what that took."""
    done = repair(args.file)
    if done is None:
        print(f"{args.file} is complete: nothing to repair", file=sys.stderr)
    elif done.kept is None:
        print(f"{args.file}: closed, {done.seconds:.1f} s, nothing lost", file=sys.stderr)
    else:
        print(
            f"{args.file}: closed, {done.seconds:.1f} s; {done.dropped} bytes could not be read, so the file "
            f"as it was is kept as {done.kept}",
            file=sys.stderr,
        )
    return 0
