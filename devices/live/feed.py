# SPDX-License-Identifier: MIT
"""What every live source shares: its states, its watchdog, the way to the consumer, its end.

A live source receives in a thread of its own (with an asyncio loop, or one that blocks) and is
iterated in another.  `Feed` lies between them and keeps the one account of where the source stands:

    CONNECTING -> WAITING -> LIVE <-> STALE -> RECONNECTING -> WAITING ... -> ENDED
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from streamer.core.events import Dropped, Event, State, StateChanged
from streamer.core.stream import Chunk

STOP_S = 1.5
"""After `Feed.stop` the receiver has so long to say goodbye to the device; then `Feed.items` ends
without it."""

_DEPTH = 4096
"""So many items wait at most for the consumer: half an hour of an H10's packets."""

_LOOK_S = 0.1
"""How often the one that waits looks whether it is time to give up."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait for what, seconds; tests shorten it."""

    stale_s: float = 1.5
    """Without data for this long a live stream is stale, ..."""
    silent_s: float = 8.0
    """... and for this long its link is dead, whatever it says of itself: where bluetoothd dies,
    nobody is told."""
    first_s: float = 45.0
    """So long a link may be up before its first sample (an H10 takes up to 30 s)."""
    backoff_s: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0, 5.0)
    """Waits before the first attempts to reconnect; the last one before all further ones."""

    def before_attempt(self, attempt: int) -> float:
        """The wait before an attempt, counted from 0 after each stretch of data."""
        return self.backoff_s[min(attempt, len(self.backoff_s) - 1)]


class Feed:
    """Carries chunks and events from the receiving thread to the iterating one.

    Parameters
    ----------
    patience : Timeouts
        How long to wait for what.
    clock : callable
        Monotonic seconds.
    wake : callable, optional
        Called by `items` when it begins and by `stop`, in the caller's thread, for a receiver that
        waits for something else than `stopping`.
    """

    def __init__(
        self,
        patience: Timeouts | None = None,
        clock: Callable[[], float] = time.monotonic,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.patience = patience or Timeouts()
        self.clock = clock
        self.state: State | None = None
        self._text = ""
        self._lived = False
        self.stopping = threading.Event()
        """Set by `stop`: the receiver shall say goodbye and call `end`."""
        self.begun = threading.Event()
        """Set when `items` is iterated: data that come before would only grow old."""
        self.listener: Callable[[Event], None] = lambda event: None
        """Hears events as they happen until `items` is iterated, which then yields them all, too."""
        self._wake = wake
        self._box: queue.SimpleQueue[Chunk | Event | None] = queue.SimpleQueue()
        self._error: Exception | None = None
        self._ended = False
        self._lock = threading.Lock()
        self._since_s = clock()
        self._overflow = 0

    # ---- the receiving thread

    def enter(self, state: State, text: str) -> None:
        """Change the state; what would repeat the last change word for word is left out.

        Parameters
        ----------
        state : State
            Any but ``LIVE`` and ``STALE``, which follow from the data, and ``ENDED``: see `end`.
        text : str
            One sentence for the user, with the reason.
        """
        if (state, text) != (self.state, self._text):
            self._enter(state, text)
        self._since_s = self.clock()

    def say(self, event: Event) -> None:
        """Tell something beside the samples, as of now."""
        self._send(replace(event, host_s=self.clock()))

    def put(self, items: Iterable[Chunk | Event]) -> None:
        """Hand on what a packet became; a chunk makes the stream live."""
        for item in items:
            if isinstance(item, Chunk):
                self._since_s = self.clock()
                if self.state is not State.LIVE:
                    self._enter(State.LIVE, "receiving samples" + self._lived * " again")
                    self._lived = True
            self._send(item)

    def watch(self) -> str | None:
        """The watchdog, for the receiver to call a few times a second.

        Returns
        -------
        str or None
            Why the link must be taken for dead, once it is.
        """
        silent_s = self.clock() - self._since_s
        if self.state is State.LIVE and silent_s > self.patience.stale_s:
            self._enter(State.STALE, f"no data for {silent_s:.1f} s")
        if self.state is State.STALE and silent_s > self.patience.silent_s:
            return f"no data for {silent_s:.0f} s"
        if self.state is State.WAITING and silent_s > self.patience.first_s:
            return f"no sample came within {silent_s:.0f} s"
        return None

    def end(self, text: str, error: Exception | None = None) -> None:
        """End the stream, once; `items` raises the error after the last item."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            self._error = error
        self._tell_overflow()
        self.state = State.ENDED
        self._box.put(StateChanged(State.ENDED, text, host_s=self.clock()))
        self._box.put(None)

    # ---- the iterating thread, and any other

    def items(self) -> Iterator[Chunk | Event]:
        """Everything in order; ends with the stream, or `STOP_S` after `stop` at the latest."""
        self.begun.set()
        self._wake()
        stopped_s = None
        while True:
            try:
                item = self._box.get(timeout=_LOOK_S)
            except queue.Empty:
                if self.stopping.is_set():
                    # The real clock: what hangs here does so in real time.
                    stopped_s = stopped_s or time.monotonic()
                    if time.monotonic() - stopped_s > STOP_S:
                        self.end("stopped; the device did not answer in time")
                continue
            if item is None:
                break
            yield item
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Ask for the end; from any thread, more than once; returns at once."""
        self.stopping.set()
        self._wake()

    # ---- inside

    def _enter(self, state: State, text: str) -> None:
        self.state, self._text = state, text
        self._send(StateChanged(state, text, host_s=self.clock()))

    def _send(self, item: Chunk | Event) -> None:
        if self._ended:
            return
        if isinstance(item, Chunk) and self._box.qsize() >= _DEPTH:
            self._overflow += 1  # `items` is not iterated; what comes next shows the gap in its index
            return
        self._tell_overflow()
        self._box.put(item)
        if not isinstance(item, Chunk) and not self.begun.is_set():
            self.listener(item)

    def _tell_overflow(self) -> None:
        if self._overflow:
            text = f"{self._overflow} packets dropped: nobody took them in time"
            self._box.put(Dropped(self._overflow, text, host_s=self.clock()))
            self._overflow = 0
