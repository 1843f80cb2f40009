# SPDX-License-Identifier: GPL-3.0-or-later
"""One person's calibration from recorded leads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from math import inf

import numpy as np

from devices.registry import parse_source, record_of
from devices.replay.pacing import AS_RECORDED, Replay
from mecg.app.first_seconds import FirstSeconds
from mecg.app.interrupt import deferred
from mecg.app.options import SourceOptions
from mecg.app.session_builder import source_of
from streamer.core.calibration.correction import Calibration, Origin, PersonalNetwork
from streamer.core.calibration.fit import LEAST_S, Reference, fit, prior_of, reference_of, without_flat
from streamer.core.calibration.visits import Visit, same_recording
from streamer.core.errors import InputError
from streamer.core.leads import LEADS, PREDICTED, SEVEN, canonical_lead
from streamer.core.network.network import Network
from streamer.core.stream import Chunk, Placement, Samples, StreamInfo
from streamer.core.vitals.beats import LEARN_S
from streamer.formats.recording import Stated, without_identity
from streamer.formats.wfdb_files import show
from streamer.lead_recording import open_recording
from streamer.reconstruction import whole_lead

LIVE_S, FILE_S = 12.0, 60.0

LAW_MV = 0.05
"""Limb leads that break Einthoven's law by more, in the middle, are mislabelled or not simultaneous."""

SCORED_FROM_S = 3.0

WARM_UP_S, WARM_UP_HZ = LEARN_S + 1.0, 500.0
"""Long enough for beats to be looked for."""

CALIBRATED = "calibrated "
"""Before the date of a visit whose record states none: that of the day it was calibrated on."""

NOTHING_LEARNED = "nothing could be learned: the result is the generic model"


def recorded(
    text: str,
    invert: bool,
    placement: str | None,
    *,
    lead: str | None = None,
    unit_mv: float | None = None,
    rate_hz: float | None = None,
) -> tuple[StreamInfo, Samples]:
    """A source's first seconds: what it is, and twelve leads ``(12, n)`` with NaN where unknown.

    Raises
    ------
    InputError
        Where it cannot be read, or holds no Lead I.
    """
    stated = SourceOptions(text, lead, invert, placement, unit_mv, rate_hz)
    source = source_of(stated, _as_fast_as_it_comes(text))
    part = FirstSeconds(source, LIVE_S if record_of(text) is None else FILE_S)
    info = part.open()
    if not info.is_lead_i and info.placement is Placement.CHEST:
        part.stop()
        raise InputError(
            f"{text} was measured between electrodes on the chest, which is not Lead I: calibrate with a "
            "record of electrodes on the arms"
        )
    if not info.is_lead_i:
        part.stop()
        raise InputError(f"{text} holds no Lead I but {info.lead}: name a record with it")
    chunks = [item for item in part.items() if isinstance(item, Chunk)]
    if not chunks:
        raise InputError(f"{text} delivered no signal")
    return info, leads_of(chunks)


def leads_of(chunks: Sequence[Chunk]) -> Samples:
    """Twelve leads ``(12, n)`` from consecutive chunks, one at least; NaN where a lead is not known."""
    first, last = chunks[0].start, max(chunk.stop for chunk in chunks)
    leads_mv = np.full((len(LEADS), last - first), np.nan, np.float32)
    for chunk in chunks:
        at = slice(chunk.start - first, chunk.stop - first)
        if chunk.reference_mv is not None:
            leads_mv[:, at] = chunk.reference_mv
        leads_mv[0, at] = chunk.lead_mv
    return leads_mv


def origin_of(network: Network, info: StreamInfo, text: str) -> Origin:
    """Where a calibration of this model comes from: the stream, and the SOURCE that opened it."""
    return Origin(
        model=network.spec.name,
        version=network.spec.version,
        source=name_of(text),
        date=info.began[:10] or f"{CALIBRATED}{time.strftime('%Y-%m-%d')}",
        placement=info.placement.value,
        lead=info.lead[:20],
        inverted=info.inverted,
    )


def learn(network: Network, leads_mv: Samples, rate_hz: float, origin: Origin) -> Calibration:
    """One person, from leads ``(12, n)`` that were measured at the same time.

    Raises
    ------
    InputError
        If nothing can be learned from them, or the model knows nothing of persons.
    """
    return fit(network, prior_of(network), reference_in(network, leads_mv, rate_hz), origin)


def reference_in(network: Network, leads_mv: Samples, rate_hz: float) -> Reference:
    """What a calibration is learned from, in leads ``(12, n)`` that were measured at the same time.

    Raises
    ------
    InputError
        If the leads hold nothing to learn from, or cannot be what their labels say.
    """
    _refuse_wrong(leads_mv, rate_hz)
    return reference_of(network, without_flat(_eight(leads_mv)), rate_hz)


def in_order(earlier: Sequence[Visit], new: Sequence[Visit]) -> tuple[Visit, ...]:
    """Visits of one person, the earliest first: by date if each record states one, else as they were given.

    Raises
    ------
    InputError
        If one is there twice, under whatever name.
    """
    visits = [*earlier, *new]
    for before, after in combinations(visits, 2):
        names = [_name(visit) for visit in (before, after)]
        if same_recording(before, after):
            also = "" if names[0] == names[1] else f", as {names[0]} too"
            raise InputError(f"{names[1]} is named twice{also}: a visit counts once")
        if names[0] == names[1]:
            raise InputError(
                f"{names[1]} is named twice: a visit counts once; if these are two visits, give the record "
                "of one another name"
            )
    if not any(visit.origin.date.startswith(CALIBRATED) or not visit.origin.date for visit in visits):
        visits.sort(key=lambda visit: visit.origin.date)
    return tuple(visits)


