# SPDX-License-Identifier: MIT
"""What happens beside the samples: one small class for each kind of event, and `Event`, any of them.

A new kind is a class here, a member of `Event` and two lines in `streamer.session.event_wire`; mypy
names every other place that has to handle it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from enum import Enum
from typing import TypeAlias

from streamer.core.network.parts import BANDS_IN_WORDS


class State(Enum):
    """Where a source stands."""

    CONNECTING = "connecting"
    WAITING = "waiting for the first sample"
    LIVE = "live"
    STALE = "stale"
    RECONNECTING = "reconnecting"
    PAUSED = "paused"
    """A replay that is held."""
    ENDED = "ended"


class Quality(Enum):
    """What can be wrong with the measured lead."""

    NO_CONTACT = "no contact"
    """The source says that an electrode is off."""
    FLAT = "flat"
    """Nothing moves."""
    SATURATED = "saturated"
    """Cut off at a rail of the amplifier."""
    NOISY = "noisy"
    """More noise than the reconstruction bears well."""
    REVERSED = "reversed"
    """Both arms exchanged, or the polarity turned."""
    OUT_OF_RANGE = "out of range"
    """Something that the model was not made for: its twelve leads are not to be relied on."""


UNTRUSTED = frozenset({Quality.OUT_OF_RANGE, Quality.NO_CONTACT})
"""While one of these holds the traces are grey: what is made of such an input means nothing."""


class AlarmKind(Enum):
    """What an alarm can be about; the value is what the user reads."""

    LOW_RATE = "heart rate low"
    HIGH_RATE = "heart rate high"
    ASYSTOLE = "asystole"
    SIGNAL_LOST = "signal lost"
    ELECTRODE = "electrode off?"
    """The lead does not move at all: no asystole looks so."""
    CANNOT_ANALYSE = "cannot analyse"
    """Too much noise for a heart rate."""


class Topic(Enum):
    """What a `Notice` is about."""

    LINK = "link"
    """The radio link, or the network."""
    CONNECTING = "connecting"
    """A step towards the first sample."""
    READING = "reading"
    """How a stream's numbers are read, its unit, its rate, its lead, and what contradicts it."""
    CLOCK = "clock"
    """The device's clock, or its stamps."""
    PLAYBACK = "replay"
    """How a recording is played."""
    DISK = "disk"
    """The space for a recording."""
    REPAIR = "repaired"
    """What was wrong with the file of a recording."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Moment:
    """When an event happened, on each clock that knows."""

    host_s: float = math.nan
    """The host's monotonic seconds; NaN until the session stamps it."""
    at_s: float = math.nan
    """On the stream's own axis, seconds after sample 0 of the source; NaN if it has no place there."""

    def __eq__(self, other: object) -> bool:
        """Whether both say the same; what is not known is alike, though NaN is not equal to NaN."""
        return self._said() == other._said() if isinstance(other, _Moment) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._said())

    def _said(self) -> tuple[object, ...]:
        values = (getattr(self, field.name) for field in fields(self))
        return type(self), *(None if value != value else value for value in values)


@dataclass(frozen=True, slots=True, eq=False)
class StateChanged(_Moment):
    """The source stands elsewhere now."""

    state: State
    text: str
    """One sentence for the user, with the reason."""


@dataclass(frozen=True, slots=True, eq=False)
class SamplesLost(_Moment):
    """Samples are missing from the stream."""

    count: int
    """Samples."""
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Dropped(_Moment):
    """What came was not used: packets that came late or broken, items that a slow sink did not take."""

    count: int
    """Packets, samples or items, as the text says."""
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Failed(_Moment):
    """A part of the session ended on an error."""

    part: str
    """The sink's name, ``source`` or ``core``."""
    why: str

    @property
    def text(self) -> str:
        """One sentence for the user."""
        return f"{self.part} ended: {self.why}"


@dataclass(frozen=True, slots=True, eq=False)
class LeftBehind(_Moment):
    """A sink did not end in time; the session ended without it."""

    part: str
    """The sink's name."""

    @property
    def text(self) -> str:
        """One sentence for the user."""
        return f"{self.part} did not end in time and was left behind"


@dataclass(frozen=True, slots=True, eq=False)
class Contact(_Moment):
    """The sensor's electrodes touch the skin, or no longer do."""

    touches: bool
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Battery(_Moment):
    """How full the sensor's battery is."""

    percent: int

    @property
    def text(self) -> str:
        """One sentence for the user."""
        return f"battery of the sensor at {self.percent} %"


@dataclass(frozen=True, slots=True, eq=False)
class SensorRate(_Moment):
    """The heart rate that the sensor itself counts."""

    bpm: int

    @property
    def text(self) -> str:
        """One sentence for the user."""
        return f"{self.bpm} beats a minute, as the strap counts them"


@dataclass(frozen=True, slots=True, eq=False)
class Marker(_Moment):
    """The user marked an instant."""

    text: str = "marker"
    """The user's note."""


