# SPDX-License-Identifier: GPL-3.0-or-later
"""One bed: what its sessions, one after the other, have brought, and how it stands."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from streamer.core.events import (
    UNTRUSTED,
    Alarm,
    AlarmKind,
    AlarmsSilenced,
    Beat,
    Drift,
    Event,
    Failed,
    LeftBehind,
    LimitsChanged,
    Quality,
    QualityChanged,
    RecordingStarted,
    SenderSaid,
    SpeedChanged,
    State,
    StateChanged,
)
from streamer.core.stream import Chunk, Frame
from streamer.core.vitals.standing import PRIORITIES, TECHNICAL, Priority, StandingAlarms
from streamer.core.vitals.vitals import Limits
from streamer.recording.recorder import Recorder
from streamer.session.alarm_words import Moment, Silence, alarm_words
from streamer.session.description import SessionDescription
from streamer.session.event_wire import alarm_said, quality_said, words
from streamer.session.sink import Sink
from streamer.session.source_words import state_words
from ward.samples import KEPT_S, Microvolts, SampleRing

OLD_S = 2.0
"""Without a sample for so long there is no heart rate to show, and what is seen is old."""

LONGEST_RR_S = 4.2
"""After so long without a beat the heart rate is unknown."""

Log = Callable[[int, Event], None]
"""Takes what becomes of the alarms of the bed of a number; returns at once."""

Tell = Callable[[Event], None]
"""Takes an event to the session, and with it to its recording."""


@dataclass(frozen=True, slots=True)
class ShownAlarm:
    """An alarm that stands."""

    kind: AlarmKind
    text: str
    """As the bedside's banner has it."""
    silenced: bool

    @property
    def priority(self) -> Priority:
        """How urgent it is."""
        return PRIORITIES[self.kind]

    @property
    def technical(self) -> bool:
        """Whether it says that the heart is not watched."""
        return self.kind in TECHNICAL


