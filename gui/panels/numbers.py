# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers beside the paper: what they are made of, and how they read; no Qt."""

from __future__ import annotations

import math
from collections import deque

from streamer.core.events import (
    Alarm,
    AlarmKind,
    Battery,
    Beat,
    Drift,
    Event,
    Failed,
    LeftBehind,
    Quality,
    QualityChanged,
    RecordingStarted,
    State,
    StateChanged,
)
from streamer.core.stream import Frame, StreamInfo
from streamer.recording.recorder import Recorder
from streamer.session.alarm_words import duration
from streamer.session.description import SessionDescription

TREND_S = 60.0
"""So much of the RR intervals is shown."""

LONGEST_RR_S = 4.2
"""Between beats further apart something was missed: there is no interval."""

OLD_S = 2.0
"""Without a sample for so long there is no heart rate to show."""

UNKNOWN = "--"

NO_BREAK = "\N{NO-BREAK SPACE}"
"""Between a number and its unit where the column may break a line."""


class Numbers:
    """Keeps what the numbers need; follows `gui.panels.panel.Panel` but for what needs a screen."""

    def __init__(self) -> None:
        self.start_stream(None, None)

    def start_stream(self, info: StreamInfo | None, description: SessionDescription | None) -> None:
        """Forget everything: another stream begins."""
        self._info = info
        self._whose = "generic" if description is None else description.whose
        self._recalibrate = False
        self._beat_s = math.nan  # on the stream's axis
        self._bpm = math.nan
        self._newest: tuple[float, Frame] | None = None
        self._rr: deque[tuple[float, float]] = deque()
        self._quality: frozenset[Quality] | None = None
        self.questionable = False
        """The heart rate is counted from noise."""
        self.battery_percent: float = math.nan
        """As the sensor last told; NaN if it never did."""
        self._paused = self._ended = False
        self._lost = 0
        self._recorded_s: float | None = None
        self._recorder_failed = False

    def frame(self, at_s: float, frame: Frame) -> None:
        """A frame came at ``at_s``, monotonic seconds."""
        if self._newest is not None and frame.start < self._newest[1].stop:
            self._lost = 0  # the stream began again
        self._newest = at_s, frame
        if self._recorded_s is not None and not self._recorder_failed:
            self._recorded_s += float(frame.valid.sum()) / frame.rate_hz
        self._lost += int((~frame.valid).sum())

    def event(self, event: Event) -> None:
        """Something happened."""
        match event:
            case StateChanged():
                self._paused = event.state is State.PAUSED
                self._ended = event.state is State.ENDED
            case Beat():
                self._note_beat(event)
            case QualityChanged():
                self._quality = event.wrong
            case Alarm():
                self._note_alarm(event)
            case Drift():
                self._recalibrate = event.rises
            case Battery():
                self.battery_percent = event.percent
            case RecordingStarted():
                self._recorded_s, self._recorder_failed = 0.0, False
            case Failed() | LeftBehind() if event.part == Recorder.name:
                self._recorder_failed = True

    def _note_alarm(self, alarm: Alarm) -> None:
        if alarm.alarm is AlarmKind.CANNOT_ANALYSE:
            self.questionable = alarm.rises
        elif alarm.alarm is AlarmKind.SIGNAL_LOST and alarm.rises:
            self._bpm = math.nan

    def _note_beat(self, event: Beat) -> None:
        if event.rr_s <= LONGEST_RR_S:
            self._rr.append((event.at_s, 1e3 * event.rr_s))
        self._beat_s, self._bpm = event.at_s, event.bpm
        while self._rr and self._rr[0][0] < event.at_s - TREND_S:
            self._rr.popleft()

    @property
    def beat_s(self) -> float:
        """The newest beat, on the stream's axis; NaN before the first."""
        return self._beat_s

    def stream_s(self, now_s: float) -> float:
        """How far the stream is now, on its axis: it goes on if nothing comes, unless it is paused; NaN
        before the first sample."""
        if self._newest is None:
            return math.nan
        at_s, frame = self._newest
        return frame.stop / frame.rate_hz + (0.0 if self._paused else max(0.0, now_s - at_s))

    # ---- as they read

    def bpm(self, now_s: float) -> str:
        """The heart rate, with a question mark if it is counted from noise, or that it is unknown: no beat
        for long, or no sample."""
        if self._newest is None or self._silent(now_s):
            return UNKNOWN
        frame = self._newest[1]
        silent_s = frame.stop / frame.rate_hz - self._beat_s
        known = math.isfinite(self._bpm) and silent_s <= LONGEST_RR_S
        return f"{self._bpm:.0f}{'?' * self.questionable}" if known else UNKNOWN

    def rr_ms(self) -> list[list[tuple[float, float]]]:
        """Of the last minute: each interval with its second on the stream's axis, in stretches without a
        break."""
        stretches: list[list[tuple[float, float]]] = []
        for at_s, ms in self._rr:
            if not stretches or at_s - 1e-3 * ms - stretches[-1][-1][0] > 0.1:
                stretches.append([])
            stretches[-1].append((at_s, ms))
        return stretches

    def rr(self) -> str:
        """The newest interval, and how it varies."""
        if not self._rr:
            return f"RR {UNKNOWN}"
        intervals = [ms for _, ms in self._rr]
        return f"RR {intervals[-1]:.0f} ms ({min(intervals):.0f}-{max(intervals):.0f})"

    def quality(self, now_s: float) -> tuple[str, bool]:
        """What is wrong with the measured lead, and whether anything is."""
        if self._silent(now_s):
            return UNKNOWN, False
        if self._quality is None:
            return "checking", False
        if not self._quality:
            return "good", False
        return ", ".join(one.value for one in Quality if one in self._quality), True

    def battery(self) -> str:
        """Percent, where the sensor has told."""
        return f"{self.battery_percent:.0f} %" if math.isfinite(self.battery_percent) else UNKNOWN

    def age_s(self, now_s: float) -> float:
        """How long ago the newest sample was taken, or came, if it is not known when it was taken; NaN
        before the first."""
        if self._newest is None:
            return math.nan
        at_s, frame = self._newest
        taken_s = frame.device_s + (frame.stop - 1 - frame.start) / frame.rate_hz
        since_s = next(since for since in (taken_s, frame.arrival_s, at_s) if math.isfinite(since))
        return max(0.0, now_s - since_s)

    def age(self, now_s: float) -> tuple[str, bool]:
        """The age of the newest sample, and whether it is too old."""
        age_s = self.age_s(now_s)
        if math.isnan(age_s):
            return UNKNOWN, False
        if self._paused or self._ended:
            return "paused" if self._paused else "ended", False
        return (f"{age_s:.2f} s" if age_s < 10 else duration(age_s)), age_s > OLD_S

    def _silent(self, now_s: float) -> bool:
        """Nothing comes that should."""
        return not self._paused and self.age_s(now_s) > OLD_S

    def lost(self) -> str:
        """Samples that the source lost, at the model's rate, and how long that is."""
        if self._newest is None or not self._lost:
            return "0"
        lost_s = self._lost / self._newest[1].rate_hz
        return f"{self._lost} ({f'{lost_s:.1f}{NO_BREAK}s' if lost_s < 100 else duration(lost_s)})"

    def recording(self) -> tuple[str, bool]:
        """How much signal has been recorded, and whether the recorder failed."""
        if self._recorded_s is None:
            return "off", False
        said = duration(self._recorded_s)
        return f"{said}, FAILED" if self._recorder_failed else said, self._recorder_failed

    def not_recording(self) -> None:
        """The recording was ended, as the user wished."""
        self._recorded_s = None

    def model(self) -> tuple[str, bool]:
        """Whose model it is, everybody's or one person's, and whether Lead I no longer looks like theirs."""
        return f"{self._whose}\nrecalibrate" if self._recalibrate else self._whose, self._recalibrate
