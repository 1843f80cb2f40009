# SPDX-License-Identifier: MIT
"""What of a recorded session goes into a file: which traces, from when to when, and what to note."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from math import ceil, inf, isfinite, nan

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import Field, InputError
from streamer.core.events import UNTRUSTED, Beat, Drift, Event, QualityChanged, SamplesLost
from streamer.core.leads import LEADS, canonical_lead
from streamer.core.signal.runs import true_runs
from streamer.core.stream import Frame, Samples
from streamer.export.band import BAND, NO_BAND
from streamer.recording.reader import Recording
from streamer.session.description import NOT_FOR_DIAGNOSIS, SessionDescription
from streamer.session.event_wire import wire_kind, words

AS_MEASURED = "measured"
"""What a user calls the thirteenth trace: the measured lead in the input band."""

TELL_RATE = 1e-4
"""A clock that is off by this share is reported: by 0.36 s in an hour ..."""

BELIEVE_RATE = 0.05
"""... but not one by this share: that was no sampling clock, but a recording played at another speed."""

LONGEST_TEXT = 80
"""Of a mark, letters; in an EDF+ file every data record is as long as the longest one."""

LONGEST_NOTE = 240

LONGEST = 1 << 25
"""Samples of a trace, 37 h at 250 Hz: an excerpt is held in memory."""

LONGEST_GAP_S = 60.0
"""A longer gap ends an excerpt, and another begins behind it (`excerpts_of`): filled in, one of a year would
be 100 GB in any format that counts its samples."""

_AT_ONCE = 1 << 16

_Told = Sequence[tuple[int | None, Event]]
"""Events, each with its index in the session; None if unknown."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One row of an excerpt, and how it came to be."""

    label: str
    """A name of `streamer.core.leads.LEADS`, ``I, as measured``, or ``V5 corrected``; printable ASCII."""
    lead: str | None
    """The lead of the twelve that it is of; None if what was measured is none of them."""
    origin: str
    """``measured``, ``predicted`` or ``derived``."""
    processed: bool
    """True if a model or a law has made it; False for the input band of what was measured."""
    words: str
    """The same for the user."""


