# SPDX-License-Identifier: GPL-3.0-or-later
"""Learns a person for the window and tries the result beside the generic model."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gui.controller import CalibrationPreview, Person
from mecg.app.learning import (
    NOTHING_LEARNED,
    SCORED_FROM_S,
    in_order,
    leads_of,
    origin_of,
    reconstructed,
    recorded,
    reference_in,
)
from mecg.app.models import network_of
from streamer.core.calibration.correction import Calibration, PersonalNetwork
from streamer.core.calibration.fit import SKIP_END_S, prior_of
from streamer.core.calibration.visits import Visit, brings, combined, teaching, visit_of
from streamer.core.errors import InputError
from streamer.core.leads import LEADS, SEVEN
from streamer.core.measured_leads import ClinicalTruth, agreement
from streamer.core.network.network import Network
from streamer.core.stream import Chunk, Samples, StreamInfo
from streamer.formats import calibration_file
from streamer.formats.calibration_file import refuse_unfit
from streamer.session.description import SessionDescription
from streamer.session.sink import Sink

LEARN_S = 10.0
"""So much is learned from; of a longer record the rest shows what that is worth."""

REST_S = 5.0
"""A rest shorter than this shows nothing."""

WORSE = 1.05
"""An error that grows by more is reported."""

SETTLED_S, SHORT_S = 1.0, 6.0
"""Of a reference shorter than this the first second is not looked at, of others `SCORED_FROM_S`."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A stretch of signal that models are tried on; see `tried`."""

    info: StreamInfo
    leads_mv: Samples
    """``(12, n)`` at the source's rate; NaN where a lead is not known."""
    same: bool
    about: str
    from_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A `gui.controller.Person`."""

    calibration: Calibration
    visits: tuple[Visit, ...] = ()
    """What it is made of, the earliest first; empty if that was not kept."""
    shown: Shown | None = None
    """What it was shown on, so that what a further visit brings can be shown on the same."""

    @property
    def words(self) -> str:
        """Whose and from when."""
        return self.calibration.origin.words()


class LastSeconds(Sink):
    """A sink that keeps the newest `LEARN_S` of all leads that the source delivers."""

    name = "last seconds"

    def __init__(self) -> None:
        self._chunks: deque[Chunk] = deque()
        self._lock = threading.Lock()
        self._rate_hz = np.nan

    def open(self, description: SessionDescription) -> None:
        """Note the source's rate."""
        self._rate_hz = description.stream.rate_hz

    def chunk(self, chunk: Chunk) -> None:
        """Keep it, and let go of what is too old."""
        with self._lock:
            self._chunks.append(chunk)
            while self._chunks[0].stop <= chunk.stop - LEARN_S * self._rate_hz:
                self._chunks.popleft()

    def leads_mv(self) -> Samples:
        """What is kept ``(12, n)``, NaN where a lead is not known; of all leads for at most `LEARN_S`."""
        with self._lock:
            chunks = list(self._chunks)
        if not chunks:
            return np.empty((len(LEADS), 0), np.float32)
        return leads_of(chunks)[:, -round(LEARN_S * self._rate_hz) :]