@dataclass(frozen=True, slots=True)
class BedStatus:
    """How a bed stands at an instant."""

    number: int
    """In addresses it stands for the name."""
    name: str
    epoch: int
    """Of the session: another stream has another."""
    state: State
    words: str
    """How that reads: ``live`` of nothing but a live source."""
    news: str
    """The newest sentence about the stream."""
    description: SessionDescription | None
    """Of the session; None before the first."""
    age_s: float
    """Of the newest sample; NaN before the first."""
    bpm: float
    """NaN while unknown."""
    limits: Limits
    quality: frozenset[Quality] | None
    """All that is wrong with the measured lead; None before anything is known."""
    alarms: tuple[ShownAlarm, ...]
    """The most urgent first."""
    silent_s: float
    """How long what is silenced stays so; 0 if nothing is."""
    sound: bool
    """Whether the bedside sounds."""
    bedside: tuple[str, ...]
    """The alarms that stand at a sender on another machine, and what is wrong with the lead there."""
    lost: int
    """Missing samples of the session, at the model's rate."""
    recording: bool
    recalibrate: bool

    @property
    def old(self) -> bool:
        """Nothing comes: what is seen is past."""
        return self.state is not State.PAUSED and not self.age_s <= OLD_S


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive samples of one bed."""

    number: int
    epoch: int
    start: int
    """Index of the first."""
    rate_hz: float
    came_s: float
    """When the newest came to this program, monotonic seconds."""
    rows: Sequence[int]
    uv: Microvolts
    """``(rows, n)``"""


class Bed:
    """Keeps what a page shows of one bed.  Any thread may fill it, ask it, and act on it.

    Parameters
    ----------
    number : int
        Stands for the name in addresses.
    name : str
        What the user calls it.
    log : callable, optional
        Keeps its alarms.
    epoch : int
        Of the last session of a bed that had this number before.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        number: int,
        name: str,
        limits: Limits | None = None,
        log: Log = lambda number, event: None,
        epoch: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.number, self.name = number, name
        self._clock = clock
        self._log = log
        self._lock = threading.Lock()
        self._limits = limits or Limits()
        self._sound = True
        self._tell: Tell | None = None
        self._epoch = epoch
        self._description: SessionDescription | None = None
        self._ring: SampleRing | None = None
        self._state = State.CONNECTING
        self._news = ""
        self._standing = StandingAlarms()
        self._there = StandingAlarms()  # at the sender
        self._there_quality = ""
        self._risen_s: dict[AlarmKind, float] = {}
        self._silence = Silence()
        self.changes = 0
        """Counts what a viewer should see at once."""
        self._forget()

    def _forget(self) -> None:
        self._newest: Frame | None = None
        self._came_s = math.nan
        self._beat: Beat | None = None
        self._quality: frozenset[Quality] | None = None
        self._recalibrate = self._recording = False
        self._lost = 0
        self._speed: float | None = None
        self._carried = len(self._standing) > 0  # from the session before, until a sample comes

    def sink(self, tell: Tell) -> BedSink:
        """What fills it from another session; ``tell`` takes an event to that session."""
        return BedSink(self, tell)

    def watch_for(self, limits: Limits) -> None:
        """Alarms are raised by these limits from now on."""
        with self._lock:
            self._limits = limits
            self.changes += 1

    # ---- what its sessions bring

    def begin(self, description: SessionDescription, tell: Tell) -> None:
        """Another session begins.  What alarms stand goes on standing until something says otherwise."""
        with self._lock:
            self._epoch += 1
            self._description = description
            self._ring = SampleRing(description)
            self._tell = tell
            self._state = State.WAITING
            self._forget()
            self._speed = description.stream.speed
            self.changes += 1

    def frame(self, frame: Frame) -> None:
        """Take twelve leads."""
        with self._lock:
            if self._ring is None:
                return
            untrusted = bool(self._quality and self._quality & UNTRUSTED)
            self._ring.add(frame, untrusted=untrusted)
            valid = int(np.count_nonzero(frame.valid))
            self._lost += frame.valid.size - valid
            if self._carried and valid:
                self._end_alarms()
                self._carried = False
                self.changes += 1
            if self._newest is None and self._state is State.WAITING:
                self._state = State.LIVE
                self.changes += 1
            self._newest, self._came_s = frame, self._clock()

    def event(self, event: Event) -> None:
        """Take what happened."""
        with self._lock:
            self._hear(event)
            if isinstance(event, Beat):
                self._beat = event
                self._standing.event(event)
                return
            self._news = event.text
            self.changes += 1

    def _hear(self, event: Event) -> None:
        match event:
            case StateChanged():
                self._state = event.state
                if event.state in (State.RECONNECTING, State.ENDED):
                    self._lose_sender()
            case SenderSaid():
                self._hear_sender(event)
            case QualityChanged():
                self._quality = event.wrong
            case SpeedChanged():
                self._speed = event.speed
            case Drift():
                self._recalibrate = event.rises
            case RecordingStarted():
                self._recording = True
            case Failed() | LeftBehind() if event.part == Recorder.name:
                self._recording = False
            case LimitsChanged():
                self._limits = replace(self._limits, low_bpm=event.low_bpm, high_bpm=event.high_bpm)
                self._sound = event.sound
            case AlarmsSilenced():
                self._log(self.number, event)
                self._silence.begin((one for one in event.alarms if one in self._standing), self._clock())
            case Alarm():
                self._follow_alarm(event)
                self._carried = False

    def _hear_sender(self, event: SenderSaid) -> None:
        self._log(self.number, event)
        alarm, quality = alarm_said(event), quality_said(event)
        if alarm is not None:
            self._there.event(alarm)
        if quality is not None:
            self._there_quality = quality

    def _lose_sender(self) -> None:
        """It says no more what stands there."""
        for one in self._there:
            self._log(self.number, SenderSaid(words(Alarm(one.alarm, False))))
        self._there.clear()
        self._there_quality = ""

    def _follow_alarm(self, event: Alarm) -> None:
        self._log(self.number, event)
        self._standing.event(event)
        if event.rises:
            self._risen_s[event.alarm] = self._clock()
            self._silence.rise(event.alarm, self._clock())
        else:
            self._silence.end(event.alarm)

    def end(self, state: State, news: str) -> None:
        """Its session has ended, or could not begin.

        Parameters
        ----------
        state : State
            ``ENDED`` if nothing more will come, ``RECONNECTING`` if it is tried again: then the signal is
            lost.
        news : str
            One sentence with the reason.
        """
        with self._lock:
            self._tell = None
            self._lose_sender()
            self._state, self._news = state, news
            self._recording = False
            if state is State.ENDED:
                self._end_alarms()
            elif self._description is not None and AlarmKind.SIGNAL_LOST not in self._standing:
                self._follow_alarm(Alarm(AlarmKind.SIGNAL_LOST, True, news))
            self.changes += 1

    def _end_alarms(self) -> None:
        for one in self._standing:
            self._log(self.number, Alarm(one.alarm, False))
        self._standing.clear()
        self._silence.clear()

    # ---- what is asked

    def status(self, now_s: float) -> BedStatus:
        """How it stands at ``now_s``, monotonic seconds."""
        with self._lock:
            age_s = self._age_s(now_s)
            bpm = self._bpm() if age_s <= OLD_S or self._state is State.PAUSED else math.nan
            return BedStatus(
                number=self.number,
                name=self.name,
                epoch=self._epoch,
                state=self._state,
                words=self._words(),
                news=self._news,
                description=self._description,
                age_s=age_s,
                bpm=bpm,
                limits=self._limits,
                quality=self._quality,
                alarms=self._shown(now_s, bpm),
                silent_s=self._silence.left_s(now_s),
                sound=self._sound,
                bedside=self._bedside(),
                lost=self._lost,
                recording=self._recording,
                recalibrate=self._recalibrate,
            )

    def _shown(self, now_s: float, bpm: float) -> tuple[ShownAlarm, ...]:
        """What stands, as the bedside's banner has it."""
        no_beat_s = math.nan
        if self._newest is not None and self._beat is not None:
            at_s = self._newest.stop / self._newest.rate_hz
            no_beat_s = at_s - self._beat.at_s + max(0.0, now_s - self._came_s)
        now = Moment("--" if math.isnan(bpm) else f"{bpm:.0f}", self._limits, self._state, no_beat_s)
        quiet = self._silence.quiet(now_s)
        return tuple(
            ShownAlarm(
                one.alarm,
                alarm_words(one, max(0.0, now_s - self._risen_s[one.alarm]), now),
                one.alarm in quiet,
            )
            for one in self._standing
        )

    def _bedside(self) -> tuple[str, ...]:
        alarms = (f"{one.alarm.value}: {one.why}" for one in self._there)
        return (*alarms, self._there_quality) if self._there_quality else tuple(alarms)

    def _words(self) -> str:
        if self._description is None:
            return self._state.value
        return state_words(self._state, self._description.stream, self._speed)

    def _age_s(self, now_s: float) -> float:
        frame = self._newest
        if frame is None:
            return math.nan
        taken_s = frame.device_s + (frame.stop - 1 - frame.start) / frame.rate_hz
        since_s = taken_s if math.isfinite(taken_s) else frame.arrival_s
        return max(0.0, now_s - since_s)

    def _bpm(self) -> float:
        if self._beat is None or self._newest is None:
            return math.nan
        silent_s = self._newest.stop / self._newest.rate_hz - self._beat.at_s
        return self._beat.bpm if silent_s <= LONGEST_RR_S else math.nan

    def cursor(self, back_s: float = 0.0) -> tuple[int, int]:
        """Epoch, and the index after the newest sample, or so many seconds before it."""
        with self._lock:
            if self._ring is None:
                return self._epoch, 0
            first, stop = self._ring.span
            return self._epoch, max(first, stop - round(back_s * self._ring.rate_hz))

    def piece(self, rows: Sequence[int], start: int, stop: int, most_s: float = KEPT_S) -> Piece | None:
        """As far as they are kept, these samples of the session that runs, the newest ``most_s`` seconds of
        them; None if none is.
        """
        with self._lock:
            if self._ring is None or self._newest is None:
                return None
            first, last = self._ring.span
            stop = min(stop, last)
            start = max(start, first, stop - round(most_s * self._ring.rate_hz))
            if start >= stop:
                return None
            came_s = self._newest.arrival_s
            uv = self._ring.rows(rows, start, stop)
            rate_hz = self._ring.rate_hz
            return Piece(self.number, self._epoch, start, rate_hz, came_s, rows, uv)

    def silence(self) -> bool:
        """Silence what stands; False if nothing was sounding, or no session hears it."""
        with self._lock:
            quiet = self._silence.quiet(self._clock())
            sounding = tuple(one.alarm for one in self._standing if one.alarm not in quiet)
            tell = self._tell
            if not sounding or tell is None:
                return False
        tell(AlarmsSilenced(sounding))
        return True


