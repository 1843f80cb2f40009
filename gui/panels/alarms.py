# SPDX-License-Identifier: GPL-3.0-or-later
"""What the banner says of the alarms that stand, how it flashes, and when to beep; no Qt."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from gui.panels.numbers import Numbers, duration
from streamer.core.events import Alarm, AlarmKind, AlarmsSilenced, Event, State, StateChanged
from streamer.core.vitals.standing import PRIORITIES, TECHNICAL, Priority, StandingAlarm, StandingAlarms
from streamer.core.vitals.vitals import SILENT, Limits

SILENCE_S = 120.0
"""So long after it was silenced what still stands sounds again."""

URGENT = frozenset({AlarmKind.ASYSTOLE, AlarmKind.SIGNAL_LOST, AlarmKind.ELECTRODE})
"""These beep twice as often."""

BEEP_S = {True: 2.0, False: 5.0}
"""Between two beeps, by whether anything urgent stands."""

FLASH_HZ = {Priority.HIGH: 2.0, Priority.MEDIUM: 0.6}
"""IEC 60601-1-8 has 1.4 to 2.8 Hz for a high priority, 0.4 to 0.8 Hz for a medium one; the rest is steady."""
LIT = 0.5
"""Of each period, which may be 0.2 to 0.6."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One alarm as the banner shows it."""

    alarm: AlarmKind
    text: str

    @property
    def priority(self) -> Priority:
        """By which it is coloured, if it is about the heart."""
        return PRIORITIES[self.alarm]

    @property
    def technical(self) -> bool:
        """Whether it says that nobody watches the heart: steady, in a colour of its own."""
        return self.alarm in TECHNICAL

    @property
    def flashes(self) -> bool:
        """Whether it is not lit all the time."""
        return not self.technical and self.priority in FLASH_HZ

    def lit(self, now_s: float) -> bool:
        """Whether it is lit at an instant."""
        return not self.flashes or now_s * FLASH_HZ[self.priority] % 1.0 < LIT


class Alarms:
    """Hears of alarms that rise and end, and knows what to say and when to sound.

    Parameters
    ----------
    numbers : Numbers
        Hear what this hears, before it does.
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, numbers: Numbers, clock: Callable[[], float] = time.monotonic) -> None:
        self._numbers = numbers
        self._clock = clock
        self._standing = StandingAlarms()
        self._risen_s: dict[AlarmKind, float] = {}
        self._silenced: set[AlarmKind] = set()
        self._silent_until_s = -math.inf
        self._beeped_s = -math.inf
        self._state = State.LIVE
        self.limits = Limits()
        """When they are raised."""
        self.sound = True
        """False keeps it quiet whatever comes; the banner stays."""

    def clear(self) -> None:
        """Another stream begins: nothing stands."""
        self._standing.clear()
        self._silenced.clear()
        self._beeped_s = -math.inf
        self._state = State.LIVE

    def event(self, event: Event) -> bool:
        """Take an event; True if it changed what stands."""
        if isinstance(event, StateChanged):
            self._state = event.state
        changed = self._standing.event(event)
        if isinstance(event, Alarm):
            self._silenced.discard(event.alarm)
            if event.rises:
                self._rise(event.alarm)
        return changed

    def _rise(self, alarm: AlarmKind) -> None:
        self._risen_s[alarm] = self._clock()
        self._beeped_s = -math.inf
        if all(PRIORITIES[alarm] > PRIORITIES[other] for other in self._quiet()):
            self._silenced.clear()

    # ---- sound

    def silence(self) -> AlarmsSilenced | None:
        """Keep quiet about what stands for two minutes, until it ends and rises again, or one of a higher
        priority rises.

        Returns
        -------
        AlarmsSilenced or None
            What the log and the recording are told; None if nothing was sounding.
        """
        sounding = tuple(one.alarm for one in self._standing if one.alarm not in self._quiet())
        if not sounding:
            return None
        self._silenced.update(sounding)
        self._silent_until_s = self._clock() + SILENCE_S
        return AlarmsSilenced(sounding)

    def _quiet(self) -> set[AlarmKind]:
        """What is silenced now."""
        if self._clock() >= self._silent_until_s:
            self._silenced.clear()
        return self._silenced

    @property
    def silent_s(self) -> float:
        """How long what is silenced stays so; 0 if nothing is."""
        left_s = self._silent_until_s - self._clock()
        return min(left_s, SILENCE_S) if self._quiet() else 0.0  # a sum of floats may exceed it

    @property
    def silenced(self) -> bool:
        """Whether all that stands was silenced."""
        return len(self._standing) > 0 and all(one.alarm in self._quiet() for one in self._standing)

    def due(self) -> bool:
        """True each time that a beep is due; asked a few times a second."""
        loud = {one.alarm for one in self._standing} - self._quiet()
        now_s = self._clock()
        if not loud or not self.sound or now_s - self._beeped_s < BEEP_S[bool(loud & URGENT)]:
            return False
        self._beeped_s = now_s
        return True

    # ---- words

    def signs(self, now_s: float, rate: str) -> tuple[Sign, ...]:
        """What stands, the most urgent first, as it is at an instant.

        Parameters
        ----------
        rate : str
            As it stands beside the banner: no other number is ever said of it.
        """
        return tuple(Sign(one.alarm, self._words(one, now_s, rate)) for one in self._standing)

    def _words(self, stands: StandingAlarm, now_s: float, rate: str) -> str:
        limits, since_s = self.limits, self._since_s(stands, now_s)
        match stands.alarm:
            case AlarmKind.LOW_RATE:
                said = [f"{rate} bpm", *_worst("lowest", stands.worst_bpm), f"limit {limits.low_bpm:g}"]
            case AlarmKind.HIGH_RATE:
                said = [f"{rate} bpm", *_worst("highest", stands.worst_bpm), f"limit {limits.high_bpm:g}"]
            case AlarmKind.ASYSTOLE:
                none_s = self._numbers.stream_s(now_s) - self._numbers.beat_s
                none_s = limits.asystole_s + since_s if math.isnan(none_s) else none_s
                said = [f"no beat for {duration(none_s)}", f"limit {limits.asystole_s:g} s"]
            case AlarmKind.SIGNAL_LOST if self._state in SILENT:
                said = [self._state.value]
            case _:
                said = [stands.why]
        name = stands.alarm.value
        return f"{name}{'' if name.endswith('?') else ':'} {' · '.join([*said, duration(since_s)])}"

    def _since_s(self, stands: StandingAlarm, now_s: float) -> float:
        """How long it has stood, by the stream's time, if both are known."""
        since_s = self._numbers.stream_s(now_s) - stands.at_s
        return max(0.0, now_s - self._risen_s[stands.alarm] if math.isnan(since_s) else since_s)

    def sound_words(self) -> str:
        """What there is to say of the sound; empty while it is on."""
        if not self.sound:
            return "sound off"
        return f"silent {duration(math.ceil(self.silent_s))}" if self._quiet() else ""


def _worst(word: str, bpm: float) -> list[str]:
    return [] if math.isnan(bpm) else [f"{word} {bpm:.0f}"]
