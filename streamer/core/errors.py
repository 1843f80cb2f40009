# SPDX-License-Identifier: MIT
"""The one error that a user's input can cause."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from streamer.core.printable import printable


class Field(Enum):
    """What a user sets that an `InputError` is about.

    The code that shows the error knows how it is set there: by an option of a command, or in a dialog.
    """

    LEAD = "lead"
    """Which lead is measured."""
    POLARITY = "polarity"
    """Whether the measured lead is turned."""
    UNIT = "unit"
    """What a step of the numbers is."""
    MODEL = "model"
    CALIBRATION = "calibration"
    BANDS = "bands"
    """How much of the model runs."""
    START = "start"
    """Where a replay begins."""
    REPLAY = "replay"
    """Start, speed, loop and drop of a replay."""
    OUTPUT = "output"
    """The file, or the folder of files, that is written."""
    RECORDINGS = "recordings"
    """The folder that sessions are recorded in."""
    FORMAT = "format"
    """Of exported files."""
    LEADS = "leads"
    """Which leads are exported."""
    SPAN = "span"
    """Which part of a session is exported."""
    RATE = "rate"
    """Sampling rate of a file that states none."""
    PLACEMENT = "placement"
    """Where the electrodes sit."""
    READING = "reading"
    """Which of the readings of a file is meant."""


class InputError(ValueError):
    """Something given to the program cannot be used.

    Parameters
    ----------
    message : str
        One line: what is wrong, and what to do about it unless the field says that.
    field : Field, optional
        What to set differently.
    choices : sequence of str
        What the field may be, if that is known: the leads that exist.
    leave_out : bool
        The field is not to be set at all.
    """

    def __init__(
        self,
        message: str,
        field: Field | None = None,
        *,
        choices: Sequence[str] = (),
        leave_out: bool = False,
    ) -> None:
        super().__init__(message)
        self.field = field
        self.choices = tuple(choices)
        self.leave_out = leave_out

    @property
    def line(self) -> str:
        """The message in one line."""
        return printable(" ".join(str(self).split()))


class RecordingLostError(InputError):
    """What was recorded is gone: no input was wrong, but the session did not do what it was asked for."""


class SignalError(InputError):
    """A caller handed the library an array or a chunk that is no signal in mV, or in the wrong order.

    Parameters
    ----------
    message : str
        One line: what is wrong, then what to do about it.
    argument : str
        The argument that is wrong, such as ``lead_i_mv``.
    """

    def __init__(self, message: str, argument: str) -> None:
        super().__init__(message)
        self.argument = argument
