# SPDX-License-Identifier: GPL-3.0-or-later
"""What the screen remembers of a stream: ten minutes of samples and what was said of them; no Qt."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gui.signal.stream_time import StreamTime
from gui.signal.trace_buffer import OneTrace, Stretch, TraceBuffer
from streamer.core.events import UNTRUSTED, Beat, Drift, Event, Marker, QualityChanged, Seam
from streamer.core.network.alternatives import Plausible
from streamer.core.stream import Frame, Samples
from streamer.export.band import BAND
from streamer.session.description import SessionDescription

KEPT_S = 600.0
"""At 250 Hz 15 MB, and 7 MB more where there is a truth; twice while the picture is frozen."""


PARTS_KEPT_S = 60.0
"""Of what each band gives: more than a screen full."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something at an instant of the stream."""

    at_s: float
    text: str = ""
    """Empty for a beat."""
    bpm: float = math.nan
    """The heart rate at a beat; NaN if it is unknown."""
    rr_s: float = math.nan
    """From the beat before; NaN if no interval can be taken."""


class History:
    """The last ten minutes of one stream."""

    def __init__(self, description: SessionDescription | None = None, seconds: float = KEPT_S) -> None:
        self._description = description
        self._seconds = seconds
        # What is kept is the band's half-width, from which the scale is had again.
        stated = description.plausible if description is not None and BAND in description.bands else ""
        self._plausible = Plausible.from_json(stated) if stated else None
        self.time = StreamTime(None if description is None else description.stream, seconds)
        """When its instants were."""
        self.traces: TraceBuffer | None = None
        """None before the first frame."""
        self.parts: dict[str, TraceBuffer] = {}
        """What the model's slower bands alone made of the leads, the lowest first, while it was asked for."""
        self.diagnostic: OneTrace | None = None
        """Lead I in the diagnostic band; None if the source is too slow for it."""
        self.beats: list[Mark] = []
        """R peaks, oldest first."""
        self.markers: list[Mark] = []
        """What the user marked."""
        self.untrusted: list[tuple[float, float]] = []
        """From when until when the input was not to be trusted, seconds; infinity while it lasts."""
        self.drifted: list[tuple[float, float]] = []
        """The same, when Lead I no longer looked like that of the person's reference."""

    @property
    def stop_s(self) -> float:
        """The instant after the newest sample; 0 before the first."""
        return 0.0 if self.traces is None else self.traces.stop / self.traces.rate_hz

    @property
    def start_s(self) -> float:
        """The instant of the oldest sample that is kept."""
        return 0.0 if self.traces is None else self.traces.start / self.traces.rate_hz

    @property
    def has_truth(self) -> bool:
        """Whether the source holds leads to compare with."""
        return self.traces is not None and self.traces.has_truth

    @property
    def has_alternatives(self) -> bool:
        """Whether the model knows of plausible alternatives to what it estimates."""
        return self._plausible is not None

    def alternatives(self, seen: Stretch) -> Samples | None:
        """Plausible alternatives ``(count, 12, n)`` to a stretch, mV, the same persons throughout; None if
        the model knows of none.
        """
        if self._plausible is None or self._description is None:
            return None
        factors = np.asarray(self._description.bands[BAND], np.float32)[:, None]
        return self._plausible.draws(seen.leads_mv, seen.half_width_mv / factors)

    def given(self, seen: Stretch) -> Samples | None:
        """What each band gives to a stretch ``(bands, 12, n)``, mV, the slowest first: they add up to the
        leads.  None if the model was not asked for it.
        """
        if not self.parts:
            return None
        stop = seen.start + seen.leads_mv.shape[1]
        below = [part.view(seen.start, stop).leads_mv for part in self.parts.values()]
        whole = np.stack([*below, seen.leads_mv])
        return np.diff(whole, axis=0, prepend=np.zeros_like(whole[:1]))

    def faint(self, seen: Stretch) -> NDArray[np.bool_]:
        """Which samples ``(n,)`` of a stretch are drawn grey: the filters settled, or the input was not to be
        trusted.
        """
        faint = seen.settling.copy()
        if self.traces is not None:
            at_s = (seen.start + np.arange(len(faint))) / self.traces.rate_hz
            for begin_s, end_s in self.untrusted:
                faint |= (at_s >= begin_s) & (at_s < end_s)
        return faint

    def frame(self, frame: Frame) -> None:
        """Add a frame; one that starts before the last one ended begins the stream again."""
        if self.traces is None or self.traces.rate_hz != frame.rate_hz:
            self.traces = TraceBuffer(frame.rate_hz, self._seconds)
        if frame.start < self.traces.stop:
            self.beats.clear()
            self.markers.clear()
            self.untrusted.clear()
            self.drifted.clear()
            self.time.clear()
        self.time.frame(frame)
        self.traces.push(frame, self._half_width_mv(frame.scale_mv))
        if {part.bands for part in frame.parts} != set(self.parts):  # asked for, no longer, or of other bands
            self.parts = {part.bands: TraceBuffer(frame.rate_hz, PARTS_KEPT_S) for part in frame.parts}
        for part in frame.parts:
            alone = replace(frame, leads_mv=part.leads_mv, scale_mv=part.scale_mv, parts=())
            self.parts[part.bands].push(alone, self._half_width_mv(part.scale_mv))

    def _half_width_mv(self, scale_mv: Samples) -> Samples | None:
        return None if self._description is None else self._description.half_width_mv(scale_mv, BAND)

    def truth(self, start: int, truth_mv: Samples) -> None:
        """Add measured leads ``(12, n)`` beside frames that came before."""
        if self.traces is not None:
            self.traces.push_truth(start, truth_mv)

    def diagnostic_trace(self, start: int, rate_hz: float, mv: Samples) -> None:
        """Add Lead I ``(n,)`` in the diagnostic band, at the source's rate."""
        if self.diagnostic is None:
            self.diagnostic = OneTrace(rate_hz, self._seconds)
        self.diagnostic.push(start, mv)

    def event(self, event: Event) -> tuple[float, float] | None:
        """Take note of an event; returns from when until when that changes the picture, if it does."""
        at_s = event.at_s if math.isfinite(event.at_s) else self.stop_s
        match event:
            case Beat():
                self._note(self.beats, Mark(at_s, bpm=event.bpm, rr_s=event.rr_s))
                return at_s, at_s
            case Marker():
                self._note(self.markers, Mark(at_s, event.text))
                return at_s, at_s
            case Seam():
                self.time.seam(at_s)
            case Drift():  # words say so, not the traces
                self._turn(self.drifted, event.rises, at_s)
            case QualityChanged() if self._turn(self.untrusted, bool(event.wrong & UNTRUSTED), at_s):
                return at_s, math.inf
        return None

    def copy(self) -> History:
        """The same, for looking at while more comes."""
        other = copy.copy(self)
        other.traces, other.diagnostic = copy.deepcopy(self.traces), copy.deepcopy(self.diagnostic)
        other.time = self.time.copy()
        other.parts = copy.deepcopy(self.parts)
        other.beats, other.markers = self.beats.copy(), self.markers.copy()
        other.untrusted, other.drifted = self.untrusted.copy(), self.drifted.copy()
        return other

    def _turn(self, spans: list[tuple[float, float]], on: bool, at_s: float) -> bool:
        """Begin a span or end the last one; returns whether that is news."""
        if on == (bool(spans) and math.isinf(spans[-1][1])):
            return False
        if on:
            spans.append((at_s, math.inf))
        else:
            spans[-1] = spans[-1][0], at_s
        while spans and spans[0][1] <= self.start_s:
            spans.pop(0)
        return True

    def _note(self, marks: list[Mark], mark: Mark) -> None:
        marks.append(mark)
        while marks[0].at_s < self.start_s:
            marks.pop(0)