class MarkType(Enum):
    """What the formats tell apart among marks."""

    GAP = "gap"
    SETTLING = "settling"
    BEAT = "beat"
    JUDGEMENT = "judgement"
    """Of the measured lead, for as long as it stands: its quality, or that a calibration does not fit."""
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something to note at a place; ``stop`` equals ``start`` where it is an instant."""

    start: int
    """Index in the excerpt."""
    stop: int
    type: MarkType
    kind: str
    """To be read: ``gap``, ``settling``, or what the wire form calls an event's kind."""
    text: str
    """One line of ASCII, at most `LONGEST_TEXT` letters; begins with the kind."""
    untrusted: bool = False
    """What is made of such an input means nothing (`streamer.core.events.UNTRUSTED`)."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a session, at the model's rate, the algorithmic latency taken out."""

    description: SessionDescription
    traces: tuple[Trace, ...]
    mv: Samples
    """``(traces, n)``; NaN where a sample is missing."""
    first: int
    """Index of the first sample, counted from the session's sample 0."""
    began: datetime
    """When the first sample was, UTC."""
    marks: tuple[Mark, ...]
    """In the order of their start."""
    half_width_mv: Samples | None = None
    """``(leads, n)`` half width of the 90 % band of those traces that are ``processed``, which come first;
    NaN where a sample is missing.  None if the session states none."""
    stamped_hz: float = nan
    """The rate by the source's stamps.  Files state the nominal one, and count from their start."""

    @property
    def rate_hz(self) -> float:
        """Of every trace."""
        return self.description.rate_hz

    @property
    def samples(self) -> int:
        """Of each trace."""
        return int(self.mv.shape[1])

    @property
    def banded(self) -> tuple[Trace, ...]:
        """The traces that the rows of ``half_width_mv`` belong to; none without it."""
        return () if self.half_width_mv is None else self.traces[: len(self.half_width_mv)]

    @property
    def faint(self) -> NDArray[np.bool_]:
        """``(n,)``: where the filters settled or the input was not to be trusted: grey."""
        faint = np.zeros(self.samples, np.bool_)
        for mark in self.marks:
            if mark.untrusted or mark.type is MarkType.SETTLING:
                faint[mark.start : mark.stop] = True
        return faint

    @property
    def notes(self) -> tuple[str, ...]:
        """What every file says of itself, a line of ASCII each."""
        about, stream = self.description, self.description.stream
        by_origin: dict[str, list[str]] = {}
        for trace in self.traces:
            by_origin.setdefault(trace.origin, []).append(trace.label)
        notes = (
            f"{NOT_FOR_DIAGNOSIS[0].upper()}{NOT_FOR_DIAGNOSIS[1:]}",
            *(f"{origin}: {'; '.join(labels)}" for origin, labels in by_origin.items()),
            *(f"lead {trace.label}: {trace.words}" for trace in self.traces if trace.origin == "measured"),
            *(warning for warning in about.warnings if warning != NOT_FOR_DIAGNOSIS),
            f"source: {stream.source}, lead {stream.lead}{', inverted' if stream.inverted else ''}",
            *((f"identity: {stream.identity}",) if stream.identity else ()),
            f"model: {about.model_in_words}, input band {about.filters}",
            *(() if self.banded else (NO_BAND,)),
            f"algorithmic latency removed: {about.latency.total_ms:.1f} ms",
            f"first sample: {self.first / self.rate_hz:.6f} s into the session; times are UTC",
            *(
                (f"nominal {self.rate_hz:g} Hz; by the source's stamps {self.stamped_hz:.2f} Hz",)
                if TELL_RATE < abs(self.stamped_hz / self.rate_hz - 1) < BELIEVE_RATE
                else ()
            ),
        )
        return tuple(plain_ascii(note, LONGEST_NOTE) for note in notes)

    @classmethod
    def of(
        cls,
        recording: Recording,
        leads: Sequence[str] = (),
        start_s: float = 0.0,
        end_s: float = inf,
    ) -> Excerpt:
        """Read a part of a session.

        Parameters
        ----------
        recording : Recording
        leads : sequence of str
            Names of leads, and ``measured``; all thirteen where empty.
        start_s, end_s : float
            Seconds since the session's sample 0; the sample at ``end_s`` is not part of it.

        Raises
        ------
        InputError
            No such lead, nothing of the session in that time, or too much.
        """
        first, stop = _span(recording, start_s, end_s)
        return _excerpt(recording, leads, first, stop, stop, _told(recording))


def excerpts_of(
    recording: Recording, leads: Sequence[str] = (), start_s: float = 0.0, end_s: float = inf
) -> list[Excerpt]:
    """As `Excerpt.of`, in several where it would hold gaps of more than `LONGEST_GAP_S`.

    What happened in such a gap is noted at the last sample before it.
    """
    first, stop = _span(recording, start_s, end_s)
    told = _told(recording)
    spans = [
        (max(begin, first), min(end, stop))
        for begin, end in recording.stretches(LONGEST_GAP_S)
        if begin < stop and end > first
    ]
    if not spans:
        return [_excerpt(recording, leads, first, stop, stop, told)]
    nexts = [begin for begin, _ in spans[1:]]
    return [
        _excerpt(recording, leads, begin, end, heard, told)
        for (begin, end), heard in zip(spans, [*nexts, spans[-1][1]], strict=True)
    ]


def _span(recording: Recording, start_s: float, end_s: float) -> tuple[int, int]:
    """First and behind-last index of a time."""
    rate_hz = recording.description.rate_hz
    first = max(ceil(round(start_s * rate_hz, 6)), recording.start)
    stop = recording.stop
    if isfinite(end_s):
        stop = min(ceil(round(end_s * rate_hz, 6)), stop)
    if stop <= first:
        raise InputError(
            f"{recording.path} holds nothing there: its leads run from "
            f"{recording.start / rate_hz:.2f} to {recording.stop / rate_hz:.2f} s"
        )
    return first, stop


