# SPDX-License-Identifier: MIT
"""Which alarms stand, since when, and the worst of each: followed from events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from math import isnan, nan

from streamer.core.events import Alarm, AlarmKind, Beat, Event


class Priority(IntEnum):
    """How urgent an alarm is, after IEC 60601-1-8."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


PRIORITIES = {
    AlarmKind.ASYSTOLE: Priority.HIGH,
    AlarmKind.SIGNAL_LOST: Priority.MEDIUM,
    AlarmKind.ELECTRODE: Priority.MEDIUM,
    AlarmKind.LOW_RATE: Priority.MEDIUM,
    AlarmKind.HIGH_RATE: Priority.MEDIUM,
    AlarmKind.CANNOT_ANALYSE: Priority.LOW,
}
"""Of each kind, and the order in which they are shown."""

TECHNICAL = frozenset({AlarmKind.SIGNAL_LOST, AlarmKind.ELECTRODE, AlarmKind.CANNOT_ANALYSE})
"""These say nothing of the heart: it is not watched."""

_WORSE = {AlarmKind.LOW_RATE: min, AlarmKind.HIGH_RATE: max}


@dataclass(frozen=True, slots=True)
class StandingAlarm:
    """An alarm that has risen and not ended."""

    alarm: AlarmKind
    why: str
    """As it rose."""
    at_s: float
    """When it rose, on the stream's axis; NaN if unknown."""
    worst_bpm: float = nan
    """Of a rate alarm: the lowest, or highest, rate since it rose; NaN of others."""


class StandingAlarms:
    """Hears of beats and alarms."""

    def __init__(self) -> None:
        self._standing: dict[AlarmKind, StandingAlarm] = {}
        self._bpm = nan

    def clear(self) -> None:
        """Another stream begins: nothing stands."""
        self._standing.clear()
        self._bpm = nan

    def event(self, event: Event) -> bool:
        """Take an event; True if it changed what stands."""
        match event:
            case Beat():
                self._bpm = event.bpm
                for alarm in _WORSE.keys() & self._standing.keys():
                    self._worsen(alarm)
            case Alarm() if event.rises:
                self._standing[event.alarm] = StandingAlarm(event.alarm, event.why, event.at_s)
                if event.alarm in _WORSE:  # the beat that raised it came before it
                    self._worsen(event.alarm)
                return True
            case Alarm():
                return self._standing.pop(event.alarm, None) is not None
        return False

    def _worsen(self, alarm: AlarmKind) -> None:
        stands, bpm = self._standing[alarm], self._bpm
        if not isnan(bpm):
            worst = bpm if isnan(stands.worst_bpm) else _WORSE[alarm](stands.worst_bpm, bpm)
            self._standing[alarm] = replace(stands, worst_bpm=worst)

    def __contains__(self, alarm: object) -> bool:
        return alarm in self._standing

    def __iter__(self) -> Iterator[StandingAlarm]:
        """The most urgent first."""
        return (self._standing[alarm] for alarm in PRIORITIES if alarm in self._standing)

    def __len__(self) -> int:
        return len(self._standing)
