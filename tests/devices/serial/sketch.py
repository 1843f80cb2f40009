# SPDX-License-Identifier: GPL-3.0-or-later
"""A microcontroller that prints lines, behind a pseudo-terminal."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


class Sketch:
    """Prints ``line(k)`` for sample ``k`` at a rate; what it returns is sent as it is.

    Parameters
    ----------
    folder : Path
        Where the port's name is to lie; it stays the same after unplugging.
    line : callable
        Bytes for sample ``k``, such as ``b"512\\n"``; empty for one that is lost.
    rate_hz : float
        How many a second.
    hello : bytes
        What it prints as it starts.
    """

    def __init__(
        self, folder: Path, line: Callable[[int], bytes], rate_hz: float = 250.0, hello: bytes = b""
    ) -> None:
        self.line = line
        self.rate_hz = rate_hz
        self.hello = hello
        self.k = 0
        self.port = folder / "port"
        self.plugged = False
        self.plug()

    def plug(self) -> None:
        """Be there, and go on with the sample that it is time for."""
        self._master, self._slave = os.openpty()
        os.set_blocking(self._master, False)
        new = self.port.with_suffix(".new")
        new.symlink_to(os.ttyname(self._slave))
        self._out = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.plugged = True
        new.rename(self.port)

    def unplug(self) -> None:
        """Be gone."""
        if not self.plugged:
            return
        self.plugged = False
        self._out.set()
        self._thread.join()
        self.port.unlink()
        os.close(self._slave)
        os.close(self._master)

    def _run(self) -> None:
        begun_s, begun = time.monotonic(), self.k
        self._write(self.hello)
        while not self._out.wait(0.004):
            due = begun + int((time.monotonic() - begun_s) * self.rate_hz)
            self._write(b"".join(self.line(k) for k in range(self.k, due)))
            self.k = due

    def _write(self, data: bytes) -> None:
        with suppress(BlockingIOError):  # nobody reads: a port's buffer is full at some time
            os.write(self._master, data)
