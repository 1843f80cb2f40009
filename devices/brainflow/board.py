# SPDX-License-Identifier: MIT
"""``brainflow:BOARD`` - one row of any board that BrainFlow knows, live.

BrainFlow stamps samples with the host's time as they come, in steps from microseconds to tens of ms,
so what is lost is found by the number of the package (`devices.live.counted`).  It neither says that a
board has gone nor looks for it again: silence says so, and a new session is made here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.brainflow.boards import (
    PLAYBACK,
    STAND_INS,
    SYNTHETIC,
    Board,
    at_rail,
    describe,
    find,
    missing_parameter,
    names_of,
    numbers_of,
)
from devices.brainflow.library import load_brainflow
from devices.brainflow.session import BoardError, BoardSession
from devices.live.counted import UNSEEN_S, CountedTimeline
from devices.live.electrodes import Electrodes, placement_note
from devices.live.feed import Feed, Timeouts
from devices.live.parameters import number_of, parameters_of, the_one
from devices.replay.pacing import AS_RECORDED, Replay
from streamer.core.errors import Field, InputError
from streamer.core.events import Battery, Event, State
from streamer.core.leads import canonical_lead
from streamer.core.printable import printable
from streamer.core.signal.rate import SOURCE_HZ
from streamer.core.stream import Chunk, Placement, Samples, StreamInfo

TIMEOUTS = Timeouts(silent_s=4.0, first_s=12.0)
"""A board that is there sends all the time."""

_WORDS = ("serial_port", "mac_address", "ip_address", "serial_number", "other_info", "file")
_NUMBERS = ("ip_port", "timeout")
_KNOWN = (*_WORDS, *_NUMBERS, "master", "channel", "config")

_POLL_S = 0.01
"""BrainFlow keeps what comes and does not say when; half of this is what it costs in latency."""

_BATTERY_S = 60.0
"""The battery is reported at most this often."""


class BrainflowBoard:
    """One row of a board; follows `streamer.session.source.Source`.

    Parameters
    ----------
    rest : str
        What follows ``brainflow:``: the board's name, then parameters as BrainFlow calls them
        (``serial_port``, ``mac_address``, ...), ``channel`` and ``config`` (a command to the board).
    lead : str, optional
        The channel, by number or by the electrode's name, where ``channel`` does not say it.
    invert, placement
        As `devices.registry.open_source` takes them.
    replay : Replay
        Refused: it is live.
    unit_mv : float, optional
        How many mV a step is, where BrainFlow does not give microvolts.
    patience, clock
        For tests.

    Raises
    ------
    InputError
        An unknown parameter, or options of a replay.
    """

    def __init__(
        self,
        rest: str = "",
        *,
        lead: str | None = None,
        invert: bool = False,
        placement: Placement = Placement.UNSTATED,
        replay: Replay = AS_RECORDED,
        unit_mv: float | None = None,
        patience: Timeouts = TIMEOUTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        replay.refuse("brainflow:")
        self._rest = rest
        self._name, self._given = parameters_of(rest, _KNOWN, "brainflow")
        number_of(self._given, "ip_port", 1, 65535)
        number_of(self._given, "timeout", 1, 600)
        self._channel = the_one(self._given, "channel")
        if self._channel is None and lead is not None and canonical_lead(lead) != "I":
            self._channel = lead
        self._unit_mv = unit_mv
        self._sign = -1.0 if invert else 1.0
        self._placement = placement
        self._clock = clock
        self._feed = Feed(patience, clock)
        self._session: BoardSession | None = None
        self._shim: Any = None
        self._params: Any = None
        self._board_id = 0
        self._left: int | None = None  # packages of a played file that have not come
        self._electrodes = Electrodes(clock, "the amplifier is at the end of its range")
        self._battery_s = -_BATTERY_S

    def announce_to(self, hear: Callable[[Event], None]) -> None:
        """Report each step to ``hear`` as it is made, until `items` is iterated."""
        self._feed.listener = hear

    def open(self) -> StreamInfo:
        """Prepare the board; it sends from `items` on.

        Raises
        ------
        InputError
            No such board or channel, or one that cannot be used; BrainFlow is not installed.
        """
        self._shim = load_brainflow()
        self._name = find(self._shim, self._name)
        missing = missing_parameter(self._name, set(self._given))
        if missing:
            sep = "&" if self._given else "?"
            raise InputError(
                f"{self._name} needs to be told more: write brainflow:{self._rest}{sep}{missing}"
            )
        self._board_id = names_of(self._shim)[self._name]
        self._board = self._described()
        row = self._board.row(self._channel)
        mv_per_step = 1e-3 if self._board.in_uv and self._unit_mv is None else self._unit_mv
        if mv_per_step is None:
            raise InputError(f"{self._name} sends steps of its converter", Field.UNIT)
        self._row, self._mv = row, mv_per_step * self._sign
        self._params = self._parameters()
        self._feed.enter(State.CONNECTING, f"connecting to {self._name}")
        try:
            session = self._prepared()
        except BoardError as error:
            raise InputError(f"{self._name}: {error}") from error
        self._session = session
        low, high = SOURCE_HZ
        if not low <= session.rate_hz <= high:
            session.release()
            raise InputError(
                f"{self._name} sends {session.rate_hz:g} samples a second, out of the {low:g} to {high:g} "
                "Hz range; set it to another rate, or use another board"
            )
        self._timeline = CountedTimeline(session.rate_hz, self._board.numbering, self._name)
        return StreamInfo(
            source=f"brainflow:{self._rest}",
            rate_hz=session.rate_hz,
            lead=row.label,
            is_lead_i=self._placement is Placement.ARMS,
            inverted=self._sign < 0,
            placement=self._placement,
            device=self._name,
            live=self._name != PLAYBACK,
            synthetic=self._board.name == SYNTHETIC,
            notes=self._notes(),
        )

    def items(self) -> Iterator[Chunk | Event]:
        """The chunks, and what happens to the board; call `open` first."""
        if self._session is None:
            raise RuntimeError("open() comes before items()")
        threading.Thread(target=self._run, name="board receiver", daemon=True).start()
        return self._feed.items()

    def stop(self) -> None:
        """Ask `items` to end; returns at once."""
        self._feed.stop()
        if self._session is not None:
            self._session.leave()
            if not self._feed.begun.is_set():
                threading.Thread(target=self._session.release, daemon=True).start()

    # ---- before the first sample

    def _described(self) -> Board:
        """The board whose rows come: of a played or forwarded one, its master."""
        name = self._name
        if name in STAND_INS:
            name = find(self._shim, the_one(self._given, "master") or "")
        return describe(self._shim, name, the_one(self._given, "other_info") or "")

    def _parameters(self) -> Any:
        params = self._shim.BrainFlowInputParams()
        for name in _WORDS:
            setattr(params, name, the_one(self._given, name) or "")
        for name in _NUMBERS:
            setattr(params, name, int(the_one(self._given, name) or 0))
        if self._name in STAND_INS:
            params.master_board = names_of(self._shim)[self._board.name]
        if self._name == PLAYBACK:
            self._left = _packages_in(Path(params.file), self._board.width)
        return params

    def _prepared(self) -> BoardSession:
        return BoardSession(
            self._shim,
            self._board_id,
            self._params,
            self._given.get("config", ()),
            self._feed.stopping.is_set,
        )

    def _notes(self) -> tuple[str, ...]:
        board, row = self._board, self._row
        unit = "in microvolts, as BrainFlow gives them"
        if self._unit_mv is not None:
            unit = f"in steps of {self._unit_mv:g} mV, as you say"
        electrode = f" ({row.name})" if row.name else ""
        notes = [f"Receiving {row.label}{electrode} of {len(board.rows)} of {self._name}, {unit}."]
        if commands := self._given.get("config"):
            notes.append(f"Sent to the board: {', '.join(map(printable, commands))}.")
        if board.name == SYNTHETIC:
            notes.append(
                "The synthetic board sends sines with noise: nobody's heart, and no beat is in them."
            )
        if not board.ecg:
            notes.append("BrainFlow says that this board measures EEG or EMG, not ECG.")
        if board.numbering is None:
            notes.append(
                f"No package numbers show what is lost: only losses of {UNSEEN_S:g} s and more are seen."
            )
        notes.append(placement_note("A board", self._placement))
        if self._sign < 0:
            notes.append("The polarity is turned, as asked.")
        return tuple(notes)

    # ---- the receiving thread

    def _run(self) -> None:
        feed, session = self._feed, self._session
        try:
            while session is not None and not feed.stopping.is_set():
                why = self._receive(session)
                session = self._again(session, why) if why else None
            feed.end("stopped" if feed.stopping.is_set() else "the file has ended")
        except InputError as error:
            feed.end(error.line, error)
        except Exception as error:  # noqa: BLE001 - handed to the consumer
            feed.end(f"failed: {error}", error)
        finally:
            if session is not None:
                session.release()

    def _receive(self, session: BoardSession) -> str | None:
        """Hand on what comes; returns why nothing more will, or None after a stop or at a file's end."""
        feed = self._feed
        feed.enter(State.WAITING, f"{self._name} is ready; waiting for its first sample")
        try:
            session.start()
            while not feed.stopping.wait(_POLL_S):
                data = session.read()
                if data.shape[1]:
                    self._take(data)
                feed.put(self._timeline.due(self._clock()))
                if self._left is not None and self._left <= 0:
                    break
                why = feed.watch()
                if why and self._left is None:
                    return why
                if why:
                    break
        except BoardError as error:
            return str(error)
        finally:
            session.release()
        return None

    def _take(self, data: NDArray[np.float64]) -> None:
        """What one look at BrainFlow's buffer brought."""
        arrival_s, board = self._clock(), self._board
        if self._left is not None:
            self._left -= data.shape[1]
        uv = data[self._row.index]
        off = at_rail(uv) if board.in_uv else np.zeros(len(uv), np.bool_)
        lead_mv: Samples = np.where(off, np.nan, uv * self._mv).astype(np.float32)
        numbers = None
        if board.numbering is not None and board.number_row is not None:
            numbers = numbers_of(board, data[board.number_row]).tolist()
        contact = self._electrodes.look(off)
        if contact is not None:
            self._feed.say(contact)
        self._feed.put(self._timeline.place(lead_mv, numbers, arrival_s))
        if board.battery_row is not None and arrival_s - self._battery_s >= _BATTERY_S:
            percent = float(data[board.battery_row, -1])
            if 0 < percent <= 100:
                self._battery_s = arrival_s
                self._feed.say(Battery(round(percent)))

    def _again(self, old: BoardSession, why: str) -> BoardSession | None:
        """A new session with the same board; None after a stop."""
        feed, attempt = self._feed, 0
        feed.enter(State.RECONNECTING, f"{self._name}: {why}; connecting again")
        while not feed.stopping.wait(feed.patience.before_attempt(attempt)):
            attempt += 1
            try:
                session = self._prepared()
            except BoardError as error:
                if not feed.stopping.is_set():
                    feed.enter(State.RECONNECTING, f"{self._name}: {error}; trying again")
                continue
            if session.rate_hz != old.rate_hz:
                session.release()
                raise InputError(
                    f"{self._name} came back at {session.rate_hz:g} Hz instead of {old.rate_hz:g} Hz: "
                    "this is a new stream; open it again"
                )
            self._timeline.reconnected()
            self._session = session
            return session
        return None


def _packages_in(path: Path, width: int) -> int:
    """How many packages a file of BrainFlow's holds.

    Raises
    ------
    InputError
        It cannot be read, or is of another board.
    """
    good = 0
    try:
        with path.open("rb") as file:
            for line in file:
                good += len(line.split(b"\t" if b"\t" in line else b",")) == width
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); name a file that BrainFlow wrote"
        ) from None
    if not good:
        raise InputError(
            f"{path} holds no packages of {width} rows: name a file that BrainFlow wrote, and as master the "
            "board that it is of"
        )
    return good