class CalibrationPreviews:
    """Learns from what runs or from records, or reads what was learned; see `gui.controller`.

    Parameters
    ----------
    model : Path or None
        As ``--model`` has it.
    running : callable
        What the session that runs was told, and what it kept.
    """

    def __init__(
        self, model: Path | None, running: Callable[[], tuple[SessionDescription, LastSeconds]]
    ) -> None:
        self._model = model
        self._running = running

    def why_not_here(self) -> str:
        """See `gui.controller.CalibrationPreviews.why_not_here`."""
        about, last = self._running()
        if not about.stream.is_lead_i:
            return f"the source's lead is {about.stream.lead}, not I"
        leads_mv = last.leads_mv()
        seconds = leads_mv.shape[1] / about.stream.rate_hz
        if seconds < LEARN_S:
            return f"wait for {LEARN_S:g} s of this source: {int(seconds)} s have come"
        if not np.isfinite(leads_mv[1:]).any():
            return "this source delivers Lead I alone: open a 12-lead record"
        return ""

    def of_here(self) -> CalibrationPreview:
        """See `gui.controller.CalibrationPreviews.of_here`."""
        why_not = self.why_not_here()
        if why_not:
            raise InputError(why_not)
        about, last = self._running()
        info, leads_mv = about.stream, last.leads_mv()
        network = network_of(self._model)
        visit = _visit(network, leads_mv, info, info.source)
        seen = f"learned from and shown on the same {LEARN_S:g} s of {visit.origin.source}"
        return _preview(network, (visit,), Shown(info, leads_mv, same=True, about=seen))

    def of_file(self, path: Path) -> CalibrationPreview:
        """See `gui.controller.CalibrationPreviews.of_file`."""
        if path.suffix.lower() == ".npz":
            return self._of_calibration(path)
        from gui.settings import source_of_file  # needs Qt, and a user without it shall read a hint

        source = source_of_file(str(path))
        if source is None:
            raise InputError(f"{path} is neither a WFDB record nor a calibration: choose a .hea or .npz file")
        return self._of_record(source)

    def added(self, person: Person, path: Path) -> CalibrationPreview:
        """See `gui.controller.CalibrationPreviews.added`."""
        assert isinstance(person, Learned) and person.shown is not None
        _, earlier = calibration_file.read_with_visits(path)
        for name, visits in ((str(path), earlier), (person.words, person.visits)):
            if not visits:
                raise InputError(f"{name} keeps no visits: calibrate again with all of its references")
        visits = in_order(earlier, person.visits)
        return _preview(network_of(self._model), visits, person.shown)

    def save(self, person: Person, path: Path) -> None:
        """See `gui.controller.CalibrationPreviews.save`."""
        assert isinstance(person, Learned)
        calibration_file.write(path, person.calibration, person.visits)

    def _of_record(self, source: str) -> CalibrationPreview:
        info, leads_mv = recorded(source, False, None)
        network, learned = network_of(self._model), round(LEARN_S * info.rate_hz)
        rest_s = leads_mv.shape[1] / info.rate_hz - LEARN_S
        same = rest_s < REST_S
        reference_mv = leads_mv if same else leads_mv[:, :learned]
        visit = _visit(network, reference_mv, info, source)
        refuse_unfit(combined(prior_of(network), (visit,)), self._running()[0].stream)
        name, seconds = visit.origin.source, leads_mv.shape[1] / info.rate_hz
        seen = f"learned from and shown on the same {seconds:.1f} s of {name}"
        if not same:
            seen = f"learned from the first {LEARN_S:g} s of {name}, shown on the {rest_s:.1f} s after them"
        shown = Shown(info, leads_mv, same, seen, None if same else LEARN_S)
        return _preview(network, (visit,), shown)

    def _of_calibration(self, path: Path) -> CalibrationPreview:
        (calibration, visits), network = calibration_file.read_with_visits(path), network_of(self._model)
        about, last = self._running()
        refuse_unfit(calibration, about.stream)
        here = origin_of(network, about.stream, about.stream.source).source
        same = here == calibration.origin.source
        seen = f"{calibration.origin.source}, shown on the last seconds of {here}"
        if same:
            seen += ", which it may have been learned from"
        shown = Shown(about.stream, last.leads_mv(), same, seen)
        return _of_visits(tried(network, calibration, shown), Learned(calibration, visits, shown))


def _visit(network: Network, leads_mv: Samples, info: StreamInfo, source: str) -> Visit:
    """What leads ``(12, n)`` that were measured at the same time say of a person."""
    reference = reference_in(network, leads_mv, info.rate_hz)
    return visit_of(network, prior_of(network), reference, origin_of(network, info, source))


def _preview(network: Network, visits: tuple[Visit, ...], shown: Shown) -> CalibrationPreview:
    calibration = combined(prior_of(network), visits)
    return _of_visits(tried(network, calibration, shown), Learned(calibration, visits, shown))


