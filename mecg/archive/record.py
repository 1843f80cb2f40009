# SPDX-License-Identifier: GPL-3.0-or-later
"""One record of an archive: a recording in, a 12-lead WFDB record out."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf, nan
from pathlib import Path

import numpy as np

from devices.replay.file import FileReplay
from devices.replay.pacing import Replay
from mecg.app.session_builder import personal_of, words_of
from mecg.archive.naming import Item
from mecg.cli.exit_codes import error_line
from streamer.core.calibration.correction import Calibration
from streamer.core.errors import InputError
from streamer.core.events import Beat, QualityChanged
from streamer.core.leads import LEADS, SEVEN
from streamer.core.network.latency import budget
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.signal.rate import RateConverter
from streamer.core.stream import Chunk, Frame, Placement, StreamInfo
from streamer.core.vitals.vitals import Vitals
from streamer.export.band import BAND
from streamer.export.wfdb_sink import WfdbSink
from streamer.reconstruction import long_hop
from streamer.session.description import SessionDescription

CHUNK_SAMPLES = 16384
"""Read at a time: large enough that a chunk's own cost does not show."""

_SEVEN = [LEADS.index(lead) for lead in SEVEN]

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True, slots=True)
class Job:
    """How every record of a run is reconstructed; arguments as of `devices.replay.file.FileReplay`."""

    out: Path
    calibration: Path | Calibration | None = None
    lead: str | None = None
    invert: bool = False
    placement: Placement = Placement.UNSTATED
    force: bool = False
    unit_mv: float | None = None
    rate_hz: float | None = None
    keep_identity: bool = False
    judged: bool = False
    """Whether the lead's quality and heart rate are asked for, which costs a millisecond or two."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a record that went well is said to be."""

    rate_hz: float
    samples: int
    """Of the result, at its rate."""
    missing: int
    """Of them, those that the source lost or marked invalid."""
    clipped: int
    """Samples beyond 16 bits, all leads together."""
    band_mv: float
    """Half the width of the 90 % band, the mean over time and the seven leads; NaN without one."""
    quality: str
    """What was wrong with the lead at any time, or ``good``; empty if not asked for."""
    heart_rate_bpm: float
    """The median of those shown; NaN if there was none, or it was not asked for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record."""

    item: Item
    good: bool
    words: str
    """What the user should know; often nothing if it went well."""
    seconds: float = 0.0
    cpu_s: float = 0.0
    facts: Facts | None = None
    no_room: bool = False
    """The disk is full: the next one will not fit either."""
    tries: int = 1

    @classmethod
    def failed(cls, item: Item, words: str, tries: int = 1) -> Outcome:
        """It was not begun, or who did it is gone."""
        return cls(item, False, words, tries=tries)


def reconstruct(
    item: Item,
    network: Network,
    job: Job,
    advance: Callable[[float], None] = lambda share: None,
    stopped: Callable[[], bool] = lambda: False,
) -> tuple[str, Facts]:
    """Reconstruct one record; returns what the user should know of it, often nothing, and its facts.

    Parameters
    ----------
    item : Item
        The record.
    network : Network
        The model.
    advance : callable
        Told each share of the record that is read; the shares add up to 1.
    stopped : callable
        Asked often; True ends it.

    Raises
    ------
    InputError, OSError
        The record cannot be read or the result not be written; nothing is left behind.
    KeyboardInterrupt
        ``stopped`` said so; nothing is left behind.
    """
    source = FileReplay(
        Path(item.record),
        lead=job.lead,
        invert=job.invert,
        placement=job.placement,
        unit_mv=job.unit_mv,
        rate_hz=job.rate_hz,
        keep_identity=job.keep_identity,
        replay=Replay(speed=inf),
        chunk_samples=CHUNK_SAMPLES,
    )
    info, spec = source.open(), network.spec
    person = personal_of(network, job.calibration, info)
    pipeline = Pipeline(info, person, hop=long_hop(spec, info.samples, info.rate_hz))
    # The record states what the live path owes, not what these long hops would wait for.
    latency = budget(spec, RateConverter(info.rate_hz, spec.rate_hz))
    about = SessionDescription.of(info, person.spec, latency, words_of(person))
    sink = WfdbSink(job.out / item.folder, item.name, force=job.force, began=source.began)
    seen = _Seen(
        about, Vitals(spec.rate_hz, info, latency.low_pass_delay_10hz_ms / 1e3) if job.judged else None
    )
    sink.open(about)
    try:
        for chunk in source.items():
            if stopped():
                raise KeyboardInterrupt
            if isinstance(chunk, Chunk):
                sink.chunk(chunk)
                seen.chunk(chunk)
                for frame in pipeline.push(chunk):
                    sink.frame(frame)
                    seen.frame(frame)
                advance(len(chunk.lead_mv) / (info.samples or inf))
        for frame in pipeline.finish():
            sink.frame(frame)
            seen.frame(frame)
        sink.close()
    finally:
        sink.abort()
    return _words(info, source.remarks, sink.clipped), seen.facts(info.rate_hz, sink, pipeline.lost)


