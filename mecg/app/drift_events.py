# SPDX-License-Identifier: GPL-3.0-or-later
"""Vitals of a calibrated session, with the events that say that the calibration no longer fits."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable

from streamer.core.calibration.correction import DriftWatch
from streamer.core.events import Drift, Event
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Frame, StreamInfo
from streamer.core.vitals.vitals import Vitals
from streamer.recording.replay_core import ReplayCore


class VitalsAndDrift(Vitals):
    """`Vitals` that also report when the calibration no longer fits."""

    def __init__(
        self, rate_hz: float, stream: StreamInfo, delay_s: float, drifts: Callable[[float], list[Drift]]
    ) -> None:
        super().__init__(rate_hz, stream, delay_s)
        self._drifts = drifts

    def push(self, frame: Frame) -> list[Event]:
        """As `Vitals.push`."""
        return [*super().push(frame), *self._drifts(frame.stop / frame.rate_hz)]


def drifts(core: Pipeline) -> Callable[[float], list[Drift]]:
    """What is to be reported of a calibration at an instant of the stream."""
    watch = DriftWatch()
    return lambda at_s: watch.push(core.drift, at_s)


def drifts_as_recorded(core: ReplayCore) -> Callable[[float], list[Drift]]:
    """What was told of it then, up to an instant; of what is skipped only what stands."""
    told_then = core.drifts()
    skipped = [event for event in told_then if event.at_s < 0][-1:]
    left = deque(dataclasses.replace(event, at_s=0.0) for event in skipped if event.rises)
    left.extend(event for event in told_then if event.at_s >= 0)

    def until(at_s: float) -> list[Drift]:
        told = []
        while left and left[0].at_s <= at_s:
            told.append(left.popleft())
        return told

    return until
