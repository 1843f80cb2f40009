# SPDX-License-Identifier: MIT
"""What a bedside screen says beside the traces: beats, heart rate, quality of Lead I, alarms.

Runs behind the pipeline: frames in, events out.  Pure and causal: the same frames give the same
events, however the input was cut into chunks; time is the stream's own, so nothing here has a clock.
docs/vitals.md says where each rule comes from and how well it does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from math import ceil, nan
from statistics import median

import numpy as np
from numpy.typing import NDArray

from streamer.core.events import (
    Alarm,
    AlarmKind,
    Beat,
    Contact,
    Event,
    QualityChanged,
    SamplesLost,
    Seam,
    SensorRate,
    State,
    StateChanged,
)
from streamer.core.signal.sample_bounds import JUMP_MV, MOST_MV, SampleBounds
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.core.vitals.beats import REFRACTORY_S, BeatDetector
from streamer.core.vitals.contradictions import Contradictions
from streamer.core.vitals.quality import SEVERE, Findings, LeadQuality

LATEST, LATEST_SLOW, SLOW_S = 12, 4, 1.2
"""The rate is the mean of the 12 latest RR intervals, of 4 when three in a row exceed 1200 ms."""
LEAST_RR = 2
"""Of fewer intervals no rate is reported."""
ACROSS_GAP = 0.25
"""An interval across missing samples counts if it differs from the others by less than this share, ..."""
ACROSS_GAP_FEW, FEW_RR = 0.04, 5
"""... and by less than this while there are fewer others: a beat at a gap's edge may be off by some, and
among few intervals that moves the rate."""
HIDES_S = 0.01
"""A gap hides a beat if it begins by so long after the R peak, as the band shows it, and ends behind it."""
LONGEST_RR_S = 4.2
"""Of 15 bpm with some to spare: what is longer is a pause."""
TOGETHER_S = 0.064
"""Frames of so much signal are looked at together: a call for each would cost three times as much."""
GAPS = 1024
"""So many of the newest are remembered until a beat is found behind them."""
SEAM_S = 0.15
"""So near to the place where a replay begins again, or samples are missing, what looks like a beat may be
made by it."""
GAP_S = 2.0
"""After so long a gap the filters start again, and with them the rate; the signal counts as lost."""
FOUND_S = 0.4
"""A beat is found at the latest so long after it happened."""
SETTLE_S = 1.5
"""Before that after a start no beat is missed."""
KNOWN_S = 4.0
"""Before that a signal is not called good."""
WILD_S = 1.0
"""Samples that no electrode gives are told once for as long as they come closer together than this."""
LASTS_S = 2.0
"""So long a rate is beyond its limit before an alarm rises: by then noise is known as such."""
HYSTERESIS_BPM = 2.0
"""So far inside its limit a rate alarm ends."""
SILENT = frozenset({State.CONNECTING, State.WAITING, State.STALE, State.RECONNECTING})
"""Nothing comes in these: once a sample has come, the signal is lost."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When to raise an alarm; what bedside monitors begin with."""

    low_bpm: float = 50.0
    high_bpm: float = 120.0
    asystole_s: float = 4.0


def _alike(rr_s: float, other_s: float, share: float = ACROSS_GAP) -> bool:
    return abs(rr_s - other_s) < share * other_s


class HeartRate:
    """The rate from the latest RR intervals."""

    def __init__(self) -> None:
        self._rr_s: deque[float] = deque(maxlen=LATEST)
        self._across_s: deque[float] = deque(maxlen=LATEST)

    def add(self, rr_s: float) -> None:
        """Take the interval between two beats, seconds."""
        self._rr_s.append(rr_s)

    def add_across_gap(self, rr_s: float, *, may_hide: bool) -> bool:
        """Take an interval in which samples are missing; returns whether it is one for sure.

        A beat may be missing too, and the interval twice as long: it counts if it is about as long as the
        others; while there are none, once three in which no beat can be hidden are about as long.
        """
        if self._rr_s:
            share = ACROSS_GAP if len(self._rr_s) >= FEW_RR else ACROSS_GAP_FEW
            alone = _alike(rr_s, median(self._rr_s), share)
            if alone:
                self._rr_s.append(rr_s)
            return alone
        if may_hide:
            return False
        self._across_s.append(rr_s)
        alike = max(
            ([other for other in self._across_s if _alike(other, each)] for each in sorted(self._across_s)),
            key=len,
        )
        if len(alike) > LEAST_RR:
            self._rr_s.extend(alike)
            self._across_s.clear()
        return False

    def clear(self) -> None:
        """Forget all: the rate is unknown."""
        self._rr_s.clear()
        self._across_s.clear()

    @property
    def bpm(self) -> float:
        """Beats a minute; nan while unknown."""
        rr_s = list(self._rr_s)
        if len(rr_s) < LEAST_RR:
            return nan
        if len(rr_s) >= 3 and min(rr_s[-3:]) > SLOW_S:
            rr_s = rr_s[-LATEST_SLOW:]
        return 60 * len(rr_s) / sum(rr_s)


