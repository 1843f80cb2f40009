# SPDX-License-Identifier: GPL-3.0-or-later
"""How every command ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from mecg.app.interrupt import ended_as_by_ctrl_c
from streamer.core.errors import InputError


def guarded(command: Callable[[], int]) -> int:
    """Run what may meet bad input, a full disk, Ctrl-C or a closed pipe; returns the exit code."""
    try:
        with ended_as_by_ctrl_c() as exit_code:
            try:
                code = command()
            except KeyboardInterrupt:
                code = 130
        return exit_code() if code == 130 else code
    except BrokenPipeError:
        # Whoever read stdout has enough.  Python flushes it once more at exit, into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except InputError as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    print(f"mecg: {' '.join(message.split())}", file=sys.stderr)
    return 2
