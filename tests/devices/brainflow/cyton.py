# SPDX-License-Identifier: GPL-3.0-or-later
"""An OpenBCI Cyton behind a pseudo-terminal, as its firmware speaks (docs.openbci.com, "Cyton SDK")."""

from __future__ import annotations

import os
import re
import select
import struct
import threading
import time
from collections.abc import Callable

STEP_UV = 4.5e6 / (2**23 - 1) / 24
GAINS = (1, 2, 4, 6, 8, 12, 24)


class Cyton:
    """Sends ``signal_uv(k)`` on channel 1, with packet k numbered k modulo 256, 250 a second.

    Parameters
    ----------
    signal_uv : callable
        Sample ``k`` since it was built.
    daisy : bool
        It has the Daisy module, and takes turns with it: two packets are one sample.
    """

    def __init__(self, signal_uv: Callable[[int], float], daisy: bool = False) -> None:
        self.signal_uv = signal_uv
        self.daisy = daisy
        self.skip: set[int] = set()
        """Packets that are lost by radio."""
        self.commands: list[str] = []
        self.gain = 24
        self.sent = 0
        self.plug()

    def plug(self) -> None:
        """Be there."""
        self._master, slave = os.openpty()
        self.port = os.ttyname(slave)
        self._slave = slave
        self._streams = False
        self._out = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Be gone."""
        self._out.set()
        self._thread.join()
        os.close(self._slave)
        os.close(self._master)

    def _run(self) -> None:
        begun_s, begun = 0.0, 0
        while not self._out.is_set():
            ready, _, _ = select.select([self._master], [], [], 0.004)
            if ready:
                for command in re.findall(r"x.{7}X|.", os.read(self._master, 999).decode("latin-1")):
                    self._obey(command)
                    if command == "b":
                        begun_s, begun = time.monotonic(), self.sent
            if self._streams:
                due = begun + int((time.monotonic() - begun_s) * 250)
                for k in range(self.sent, due):
                    self._send(k)
                self.sent = due

    def _obey(self, command: str) -> None:
        self.commands.append(command)
        if command == "v":
            self._streams = False
            os.write(self._master, b"OpenBCI V3 8-16 channel\r\nFirmware: v3.1.2\r\n$$$")
        elif command == "d":
            os.write(self._master, b"updating channel settings to default$$$")
        elif command[0] == "x":
            if command[1] == "8":
                os.write(self._master, b"Failure: Channel not found$$$")
                return
            self.gain = GAINS[int(command[3])]
            os.write(self._master, b"Success: Channel set for 1$$$")
        elif command in "bs":
            self._streams = command == "b"

    def _send(self, k: int) -> None:
        if k in self.skip:
            return
        step_uv = STEP_UV * 24 / self.gain
        full = 2**23 - 1
        sample = k // 2 if self.daisy else k
        counts = max(-full - 1, min(full, round(self.signal_uv(sample) / step_uv)))
        channels = struct.pack(">i", counts)[1:] + bytes(21)
        os.write(self._master, bytes([0xA0, k % 256]) + channels + bytes(6) + b"\xc0")