def _of_visits(preview: CalibrationPreview, person: Learned) -> CalibrationPreview:
    """With the list of a person's visits, and what each brings."""
    said = [*preview.said]
    if len(person.visits) > 1:
        for visit, (generic, personal) in zip(person.visits, brings(person.visits), strict=True):
            name = f"{visit.origin.source} {visit.origin.date}".strip()
            said.append(f"Visit {name}: alone on the others {personal:.3f} mV, generic {generic:.3f} mV.")
    return replace(preview, person=person, said=tuple(said), visits=max(1, len(teaching(person.visits))))


def tried(network: Network, calibration: Calibration, shown: Shown) -> CalibrationPreview:
    """Both models on a stretch of signal, up to where the truth ends.

    Parameters
    ----------
    network : Network
    calibration : Calibration
        For that model.
    shown : Shown
        Its ``from_s`` says where to begin; if that is None, where the filters have settled.
    """
    info, leads_mv, from_s = shown.info, shown.leads_mv, shown.from_s
    spec, personal = network.spec, PersonalNetwork(network, calibration)
    seconds = leads_mv.shape[1] / info.rate_hz
    if from_s is None:
        from_s = SCORED_FROM_S if seconds >= SHORT_S else SETTLED_S
    to_s = seconds - SKIP_END_S
    first, stop = round(from_s * spec.rate_hz), max(round(from_s * spec.rate_hz), round(to_s * spec.rate_hz))
    generic_mv = personal_mv = truth_mv = np.empty((len(LEADS), 0), np.float32)
    if stop > first:
        generic_mv, personal_mv = (
            reconstructed(info, model, leads_mv[0])[:, first:stop] for model in (network, personal)
        )
        truth_mv = ClinicalTruth(_reader(leads_mv), info.rate_hz, spec.filters, spec.rate_hz).at(first, stop)
        if not np.isfinite(truth_mv[1:]).any():
            truth_mv[:] = np.nan  # Lead I alone is no truth to compare with
    unknown = np.full_like(truth_mv, np.nan)
    rmse_mv = np.stack([agreement(mv, truth_mv, unknown).rmse_mv for mv in (generic_mv, personal_mv)])
    halves_mv = np.full_like(rmse_mv, np.nan)
    halves_mv[:, [LEADS.index(lead) for lead in SEVEN]] = calibration.rmse_mv
    return CalibrationPreview(
        person=Learned(calibration),
        rate_hz=spec.rate_hz,
        start_s=first / spec.rate_hz,
        truth_mv=truth_mv,
        generic_mv=generic_mv,
        personal_mv=personal_mv,
        rmse_mv=rmse_mv,
        halves_mv=halves_mv,
        same=shown.same,
        about=shown.about,
        said=(_origin_in_words(calibration),),
        warnings=(*calibration.notes, *_warnings(calibration, rmse_mv)),
    )


def _reader(leads_mv: Samples) -> Callable[[int, int], tuple[int, Samples]]:
    """Reads from what is there already, as `ClinicalTruth` wants it."""

    def read(first: int, stop: int) -> tuple[int, Samples]:
        first = max(first, 0)
        return first, leads_mv[:, first : max(stop, first)]

    return read


def _origin_in_words(calibration: Calibration) -> str:
    origin = calibration.origin
    where = "not stated" if origin.placement == "unstated" else f"on the {origin.placement}"
    turned = ", polarity turned" if origin.inverted else ""
    return f"Reference: {origin.words()}; electrodes of Lead I {where}{turned}."


def _warnings(calibration: Calibration, rmse_mv: NDArray[np.float64]) -> list[str]:
    told = [] if calibration.head.any() else [NOTHING_LEARNED]
    worse = [lead for lead, (a, b) in zip(LEADS, rmse_mv.T, strict=True) if b > WORSE * a]
    if worse:
        told.append(f"{', '.join(worse)}: further from the truth than the generic model, on what is shown")
    return told
