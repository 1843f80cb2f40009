# SPDX-License-Identifier: MIT
"""One source, the core, many sinks: who runs in which thread, who waits, and what is dropped.

    source -> reader thread -+-> inbox -> core thread -+-> mailbox -> sink thread (each)
                             +---- raw chunks, events -+

The reader hands raw chunks to the sinks itself, so that a stalled core costs a recorder nothing.
Every arrow is a bounded `Mailbox`, unless a sink takes everything at once (`Handover`).  Many sessions may
share the core's thread (`CoreThread`).  Where the source can wait (a file), a full one makes it wait;
where it cannot (Bluetooth, LSL), the oldest item goes, is counted and reported.  Displays always drop.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Any, Protocol

from streamer.core.events import Dropped, Event, Failed, LeftBehind
from streamer.core.stream import Chunk, Frame
from streamer.core.vitals.vitals import Vitals
from streamer.session.core_thread import CoreThread
from streamer.session.description import SessionDescription, algorithmic_ms
from streamer.session.handover import Handover
from streamer.session.histogram import Histogram
from streamer.session.mailbox import Mailbox
from streamer.session.sink import Overflow, Sink

DEPTH = {Overflow.BLOCK: 8192, Overflow.DROP_OLDEST: 1024}
"""Items that wait for a sink: a minute and more of what an ECG strap and a 20 ms hop make."""

SOURCE_STOP_S = 1.0
"""After `Session.stop`, what the source still brings is taken for this long, ..."""

SINK_STOP_S = 1.6
"""... what still waits for a sink is handed on for this long, ..."""

CORE_STOP_S = 1.75
"""... a model that has not come back by now, as one that runs for ever, is left behind, ..."""

STOP_S = 1.9
"""... and a sink that has not ended by now is left behind, and named in the report."""

TURN_ITEMS = 64
"""So many chunks a session that shares the thread of its core takes, before it is another's turn."""

TELL_S = 1.0
"""Drops are reported at most this often for each sink."""


class Items(Protocol):
    """What a session needs of a source that is already open (`streamer.session.source.Source` is one)."""

    def items(self) -> Iterator[Chunk | Event]:
        """Everything in order of arrival."""
        ...

    def stop(self) -> None:
        """End `items` soon; returns at once."""
        ...


class Core(Protocol):
    """What a session needs of the signal path (`streamer.core.pipeline.Pipeline` is one)."""

    @property
    def lost(self) -> int:
        """Missing samples so far, at the source's rate."""
        ...

    def push(self, chunk: Chunk) -> list[Frame]:
        """Take a chunk; return the frames that it completed."""
        ...

    def finish(self) -> list[Frame]:
        """The source ended: return the frames that still waited."""
        ...


class Watch(Protocol):
    """Who wants to know where the time of each frame goes; called by each sink's own thread."""

    def __call__(self, sink: str, frame: Frame, put_s: float, taken_s: float, done_s: float) -> None:
        """The frame was put into the sink's queue, taken out of it, and done with; monotonic seconds."""
        ...


@dataclass(frozen=True, slots=True)
class SessionReport:
    """What became of every sample; taken from a running session, or after its end."""

    description: SessionDescription
    samples_in: int
    """Delivered by the source, at its rate."""
    samples_out: int
    """Reconstructed, at the model's rate, missing ones included."""
    lost: int
    """Missing, at the source's rate."""
    dropped: Mapping[str, Mapping[str, int]]
    """By sink (``core`` is the way to the core) and type (``Chunk``, ``Frame``, ``Event``): items
    that were dropped because a sink was too slow, failed, or had no time left at a stop."""
    failures: Mapping[str, Exception]
    """What ended ``source``, ``core`` or a sink before its time."""
    left_behind: tuple[str, ...]
    """Who had not ended when the session did."""
    stages_ms: Mapping[str, Mapping[str, float | int | None]]
    """``core``: arrival of the completing chunk until the frame was made; for each sink: from there
    until it had taken the frame."""
    end_to_end_ms: Mapping[str, float | int | None]
    """Arrival until the slowest sink (by its p99) had taken the frame."""
    end_to_end_sink: str
    """The name of that sink."""

    def latency_summary(self) -> dict[str, Any]:
        """The latency as plain JSON types; what the user feels is total + end to end."""
        return {
            "algorithmic_ms": algorithmic_ms(self.description.latency),
            "stages_ms": {name: dict(stage) for name, stage in self.stages_ms.items()},
            "end_to_end_ms": dict(self.end_to_end_ms),
            "end_to_end_sink": self.end_to_end_sink,
            "samples": {"in": self.samples_in, "out": self.samples_out, "lost": self.lost},
            "dropped": {name: dict(counts) for name, counts in self.dropped.items()},
            "source_rate_hz": self.description.stream.rate_hz,
            "rate_hz": self.description.rate_hz,
        }