@dataclass(frozen=True, slots=True, eq=False)
class Beat(_Moment):
    """A heart beat; ``at_s`` is the R peak."""

    bpm: float = math.nan
    """The heart rate; NaN while unknown."""
    rr_s: float = math.nan
    """The interval from the beat before; NaN if none can be taken: it is the first, samples are missing
    between the two, or a replay began again there.  Not in the wire form: a replay finds beats again."""

    @property
    def text(self) -> str:
        """What the user reads."""
        return "beat"


@dataclass(frozen=True, slots=True, eq=False)
class QualityChanged(_Moment):
    """The measured lead is judged differently now."""

    wrong: frozenset[Quality]
    """All that is wrong; empty if nothing is."""
    text: str
    """One sentence for the user, with the reasons."""


@dataclass(frozen=True, slots=True, eq=False)
class Alarm(_Moment):
    """An alarm rises or ends."""

    alarm: AlarmKind
    rises: bool
    why: str = ""
    """As it rises, the reason, such as ``39 bpm, below 40``."""

    @property
    def text(self) -> str:
        """What the user reads."""
        return f"{self.alarm.value}: {self.why if self.rises else 'over'}"


@dataclass(frozen=True, slots=True, eq=False)
class AlarmsSilenced(_Moment):
    """The user silenced what was sounding."""

    alarms: tuple[AlarmKind, ...]

    @property
    def text(self) -> str:
        """What the user reads."""
        return f"alarm silenced: {', '.join(alarm.value for alarm in self.alarms)}"


@dataclass(frozen=True, slots=True, eq=False)
class LimitsChanged(_Moment):
    """The user set when alarms are raised."""

    low_bpm: float
    high_bpm: float
    sound: bool

    @property
    def text(self) -> str:
        """What the user reads."""
        sound = "on" if self.sound else "off"
        return f"alarm limits: {self.low_bpm:g} to {self.high_bpm:g} bpm, sound {sound}"


@dataclass(frozen=True, slots=True, eq=False)
class BandsChanged(_Moment):
    """The user set how much of the model runs (`streamer.core.network.parts.BANDS`)."""

    bands: str

    @property
    def text(self) -> str:
        """What the user reads."""
        return f"leads from the bands: {BANDS_IN_WORDS[self.bands]}"

    def __post_init__(self) -> None:
        if self.bands not in BANDS_IN_WORDS:
            raise ValueError(f"there are no bands {self.bands!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Drift(_Moment):
    """Lead I no longer looks like that of the person's reference, or does again."""

    distance: float
    """How many times further than the reference's Lead I it lies from the calibration; 0 as it fits again."""

    @property
    def rises(self) -> bool:
        """Whether the calibration no longer fits."""
        return self.distance > 0

    @property
    def text(self) -> str:
        """What the user reads."""
        return RECALIBRATE if self.rises else "the calibration fits again"


RECALIBRATE = "recalibrate: Lead I no longer looks like the reference's"
"""What the user reads while a `Drift` stands."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordingStarted(_Moment):
    """The session is being recorded."""

    path: str
    """The file, the home folder as ``~``."""

    @property
    def text(self) -> str:
        """One sentence for the user."""
        return f"recording into {self.path}"


@dataclass(frozen=True, slots=True, eq=False)
class Notice(_Moment):
    """Something for the user to read, on which nothing acts."""

    topic: Topic
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class SpeedChanged(_Moment):
    """What is replayed goes on at another speed."""

    speed: float
    """1 is real time."""

    @property
    def text(self) -> str:
        """One sentence for the user."""
        return f"playing at {self.speed:g} times the real speed"


@dataclass(frozen=True, slots=True, eq=False)
class Seam(_Moment):
    """A replay that loops begins again at ``at_s``: nothing measured across that instant is real."""

    @property
    def text(self) -> str:
        """One sentence for the user."""
        return SEAM


SEAM = "the recording begins again here"
"""What the user reads of a `Seam`."""


@dataclass(frozen=True, slots=True, eq=False)
class SenderSaid(_Moment):
    """The program that sends the stream watches it too, and has said something."""

    marker: str
    """As it says it: ``KIND: TEXT``."""

    @property
    def text(self) -> str:
        """What the user reads."""
        return f"at the bedside: {self.marker}"


@dataclass(frozen=True, slots=True, eq=False)
class Unrecognized(_Moment):
    """What another version of this program wrote into a file, kept as it stands there."""

    name: str
    """Of its kind."""
    text: str
    state: State | None = None
    count: int = 0
    number: float = math.nan
    quality: frozenset[Quality] | None = None


Event: TypeAlias = (
    StateChanged
    | SamplesLost
    | Dropped
    | Failed
    | LeftBehind
    | Contact
    | Battery
    | SensorRate
    | Marker
    | Beat
    | QualityChanged
    | Alarm
    | AlarmsSilenced
    | LimitsChanged
    | BandsChanged
    | Drift
    | RecordingStarted
    | Notice
    | SpeedChanged
    | Seam
    | SenderSaid
    | Unrecognized
)
"""One stream of these serves the monitor, the log and the recording.  All have ``text``, one sentence for
the user that nothing parses, and the two instants of when it happened."""
