# SPDX-License-Identifier: MIT
"""The one error that a user's input can cause."""


class InputError(ValueError):
    """Something given to the program cannot be used.

    The message is one line: what is wrong, then what to do about it.  The command line prints it
    and exits with code 2; the monitor shows it in its banner.
    """
