# SPDX-License-Identifier: GPL-3.0-or-later
"""How every command ends, and how it reports what it cannot use."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from mecg.app.interrupt import ended_as_by_ctrl_c
from streamer.core.errors import Field, InputError

MOST_CHOICES = 24

_CHOOSE = {
    Field.LEAD: "choose one with --lead NAME",
    Field.POLARITY: "mind --invert",
    Field.UNIT: "state it with --unit uV (or mV, V, nV, or how many mV a step is)",
    Field.MODEL: "choose another --latency, or name a --model",
    Field.CALIBRATION: "choose another --calibration",
    Field.START: "choose an earlier one with --start",
    Field.REPLAY: "choose another --speed, --start, --loop or --drop",
    Field.OUTPUT: "name another file, or overwrite it with --force",
    Field.RECORDINGS: "choose another with --record DIR",
    Field.FORMAT: "choose another --format",
    Field.LEADS: "choose others with --leads, or another --format",
    Field.SPAN: "choose another --start or --end",
}

_LEAVE_OUT = {
    Field.LEAD: "leave out --lead",
    Field.UNIT: "leave out --unit",
    Field.CALIBRATION: "leave out --calibration",
    Field.REPLAY: "leave out --speed, --start, --loop and --drop",
    Field.LEADS: "leave out --leads, or choose another --format",
}


def error_line(error: InputError) -> str:
    """One line: what is wrong, and the option that changes it."""
    line = error.line
    advice = (_LEAVE_OUT if error.leave_out else _CHOOSE).get(error.field) if error.field else None
    if advice is None:
        return line
    choices = ", ".join(error.choices[:MOST_CHOICES])
    listed = f" ({choices})" if choices and not error.leave_out and choices not in line else ""
    return f"{line}: {advice}{listed}"


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
        # The reader of stdout has enough.  Python flushes it once more at exit, into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except InputError as error:
        message = error_line(error)
    except OSError as error:
        message = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    print(f"mecg: {' '.join(message.split())}", file=sys.stderr)
    return 2
