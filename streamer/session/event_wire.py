# SPDX-License-Identifier: MIT
"""Events as files and other programs see them: the one place that names their kinds in text.

The wire form is one flat record for all kinds (docs/recording.md).  It is a promise: recordings of
every version hold it, and scripts read it as JSON.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import assert_never

from streamer.core.events import (
    SEAM,
    Alarm,
    AlarmKind,
    AlarmsSilenced,
    BandsChanged,
    Battery,
    Beat,
    Contact,
    Drift,
    Dropped,
    Event,
    Failed,
    LeftBehind,
    LimitsChanged,
    Marker,
    Notice,
    Quality,
    QualityChanged,
    RecordingStarted,
    SamplesLost,
    Seam,
    SenderSaid,
    SensorRate,
    SpeedChanged,
    State,
    StateChanged,
    Topic,
    Unrecognized,
)
from streamer.core.network.parts import BANDS_IN_WORDS
from streamer.core.printable import printable


@dataclass(frozen=True, slots=True)
class WireEvent:
    """The fields of the wire form, in their order."""

    kind: str
    text: str
    host_s: float = math.nan
    state: State | None = None
    count: int = 0
    at_s: float = math.nan
    value: float = math.nan
    """Of a ``beat`` bpm, of an ``alarm`` 1 as it rises and 0 as it ends, of ``contact`` 1 or 0, of
    ``battery`` percent, of a ``drift`` its distance, of a ``replay`` its new speed."""
    quality: frozenset[Quality] | None = None


def to_wire(event: Event) -> WireEvent:
    """The wire form of an event."""
    state: State | None = None
    count, value = 0, math.nan
    quality: frozenset[Quality] | None = None
    match event:
        case StateChanged():
            state = event.state
        case SamplesLost() | Dropped():
            count = event.count
        case Contact():
            value = float(event.touches)
        case Battery():
            value = event.percent  # a whole number, and written as one
        case Beat():
            value = event.bpm
        case QualityChanged():
            quality = event.wrong
        case Alarm():
            value = float(event.rises)
        case Drift():
            value = event.distance
        case SpeedChanged():
            value = event.speed
        case Unrecognized():
            state, count, value, quality = event.state, event.count, event.number, event.quality
        case (
            Failed()
            | LeftBehind()
            | SensorRate()
            | Marker()
            | AlarmsSilenced()
            | LimitsChanged()
            | BandsChanged()
            | RecordingStarted()
            | Notice()
            | Seam()
            | SenderSaid()
        ):
            pass
        case _:
            assert_never(event)
    return WireEvent(wire_kind(event), event.text, event.host_s, state, count, event.at_s, value, quality)


def wire_kind(event: Event) -> str:
    """What the wire form calls an event's kind."""
    match event:
        case Notice():
            return event.topic.value
        case Seam() | SpeedChanged():
            return Topic.PLAYBACK.value  # as older versions read it
        case Unrecognized():
            return event.name
        case _:
            return _KINDS[type(event)]


_KINDS: dict[type[Event], str] = {
    StateChanged: "state",
    SamplesLost: "lost",
    Dropped: "dropped",
    Failed: "failed",
    LeftBehind: "failed",
    Contact: "contact",
    Battery: "battery",
    SensorRate: "heart rate",
    Marker: "marker",
    Beat: "beat",
    QualityChanged: "quality",
    Alarm: "alarm",
    AlarmsSilenced: "silence",
    LimitsChanged: "limits",
    BandsChanged: "bands",
    Drift: "drift",
    RecordingStarted: "recording",
    SenderSaid: "sender",
}


def words(event: Event) -> str:
    """``KIND: TEXT`` on one line, the kind said once."""
    kind, text = printable(wire_kind(event)), printable(" ".join(event.text.split()))
    if not text or text == kind:
        return kind
    return text if text.startswith(f"{kind}: ") else f"{kind}: {text}"


def alarm_said(said: SenderSaid) -> Alarm | None:
    """The alarm whose rise or end a sender has said; None if it is something else."""
    kind, _, text = said.marker.partition(": ")
    name, _, why = text.partition(": ")
    if kind != "alarm" or name not in (one.value for one in AlarmKind):
        return None
    return Alarm(AlarmKind(name), why != "over", "" if why == "over" else why)


