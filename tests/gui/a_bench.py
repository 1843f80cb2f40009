# SPDX-License-Identifier: GPL-3.0-or-later
"""A bench whose sessions are inboxes that the test fills."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from gui.bench import Found, Showing, Wanted
from gui.inbox import Inbox
from streamer.errors import InputError
from streamer.latency import LatencyBudget
from streamer.run.sink import SessionDescription
from streamer.stream import Event, StreamInfo
from streamer.vitals import Limits

BUDGET = LatencyBudget(56.0, 0.0, 16.0, 0.0, 72.0, 10.0)


def description(source: str = "wfdb:first", **changes: object) -> SessionDescription:
    info = StreamInfo(source, 250.0, **changes)  # type: ignore[arg-type]
    return SessionDescription(info, "net", "1", 250.0, BUDGET, "0.5-40 Hz")


class APlayer:
    """Stands where it is told to."""

    def __init__(self, duration_s: float | None = 60.0) -> None:
        self.paused = False
        self._speed = 1.0
        self.position_s = 0.0
        self.duration_s = duration_s
        self.fixed = False

    @property
    def speed(self) -> float:
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if self.fixed or not speed > 0 or math.isnan(speed):
            raise InputError("it cannot be played so")
        self._speed = speed


@dataclass(frozen=True)
class Seen:
    source: str
    kind: str = "ble"
    name: str = "a strap"
    rssi: int | None = -60
    rate_hz: float | None = 130.0
    ecg: bool = True


@dataclass
class ABench:
    card: str = "## What it cannot know\n- **ST**: no.\n- **Pacing spikes**: no.\n"
    told: list[Event] = field(default_factory=list)
    limits: list[Limits] = field(default_factory=list)
    opened: list[Wanted] = field(default_factory=list)
    refuse: str = ""
    players: bool = True
    hold: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.hold.set()
        self.found: Found | None = None
        self.scans = 0
        self._showing = self._show(Wanted("wfdb:first"))

    @property
    def showing(self) -> Showing:
        return self._showing

    def _show(self, wanted: Wanted) -> Showing:
        inbox, about = Inbox(), description(wanted.source)
        inbox.open(about)
        player = APlayer() if self.players else None
        return Showing(wanted, inbox, about, self.told.append, self.limits.append, player)

    def open(self, wanted: Wanted) -> Showing:
        self.opened.append(wanted)
        self.hold.wait(10)
        if self.refuse:
            raise InputError(self.refuse)
        self._showing = self._show(wanted)
        return self._showing

    def scan(self, found: Found) -> Callable[[], None]:
        self.found, self.scans = found, self.scans + 1

        def stop() -> None:
            self.found = None

        return stop