class _Worker:
    """A sink, its queue and its thread."""

    def __init__(
        self, session: Session, sink: Sink, overflow: Overflow, *, vital: bool, at_once: bool
    ) -> None:
        self.sink = sink
        self.overflow = overflow
        self.vital = vital
        policy = Overflow.DROP_OLDEST if session._description.stream.live else overflow
        self.box: Mailbox[Chunk | Frame | Event] | Handover[Chunk | Frame | Event] = (
            Handover(self._hand) if at_once else Mailbox(DEPTH[overflow], policy)
        )
        self.thread = threading.Thread(target=self._work, name=f"sink {sink.name}", daemon=True)
        self.stage = Histogram()
        self.end_to_end = Histogram()
        self._session = session
        self.told = 0  # of the dropped items
        self._told_s = -inf

    def _work(self) -> None:
        try:
            for put_s, item in self.box:
                self._hand(item, put_s)
        except Exception as error:  # noqa: BLE001 - whatever ends one sink must not end the others
            self.box.cut()
            self._session._sink_failed(self, error)
        try:
            self.sink.close()
        except Exception as error:  # noqa: BLE001 - told and reported, as above
            self._session._sink_failed(self, error)

    def _hand(self, item: Chunk | Frame | Event, put_s: float) -> None:
        if isinstance(item, Frame):
            watch = self._session._watch
            taken_s = put_s if watch is None else time.monotonic()
            self.sink.frame(item)
            now_s = time.monotonic()
            if watch is not None:
                watch(self.sink.name, item, put_s, taken_s, now_s)
            self.stage.add(1e3 * (now_s - put_s))
            if isfinite(item.arrival_s):
                self.end_to_end.add(1e3 * (now_s - item.arrival_s))
        elif isinstance(item, Chunk):
            self.sink.chunk(item)
        else:
            self.sink.event(item)

    def untold_drops(self, *, now: bool = False) -> int:
        """How many items were dropped since that was last told; 0 where it is too soon to tell."""
        dropped = self.box.dropped_items
        if dropped == self.told or (not now and time.monotonic() < self._told_s + TELL_S):
            return 0
        untold, self.told, self._told_s = dropped - self.told, dropped, time.monotonic()
        return untold