def _excerpt(
    recording: Recording, leads: Sequence[str], first: int, stop: int, heard: int, told: _Told
) -> Excerpt:
    """Samples ``first`` to ``stop``; what happened up to ``heard`` counts as at the last of them."""
    about = recording.description
    traces = _traces(about)
    rows = _rows(leads, traces)
    if stop - first > LONGEST:
        raise InputError(
            f"{(stop - first) / about.rate_hz / 3600:.0f} h are too long for one file, "
            f"which holds {LONGEST / about.rate_hz / 3600:.0f} h at most",
            Field.SPAN,
        )
    mv = np.empty((len(rows), stop - first), np.float32)
    missing, settling = np.empty(stop - first, np.bool_), np.empty(stop - first, np.bool_)
    banded = [row for row in rows if row < len(LEADS)] if BAND in about.bands else []
    half_width_mv = np.empty((len(banded), stop - first), np.float32)
    for start in range(first, stop, _AT_ONCE):
        part = recording.twelve(start, min(start + _AT_ONCE, stop))
        here = slice(start - first, part.stop - first)
        mv[:, here] = np.concatenate([part.leads_mv, part.measured_mv[None]])[rows]
        missing[here], settling[here] = ~part.valid, part.settling
        widths_mv = about.half_width_mv(part.scale_mv, BAND)
        if widths_mv is not None:
            half_width_mv[:, here] = np.where(part.valid, widths_mv[banded], np.float32(np.nan))
    since_s = (recording.first_sample - recording.began) / timedelta(seconds=1)
    since_s += first / about.rate_hz - recording.raw_start / about.stream.rate_hz
    frame = recording.twelve(first, first + 1)
    if about.stream.live and isfinite(frame.device_s) and isfinite(recording.began_host_s):
        since_s = frame.device_s - recording.began_host_s
    marks = [
        *_stretches(missing, MarkType.GAP, "gap: signal lost", about.rate_hz),
        *_stretches(settling, MarkType.SETTLING, "settling: filters", about.rate_hz),
        *_events(told, first, stop, heard),
        *_standing(told, QualityChanged, first, stop, recording.stop),
        *_standing(told, Drift, first, stop, recording.stop),
    ]
    if heard > stop:
        text = f"gap: signal lost, {(heard - stop) / about.rate_hz:.3f} s, not in this file"
        marks.append(Mark(stop - first - 1, stop - first - 1, MarkType.NOTE, "gap", text))
    return Excerpt(
        description=about,
        traces=tuple(traces[row] for row in rows),
        mv=mv,
        first=first,
        began=recording.began + timedelta(seconds=since_s),
        marks=tuple(sorted(marks, key=lambda mark: (mark.start, mark.stop))),
        half_width_mv=half_width_mv if np.isfinite(half_width_mv).any() else None,
        stamped_hz=_stamped_hz(recording, frame, stop),
    )


def _stamped_hz(recording: Recording, frame: Frame, stop: int) -> float:
    if not recording.description.stream.live:  # what is played is stamped by who plays it
        return nan
    took_s = recording.twelve(stop - 1, stop).device_s - frame.device_s
    return (stop - 1 - frame.start) / took_s if took_s > 0 else nan