def outcome_of(
    item: Item,
    network: Network,
    job: Job,
    force: bool = False,
    advance: Callable[[float], None] = lambda share: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Outcome:
    """As `reconstruct`, what it raises being an outcome too; ``force`` overwrites what is there.

    Raises
    ------
    KeyboardInterrupt
        ``stopped`` said so.
    """
    begun_s, cpu_s = time.perf_counter(), time.process_time()
    good, words, facts, no_room = False, "", None, False
    try:
        words, facts = reconstruct(
            item, network, replace(job, force=True) if force else job, advance, stopped
        )
        good = True
    except InputError as error:
        words = error_line(error)
    except OSError as error:
        words = f"{error.filename or item.record}: {error.strerror or error}"
        no_room = error.errno in _NO_ROOM
    except MemoryError:
        words = f"{item.record}: it takes more memory than there is"
    return Outcome(
        item,
        good,
        words,
        time.perf_counter() - begun_s,
        time.process_time() - cpu_s,
        facts,
        no_room,
    )


def _words(info: StreamInfo, remarks: Sequence[str], clipped: int) -> str:
    words = [] if info.is_lead_i else [f"the input is {info.shown_lead}, not Lead I: the record says so"]
    words += [remark.rstrip(".") for remark in remarks]
    if clipped:
        words.append(f"{clipped} samples clipped to 16 bits")
    return "; ".join(words)


class _Seen:
    """What passes on the way to the file."""

    def __init__(self, about: SessionDescription, vitals: Vitals | None) -> None:
        self._about = about
        self._vitals = vitals
        self._wrong: dict[str, None] = {}
        self._bpm: list[float] = []
        self._band_mv, self._known = 0.0, 0

    def chunk(self, chunk: Chunk) -> None:
        if self._vitals is not None:
            self._vitals.chunk(chunk)

    def frame(self, frame: Frame) -> None:
        half_mv = self._about.half_width_mv(frame.scale_mv, BAND)
        if half_mv is not None:
            known = half_mv[_SEVEN][:, frame.valid]
            self._band_mv += float(known.sum(dtype=np.float64))
            self._known += known.size
        if self._vitals is None:
            return
        for event in self._vitals.push(frame):
            if isinstance(event, QualityChanged):
                self._wrong |= dict.fromkeys(flag.value for flag in event.wrong)
            elif isinstance(event, Beat) and np.isfinite(event.bpm):
                self._bpm.append(event.bpm)

    def facts(self, rate_hz: float, sink: WfdbSink, missing: int) -> Facts:
        return Facts(
            rate_hz=rate_hz,
            samples=sink.samples,
            missing=missing,
            clipped=sink.clipped,
            band_mv=self._band_mv / self._known if self._known else nan,
            quality="" if self._vitals is None else ", ".join(sorted(self._wrong)) or "good",
            heart_rate_bpm=float(np.median(self._bpm)) if self._bpm else nan,
        )