class BedSink(Sink):
    """One session's way to a bed; attach it so that it drops rather than waits."""

    name = "ward"

    def __init__(self, bed: Bed, tell: Tell) -> None:
        self._bed = bed
        self._tell = tell

    def open(self, description: SessionDescription) -> None:
        """A session begins."""
        self._bed.begin(description, self._tell)

    def chunk(self, chunk: Chunk) -> None:
        """Nothing: the page shows what was made of it."""

    def frame(self, frame: Frame) -> None:
        """Take twelve leads."""
        self._bed.frame(frame)

    def event(self, event: Event) -> None:
        """Take what happened."""
        self._bed.event(event)

    def close(self) -> None:
        """What follows is said by `Bed.end`."""


class ShownBed(Protocol):
    """What the page asks of a bed, whichever process its session runs in."""

    number: int
    name: str
    changes: int
    """Counts what a viewer should see at once."""

    def status(self, now_s: float) -> BedStatus:
        """How it stands at ``now_s``, monotonic seconds."""
        ...

    def cursor(self, back_s: float = 0.0) -> tuple[int, int]:
        """Epoch, and the index after the newest sample, or so many seconds before it."""
        ...

    def piece(self, rows: Sequence[int], start: int, stop: int, most_s: float = KEPT_S) -> Piece | None:
        """As far as they are kept, these samples of the session that runs, the newest ``most_s`` seconds of
        them; None if none is.
        """
        ...

    def silence(self) -> bool:
        """Silence what stands; False if nothing was sounding, or no session hears it."""
        ...


