# SPDX-License-Identifier: MIT
"""``session:`` - the raw input of a recorded session, played as if it came live again."""

from __future__ import annotations

import dataclasses
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from devices.replay.pacing import AS_RECORDED, Playback, Replay
from streamer.core.errors import Field, InputError
from streamer.core.events import (
    Alarm,
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
    QualityChanged,
    RecordingStarted,
    SamplesLost,
    Seam,
    SenderSaid,
    SensorRate,
    SpeedChanged,
    StateChanged,
    Topic,
    Unrecognized,
)
from streamer.core.leads import canonical_lead
from streamer.core.signal.runs import true_runs
from streamer.core.stream import Chunk, Placement, Samples, StreamInfo
from streamer.recording.reader import Recording


class SessionReplay:
    """Replays a session file; follows `streamer.session.source.Source`.

    The samples are those that were recorded, bit for bit, gaps where they were, at the indices that
    they had: through the same model on the same machine they give the same twelve leads.

    Parameters
    ----------
    path : str or Path
        The session file.
    lead : str, optional
        Only the lead that was recorded can be had.
    invert : bool
        Turn the polarity against that of the recording.
    placement : Placement
        What the user says of the electrodes, where it differs from what was said then.
    replay, chunk_samples, clock, sleep
        As `devices.replay.pacing.Playback` takes them.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        lead: str | None = None,
        invert: bool = False,
        placement: Placement = Placement.UNSTATED,
        replay: Replay = AS_RECORDED,
        chunk_samples: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._path = path
        self._lead = lead
        self._sign = np.float32(-1 if invert else 1)
        self._placement = placement
        self._clock = clock
        self.replay = replay
        """How it is played."""
        self.player = Playback(replay, chunk_samples, clock, sleep)
        """Pauses it and sets its speed."""
        self._recording: Recording | None = None

    @property
    def recording(self) -> Recording:
        """The file; call `open` first."""
        if self._recording is None:
            raise RuntimeError("open() comes before the recording")
        return self._recording

    @property
    def origin(self) -> int:
        """Raw index of the recording at which the played one is 0."""
        return round(self.replay.start_s * self.recording.description.stream.rate_hz)

    def open(self) -> StreamInfo:
        """Read the file's structure.

        Raises
        ------
        InputError
            No session file, one without samples, another lead, a start behind the end.
        """
        self._recording = recording = Recording.open(self._path)
        then = recording.description.stream
        if recording.raw_stop == recording.raw_start:
            raise InputError(f"the session {recording.shown} holds no samples")
        if self._lead is not None and not _same_lead(self._lead, then.lead):
            raise InputError(
                f"the session {recording.shown} holds lead {then.lead}, no {self._lead!r}",
                Field.LEAD,
                choices=(then.lead,),
                leave_out=True,
            )
        length = self.replay.length(then.rate_hz, recording.raw_stop)
        placement = then.placement if self._placement is Placement.UNSTATED else self._placement
        notes = [
            f"Playing the session of {recording.began:%Y-%m-%d %H:%M:%S} UTC: {recording.seconds:.1f} s of "
            f"lead {then.lead} from {then.source}."
        ]
        if recording.raw_start > recording.description.stream.rate_hz:
            begin_s = recording.raw_start / then.rate_hz
            notes.append(f"Its first sample is at {begin_s:.1f} s.")
        if not recording.complete:
            notes.append("It is not complete; what can be read is played (close it with mecg repair).")
        if self._sign < 0:
            notes.append(f"The polarity of {then.lead} is turned against the recording's, as asked.")
        return dataclasses.replace(
            then,
            source=f"session:{self._path}",
            is_lead_i=(then.is_lead_i or self._is_on_the_arms(then.lead))
            and placement is not Placement.CHEST,
            inverted=then.inverted != bool(self._sign < 0),
            placement=placement,
            samples=None if self.replay.loop else length,
            live=False,
            as_recorded=False,
            passed_on=None,
            speed=self.replay.speed,
            start_s=self.replay.start_s,
            began=recording.began.isoformat(timespec="milliseconds"),
            notes=(*notes, *self.replay.notes()),
        )

    def _is_on_the_arms(self, lead: str) -> bool:
        """Whether the user says so of a lead whose label names none."""
        return self._placement is Placement.ARMS and canonical_lead(lead) is None

    def items(self) -> Iterator[Chunk | Event]:
        """The recorded samples and, at their places, the recorded events; call `open` first.

        Raises
        ------
        InputError
            The file became unreadable while it was played.
        """
        recording = self.recording
        rate_hz, origin = recording.description.stream.rate_hz, self.origin
        told = deque(
            (round(recording.second_of(event.host_s) * rate_hz) - origin, event)
            for event in recording.events
            if is_told_again(event) and math.isfinite(event.host_s)
        )
        expected: int | None = None
        for item in self.player.play(self._read, rate_hz, recording.raw_stop, recording.next_raw):
            if not isinstance(item, Chunk):
                yield item
                continue
            while told and told[0][0] < item.stop:
                at, event = told.popleft()
                if at >= 0:
                    at_s = event.at_s - origin / rate_hz
                    yield dataclasses.replace(event, host_s=self._clock(), at_s=at_s)
            for first, last in true_runs(self._there(item.start, item.stop)):
                start = item.start + first
                if expected is not None and start > expected and self.replay.drop is None:
                    yield self._lost(start - expected, rate_hz)
                expected = item.start + last
                yield dataclasses.replace(
                    item,
                    start=start,
                    lead_mv=item.lead_mv[first:last],
                    device_s=item.device_s + first / rate_hz,
                )

    def stop(self) -> None:
        """Ask `items` to end; returns at once."""
        self.player.stop()

    def _read(self, start: int, stop: int) -> tuple[Samples, None]:
        return self.recording.raw_mv(start, stop) * self._sign, None

    def _there(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Which of the played samples were recorded at all."""
        origin, length = self.origin, self.recording.raw_stop - self.origin
        if stop <= length:
            return self.recording.has_raw(origin + start, origin + stop)
        place = np.arange(start, stop) % length
        there: NDArray[np.bool_] = self.recording.has_raw(origin, origin + length)[place]
        return there

    def _lost(self, count: int, rate_hz: float) -> Event:
        text = f"{count} samples ({count / rate_hz:.2f} s) were lost when this was recorded"
        return SamplesLost(count, text, host_s=self._clock())


def is_told_again(event: Event) -> bool:
    """Whether a recorded event still holds as its samples are played again: not if it was about that run
    and its files, nor if it is found again.
    """
    match event:
        case StateChanged() | SamplesLost() | Dropped() | Failed() | LeftBehind() | RecordingStarted():
            return False
        case (
            Beat() | QualityChanged() | Alarm() | AlarmsSilenced() | Drift() | SpeedChanged() | BandsChanged()
        ):
            return False
        case Notice():
            return event.topic not in (Topic.DISK, Topic.REPAIR, Topic.PLAYBACK)
        case Contact() | Battery() | SensorRate() | Marker() | LimitsChanged() | Seam():
            return True
        case SenderSaid() | Unrecognized():
            return True
        case _:
            assert_never(event)


def _same_lead(asked: str, recorded: str) -> bool:
    lead = canonical_lead(asked)
    return asked == recorded or (lead is not None and lead == canonical_lead(recorded))
