# SPDX-License-Identifier: MIT
"""How a session fares, kept from what a sink is handed: for a status line, and for a script."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import isfinite, nan
from typing import Any

from streamer.core.events import (
    Alarm,
    AlarmKind,
    Beat,
    Drift,
    Event,
    Quality,
    QualityChanged,
    SpeedChanged,
    State,
    StateChanged,
)
from streamer.core.stream import Chunk, Frame
from streamer.core.vitals.standing import StandingAlarm, StandingAlarms
from streamer.session.description import SessionDescription
from streamer.session.histogram import Histogram
from streamer.session.source_words import state_name, state_words

BEAT_S = 4.5
"""After so long without a beat the heart rate is unknown."""


class SessionStatus:
    """State, length, heart rate, quality, losses and latency of one session.

    Parameters
    ----------
    description : SessionDescription
    lost : callable
        How many samples were lost so far.
    """

    def __init__(self, description: SessionDescription, lost: Callable[[], int]) -> None:
        self._stream = description.stream
        self._speed = description.stream.speed
        self._rate_hz = description.stream.rate_hz
        self._algorithmic_ms = description.latency.total_ms
        self._lost = lost
        self.state = State.WAITING
        """Of the source."""
        self._stop = 0
        self._newest_s = nan
        self._ended_s = nan
        self._frame_s = 0.0
        self._beat: Beat | None = None
        self._alarms = StandingAlarms()
        self._wrong: frozenset[Quality] | None = None
        self._recalibrate = False if description.calibration else None
        self._latency_ms = nan
        self._latencies = Histogram()

    def chunk(self, chunk: Chunk) -> None:
        """Note how far the stream has come, and when."""
        if self.state in (State.WAITING, State.CONNECTING):
            self.state = State.LIVE
        self._stop = chunk.stop
        stamped_s = chunk.device_s + len(chunk.lead_mv) / self._rate_hz
        self._newest_s = stamped_s if isfinite(stamped_s) else chunk.arrival_s

    def frame(self, frame: Frame) -> None:
        """Take the time since the newest sample that this frame needed arrived."""
        self._frame_s = frame.stop / frame.rate_hz
        if isfinite(frame.arrival_s):
            self._latency_ms = 1e3 * (time.monotonic() - frame.arrival_s)
            self._latencies.add(self._latency_ms)

    def event(self, event: Event) -> None:
        """Take a state, a beat, a quality, an alarm, a drift."""
        self._alarms.event(event)
        match event:
            case StateChanged():
                self.state = event.state
                if event.state is State.ENDED:
                    self._ended_s = time.monotonic()
            case SpeedChanged():
                self._speed = event.speed
            case Beat():
                self._beat = event
            case Alarm(alarm=AlarmKind.SIGNAL_LOST, rises=True):
                self._beat = None  # no frame comes by which it would grow old
            case QualityChanged():
                self._wrong = event.wrong
            case Drift():
                self._recalibrate = event.rises

    @property
    def bpm(self) -> float:
        """The heart rate; nan while unknown."""
        beat = self._beat
        return nan if beat is None or self._frame_s - beat.at_s > BEAT_S else beat.bpm

    def facts(self) -> dict[str, Any]:
        """As plain JSON types; what is unknown is None."""
        measured = self._latencies.count > 0
        return {
            "seconds": round(self._stop / self._rate_hz, 3),
            "state": state_name(self.state, self._stream),
            "source_kind": self._stream.kind.name.lower(),
            "speed": self._speed if isfinite(self._speed) and not self._stream.live else None,
            "source_rate_hz": self._rate_hz,
            "hr_bpm": round(self.bpm, 1) if isfinite(self.bpm) else None,
            "quality": None if self._wrong is None else sorted(flag.name.lower() for flag in self._wrong),
            "recalibrate": self._recalibrate,
            "alarms": [
                {
                    "alarm": one.alarm.name.lower(),
                    "why": one.why,
                    "seconds": round(self._since_s(one), 1) if isfinite(one.at_s) else None,
                    "worst_bpm": round(one.worst_bpm, 1) if isfinite(one.worst_bpm) else None,
                }
                for one in self._alarms
            ],
            "lost": self._lost(),
            "latency_ms": {
                "algorithmic": round(self._algorithmic_ms, 4),
                "now": round(self._latency_ms, 3) if measured else None,
                "p99": round(self._latencies.quantile(0.99), 3) if measured else None,
            },
        }

    def text(self) -> str:
        """One line for the user."""
        parts = [state_words(self.state, self._stream, self._speed)]
        if self._recalibrate:
            parts.append("RECALIBRATE")  # in front: a narrow terminal cuts the end off
        parts += [f"ALARM {one.alarm.value} {self._since_s(one):.0f} s" for one in self._alarms]
        parts += [f"{self._rate_hz:g} Hz", f"{self._stop / self._rate_hz:.1f} s"]
        noise = "?" * (AlarmKind.CANNOT_ANALYSE in self._alarms)  # the rate is counted from it
        parts.append(f"HR {self.bpm:.0f}{noise}" if isfinite(self.bpm) else "HR --")
        parts.append(f"quality {self._quality_words()}")
        parts.append(f"lost {self._lost()}")
        if self._latencies.count:
            now_ms, p99_ms = self._latency_ms, self._latencies.quantile(0.99)
            parts.append(f"latency {self._algorithmic_ms:.0f} ms + {now_ms:.1f} ms now, {p99_ms:.1f} ms p99")
        if isfinite(self._newest_s) and self.state is not State.ENDED:
            age_s = max(time.monotonic() - self._newest_s, 0.0)
            parts.append(f"newest sample {age_s:.2f} s old")
        return " | ".join(parts)

    def _since_s(self, alarm: StandingAlarm) -> float:
        """How long it has stood, by the stream's time, which goes on if nothing comes; 0 if unknown."""
        since_s = self._stop / self._rate_hz - alarm.at_s
        if isfinite(self._newest_s) and self.state is not State.PAUSED:
            now_s = self._ended_s if self.state is State.ENDED else time.monotonic()
            since_s += max(now_s - self._newest_s, 0.0)
        return max(since_s, 0.0) if isfinite(since_s) else 0.0

    def _quality_words(self) -> str:
        if self._wrong is None:
            return "--"
        return ", ".join(sorted(flag.value for flag in self._wrong)) or "good"
