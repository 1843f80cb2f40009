# SPDX-License-Identifier: GPL-3.0-or-later
"""What the banner says of the alarms that stand, how it flashes, and when to beep; no Qt."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from gui.panels.numbers import Numbers
from streamer.core.events import Alarm, AlarmKind, AlarmsSilenced, Event, State, StateChanged
from streamer.core.vitals.standing import PRIORITIES, TECHNICAL, Priority, StandingAlarm, StandingAlarms
from streamer.core.vitals.vitals import Limits
from streamer.session.alarm_words import FLASH_HZ, Moment, Silence, alarm_words, duration

URGENT = frozenset({AlarmKind.ASYSTOLE, AlarmKind.SIGNAL_LOST, AlarmKind.ELECTRODE})
"""These beep twice as often."""

BEEP_S = {True: 2.0, False: 5.0}
"""Between two beeps, by whether anything urgent stands."""

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
        """Whether it says that the heart is not watched: steady, in a colour of its own."""
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
        self._silence = Silence()
        self._beeped_s = -math.inf
        self._state = State.LIVE
        self.limits = Limits()
        """When they are raised."""
        self.sound = True
        """False keeps it quiet whatever comes; the banner stays."""

    def clear(self) -> None:
        """Another stream begins: nothing stands."""
        self._standing.clear()
        self._silence.clear()
        self._beeped_s = -math.inf
        self._state = State.LIVE

    def event(self, event: Event) -> bool:
        """Take an event; True if it changed what stands."""
        changed = self._standing.event(event)
        match event:
            case StateChanged():
                self._state = event.state
            case AlarmsSilenced():  # by this window, or on a page
                self._silence.begin((one for one in event.alarms if one in self._standing), self._clock())
            case Alarm() if event.rises:
                self._rise(event.alarm)
            case Alarm():
                self._silence.end(event.alarm)
        return changed

    def _rise(self, alarm: AlarmKind) -> None:
        self._risen_s[alarm] = self._clock()
        self._beeped_s = -math.inf
        self._silence.rise(alarm, self._clock())

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
        self._silence.begin(sounding, self._clock())
        return AlarmsSilenced(sounding)

    def _quiet(self) -> frozenset[AlarmKind]:
        """What is silenced now."""
        return self._silence.quiet(self._clock())

    @property
    def silent_s(self) -> float:
        """How long what is silenced stays so; 0 if nothing is."""
        return self._silence.left_s(self._clock())

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
        no_beat_s = self._numbers.stream_s(now_s) - self._numbers.beat_s
        now = Moment(rate, self.limits, self._state, no_beat_s)
        return tuple(
            Sign(one.alarm, alarm_words(one, self._since_s(one, now_s), now)) for one in self._standing
        )

    def _since_s(self, stands: StandingAlarm, now_s: float) -> float:
        """How long it has stood, by the stream's time, if both are known."""
        since_s = self._numbers.stream_s(now_s) - stands.at_s
        return max(0.0, now_s - self._risen_s[stands.alarm] if math.isnan(since_s) else since_s)

    def sound_words(self) -> str:
        """What there is to say of the sound; empty while it is on."""
        if not self.sound:
            return "sound off"
        return f"silent {duration(math.ceil(self.silent_s))}" if self._quiet() else ""
