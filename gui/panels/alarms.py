# SPDX-License-Identifier: GPL-3.0-or-later
"""Which alarms stand, what the banner says of them, and when to beep; no Qt."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from streamer.core.events import Alarm, AlarmKind, AlarmsSilenced, Event

URGENT = frozenset({AlarmKind.ASYSTOLE, AlarmKind.SIGNAL_LOST, AlarmKind.ELECTRODE})
"""These beep twice as often."""

BEEP_S = {True: 2.0, False: 5.0}
"""Between two beeps, by whether anything urgent stands."""


class Alarms:
    """Hears of alarms that rise and end, and knows which stand.

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._standing: dict[AlarmKind, str] = {}
        self._silenced: set[AlarmKind] = set()
        self._beeped_s = -math.inf
        self.sound = True
        """False keeps it quiet whatever comes; the banner stays."""

    def clear(self) -> None:
        """Another stream begins: nothing stands."""
        self._standing.clear()
        self._silenced.clear()
        self._beeped_s = -math.inf

    def event(self, event: Event) -> bool:
        """Take an event; True if it changed what stands."""
        if not isinstance(event, Alarm):
            return False
        if event.rises:
            self._standing[event.alarm] = event.text
            self._beeped_s = -math.inf
        else:
            self._standing.pop(event.alarm, None)
        self._silenced.discard(event.alarm)
        return True

    def silence(self) -> AlarmsSilenced | None:
        """Keep quiet about what stands, until it ends and rises again or something else does.

        Returns
        -------
        AlarmsSilenced or None
            What the log and the recording are told; None if nothing was sounding.
        """
        sounding = tuple(alarm for alarm in self._standing if alarm not in self._silenced)
        if not sounding:
            return None
        self._silenced.update(sounding)
        return AlarmsSilenced(sounding)

    @property
    def silenced(self) -> bool:
        """Whether all that stands was silenced."""
        return bool(self._standing) and self._silenced >= self._standing.keys()

    @property
    def standing(self) -> tuple[str, ...]:
        """What stands now, in words, the urgent first."""
        return tuple(
            self._standing[alarm] for alarm in sorted(self._standing, key=lambda alarm: alarm not in URGENT)
        )

    @property
    def urgent(self) -> bool:
        """Whether anything urgent stands."""
        return any(alarm in URGENT for alarm in self._standing)

    def banner(self) -> str:
        """What the banner says; empty where nothing stands."""
        if not self._standing:
            return ""
        quiet = "silenced" if self.silenced else "" if self.sound else "sound off (H)"
        return "   ".join(("   ·   ".join(self.standing), *([f"[{quiet}]"] if quiet else ["[X silences]"])))

    def due(self) -> bool:
        """True each time that a beep is due; asked a few times a second."""
        loud = self._standing.keys() - self._silenced
        now_s = self._clock()
        if not loud or not self.sound:
            return False
        if now_s - self._beeped_s < BEEP_S[any(alarm in URGENT for alarm in loud)]:
            return False
        self._beeped_s = now_s
        return True