class Session:
    """Runs a source through the core into sinks until the source ends or `stop` is called.

    Parameters
    ----------
    source : Items
        Open already; described in ``description.stream``.
    core : Core
        Belongs to this session from here on.
    description : SessionDescription
        Handed to every sink.
    watch : Watch, optional
        Told of every frame that a sink has taken.
    vitals : Vitals, optional
        Watches the frames; what it tells goes to every sink, behind the frame that it is about.
    core_thread : CoreThread, optional
        Runs the core, together with those of others; else it has a thread of its own.
    """

    def __init__(
        self,
        source: Items,
        core: Core,
        description: SessionDescription,
        *,
        watch: Watch | None = None,
        vitals: Vitals | None = None,
        core_thread: CoreThread | None = None,
    ) -> None:
        self._source = source
        self._core = core
        self._vitals = vitals
        self._core_thread = core_thread
        self._description = description
        self._watch = watch
        policy = Overflow.DROP_OLDEST if description.stream.live else Overflow.BLOCK
        self._inbox: Mailbox[Chunk | Event] = Mailbox(DEPTH[Overflow.BLOCK], policy)
        self._workers: list[_Worker] = []
        self._lock = threading.Lock()
        self._deadline_s = inf
        self._done = threading.Event()
        self._ending = False
        self._reader = threading.Thread(target=self._read, name="reader", daemon=True)
        self._samples_in = self._samples_out = 0
        self._stop_in = self._stop_taken = 0  # index after the newest sample that came, that the core took
        self._first_out: int | None = None
        self._core_stage = Histogram()
        self._failures: dict[str, Exception] = {}
        self._left_behind: list[str] = []

    def attach(
        self, sink: Sink, overflow: Overflow = Overflow.BLOCK, *, vital: bool = False, at_once: bool = False
    ) -> None:
        """Add a sink before the start; recorders first, for they are served and closed in this order.

        Parameters
        ----------
        overflow : Overflow
            ``BLOCK`` is taken as ``DROP_OLDEST``, with the deep queue, where the source is live.
        vital : bool
            Without this sink the session has no purpose: it stops when the sink fails.
        at_once : bool
            This sink never waits, and takes items from several threads: who has one hands it over.
        """
        self._workers.append(_Worker(self, sink, overflow, vital=vital, at_once=at_once))

    def start(self) -> None:
        """Open the sinks and start all threads; returns at once.

        Raises
        ------
        InputError, OSError
            From a sink that cannot be opened; those opened before it are closed again.
        """
        with ExitStack() as undo:
            for worker in self._workers:
                worker.sink.open(self._description)
                undo.callback(worker.sink.close)
            undo.pop_all()
        for worker in self._workers:
            worker.thread.start()
        self._reader.start()
        if self._core_thread is None:
            threading.Thread(target=self._reconstruct, name="core", daemon=True).start()
        else:
            self._core_thread.add(self._turn)

    def stop(self) -> None:
        """Ask for the end; returns at once.  The session is done within 2 s.  Any thread may call."""
        with self._lock:
            if self._deadline_s < inf:
                return
            self._deadline_s = time.monotonic() + STOP_S
        for delay_s, cut in (
            (SOURCE_STOP_S, self._inbox.cut),
            (SINK_STOP_S, self._cut_sinks),
            (CORE_STOP_S, self._leave_core_behind),
        ):
            timer = threading.Timer(delay_s, cut)
            timer.daemon = True
            timer.start()
        self._source.stop()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; False if it has not come after ``timeout_s`` seconds."""
        return self._done.wait(timeout_s)

    def run(self) -> SessionReport:
        """Start, wait for the end and report; on Ctrl-C stop cleanly and raise it again."""
        self.start()
        try:
            while not self.wait(0.5):  # an endless wait could not be interrupted on Windows
                pass
        except KeyboardInterrupt:
            self.stop()
            self.wait()
            raise
        return self.report()

    def queues(self) -> dict[str, tuple[int, int]]:
        """By sink, and ``core``: how many items wait now, and the most that ever did."""
        waiting = {each.sink.name: (len(each.box), each.box.deepest) for each in self._workers}
        return {"core": (len(self._inbox), self._inbox.deepest)} | waiting

    def report(self) -> SessionReport:
        """What became of everything so far."""
        dropped = {worker.sink.name: _by_type(worker.box.dropped) for worker in self._workers}
        dropped["core"] = _by_type(self._inbox.dropped)
        timed = [worker for worker in self._workers if worker.end_to_end.count]
        slowest = max(timed, key=lambda worker: worker.end_to_end.quantile(0.99), default=None)
        return SessionReport(
            description=self._description,
            samples_in=self._samples_in,
            samples_out=self._samples_out,
            lost=self._core.lost,
            dropped={name: counts for name, counts in dropped.items() if counts},
            failures=dict(self._failures),
            left_behind=tuple(self._left_behind),
            stages_ms={"core": self._core_stage.summary()}
            | {worker.sink.name: worker.stage.summary() for worker in self._workers},
            end_to_end_ms=(slowest.end_to_end if slowest else Histogram()).summary(),
            end_to_end_sink=slowest.sink.name if slowest else "",
        )

    # ---- the reader's thread

    def _read(self) -> None:
        try:
            for item in self._source.items():
                self._to_sinks(item)
                if isinstance(item, Chunk):
                    self._samples_in += len(item.lead_mv)
                    self._stop_in = item.stop
                    self._inbox.put(item)
                elif self._vitals is not None:
                    self._inbox.put(item, always=True)
                if time.monotonic() > self._deadline_s:
                    break
        except Exception as error:  # noqa: BLE001 - told, and in the report for the caller to raise
            self._failed("source", error)
        self._inbox.end()

    # ---- the core's thread

    def _reconstruct(self) -> None:
        try:
            for _, item in self._inbox:
                self._take(item)
            self._deliver(self._core.finish())
            self._tell_unmade()
        except Exception as error:  # noqa: BLE001 - told, and in the report for the caller to raise
            self._core_failed(error)
        self._end()

    def _take(self, item: Chunk | Event) -> None:
        if isinstance(item, Chunk):
            self._stop_taken = item.stop
            if self._vitals is not None:
                self._vitals.chunk(item)
            self._deliver(self._core.push(item))
        elif self._vitals is not None:
            self._tell_vitals(self._vitals.hear(item))

    def _core_failed(self, error: Exception) -> None:
        self._failed("core", error)
        self._inbox.cut()
        self.stop()

    def _turn(self) -> bool | None:
        """As `_reconstruct`, of what waits now; whether more may wait, None at the end."""
        end = self._reconstruct  # it closes the sinks, which may take long
        try:
            items = self._inbox.take(TURN_ITEMS)
            for item in items:
                self._take(item)
            if not self._inbox.over:
                return len(items) == TURN_ITEMS
        except Exception as error:  # noqa: BLE001 - as above
            self._core_failed(error)
            end = self._end
        threading.Thread(target=end, name="core", daemon=True).start()
        return None

    def _end(self) -> None:
        with self._lock:
            first, self._ending = not self._ending, True
        if first:
            self._close()
            self._done.set()

    def _tell_unmade(self) -> None:
        """Say of how much that came no leads were made: it still waited when the session was stopped."""
        if self._deadline_s < inf:
            self._reader.join(max(self._deadline_s - STOP_S + SINK_STOP_S - time.monotonic(), 0.0) / 2)
        chunks = self._inbox.dropped["Chunk"]
        unmade_s = (self._stop_in - self._stop_taken) / self._description.stream.rate_hz
        if chunks and unmade_s > 0:
            text = f"the last {unmade_s:.1f} s of the input came too late to be reconstructed before the stop"
            self.tell(Dropped(chunks, f"{text}: {chunks} chunks; play the session again to have their leads"))

    def _deliver(self, frames: list[Frame]) -> None:
        for frame in frames:
            if self._first_out is None:
                self._first_out = frame.start
            self._samples_out = frame.stop - self._first_out  # in a long gap there are no frames
            if isfinite(frame.arrival_s):
                self._core_stage.add(1e3 * (time.monotonic() - frame.arrival_s))
            self._to_sinks(frame)
            if self._vitals is not None:
                self._tell_vitals(self._vitals.push(frame))

    def _tell_vitals(self, events: list[Event]) -> None:
        for event in events:
            if not isfinite(event.host_s):
                event = replace(event, host_s=time.monotonic())
            for worker in self._workers:
                worker.box.put(event, always=True)

    def _close(self) -> None:
        """Let the sinks finish, in order, so that the later ones hear how the earlier ones fared."""
        for worker in self._workers:
            self._tell_drops(worker, now=True)
        for worker in self._workers:
            worker.box.end()
            patience_s = inf if worker.overflow is Overflow.BLOCK else time.monotonic() + STOP_S
            while worker.thread.is_alive() and time.monotonic() < min(self._deadline_s, patience_s):
                worker.thread.join(0.05)
            if worker.thread.is_alive():
                worker.box.cut()
                self._left_behind.append(worker.sink.name)
                self.tell(LeftBehind(worker.sink.name))
        self._reader.join(max(self._deadline_s - time.monotonic(), 0.0) if self._deadline_s < inf else None)
        if self._reader.is_alive():
            self._left_behind.append("source")

    # ---- any thread

    def _leave_core_behind(self) -> None:
        """If the core's thread hangs, end without it: recordings are closed."""
        with self._lock:
            hangs = not self._ending
        if hangs:
            self._left_behind.append("core")
            self.tell(LeftBehind("core"))
            self._end()

    def _cut_sinks(self) -> None:
        for worker in self._workers:
            worker.box.cut()

    def _to_sinks(self, item: Chunk | Frame | Event) -> None:
        hurry = not isinstance(item, Chunk)  # a sink may have it along with the frame that it completes
        for worker in self._workers:
            worker.box.put(item, hurry=hurry)
            if worker.box.dropped_items != worker.told:
                self._tell_drops(worker)

    def _tell_drops(self, worker: _Worker, *, now: bool = False) -> None:
        name = worker.sink.name
        with self._lock:
            count = 0 if name in self._failures else worker.untold_drops(now=now)
        if count:
            self.tell(Dropped(count, f"{name} is too slow: {count} items dropped"))

    def _sink_failed(self, worker: _Worker, error: Exception) -> None:
        self._failed(worker.sink.name, error)
        if worker.vital:
            self.stop()

    def _failed(self, name: str, error: Exception) -> None:
        with self._lock:
            first = self._failures.setdefault(name, error) is error
        if first:
            self.tell(Failed(name, str(error) or type(error).__name__))

    def tell(self, event: Event) -> None:
        """Let every sink know; also for a sink that has a word for the others."""
        told = replace(event, host_s=time.monotonic())
        for worker in self._workers:
            worker.box.put(told, always=True)


def _by_type(dropped: Counter[str]) -> dict[str, int]:
    """Dropped items by type, with events of all classes as one."""
    counts = {name: dropped[name] for name in ("Chunk", "Frame") if dropped[name]}
    events = dropped.total() - sum(counts.values())
    return counts | ({"Event": events} if events else {})
