# SPDX-License-Identifier: MIT
"""``serial:PORT?rate=250&uv=0.8`` - lines of text over a serial port, a sample each, live.

A sketch states neither its rate nor what a step is: the user does.  With a counter or a time in each
line what is lost is known to the sample; without, only what makes everything late is seen.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from devices.live.counted import UNSEEN_S, CountedTimeline, Numbering
from devices.live.electrodes import Electrodes, placement_note
from devices.live.feed import Feed, Timeouts
from devices.live.parameters import number_of, parameters_of
from devices.replay.pacing import AS_RECORDED, Replay
from devices.serial.library import explain, load_serial
from devices.serial.lines import BROKEN, LONGEST, Reading, Width, read_line
from devices.serial.look import layout_of, look
from devices.serial.marks import Marks
from devices.serial.stamped import StampedTimeline, tick_of
from streamer.core.errors import Field, InputError
from streamer.core.events import Dropped, Event, Notice, State, Topic
from streamer.core.leads import canonical_lead
from streamer.core.printable import printable
from streamer.core.signal.rate import SOURCE_HZ
from streamer.core.stream import Chunk, Placement, Samples, StreamInfo

TIMEOUTS = Timeouts(silent_s=5.0, first_s=12.0)
"""An Arduino starts again when its port is opened, and takes 2 s for that."""

_BAUD = 115200.0
_KNOWN = ("rate", "uv", "baud", "column", "counter", "time", "off")
_TELL_S = 1.0
"""Lines that hold no sample are told at most this often."""

_WAIT_S = 0.1


class SerialPort:
    """Lines of text as a source; follows `streamer.session.source.Source`.

    Parameters
    ----------
    rest : str
        What follows ``serial:``: the port, then ``rate`` (Hz), ``uv`` (microvolts to a step),
        ``baud`` and the numbers of columns: ``column``, ``counter``, ``time``, ``off``.
    lead : str, optional
        There is one lead only; a name other than Lead I is refused.
    invert, placement
        As `devices.registry.open_source` takes them.
    replay : Replay
        Refused: it is live.
    unit_mv, rate_hz : float, optional
        In place of ``uv`` and ``rate``.
    patience, clock
        For tests.

    Raises
    ------
    InputError
        An unknown or impossible parameter, another lead, or options of a replay.
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
        rate_hz: float | None = None,
        patience: Timeouts = TIMEOUTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        replay.refuse("serial:")
        if canonical_lead(lead or "I") != "I":
            raise InputError(
                f"serial: has one lead only, no {lead!r}", Field.LEAD, choices=("I",), leave_out=True
            )
        self._rest = rest
        self._name, self._given = parameters_of(rest, _KNOWN, "serial")
        stated_hz = number_of(self._given, "rate", *SOURCE_HZ)
        self._rate_hz = rate_hz if rate_hz is not None else stated_hz
        uv = number_of(self._given, "uv", 1e-6, 1e6)
        self._unit_mv = unit_mv if unit_mv is not None else None if uv is None else uv / 1000
        self._baud = int(number_of(self._given, "baud", 300, 4e6) or _BAUD)
        self._sign = -1.0 if invert else 1.0
        self._placement = placement
        self._clock = clock
        self._feed = Feed(patience, clock)
        self._serial: Any = None
        self._port: Any = None
        self._electrodes = Electrodes(clock, "the sketch says so")
        self._rest_of_line = b""
        self._begun = False  # a whole line has come over this link
        self._rejected: Counter[str] = Counter()
        self._told_s = -math.inf
        self._marks: Marks | None = None

    def announce_to(self, hear: Callable[[Event], None]) -> None:
        """Report each step to ``hear`` as it is made, until `items` is iterated."""
        self._feed.listener = hear

    def open(self) -> StreamInfo:
        """Open the port and see what its lines are.

        Raises
        ------
        InputError
            No such port, one that sends no lines of numbers, or a rate or a size of steps that is not stated.
        """
        self._serial = load_serial()
        self._name = self._name or self._only_port()
        self._feed.enter(State.CONNECTING, f"opening {self._name} at {self._baud} baud")
        try:
            self._port = self._connected()
        except (OSError, ValueError) as error:
            raise InputError(f"{self._name}: {explain(error)}") from error
        self._feed.say(Notice(Topic.CONNECTING, f"{self._name} is open; looking at what it sends"))
        try:
            return self._looked_at()
        except BaseException:
            self._port.close()
            raise

    def items(self) -> Iterator[Chunk | Event]:
        """The chunks, and what happens to the port; call `open` first."""
        if self._port is None:
            raise RuntimeError("open() comes before items()")
        threading.Thread(target=self._run, name="serial receiver", daemon=True).start()
        return self._feed.items()

    def stop(self) -> None:
        """Ask `items` to end; returns at once."""
        self._feed.stop()
        if self._port is not None and not self._feed.begun.is_set():
            self._port.close()

    # ---- before the first sample

    def _only_port(self) -> str:
        ports = self._serial.tools.list_ports.comports()
        names = [str(port.device) for port in ports if port.vid is not None]  # others are built in
        if len(names) == 1:
            return names[0]
        there = (
            f"{len(names)} are plugged in: name one of {', '.join(names[:8])}"
            if names
            else "none is plugged in"
        )
        raise InputError(f"serial: names no port, and {there}")

    def _connected(self) -> Any:
        port = self._serial.Serial(self._name, self._baud, timeout=_WAIT_S, exclusive=True)
        port.reset_input_buffer()
        self._rest_of_line, self._begun = b"", False
        return port

    def _looked_at(self) -> StreamInfo:
        seen = look(self._read, self._name, self._baud)
        self._layout, self._width = layout_of(self._given, seen, self._name), seen.width
        self._watched_width = Width(seen.width)
        if self._rate_hz is None:
            sep = "&" if self._given else "?"
            raise InputError(
                f"{self._name} does not say how many samples come a second (about {seen.per_second:.3g} do); "
                f"write serial:{self._rest}{sep}rate=250 if it is 250",
                Field.RATE,
            )
        if self._unit_mv is None:
            raise InputError(
                f"{self._name} does not say how large a step is; write &uv=0.8 behind it if it is 0.8 uV",
                Field.UNIT,
            )
        rate_hz, layout = self._rate_hz, self._layout
        self._timeline: CountedTimeline | StampedTimeline
        if layout.counter is not None:
            self._timeline = CountedTimeline(rate_hz, Numbering(), self._name)
            self._marks = Marks(1, rate_hz)
        elif layout.time is not None:
            ticks = [line[layout.time - 1] for line in seen.lines]
            tick_s = tick_of(ticks, rate_hz, self._name)
            self._timeline = StampedTimeline(rate_hz, tick_s, self._name)
            self._marks = Marks(1 / rate_hz / tick_s, 1 / tick_s)
        else:
            self._timeline = CountedTimeline(rate_hz, None, self._name)
        return StreamInfo(
            source=f"serial:{self._rest or self._name}",
            rate_hz=rate_hz,
            lead="I" if self._placement is Placement.ARMS else f"column {layout.column}",
            is_lead_i=self._placement is Placement.ARMS,
            inverted=self._sign < 0,
            placement=self._placement,
            device=self._name,
            live=True,
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        layout, unit_mv = self._layout, self._unit_mv or 0.0
        which = f"column {layout.column} of {self._width}" if self._width > 1 else "lines"
        notes = [f"Receiving {which} of {self._name}, {unit_mv * 1000:g} uV a step, as you say."]
        if layout.mark is None:
            notes.append(
                f"Its lines have no counter and no time: only losses of {UNSEEN_S:g} s and more are seen."
            )
        notes.append(placement_note("A port", self._placement))
        if self._sign < 0:
            notes.append("The polarity is turned, as asked.")
        return tuple(notes)

    # ---- the receiving thread

    def _run(self) -> None:
        feed = self._feed
        try:
            self._port.reset_input_buffer()  # what has waited since it was looked at would only be late
            feed.enter(State.WAITING, f"{self._name} is open; waiting for its first sample")
            while not feed.stopping.is_set():
                why = self._receive()
                if why is None or not self._again(why):
                    break
            feed.end("stopped")
        except InputError as error:
            feed.end(error.line, error)
        except Exception as error:  # noqa: BLE001 - handed to the consumer
            feed.end(f"failed: {error}", error)
        finally:
            self._port.close()

    def _receive(self) -> str | None:
        """Hand on what comes; returns why nothing more will, or None after a stop."""
        feed = self._feed
        while not feed.stopping.is_set():
            try:
                data = self._read()
            except OSError:  # pyserial's SerialException among them
                return "it was unplugged"
            if data:
                self._take(data)
            feed.put(self._timeline.due(self._clock()))
            self._tell_rejected()
            why = feed.watch()
            if why is not None:
                return why
        return None

    def _read(self) -> bytes:
        try:
            return bytes(self._port.read(max(1, self._port.in_waiting)))
        except TypeError as error:  # pyserial's, where the port was closed meanwhile
            raise OSError("closed") from error

    def _take(self, data: bytes) -> None:
        arrival_s = self._clock()
        *lines, rest = (self._rest_of_line + data).split(b"\n")
        if len(rest) > LONGEST:
            self._rejected[""] += 1
            rest = b""
        self._rest_of_line = rest
        readings = []
        for line in lines:
            reading = read_line(line, self._layout, self._width) if len(line) <= LONGEST else None
            if (columns := self._watched_width.see(line, reading, arrival_s)) is not None:
                raise self._another_sketch(columns)
            if not self._begun:
                # The first line may be the end of one, and before it a board says how it has started.
                self._begun = reading is not None
                continue
            if reading is None:
                if not line.strip():
                    continue
                self._rejected[printable(line[:24].decode("ascii", "replace").strip())] += 1
                if self._layout.mark is not None:
                    continue  # its neighbours say that it is missing
                reading = BROKEN
            readings += [reading] if self._marks is None else self._marks.believed(reading)
        if readings:
            self._place(readings, arrival_s)

    def _another_sketch(self, columns: int) -> InputError:
        """Which of other columns is the ECG, and in which unit, is not stated."""
        return InputError(
            f"{self._name} now sends lines of {columns} columns, not of {self._width}: "
            "another sketch; start again"
        )

    def _place(self, readings: list[Reading], arrival_s: float) -> None:
        off = np.array([reading.off for reading in readings])
        contact = self._electrodes.look(off)
        if contact is not None:
            self._feed.say(contact)
        values = np.array([reading.value for reading in readings])
        lead_mv: Samples = (values * ((self._unit_mv or 0.0) * self._sign)).astype(np.float32)
        marks = [reading.mark for reading in readings if reading.mark is not None]
        if isinstance(self._timeline, StampedTimeline):
            self._feed.put(self._timeline.place(lead_mv, marks, arrival_s))
        else:
            numbers = None if self._marks is None else [int(mark) for mark in marks]
            self._feed.put(self._timeline.place(lead_mv, numbers, arrival_s))

    def _tell_rejected(self) -> None:
        now_s = self._clock()
        if self._marks is not None and self._marks.broken:
            self._rejected["lines run into one"] += self._marks.broken
            self._marks.broken = 0
        if self._rejected and now_s - self._told_s >= _TELL_S:
            count, (example, _) = self._rejected.total(), self._rejected.most_common(1)[0]
            text = f"{count} lines that hold no sample were dropped, such as {example!r}"
            self._feed.put([Dropped(count, text, host_s=now_s)])
            self._rejected.clear()
            self._told_s = now_s

    def _again(self, why: str) -> bool:
        """Open the port again; False after a stop."""
        feed, attempt = self._feed, 0
        feed.enter(State.RECONNECTING, f"{self._name}: {why}; opening it again")
        self._port.close()
        while not feed.stopping.wait(feed.patience.before_attempt(attempt)):
            attempt += 1
            try:
                self._port = self._connected()
            except (OSError, ValueError) as error:
                feed.enter(State.RECONNECTING, f"{self._name}: {explain(error)}; trying again")
                continue
            self._timeline.reconnected()
            if self._marks is not None:
                self._marks.restart()
            feed.enter(State.WAITING, f"{self._name} is open again; waiting for its first sample")
            return True
        return False