def quality_said(said: SenderSaid) -> str | None:
    """The sentence about the lead that a sender has said, empty if nothing is wrong; None if it is something
    else.
    """
    kind, found, text = said.marker.partition(": ")
    return ("" if text.startswith("good") else f"quality {text}") if kind == "quality" and found else None


def from_wire(wire: WireEvent) -> Event:
    """The event of a wire form; `Unrecognized` if this version has no class that it fits."""
    event = _recognized(wire)
    if event is not None:
        return event
    return Unrecognized(
        wire.kind,
        wire.text,
        wire.state,
        wire.count,
        wire.value,
        wire.quality,
        host_s=wire.host_s,
        at_s=wire.at_s,
    )


def _recognized(wire: WireEvent) -> Event | None:
    text, value, host_s, at_s = wire.text, wire.value, wire.host_s, wire.at_s
    match wire.kind:
        case "state" if wire.state is not None:
            return StateChanged(wire.state, text, host_s=host_s, at_s=at_s)
        case "lost":
            return SamplesLost(wire.count, text, host_s=host_s, at_s=at_s)
        case "dropped":
            return Dropped(wire.count, text, host_s=host_s, at_s=at_s)
        case "contact" if math.isfinite(value):
            return Contact(value > 0, text, host_s=host_s, at_s=at_s)
        case "battery" if math.isfinite(value) and value == int(value):
            return Battery(int(value), host_s=host_s, at_s=at_s)
        case "marker":
            return Marker(text, host_s=host_s, at_s=at_s)
        case "beat":
            return Beat(value, host_s=host_s, at_s=at_s)
        case "quality" if wire.quality is not None:
            return QualityChanged(wire.quality, text, host_s=host_s, at_s=at_s)
        case "drift" if math.isfinite(value):
            return Drift(value, host_s=host_s, at_s=at_s)
        case "replay" if wire.text == SEAM and math.isfinite(at_s):
            return Seam(host_s=host_s, at_s=at_s)
        case "replay" if value > 0:
            return SpeedChanged(value, host_s=host_s, at_s=at_s)
        case "link" | "connecting" | "reading" | "clock" | "replay" | "disk" | "repaired":
            return Notice(Topic(wire.kind), text, host_s=host_s, at_s=at_s)
        case _:
            return _from_text(wire)


def _from_text(wire: WireEvent) -> Event | None:
    """The kinds of which the wire form has some field in its text only."""
    text, host_s, at_s = wire.text, wire.host_s, wire.at_s
    try:
        match wire.kind:
            case "failed":
                part, found, why = text.partition(" ended: ")
                if found:
                    return Failed(part, why, host_s=host_s, at_s=at_s)
                part, found, _ = text.partition(" did not end in time and was left behind")
                return LeftBehind(part, host_s=host_s, at_s=at_s) if found else None
            case "alarm":
                name, _, why = text.partition(": ")
                rises = wire.value > 0
                return Alarm(AlarmKind(name), rises, why if rises else "", host_s=host_s, at_s=at_s)
            case "silence" if text.startswith("alarm silenced: "):
                names = text.removeprefix("alarm silenced: ").split(", ")
                return AlarmsSilenced(tuple(map(AlarmKind, names)), host_s=host_s, at_s=at_s)
            case "limits" if set_to := _LIMITS.fullmatch(text):
                low_bpm, high_bpm, sound = set_to.groups()
                return LimitsChanged(float(low_bpm), float(high_bpm), sound == "on", host_s=host_s, at_s=at_s)
            case "sender" if text.startswith("at the bedside: "):
                return SenderSaid(text.removeprefix("at the bedside: "), host_s=host_s, at_s=at_s)
            case "bands":
                bands = _BANDS.get(text.removeprefix("leads from the bands: "), "")
                return BandsChanged(bands, host_s=host_s, at_s=at_s)
            case "heart rate" if counted := _SENSOR_RATE.fullmatch(text):
                return SensorRate(int(counted[1]), host_s=host_s, at_s=at_s)
            case "recording" if text.startswith("recording into "):
                return RecordingStarted(text.removeprefix("recording into "), host_s=host_s, at_s=at_s)
    except ValueError:  # an alarm of another version, ...
        pass
    return None


_LIMITS = re.compile(r"alarm limits: (\S+) to (\S+) bpm, sound (on|off)")
_BANDS = {in_words: bands for bands, in_words in BANDS_IN_WORDS.items()}
_SENSOR_RATE = re.compile(r"(\d+) beats a minute, as the strap counts them")
