# SPDX-License-Identifier: MIT
"""The pyserial library: loaded when it is needed, its errors in words, the ports that it sees."""

from __future__ import annotations

import errno
from typing import Any

from streamer.core.errors import InputError


def load_serial() -> Any:
    """The module ``serial``.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        import serial
        import serial.tools.list_ports
    except ImportError as error:
        raise InputError(
            "serial ports need pyserial, which is not installed: pip install 'mecg-streamer[serial]'"
        ) from error
    return serial


def explain(error: Exception) -> str:
    """Why a port cannot be opened, and what to do."""
    match getattr(error, "errno", None):
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            return "there is no such port; plug the device in, and see which there are with: mecg devices"
        case errno.EACCES | errno.EPERM:
            return (
                "this user may not use it; add the user to the group dialout (Arch: uucp) and log in again, "
                "or close the program that has it open"
            )
        case errno.EBUSY | errno.EAGAIN:
            return "another program has it open; close that (the Serial Monitor of the Arduino IDE, say)"
    words = " ".join(str(error).split())
    if "lock" in words:
        return "another program has it open; close that (the Serial Monitor of the Arduino IDE, say)"
    if "FileNotFoundError" in words:  # Windows has no errno here
        return "there is no such port; plug the device in, and see which there are with: mecg devices"
    if "PermissionError" in words:
        return "another program has it open; close that (the Serial Monitor of the Arduino IDE, say)"
    return "it cannot be opened as a serial port; see which there are with: mecg devices"