class Beds:
    """The beds of a ward, which may come and go.  Any thread may ask.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    number_of : callable, optional
        The number of a bed of a name, the same whenever it is asked; else beds are counted.
    log : callable, optional
        Keeps what becomes of alarms.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        number_of: Callable[[str], int] | None = None,
        log: Log = lambda number, event: None,
    ) -> None:
        self._lock = threading.Lock()
        self._beds: dict[int, ShownBed] = {}
        self._next = 1
        self._number_of = number_of
        self._epochs: dict[int, int] = {}
        self._log = log
        self.clock = clock
        """Monotonic seconds."""

    def add(self, name: str, limits: Limits | None = None) -> Bed:
        """Another bed; its number is never given to a bed of another name."""
        number = self.number(name)
        bed = Bed(number, name, limits, self._log, self._epochs.get(number, 0), self.clock)
        self.put(bed)
        return bed

    def number(self, name: str) -> int:
        """The number of a bed of this name, for `put`; raises as ``number_of``."""
        with self._lock:
            number = self._next if self._number_of is None else self._number_of(name)
            self._next += 1
            return number

    def put(self, bed: ShownBed) -> None:
        """Show a bed whose session runs elsewhere."""
        with self._lock:
            self._beds[bed.number] = bed

    def remove(self, bed: ShownBed) -> None:
        """It is no longer shown."""
        with self._lock:
            if self._beds.get(bed.number) is bed:
                del self._beds[bed.number]
                self._epochs[bed.number] = bed.cursor()[0]

    def all(self) -> tuple[ShownBed, ...]:
        """In the order in which they came."""
        with self._lock:
            return tuple(self._beds.values())

    def get(self, number: int) -> ShownBed | None:
        """The bed of this number."""
        with self._lock:
            return self._beds.get(number)