def _traces(about: SessionDescription) -> list[Trace]:
    """All thirteen, in the order of `LEADS` and then the measured one."""
    stream = about.stream
    model = f"{about.model} {about.model_version}"
    name = "I" if stream.is_lead_i else plain_ascii(stream.lead, 24)
    source = "Lead I" if stream.is_lead_i else name
    # What matters most comes first: some formats have room for 64 letters only.
    caution = "" if stream.is_lead_i else "input is not Lead I, "
    words = {
        "measured": f"{caution}measured {source}, corrected by {model}",
        "predicted": f"{caution}not for diagnosis: predicted from {source} by {model}",
        "derived": f"{caution}not for diagnosis: derived from I and II, predicted from {source}",
    }
    # A file may hold anything: what is not known for measured or derived is an estimate.
    origins = {lead: about.origins.get(lead, "predicted") for lead in LEADS}
    origins = {lead: origin if origin in words else "predicted" for lead, origin in origins.items()}
    traces = [
        Trace(plain_ascii(label, 30), lead, origin, True, plain_ascii(words[origin], 200))
        for label, (lead, origin) in zip(about.labels, origins.items(), strict=True)
    ]
    lead = "I" if stream.is_lead_i else None
    traces[0] = replace(traces[0], lead=lead)
    return [
        *traces,
        Trace(f"{name}, as measured", lead, "measured", False, f"{caution}measured {source}, input band"),
    ]


def _rows(leads: Sequence[str], traces: Sequence[Trace]) -> list[int]:
    rows = []
    for name in leads:
        lead = canonical_lead(name)
        if name.strip().lower() == AS_MEASURED:
            rows.append(len(LEADS))
        elif lead is not None:
            rows.append(LEADS.index(lead))
        else:
            raise InputError(
                f"there is no lead {plain_ascii(name, 20)!r}: use {', '.join(LEADS)} or {AS_MEASURED}"
            )
    return sorted(set(rows)) or list(range(len(traces)))


def _stretches(mask: NDArray[np.bool_], type_: MarkType, text: str, rate_hz: float) -> list[Mark]:
    return [
        Mark(start, stop, type_, type_.value, f"{text}, {(stop - start) / rate_hz:.3f} s")
        for start, stop in true_runs(mask)
    ]


def _told(recording: Recording) -> list[tuple[int | None, Event]]:
    return [(_index(recording, event), event) for event in recording.events]


def _events(told: _Told, first: int, stop: int, heard: int) -> list[Mark]:
    """What happened in that time; before the first and after the last sample counts as at it."""
    marks = []
    for index, event in told:
        if isinstance(event, SamplesLost | Drift | QualityChanged):  # a gap, a stretch says more
            continue
        if index is not None and first <= index < heard:
            at = min(index, stop - 1) - first
            type_ = MarkType.BEAT if isinstance(event, Beat) else MarkType.NOTE
            marks.append(Mark(at, at, type_, wire_kind(event), _words(event)))
    return marks


def _standing(
    told: _Told, judgement: type[QualityChanged] | type[Drift], first: int, stop: int, end_of_all: int
) -> list[Mark]:
    """Each stretch for which a judgement of the measured lead stood: of its quality, or of its drift."""
    judged = [(begin, event) for begin, event in told if isinstance(event, judgement)]
    begins = [begin for begin, _ in judged]
    marks = []
    for (begin, event), end in zip(judged, [*begins, end_of_all][1:], strict=True):
        if begin is None or end is None or end <= first or begin >= stop:
            continue
        here, said = max(begin, first) - first, (wire_kind(event), _words(event))
        if event.wrong if isinstance(event, QualityChanged) else event.rises:
            untrusted = isinstance(event, QualityChanged) and bool(event.wrong & UNTRUSTED)
            marks.append(Mark(here, min(end, stop) - first, MarkType.JUDGEMENT, *said, untrusted))
        elif begin >= first:
            marks.append(Mark(here, here, MarkType.JUDGEMENT, *said))
    return marks


def _index(recording: Recording, event: Event) -> int | None:
    """Where in the session an event was, at the model's rate; None if unknown."""
    second = event.at_s if isfinite(event.at_s) else recording.second_of(event.host_s)
    if not isfinite(second):
        return None
    index = round(second * recording.description.rate_hz)
    return min(max(index, recording.start), recording.stop - 1)


def _words(event: Event) -> str:
    return plain_ascii(words(event), LONGEST_TEXT)


def plain_ascii(text: str, longest: int) -> str:
    """One line of printable ASCII, as the old formats want it."""
    text = " ".join(text.replace("µ", "u").split())
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)[:longest]
