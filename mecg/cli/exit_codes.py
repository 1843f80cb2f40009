# SPDX-License-Identifier: GPL-3.0-or-later
"""How every command ends, and how it reports what it cannot use."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from mecg.app.interrupt import ended_as_by_ctrl_c
from mecg.app.terminal import say
from streamer.core.errors import Field, InputError, RecordingLostError

MOST_CHOICES = 24

_CHOOSE = {
    Field.LEAD: "choose one with --lead NAME",
    Field.POLARITY: "mind --invert",
    Field.UNIT: "state it with --unit uV (or mV, V, nV, or how many mV a step is)",
    Field.MODEL: "choose another --latency, or name a --model",
    Field.CALIBRATION: "choose another --calibration",
    Field.BANDS: "choose others with --bands low|mid|all",
    Field.START: "choose an earlier one with --start",
    Field.REPLAY: "choose another --speed, --start, --loop or --drop",
    Field.OUTPUT: "name another file, or overwrite it with --force",
    Field.RECORDINGS: "choose another with --record DIR",
    Field.FORMAT: "choose another --format",
    Field.LEADS: "choose others with --leads, or another --format",
    Field.SPAN: "choose another --start or --end",
    Field.RATE: "state it with --rate HZ",
    Field.PLACEMENT: "state it with --placement",
    Field.READING: "name one behind the file, such as FILE?reading=1",
}

_SYSTEM = {
    errno.ENOSPC: "the disk is full: free some space and try again",
    errno.EDQUOT: "your share of the disk is used up: free some space and try again",
    errno.EFBIG: "no file may be as large as that here: name a folder elsewhere",
    errno.EROFS: "the disk is read-only: name a folder elsewhere",
    errno.EIO: "the disk answers no longer: see whether it is still there",
    errno.ENODEV: "the disk is no longer there",
}

_LEAVE_OUT = {
    Field.LEAD: "leave out --lead",
    Field.UNIT: "leave out --unit",
    Field.RATE: "leave out --rate",
    Field.CALIBRATION: "leave out --calibration",
    Field.BANDS: "leave out --bands",
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


def os_error_line(error: OSError) -> str:
    """One line: which file, what the system says of it, and what to do if that is known."""
    why = _SYSTEM.get(error.errno or 0) or error.strerror or str(error)
    return f"{error.filename}: {why}" if error.filename else why


def guarded(command: Callable[[], int]) -> int:
    """Run what may meet bad input, a full disk, Ctrl-C or a closed pipe; returns the exit code."""
    try:
        with ended_as_by_ctrl_c() as exit_code:
            try:
                code = command()
            except KeyboardInterrupt:
                code = 130
        return exit_code() if code == 130 else code
    except BrokenPipeError:  # the reader of stdout has enough
        _drop_stdout()
        return 0
    except RecordingLostError as error:
        say(f"mecg: {error.line}")
        return 1
    except InputError as error:
        message = error_line(error)
    except OSError as error:
        message = os_error_line(error)
        _drop_stdout()
    except MemoryError:
        message = "this takes more memory than there is: give it less at a time"
    say(f"mecg: {' '.join(message.split())}")
    return 2


def _drop_stdout() -> None:
    """Python flushes stdout once more at exit: into a pipe that is closed, or onto a full disk."""
    if sys.stdout is None or sys.stdout.closed:
        return
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