class Vitals:
    """Watches one session.

    Parameters
    ----------
    rate_hz : float
        Of the frames.
    stream : StreamInfo, optional
        What was said of the source.
    delay_s : float
        How much later the input band shows what happened: the delay of its low-pass.  Beats are reported
        with it taken out.
    """

    def __init__(self, rate_hz: float, stream: StreamInfo | None = None, delay_s: float = 0.0) -> None:
        self._rate_hz = rate_hz
        self._source_hz = rate_hz if stream is None else stream.rate_hz
        self._delay_s = delay_s
        self._stream = stream
        self._lead = LeadQuality(rate_hz, stream)
        self._found: Findings | None = None
        self.limits = Limits()
        """May be replaced at any time, from any thread."""
        self._detector = BeatDetector(rate_hz)
        self._waiting: list[Frame] = []
        self._due = 0  # what waits is looked at from this index on
        self._zero_s = nan  # the instant of sample 0, by the newest frame
        self._rate = HeartRate()
        self._beat: int | None = None  # index of the newest
        self._beats_again = False  # since it was last asked
        self._since = 0  # no beat is missed before this index
        self._begun = 0
        self._seen: int | None = None  # index behind the newest valid sample
        # Not yet passed by a beat: where, and how many samples.
        self._gaps: deque[tuple[int, int]] = deque(maxlen=GAPS)
        self._seams: list[float] = []  # where a replay began again, not yet passed by a beat
        self._come = 0  # index that what has come reaches to
        self._silent_why = ""  # the state in which nothing comes; empty once a sample has come after it
        self._back = 0  # the first index that ends that
        self._raised: set[AlarmKind] = set()  # the alarms that stand
        self._beyond: dict[AlarmKind, int] = {}  # index from which on a rate has been beyond its limit
        self._ended = False  # a replay has: there are no alarms any more
        self._bounds = None if stream is None else SampleBounds(stream.rate_hz)
        self._wild: int | None = None  # raw index behind the newest sample that no electrode gives
        self._untold: list[Event] = []
        self._contradictions = None if stream is None else Contradictions(stream)

    def hear(self, event: Event) -> list[Event]:
        """Take what the source says beside the samples: its state; contact and heart rate if it has them."""
        match event:
            case StateChanged(state=State.ENDED) if self._stream is not None and not self._stream.live:
                return self._end_all()
            case StateChanged() if event.state in SILENT and self._come:
                self._silent_why, self._back = event.state.value, self._come
                return self._signal_alarm(self._seen or 0)
            case Contact():
                self._lead.contact = event.touches
                if not event.touches:
                    return self._signal_alarm(self._seen or 0)
            case SensorRate() if self._contradictions is not None:
                ours = nan if self._raised or self._lead.noise_now > 1 else self._rate.bpm
                return list(self._contradictions.strap_counts(event.bpm, ours))
            case Seam():
                self._seams.append(event.at_s * self._rate_hz)
        return []  # what ends an alarm is a sample, not a word

    def chunk(self, chunk: Chunk) -> None:
        """Look at raw samples; before the frames that they complete."""
        if np.isfinite(chunk.lead_mv).any():
            self._come = ceil(chunk.stop * self._rate_hz / self._source_hz) + 1
        if self._stream is None or self._bounds is None or self._contradictions is None:
            return
        self._untold += self._contradictions.chunk(chunk)
        usable = self._bounds.usable(chunk.start, chunk.lead_mv)
        if not usable.all():
            self._note_wild(chunk.start, ~usable & ~np.isnan(chunk.lead_mv), self._stream.rate_hz)
            chunk = replace(chunk, lead_mv=np.where(usable, chunk.lead_mv, np.float32(np.nan)))
        self._lead.chunk(chunk)

    def _note_wild(self, start: int, wild: NDArray[np.bool_], rate_hz: float) -> None:
        """Tell of a stretch of samples that no electrode gives, as it begins."""
        for at in (start + np.flatnonzero(wild)).tolist():
            if self._wild is None or at - self._wild > WILD_S * rate_hz:
                text = (
                    f"samples that no electrode gives, beyond {MOST_MV:g} mV or {JUMP_MV:g} mV from the one "
                    "before, are left out; check the unit and the contact"
                )
                self._untold.append(SamplesLost(1, text, at_s=at / rate_hz))
            self._wild = at + 1

    def push(self, frame: Frame) -> list[Event]:
        """Take a frame; return what is to be reported: `Beat`, `QualityChanged`, `Alarm`, of samples that no
        electrode gives `SamplesLost`, and of what contradicts the rate or the lead a `Notice`.

        Samples are missing between two frames where the index jumps.
        """
        events, self._untold = self._untold, []
        if self._waiting and frame.start != self._waiting[-1].stop:
            events += self._take_waiting()
        self._waiting.append(frame)
        if frame.stop < self._due:
            return events
        together = round(TOGETHER_S * self._rate_hz)
        self._due = (frame.stop // together + 1) * together
        return events + self._take_waiting()

    def _take_waiting(self) -> list[Event]:
        """Look at the frames that wait; none is missing between them."""
        waiting, self._waiting = self._waiting, []
        start = waiting[0].start
        lead_mv = np.concatenate([each.measured_mv for each in waiting])
        valid = np.concatenate([each.valid for each in waiting])
        self._zero_s = waiting[-1].device_s - waiting[-1].start / self._rate_hz
        events = self._look(start, lead_mv, valid)
        for index, found in self._lead.push(start, lead_mv, np.concatenate([w.settling for w in waiting])):
            events += self._note_quality(index, found)
        return events

    def _look(self, start: int, lead_mv: NDArray[np.float32], valid: NDArray[np.bool_]) -> list[Event]:
        """Beats, and what they say, in samples ``(n,)``."""
        events: list[Event] = []
        stop = start + len(lead_mv)
        if self._seen is None:
            self._seen = self._begun = start
            self._since = start + round(SETTLE_S * self._rate_hz)
        if start == self._seen and valid.all() and AlarmKind.SIGNAL_LOST not in self._raised:
            self._seen = stop
        elif valid.any():
            events += self._note_gaps(start, valid)
        if self._seen > start:
            for beat in self._detector.push(start, lead_mv):
                events += self._note_beat(beat)
        elif stop - self._seen > GAP_S * self._rate_hz:
            events += self._signal_alarm(stop, missing=True)
        return events + self._beat_alarms(stop)

    def _note_quality(self, index: int, found: Findings) -> list[Event]:
        known_s = (index - self._begun) / self._rate_hz
        if found == self._found or (self._found is None and known_s < KNOWN_S and not found.wrong):
            return []
        self._found = found
        return [QualityChanged(found.wrong, found.text, at_s=index / self._rate_hz)]

    # ---- beats

    def _note_gaps(self, start: int, valid: NDArray[np.bool_]) -> list[Event]:
        """Remember what is missing before and in samples of which some are there."""
        assert self._seen is not None
        events: list[Event] = []
        for index in (start + np.flatnonzero(valid)).tolist():
            missing = index - self._seen
            if missing:
                self._gaps.append((self._seen, missing))
                self._since += missing
            if missing > GAP_S * self._rate_hz:
                self._rate.clear()
                self._beat = None
                self._since = index + round(SETTLE_S * self._rate_hz)
                events += self._signal_alarm(index, missing=True)
            self._seen = index + 1
        if self._seen > self._back:
            self._silent_why = ""
        return events + self._signal_alarm(self._seen)

    def _note_beat(self, index: int) -> list[Event]:
        rr_s = nan
        about = SEAM_S * self._rate_hz  # the edge of a gap may look like a beat too
        missing = max((size for at, size in self._gaps if at - about <= index), default=0)
        behind = sum(size for at, size in self._gaps if at >= index)
        may_hide = missing > 0 and self._beat is not None and self._may_hide(self._beat, index)
        self._gaps = deque((gap for gap in self._gaps if sum(gap) + about > index), GAPS)
        near = missing <= GAP_S * self._rate_hz
        if self._beat is not None and not self._across_seam(self._beat, index) and near:
            rr_s = (index - self._beat) / self._rate_hz
            if missing:
                rr_s = rr_s if self._rate.add_across_gap(rr_s, may_hide=may_hide) else nan
            elif rr_s <= LONGEST_RR_S:
                self._rate.add(rr_s)
            else:
                self._rate.clear()
        self._beats_again = True
        self._beat, self._since = index, max(self._since, index + behind)
        if self._lead.counts:
            self._rate.clear()
        bpm = self._rate.bpm
        self._lead.beat(index)
        at_s = index / self._rate_hz - self._delay_s
        beat = Beat(bpm, rr_s, host_s=self._zero_s + at_s, at_s=at_s)
        return [beat, *self._rate_alarms(index, bpm)]

    def _may_hide(self, first: int, last: int) -> bool:
        """Whether beats, evenly between two, may all be missing with the samples."""
        length = last - first
        about = HIDES_S * self._rate_hz
        for parts in range(2, int(length / (REFRACTORY_S * self._rate_hz)) + 1):
            places = [first + length * k / parts for k in range(1, parts)]
            if all(any(-about <= each - at <= size for at, size in self._gaps) for each in places):
                return True
        return False

    def _across_seam(self, first: int, last: int) -> bool:
        """Whether a replay began again between two beats, or at one of them."""
        about = SEAM_S * self._rate_hz
        across = any(first - about < seam < last + about for seam in self._seams)
        self._seams = [seam for seam in self._seams if seam + about > last]
        return across

    # ---- alarms

    def _rate_alarms(self, index: int, bpm: float) -> list[Event]:
        low, high = self.limits.low_bpm, self.limits.high_bpm
        if self._lead.severe or self._lead.noise_now > SEVERE:  # what is counted there is no heart
            bpm = nan
        is_low = bpm < low + HYSTERESIS_BPM * (AlarmKind.LOW_RATE in self._raised)
        is_high = bpm > high - HYSTERESIS_BPM * (AlarmKind.HIGH_RATE in self._raised)
        is_low = self._lasts(AlarmKind.LOW_RATE, is_low, index)
        is_high = self._lasts(AlarmKind.HIGH_RATE, is_high, index)
        return [
            *self._alarm(AlarmKind.LOW_RATE, is_low, f"{bpm:.0f} bpm, below {low:g}", index),
            *self._alarm(AlarmKind.HIGH_RATE, is_high, f"{bpm:.0f} bpm, above {high:g}", index),
        ]

    def _lasts(self, alarm: AlarmKind, beyond: bool, index: int) -> bool:
        """Whether a rate stays beyond its limit."""
        if not beyond:
            self._beyond.pop(alarm, None)
            return False
        since = self._beyond.setdefault(alarm, index)
        return alarm in self._raised or index - since >= LASTS_S * self._rate_hz

    def _beat_alarms(self, index: int) -> list[Event]:
        """What is to be said when no beat comes, or nothing that is one."""
        asystole = AlarmKind.ASYSTOLE in self._raised
        if AlarmKind.SIGNAL_LOST in self._raised and not asystole:
            self._since = index
        quiet_s = (index - self._since) / self._rate_hz - FOUND_S
        # What ends an asystole is a beat, also behind a gap.
        silent = quiet_s > self.limits.asystole_s or (asystole and not self._beats_again)
        self._beats_again = False
        noisy = self._lead.severe and AlarmKind.SIGNAL_LOST not in self._raised
        off = self._lead.dead and (silent or AlarmKind.ELECTRODE in self._raised)
        if off:
            self._since = index
        elif AlarmKind.ELECTRODE in self._raised or (
            AlarmKind.CANNOT_ANALYSE in self._raised and not (noisy or self._lead.still)
        ):
            self._learn_again(index)
            silent = asystole  # what no beat was found in was noise
        # A line that stands still is given the time to show whether it is dead.
        stopped = silent and not off and (asystole or not (noisy or self._lead.still))
        no_beat = f"no beat for {self.limits.asystole_s:g} s"
        events = [
            *self._alarm(AlarmKind.ELECTRODE, off, "the lead is dead flat, or at its rail", index),
            *self._alarm(AlarmKind.ASYSTOLE, stopped, no_beat, index),
        ]
        events += self._alarm(AlarmKind.CANNOT_ANALYSE, noisy, "too much noise for a heart rate", index)
        if events:  # neither what was counted before it nor what was counted in it holds after it
            self._rate.clear()
            events += self._rate_alarms(index, nan)
        return events

    def _learn_again(self, index: int) -> None:
        """Find beats as at the start: neither noise nor the step up from a rail says how tall they are."""
        self._detector.forget()
        self._beat = None
        self._since = index + round(SETTLE_S * self._rate_hz)

    def _signal_alarm(self, index: int, *, missing: bool = False) -> list[Event]:
        why = self._silent_why
        if not why and not self._lead.contact:
            why = "an electrode is off"
        elif not why and missing:
            why = f"nothing came for {GAP_S:g} s"
        events = self._alarm(AlarmKind.SIGNAL_LOST, bool(why), why, index)
        if why and events:
            self._rate.clear()
            events += self._rate_alarms(index, nan)
            for alarm in (AlarmKind.ELECTRODE, AlarmKind.CANNOT_ANALYSE):
                events += self._alarm(alarm, False, "", index)
        return events

    def _end_all(self) -> list[Event]:
        """A replay has ended: nobody is in danger there, and nothing rises again."""
        self._ended = True
        at = self._seen or 0
        return [event for alarm in AlarmKind for event in self._alarm(alarm, False, "", at)]

    def _alarm(self, alarm: AlarmKind, on: bool, why: str, index: int) -> list[Event]:
        """The event of an alarm that rises or ends."""
        on = on and not self._ended
        if on == (alarm in self._raised):
            return []
        self._raised ^= {alarm}
        return [Alarm(alarm, on, why if on else "", at_s=index / self._rate_hz)]
