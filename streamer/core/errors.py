# SPDX-License-Identifier: MIT
"""The one error that a user's input can cause."""


class InputError(ValueError):
    """Something given to the program cannot be used.

    The message is one line: what is wrong, then what to do about it.  The command line prints it
    and exits with code 2; the monitor shows it in its banner.
    """


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
