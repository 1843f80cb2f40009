# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg`: what can be asked on the command line, and how every command ends.

Exit codes: 0 done; 1 a check failed; 2 bad input or usage, with one line that says what is wrong and
what to do; 130 on Ctrl-C, 143 on SIGTERM, after a clean stop.  Data goes to stdout, words to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mecg.app.interrupt import deferred


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name; those of the process where left out.
    """
    try:
        with deferred():  # in the midst of an import Ctrl-C would be a traceback, or a module in pieces
            from mecg.app.terminal import open_standard_streams
            from mecg.cli.exit_codes import guarded
            from mecg.cli.parser import parse
    except KeyboardInterrupt:
        return 130
    open_standard_streams()
    try:
        return guarded(lambda: parse(argv)())
    except SystemExit as end:  # argparse's way to end: --help, --version, wrong usage
        return int(end.code or 0)


if __name__ == "__main__":
    sys.exit(main())
