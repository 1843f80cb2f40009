# SPDX-License-Identifier: MIT
"""From the instant of a sample to the instant at which it was had, stage by stage.

Everything is a difference of instants along one way, so that the parts add up to the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from streamer.core.signal.rate import RateConverter
from streamer.core.stream import Frame

ALGORITHM = ("look-ahead", "overlap", "rate conversion", "hop")
"""What an average sample waits for by the algorithm alone: computed, not measured."""

SOURCE = ("packet", "transport")
"""Until the packet that brings what is needed is full, and until it has arrived."""

CORE = ("convert", "bands", "turn", "window", "inference", "stitch", "leads")
"""In the core's thread; ``turn`` is the wait behind earlier hops of the same packet."""

SCREEN = ("display delay", "paint")
"""What the monitor waits on purpose for smooth motion, and until the paint was done."""

STAGES = (*ALGORITHM, *SOURCE, "queue", *CORE)
"""Up to the finished frame."""

KINDS = (
    dict.fromkeys(ALGORITHM, "algorithm") | dict.fromkeys(SOURCE, "source") | dict.fromkeys(SCREEN, "screen")
)
"""Who makes a sample wait, by stage; the stages that are not here are the ``program``'s own."""


class LatencyBreakdown:
    """Tells the parts of each frame's way.

    Parameters
    ----------
    rate_hz, model_rate_hz : float
        The source's and the model's.
    look_ahead, overlap : int
        The model's, in samples at its rate.
    """

    def __init__(self, rate_hz: float, model_rate_hz: float, look_ahead: int, overlap: int) -> None:
        self._rate_hz = rate_hz
        self._look_ahead = look_ahead
        self._overlap = overlap
        self._converter = RateConverter(rate_hz, model_rate_hz)

    def needed(self, frame: Frame) -> int:
        """Index of the newest source sample that a frame waits for."""
        return self._converter.needs(frame.stop - 1 + self._look_ahead + self._overlap) - 1

    def waited(self, frame: Frame) -> bool:
        """False for a frame that only the end of the stream completed: it waited for no sample."""
        return frame.stamps is not None and frame.stamps.newest > self.needed(frame)

    def parts_ms(self, frame: Frame, later_s: Sequence[float]) -> list[float]:
        """Durations of `STAGES`, then those between the finished frame and the instants ``later_s``; ms.

        Raises
        ------
        ValueError
            The frame has no stamps.
        """
        stamps = frame.stamps
        if stamps is None:
            raise ValueError("a frame without stamps does not tell where its time went")
        rate_hz = frame.rate_hz
        within_s = (frame.stop - 1 - frame.start) / 2 / rate_hz
        newest = frame.stop - 1 + self._look_ahead + self._overlap
        needed = self.needed(frame)
        conversion_s = needed / self._rate_hz - newest / rate_hz
        needed_s = frame.device_s + needed / self._rate_hz - frame.start / rate_hz
        packet_s = (stamps.newest - 1 - needed) / self._rate_hz
        transport_s = frame.arrival_s - needed_s - packet_s
        algorithm = [self._look_ahead / rate_hz, self._overlap / rate_hz, conversion_s, within_s]
        program = [later - earlier for earlier, later in pairwise((frame.arrival_s, *stamps[:8], *later_s))]
        return [1e3 * value for value in (*algorithm, packet_s, transport_s, *program)]
