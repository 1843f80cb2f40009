# SPDX-License-Identifier: MIT
"""One session with a board: prepared, configured, read, released; a board allows one at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.brainflow.library import explain

BUFFER_S = 60
"""What BrainFlow keeps for us, should this program stall."""

_LOOK_S = 0.1
_LEAVES_S = 5.0
"""So long a board is waited for that this program is letting go of."""

_leaving: set[BoardSession] = set()
_left = threading.Condition()


class BoardError(Exception):
    """The board does not do what is asked; the message says why, and what to do."""


class BoardSession:
    """A board that is prepared.

    Parameters
    ----------
    shim : module
        ``brainflow.board_shim``.
    board_id : int
        BrainFlow's.
    params : BrainFlowInputParams
        Where it is.
    commands : sequence of str
        Sent before it streams, in the board's own language.
    stopped : callable
        Asked while the board takes its time; once it is true, the wait ends.

    Raises
    ------
    BoardError
        It cannot be prepared, or refuses a command.
    """

    def __init__(
        self,
        shim: Any,
        board_id: int,
        params: Any,
        commands: Sequence[str],
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._error = shim.BrainFlowError
        self._on_a_port = bool(params.serial_port)
        # BrainFlow knows a session by its board and parameters: one that is let go of by Python, some time
        # after its end, would release the next one.
        owned = type("Owned", (shim.BoardShim,), {"__del__": lambda _: None})
        self._board = owned(board_id, params)
        self._which = board_id, params.to_json()
        self._released, self._releasing = False, threading.Lock()
        self._wait_for_leaving(stopped)
        self._ask(self._board.prepare_session, stopped)
        try:
            for command in commands:
                answer = self._ask(partial(self._board.config_board, command), stopped)
                if "fail" in str(answer).casefold():
                    words = " ".join(str(answer).replace("$", " ").split())
                    raise BoardError(f"it refuses {command!r} ({words}); change the command")
            self.rate_hz = float(self._ask(self._board.get_board_sampling_rate, stopped))
        except BaseException:
            self.release()
            raise

    def start(self) -> None:
        """Make it send; raises `BoardError`."""
        self._ask(lambda: self._board.start_stream(round(BUFFER_S * max(self.rate_hz, 1))), lambda: False)

    def read(self) -> NDArray[np.float64]:
        """What has come since the last call, ``(rows, n)``; raises `BoardError`."""
        try:
            data: NDArray[np.float64] = self._board.get_board_data()
        except self._error as error:
            raise BoardError(explain(error, self._on_a_port)) from error
        return data

    def leave(self) -> None:
        """Say that `release` comes soon, from another thread: who opens the same board waits for it."""
        with _left:
            if not self._released:
                _leaving.add(self)

    def release(self) -> None:
        """Let it go, whatever state it is in; once, for a second time would be the next session's end."""
        with self._releasing:
            if self._released:
                return
            with suppress(self._error):
                self._board.release_session()
            with _left:
                self._released = True
                _leaving.discard(self)
                _left.notify_all()

    def _wait_for_leaving(self, stopped: Callable[[], bool]) -> None:
        until_s = time.monotonic() + _LEAVES_S
        with _left:
            while any(other._which == self._which for other in _leaving):
                if stopped() or time.monotonic() > until_s:
                    return
                _left.wait(_LOOK_S)

    def _ask(self, what: Callable[[], Any], stopped: Callable[[], bool]) -> Any:
        """Do what may take a board its time, in a thread that Ctrl-C need not wait for."""
        answer: list[Any] = []
        failure: list[BaseException] = []
        given_up = threading.Event()

        def do() -> None:
            try:
                answer.append(what())
            except BaseException as error:  # noqa: BLE001 - raised for the waiting caller
                failure.append(error)
            if given_up.is_set():
                self.release()

        thread = threading.Thread(target=do, name="board", daemon=True)
        thread.start()
        try:
            while thread.is_alive() and not stopped():
                thread.join(_LOOK_S)
        except BaseException:  # Ctrl-C
            self._give_up(given_up)
            raise
        if failure and isinstance(failure[0], self._error):
            raise BoardError(explain(failure[0], self._on_a_port)) from failure[0]
        if failure:
            raise failure[0]
        if not answer:
            self._give_up(given_up)
            raise BoardError("it was given up before it answered; try again")
        return answer[0]

    def _give_up(self, given_up: threading.Event) -> None:
        self.leave()
        given_up.set()
