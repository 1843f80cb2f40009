# SPDX-License-Identifier: MIT
"""One thread for the cores of many sessions: they take turns, so that one waking serves all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

TURN_S = 0.016
"""How often each has its turn: a hop of our model."""


class CoreThread:
    """Gives every session a turn, again and again.  It ends with the last of them.

    A core that hangs holds up all of them: for sessions of one model, which has been tried before.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: list[Callable[[], bool | None]] = []
        self._runs = False

    def add(self, turn: Callable[[], bool | None]) -> None:
        """Serve a session from now on.

        Parameters
        ----------
        turn : callable
            Does what waits and returns whether there is more to do at once; None at the end.
        """
        with self._lock:
            self._turns.append(turn)
            begins, self._runs = not self._runs, True
        if begins:
            threading.Thread(target=self._run, name="cores", daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._turns:
                    self._runs = False
                    return
                turns = tuple(self._turns)
            begun_s = time.monotonic()
            said = [turn() for turn in turns]
            if None in said:
                with self._lock:
                    for turn, more in zip(turns, said, strict=True):
                        if more is None:
                            self._turns.remove(turn)
            if not any(said):
                time.sleep(max(0.001, TURN_S - (time.monotonic() - begun_s)))
