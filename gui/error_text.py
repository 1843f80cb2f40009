# SPDX-License-Identifier: GPL-3.0-or-later
"""What the window says of an error: what is wrong, and where in the window to change it."""

from __future__ import annotations

from streamer.core.errors import Field, InputError

_CHOOSE = {
    Field.LEAD: "name a lead in Connect (O)",
    Field.UNIT: "state the unit in Connect (O): uV, or how many mV a step is",
    Field.RATE: "state the rate in Connect (O)",
    Field.PLACEMENT: "say in Connect (O) where the electrodes sit",
    Field.START: "choose an earlier start",
    Field.POLARITY: "mind the polarity in Connect (O)",
    Field.READING: "put one behind the file in Connect (O), such as FILE?reading=1",
}

_LEAVE_OUT = {
    Field.LEAD: "leave the lead empty in Connect (O)",
    Field.UNIT: "leave the unit empty in Connect (O)",
    Field.RATE: "leave the rate empty in Connect (O)",
    Field.CALIBRATION: "go back to the generic model",
    Field.BANDS: "start again with all bands of the model",
}


def sentence(error: InputError | OSError) -> str:
    """One line for who opens a source."""
    if not isinstance(error, InputError):
        return " ".join(str(error).split())
    advice = (_LEAVE_OUT if error.leave_out else _CHOOSE).get(error.field) if error.field else None
    return f"{error.line}; {advice}" if advice else error.line
