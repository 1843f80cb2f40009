# SPDX-License-Identifier: MIT
"""A sink that writes the twelve leads as a WFDB record while a session runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from streamer.core.errors import Field, InputError
from streamer.core.leads import LEADS, PREDICTED, twelve_from_eight
from streamer.core.signal.rate import RateConverter, Run
from streamer.core.signal.runs import true_runs
from streamer.core.signal.sample_bounds import SampleBounds
from streamer.core.stream import Chunk, Frame, Samples
from streamer.export.band import (
    BAND,
    NO_BAND,
    HalfWidthsAtSourceRate,
    band_beside,
    band_name,
    band_note,
    half_width_of,
)
from streamer.export.excerpt import plain_ascii
from streamer.formats.wfdb_writer import EIGHT, WfdbWriter, clipped_note
from streamer.recording.redact import without_folders
from streamer.session.description import NOT_FOR_DIAGNOSIS, SessionDescription
from streamer.session.sink import Sink

_GAP_BLOCK = 1 << 12
"""Samples of a gap that are written at once."""


class AtSourceRate:
    """Turns frames back into the rate, and the exact samples, of the source.

    The eight independent leads are converted and the other four derived again, so that the limb-lead
    laws hold.  A sample that the source lost is NaN at its own index; next to a gap one more may be,
    where the model's coarser grid has none.

    Parameters
    ----------
    model_hz, source_hz : float
        Rate of the frames, and of what comes out.
    """

    def __init__(self, model_hz: float, source_hz: float) -> None:
        self._converters = [RateConverter(model_hz, source_hz) for _ in PREDICTED]
        self._bounds = SampleBounds(source_hz)
        self._batch = int(model_hz)  # converting a second at a time costs a tenth of hop by hop
        self._waiting: list[Frame] = []
        self._missing: deque[tuple[int, int]] = deque()
        self._received = 0  # index after the newest source sample
        self._next = 0  # next index to put out

    def chunk(self, chunk: Chunk) -> None:
        """Note which samples the source had; before the frames that are made of them."""
        if chunk.start > self._received:
            self._missing.append((self._received, chunk.start))
        missing = true_runs(~self._bounds.usable(chunk.start, chunk.lead_mv))
        self._missing.extend((chunk.start + first, chunk.start + last) for first, last in missing)
        self._received = chunk.stop

    def frame(self, frame: Frame) -> Iterator[Samples]:
        """Take a frame; the ``(12, n)`` samples in mV that follow those before, in blocks."""
        self._waiting.append(frame)
        if frame.stop - self._waiting[0].start >= self._batch:
            yield from self._convert()

    def finish(self) -> Iterator[Samples]:
        """The rest, up to as many samples as came in, in blocks."""
        yield from self._convert()
        yield from self._place([converter.finish() for converter in self._converters])
        yield from self._nothing_until(self._received)

    def _convert(self) -> Iterator[Samples]:
        frames, self._waiting = self._waiting, []
        for start, leads_mv in _stretches(frames):
            eight = leads_mv[EIGHT].astype(np.float64)
            runs = [converter.push(start, x) for converter, x in zip(self._converters, eight, strict=True)]
            yield from self._place(runs)

    def _place(self, runs_of_each: list[list[Run]]) -> Iterator[Samples]:
        """Put runs (the same ones for each of the eight leads) at their indices, NaN between."""
        for runs in zip(*runs_of_each, strict=True):
            start, stop = max(runs[0].start, self._next), min(runs[0].stop, self._received)
            if stop <= start:
                continue
            yield from self._nothing_until(start)
            eight = np.array([run.x[start - run.start : stop - run.start] for run in runs], np.float32)
            out = twelve_from_eight(eight)
            self._mark_missing(out)
            self._next = stop
            yield out

    def _nothing_until(self, stop: int) -> Iterator[Samples]:
        """NaN up to an index: a gap of hours takes no more memory than one of seconds."""
        while self._next < stop:
            n = min(stop - self._next, _GAP_BLOCK)
            self._next += n
            yield np.full((len(LEADS), n), np.nan, np.float32)

    def _mark_missing(self, out: Samples) -> None:
        """Of the samples that come next, those that the source had not."""
        stop = self._next + out.shape[1]
        while self._missing and self._missing[0][0] < stop:
            first, last = self._missing[0]
            out[:, max(first - self._next, 0) : max(last - self._next, 0)] = np.nan
            if last > stop:
                break
            self._missing.popleft()


def _stretches(frames: Sequence[Frame]) -> list[tuple[int, Samples]]:
    """The valid stretches of consecutive frames, joined: start index and ``(12, n)`` mV."""
    stretches: list[tuple[int, Samples]] = []
    joined: list[Samples] = []
    begin = stop = 0
    for frame in frames:
        for first, last in true_runs(frame.valid):
            start = frame.start + first
            if joined and start != stop:
                stretches.append((begin, np.concatenate(joined, axis=1)))
                joined = []
            if not joined:
                begin = start
            joined.append(frame.leads_mv[:, first:last])
            stop = frame.start + last
    if joined:
        stretches.append((begin, np.concatenate(joined, axis=1)))
    return stretches


class WfdbSink(Sink):
    """The twelve leads as a WFDB record beside other sinks, or by itself.

    Same rate and length as the source, the algorithmic latency taken out.  Where the model states a
    90 % band, ``RECORD_band`` holds its half widths, sample by sample.  Nothing has the record's name
    before `close`, and a session without a sample leaves none.

    Parameters
    ----------
    folder : Path
        Where the record goes.
    record : str
        Its name.
    force : bool
        Overwrite a record of this name.
    began : datetime, optional
        When the first sample was taken; the header states it, to the millisecond at least.
    """

    name = "WFDB record"

    def __init__(
        self, folder: Path, record: str, *, force: bool = False, began: datetime | None = None
    ) -> None:
        self._folder = folder
        self._record = record
        self._force = force
        self._began = began
        self.clipped = 0
        """Samples beyond ±32.767 mV, known after `close`."""
        self.samples = 0
        """Of each lead, known after `close`."""

    def open(self, description: SessionDescription) -> None:
        """Begin the record.

        Raises
        ------
        InputError, OSError
            As `WfdbWriter`.
        """
        self._description = description
        rate_hz = description.stream.rate_hz
        self._resampled = AtSourceRate(description.rate_hz, rate_hz)
        self._half_widths = HalfWidthsAtSourceRate(description.rate_hz, rate_hz)
        leads = signals_of(description)
        self._writer = WfdbWriter(
            self._folder, self._record, rate_hz, force=self._force, signals=leads, began=self._began
        )
        self._writers = [self._writer]
        try:
            if BAND in description.bands:
                name, signals = band_name(self._record), [half_width_of(lead) for lead in leads]
                band = WfdbWriter(
                    self._folder, name, rate_hz, force=self._force, signals=signals, began=self._began
                )
                self._writers.append(band)
            else:
                self._stale_band()
        except BaseException:
            self.abort()
            raise

    def chunk(self, chunk: Chunk) -> None:
        """Note which samples there are."""
        self._resampled.chunk(chunk)

    def frame(self, frame: Frame) -> None:
        """Write what has become certain."""
        half_width_mv = self._description.half_width_mv(frame.scale_mv, BAND)
        if half_width_mv is not None:
            self._half_widths.frame(frame.start, half_width_mv)
        self._append(self._resampled.frame(frame))

    def close(self) -> None:
        """Complete the record and give it its name; nothing where it was aborted."""
        if not all(writer.is_open for writer in self._writers):
            self.abort()
            return
        try:
            self._append(self._resampled.finish())
            self.samples, self.clipped = self._writer.samples, self._writer.clipped
            if self.samples:
                self._finish()
        finally:
            self.abort()

    def abort(self) -> None:
        """Leave nothing behind.  Does nothing after a `close` that went well."""
        for writer in self._writers:
            writer.abort()

    def _append(self, blocks: Iterable[Samples]) -> None:
        for leads_mv in blocks:
            self._writer.append(leads_mv)
            for band in self._writers[1:]:
                band.append(self._half_widths.beside(leads_mv))

    def _stale_band(self) -> list[Path]:
        """An earlier record's band, which would pass for one of this record's.

        Raises
        ------
        InputError
            There is one, and it is not to be overwritten.
        """
        paths = [self._folder / f"{band_name(self._record)}{end}" for end in (".hea", ".dat")]
        stale = [path for path in paths if path.exists()]
        if stale and not self._force:
            raise InputError(f"{stale[0]} exists", Field.OUTPUT)
        return stale

    def _finish(self) -> None:
        """The band first: no record is to name one that is not there."""
        about = record_comments(self._description)
        bands = self._writers[1:]
        for path in [] if bands else self._stale_band():
            path.unlink()
        try:
            for band in bands:
                band.finish([band_note(self._record), *about, *clipped_note(band.clipped)])
            told = band_beside(self._record) if bands else NO_BAND
            self._writer.finish([*about, told, *clipped_note(self.clipped)])
        except BaseException:
            for band in bands:
                band.remove()
            raise


def signals_of(description: SessionDescription) -> list[str]:
    """The twelve signals as PTB-XL names them; what is not Lead I is not called so."""
    first, *rest = description.labels
    first = first if description.stream.is_lead_i else plain_ascii(first, 30)
    return [first, *(lead.upper() for lead in rest)]


def record_comments(description: SessionDescription) -> list[str]:
    """What a file must say of itself: which leads are estimates, by what, and what was taken out."""
    stream = description.stream
    by_origin: dict[str, list[str]] = {}
    for lead, origin in description.as_dict()["origins"].items():
        by_origin.setdefault(origin, []).append(lead)
    lines = [f"{NOT_FOR_DIAGNOSIS[0].upper()}{NOT_FOR_DIAGNOSIS[1:]}"]
    lines += [f"{origin}: {', '.join(leads)}" for origin, leads in by_origin.items()]
    first = "lead I" if stream.is_lead_i else description.labels[0]
    lines.append(f"{first} is the measured one, baseline and phase corrected by the model")
    lines += [warning for warning in description.warnings if warning != NOT_FOR_DIAGNOSIS]
    source = without_folders(stream.source)
    lines.append(f"source: {source}, lead {stream.lead}{', inverted' if stream.inverted else ''}")
    lines += [f"identity: {stream.identity}"] if stream.identity else []
    lines.append(f"model: {description.model_in_words}, input band {description.filters}")
    lines.append(f"algorithmic latency removed: {description.latency.total_ms:.1f} ms")
    return lines
