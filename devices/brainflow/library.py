# SPDX-License-Identifier: MIT
"""The BrainFlow library: loaded when it is needed, kept quiet, its exit codes in words."""

from __future__ import annotations

import importlib.resources
from typing import Any

from streamer.core.errors import InputError

WHY = {
    1: "its port is open already; end the other program that uses it",
    2: "its port cannot be opened; see that it is plugged in and named right, that no other program uses it, "
    "and that this user may use it (Linux: group dialout)",
    3: "its port cannot be set up; see that it is the port of this board",
    4: "it takes no commands; turn it off and on, and see that it is charged",
    5: "it answers with something else; see that it is the board that you named",
    6: "it does not begin as it should; turn it off and on",
    7: "it is not ready; turn it on, bring it near, and see that it is the board that you named",
    8: "it is sending already; turn it off and on",
    9: "its buffer cannot be made; free some memory",
    10: "its receiving thread cannot be started; free some memory",
    11: "it is not sending; turn it off and on",
    12: "it has sent nothing; turn it off and on",
    13: "a parameter is missing or wrong; see what this board needs",
    14: "it is not supported on this system, or has no such data; use another system or board",
    15: "its session is gone; open it again",
    16: "this program has it open already; close it there",
    17: "BrainFlow cannot use it; see that it is on and near, that Bluetooth or its driver works, and that "
    "no other program uses it",
    18: "nothing came from it in time; turn it on, bring it near, and end other programs that use it",
    19: "BrainFlow does not know its rows; update BrainFlow",
    20: "it has no such rows; name another board",
    21: "a classifier of BrainFlow is not prepared; update BrainFlow",
    22: "a classifier of BrainFlow is prepared already; update BrainFlow",
    23: "BrainFlow has no such classifier; update BrainFlow",
}
"""By BrainFlow's exit code: what it means for a board, and what to do."""

_WITHOUT_A_PORT = {
    1: "its link is open already; end the other program that uses it",
    2: "its link cannot be opened; turn Bluetooth on (or join its network), turn the board on, and end other "
    "programs that use it",
    3: "its link cannot be set up; turn the board off and on",
}
"""The same for a board that is not on a serial port."""


def load_brainflow() -> Any:
    """The module ``brainflow.board_shim``, its log turned off: this program says itself what happens.

    Raises
    ------
    InputError
        It is not installed, or does not work on this system.
    """
    try:
        from brainflow import board_shim
    except ImportError as error:
        raise InputError(
            "boards need BrainFlow, which is not installed: pip install 'mecg-streamer[boards]'"
        ) from error
    # BrainFlow 5.23 asks Python for the files of a module, which before 3.12 must be a package, and then
    # falls back to what setuptools no longer has.
    board_shim.files = lambda _: importlib.resources.files("brainflow")
    try:
        board_shim.BoardShim.disable_board_logger()
    except OSError as error:
        raise InputError(
            f"BrainFlow's library does not work on this system ({error}); use another one"
        ) from error
    return board_shim


def explain(error: Any, on_a_port: bool = True) -> str:
    """A ``BrainFlowError`` in words, of a board on a serial port or on none."""
    code = int(error.exit_code)
    known = WHY if on_a_port else WHY | _WITHOUT_A_PORT
    return known.get(code, f"BrainFlow cannot use it (exit code {code}); update BrainFlow")
