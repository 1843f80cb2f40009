# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge: everything that a command writes to its terminal or pipe goes through here, a line at a time.

Words (to stderr) are for the user, and a command does the same if they are not read.  Data (to
stdout) is what it was asked for, so a stdout that is closed or full is an error.  Text may come from
outside: nothing in it reaches a terminal as a control, or begins a line.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import Any, TextIO

from streamer.core.errors import InputError
from streamer.core.printable import printable


def say(*lines: object) -> None:
    """Lines for the user, on stderr; nothing happens if it cannot be written."""
    words().write("".join(f"{printable(line)}\n" for line in lines))


def put(*lines: object) -> None:
    """Lines of data on stdout.

    Raises
    ------
    InputError
        There is no stdout.
    OSError
        It is full, or its reader has gone.
    """
    out = data()
    out.write("".join(f"{printable(line)}\n" for line in lines))
    out.flush()


def put_json(value: Any) -> None:
    """A value as JSON on stdout, in ASCII; raises as `put`."""
    put(*json.dumps(value, indent=1).splitlines())


def data() -> TextIO:
    """The stream that data goes to; raises InputError if it is closed."""
    if sys.stdout is None or sys.stdout.closed:
        raise InputError(
            "standard output is closed, and the result goes there: open it, or send it to a file"
        )
    return sys.stdout


def words() -> TextIO:
    """The stream that words go to; what cannot be written is dropped."""
    return _Words()  # type: ignore[return-value]


class _Words:
    """Standard error, on whose being read nothing depends."""

    def write(self, text: str) -> int:
        if sys.stderr is not None:
            with suppress(OSError, ValueError):  # full, gone, or closed
                sys.stderr.write(text)
                sys.stderr.flush()
        return len(text)

    def flush(self) -> None:
        """Each write is flushed."""

    def isatty(self) -> bool:
        return sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()


def open_standard_streams() -> None:
    """Put something at each standard descriptor that is closed, so that no file of ours gets its number.

    What a library writes to descriptor 1 or 2 would else go into a recording.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
