# SPDX-License-Identifier: MIT
"""What is said of the alarms that stand, how they flash, and how long they stay silenced: on every screen.

The window beside the bed and the page of many beds have it from here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from streamer.core.events import AlarmKind, State
from streamer.core.vitals.standing import PRIORITIES, Priority, StandingAlarm
from streamer.core.vitals.vitals import SILENT, Limits

SILENCE_S = 120.0
"""So long after it was silenced what still stands sounds again."""

FLASH_HZ = {Priority.HIGH: 2.0, Priority.MEDIUM: 0.6}
"""IEC 60601-1-8 has 1.4 to 2.8 Hz for a high priority, 0.4 to 0.8 Hz for a medium one; the rest is steady."""

MARKS = {Priority.HIGH: "!!!", Priority.MEDIUM: "!!", Priority.LOW: "!"}
"""Before the words, for who does not see the colour; as IEC 60601-1-8 marks priorities."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What else is known while an alarm stands."""

    rate: str
    """As it stands beside the alarm: no other number is ever said of it."""
    limits: Limits
    state: State
    """Of the source."""
    no_beat_s: float
    """Since the newest beat; NaN if there was none."""


def alarm_words(stands: StandingAlarm, since_s: float, now: Moment) -> str:
    """One alarm as it is at an instant, such as ``heart rate high: 141 bpm · limit 120 · 0:34``.

    Parameters
    ----------
    since_s : float
        How long it has stood.
    """
    limits = now.limits
    match stands.alarm:
        case AlarmKind.LOW_RATE:
            said = [f"{now.rate} bpm", *_worst("lowest", stands.worst_bpm), f"limit {limits.low_bpm:g}"]
        case AlarmKind.HIGH_RATE:
            said = [f"{now.rate} bpm", *_worst("highest", stands.worst_bpm), f"limit {limits.high_bpm:g}"]
        case AlarmKind.ASYSTOLE:
            none_s = limits.asystole_s + since_s if math.isnan(now.no_beat_s) else now.no_beat_s
            said = [f"no beat for {duration(none_s)}", f"limit {limits.asystole_s:g} s"]
        case AlarmKind.SIGNAL_LOST if now.state in SILENT:
            said = [now.state.value]
        case _:
            said = [stands.why]
    name = stands.alarm.value
    return f"{name}{'' if name.endswith('?') else ':'} {' · '.join([*said, duration(since_s)])}"


def _worst(word: str, bpm: float) -> list[str]:
    return [] if math.isnan(bpm) else [f"{word} {bpm:.0f}"]


def duration(seconds: float) -> str:
    """``m:ss``, or ``h:mm:ss``."""
    minutes, s = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{s:02}" if hours else f"{minutes}:{s:02}"


class Silence:
    """Which alarms the user keeps quiet, for `SILENCE_S` at most; instants are monotonic seconds."""

    def __init__(self) -> None:
        self._alarms: set[AlarmKind] = set()
        self._until_s = -math.inf

    def clear(self) -> None:
        """Nothing is silenced."""
        self._alarms.clear()

    def begin(self, alarms: Iterable[AlarmKind], now_s: float) -> None:
        """Keep these quiet too, and all that is quiet from now on for the whole time."""
        self._alarms.update(alarms)
        self._until_s = now_s + SILENCE_S

    def rise(self, alarm: AlarmKind, now_s: float) -> None:
        """An alarm rises: it sounds, and all do if it is more urgent than what is quiet."""
        self._alarms.discard(alarm)
        if all(PRIORITIES[alarm] > PRIORITIES[other] for other in self.quiet(now_s)):
            self._alarms.clear()

    def end(self, alarm: AlarmKind) -> None:
        """An alarm has ended: if it rises again it sounds."""
        self._alarms.discard(alarm)

    def quiet(self, now_s: float) -> frozenset[AlarmKind]:
        """What is kept quiet now."""
        if now_s >= self._until_s:
            self._alarms.clear()
        return frozenset(self._alarms)

    def left_s(self, now_s: float) -> float:
        """How long what is silenced stays so; 0 if nothing is."""
        return min(SILENCE_S, self._until_s - now_s) if self.quiet(now_s) else 0.0