def _name(visit: Visit) -> str:
    return f"{visit.origin.source} {visit.origin.date}".strip()


def warm_up(network: Network) -> None:
    """Have all that `learn` needs compiled and loaded: seconds, the first time ever."""
    still = np.zeros((len(PREDICTED), round(WARM_UP_S * WARM_UP_HZ)), np.float32)
    with deferred():
        reference_of(network, still, WARM_UP_HZ)


def reconstructed(info: StreamInfo, network: Network | PersonalNetwork, lead_mv: Samples) -> Samples:
    """The leads ``(12, n)`` of a whole Lead I, at the model's rate; NaN where it is missing."""
    return whole_lead(info, network, lead_mv).leads_mv


def _as_fast_as_it_comes(text: str) -> Replay:
    """A file as fast as it can be read."""
    return AS_RECORDED if record_of(text) is None else Replay(speed=inf)


def _eight(leads_mv: Samples) -> Samples:
    eight = leads_mv[[LEADS.index(lead) for lead in PREDICTED]]
    if not np.isfinite(eight[1:]).any():
        raise InputError(
            "the reference delivers Lead I alone: name a 12-lead record, or give other places with --sequence"
        )
    return np.asarray(eight)


def _refuse_wrong(leads_mv: Samples, rate_hz: float) -> None:
    """Raise an `InputError` where the limb leads cannot be what their labels say."""
    one, two, three = leads_mv[:3]
    aside = three - (two - one)
    aside = aside[np.isfinite(aside)]
    if len(aside) > LEAST_S * rate_hz and np.median(np.abs(aside - np.median(aside))) > LAW_MV:
        raise InputError(
            "I, II and III of the reference do not add up (Einthoven's law): they are mislabelled or not "
            "simultaneous, so record it again"
        )


def _places(texts: Sequence[str]) -> list[tuple[str, str]]:
    """``II=RECORD`` and so on."""
    places = []
    for text in texts:
        name, equals, source = text.partition("=")
        lead = canonical_lead(name)
        if not equals or not source or lead not in SEVEN:
            raise InputError(
                f"--sequence takes LEAD=SOURCE with a lead out of {', '.join(SEVEN)}, not {text}"
            )
        places.append((lead, source))
    return places


def strips_of(
    texts: Sequence[str], unit_mv: float | None = None, rate_hz: float | None = None
) -> tuple[dict[str, tuple[Samples, float]], list[str]]:
    """Leads measured one after another, and what is to be said of them.

    Parameters
    ----------
    texts : sequence of str
        ``LEAD=SOURCE``.
    unit_mv, rate_hz : float, optional
        What those files do not say themselves.
    """
    strips, said = {}, []
    for lead, source in _places(texts):
        strip_mv, strip_hz, note = _strip(lead, source, unit_mv, rate_hz)
        strips[lead] = strip_mv, strip_hz
        said += [note] if note else []
    return strips, said


def _strip(
    lead: str, text: str, unit_mv: float | None = None, rate_hz: float | None = None
) -> tuple[Samples, float, str]:
    """One lead of its own recording ``(n,)``, NaN where lost; its rate; what is to be said of its label.

    A sensor that has but one lead calls it the same wherever it is held, so that one is taken.
    """
    stated = SourceOptions(text, unit_mv=unit_mv, rate_hz=rate_hz)
    path, label = record_of(text), lead
    known = Stated(unit_mv, rate_hz)
    if path is not None and (record := open_recording(path, known)).row(lead) is None:
        if len(record.names) > 1:
            raise _no_such(lead, text, f"only {', '.join(show(name)[1:-1] for name in record.names[:24])}")
        label = record.names[0]
    elsewhere = label != lead
    try:
        part = FirstSeconds(source_of(replace(stated, lead=label), _as_fast_as_it_comes(text)), LIVE_S)
        info = part.open()
    except InputError:
        if path is not None:
            raise
        part = FirstSeconds(source_of(stated, _as_fast_as_it_comes(text)), LIVE_S)
        info, elsewhere = part.open(), True
    chunks = [item for item in part.items() if isinstance(item, Chunk)]
    if not chunks:
        raise InputError(f"{text} delivered no signal")
    if elsewhere and any(chunk.reference_mv is not None for chunk in chunks):
        raise _no_such(lead, text, "but several others")
    called = show(info.lead)[1:-1]
    note = f"{lead}: {name_of(text)} holds a single lead, {called}: taken as held at {lead}"
    return leads_of(chunks)[0], info.rate_hz, note if elsewhere else ""


def _no_such(lead: str, text: str, has: str) -> InputError:
    return InputError(
        f"{name_of(text)} has no lead {lead}, {has}: give --sequence {lead}= a record with {lead}, or one of "
        "a single lead, its sensor held there"
    )


def name_of(text: str) -> str:
    """A source's name without the folders that it lies in."""
    path = record_of(text)
    scheme, rest = parse_source(text)
    name = f"{scheme}:{rest.partition('?')[0]}" if path is None else without_identity(path.name)
    return "".join(c for c in name if c.isprintable())[:100]
