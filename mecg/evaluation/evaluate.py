# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores the real streaming path over a PTB-XL-shaped directory, against the clinical frame."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mecg.evaluation.band_scores import BandCounts, band_summary, count, regions
from mecg.evaluation.beat_scores import BeatValues, amplitude_summary, find_beats, measure, st_summary
from mecg.evaluation.dataset import SUPERCLASSES, Entry, read_table
from mecg.evaluation.lead_scores import LeadSums, lead_sums_to, one_summary, summary
from mecg.evaluation.processes import DIED, in_processes
from mecg.evaluation.written import written_leads
from streamer.core.calibration.correction import PersonalNetwork
from streamer.core.errors import InputError
from streamer.core.leads import ELEVEN, LEADS, SEVEN
from streamer.core.network.latency import group_delay_s
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.signal.clinical_frame import at_rate, clinical_frame_at_rate
from streamer.core.signal.filters import sosfilt, steady_state
from streamer.core.stream import StreamInfo
from streamer.formats.calibration_file import from_bytes
from streamer.formats.wfdb_reader import Record
from streamer.reconstruction import long_hop, whole_lead

SCORED_FROM_S = 3.0

END_S = 0.3
"""Scores end so long before a record does: the clinical frame's odd extension pins the truth to zero at
its very end.  The errors with it, as the scores were defined before, stand beside the headline."""

SKIPPED_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Compared:
    """One way to the twelve leads, compared with the truth of one record."""

    sums: LeadSums
    to_end: LeadSums
    """With the last `END_S` too."""
    beats: BeatValues | None = None
    """None if the record has too few beats."""
    bands: BandCounts | None = None
    """None if the model states no scale."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What one record gave."""

    ours: Compared
    filter_only: Compared
    """The true leads in the causal input band: what is lost before anything is estimated."""
    truth: BeatValues | None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why a record could not be scored."""

    why: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one record."""

    entry: Entry
    what: Scored | Skipped


@dataclass(frozen=True, slots=True)
class About:
    """How records are scored."""

    rate_hz: int
    folds: tuple[int, ...]
    model: str
    calibration: str
    latency: str | None
    latency_ms: float | None
    """None for leads that were written before: by what is not known here."""
    made_by: str
    """The digest of the model and calibration that made the leads, and of what else decides."""

    def way(self) -> dict[str, object]:
        """What must be equal if scores are to be put together."""
        return {name: value for name, value in asdict(self).items() if name != "folds"}

    def of_folds(self, folds: Sequence[int]) -> About:
        """The same, of other folds."""
        return replace(self, folds=tuple(folds))


Change = Callable[
    [NDArray[np.float32], float, np.random.Generator], tuple[NDArray[np.float32], NDArray[np.float32], float]
]
"""Twelve leads ``(12, n)`` at a rate, with chances of the record's own, to the Lead I that is measured
``(m,)``, the true leads ``(12, m)`` and the rate that both are said to have: how a record is disturbed
before it is scored."""


def evaluate(
    dataset: Path,
    folds: Sequence[int],
    rate_hz: int,
    jobs: int,
    model: bytes,
    progress: Callable[[int, int], None] = lambda done, of: None,
    latency: str | None = "low",
    calibration: bytes | None = None,
) -> dict[str, Any]:
    """Stream every record's Lead I through the pipeline and score the twelve leads.

    Parameters
    ----------
    dataset : Path
        A folder with ptbxl_database.csv, as PhysioNet publishes it.
    folds : sequence of int
        The strat_fold values to score.
    rate_hz : int
        100 (column filename_lr) or 500 (filename_hr; records without one are not counted).
    jobs : int
        Processes.
    model : bytes
        An ONNX file.
    progress : callable
        Called with (records done, records in all).
    latency : str or None
        The setting that the model is for; None for a user's own.
    calibration : bytes, optional
        A person's file, for a folder of that person's records.

    Returns
    -------
    dict
        As docs/evaluate.md lists it.

    Raises
    ------
    InputError
        Where the folder is no such data set, or none of its records can be scored.
    """
    entries = read_table(dataset, folds, rate_hz)
    about = about_of(folds, rate_hz, model, latency, calibration)
    results: list[Result] = []
    for result in results_of(entries, model, jobs, calibration):
        results.append(result)
        progress(len(results), len(entries))
    return scores_of(about, results)


def about_of(
    folds: Sequence[int],
    rate_hz: int,
    model: bytes,
    latency: str | None,
    calibration: bytes | None,
    written: Path | None = None,
) -> About:
    """How `results_of` scores with the same arguments; others as of `evaluate`."""
    network = _network(model, calibration)
    digest = hashlib.sha256(model + b"|" + (calibration or b"")).hexdigest()[:16]
    if written is not None:
        return About(rate_hz, tuple(folds), f"as written in {written.name}", "", None, None, f"file {digest}")
    return About(
        rate_hz=rate_hz,
        folds=tuple(folds),
        model=f"{network.spec.name} {network.spec.version}",
        calibration=(
            f"personal: {network.calibration.origin.words()}"
            if isinstance(network, PersonalNetwork)
            else "generic"
        ),
        latency=latency,
        latency_ms=Pipeline(StreamInfo("evaluate", rate_hz), network).latency.total_ms,
        made_by=digest,
    )


def results_of(
    entries: Sequence[Entry],
    model: bytes,
    jobs: int,
    calibration: bytes | None = None,
    written: Path | None = None,
) -> Iterator[Result]:
    """What each record gives, in order, as `score_all` with ``dense``.

    Parameters
    ----------
    written : Path, optional
        A folder with the leads that `mecg reconstruct` made of these records: those are scored.  The model
        then says the frame and the rate in which they are compared.
    """
    found = score_all(entries, model, jobs, dense=True, calibration=calibration, written=written)
    yield from (Result(entry, what) for entry, what in zip(entries, found, strict=True))


def scores_of(about: About, results: Iterable[Result]) -> dict[str, Any]:
    """The scores of records, in whatever order they come.

    Raises
    ------
    InputError
        None of them was scored.
    """
    ordered = sorted(results, key=lambda result: result.entry.key)
    good = [(r.entry, r.what) for r in ordered if isinstance(r.what, Scored)]
    why = {r.entry.path.name: r.what.why for r in ordered if isinstance(r.what, Skipped)}
    if not good:
        raise InputError(f"no record could be scored: {next(iter(why.values()), 'there is none')}")
    patients = [entry.patient for entry, _ in good]
    ours = [scored.ours.sums for _, scored in good]
    filtered = [scored.filter_only.sums for _, scored in good]
    to_end = [scored.ours.to_end for _, scored in good]
    filtered_to_end = [scored.filter_only.to_end for _, scored in good]
    return {
        "records": len(good),
        "patients": len(set(patients)),
        "rate_hz": about.rate_hz,
        "folds": list(about.folds),
        "model": about.model,
        "calibration": about.calibration,
        "latency": about.latency,
        "latency_ms": about.latency_ms,
        "skipped": len(why),
        "skipped_why": dict(list(why.items())[:SKIPPED_SHOWN]),
        "seven": summary(ours, patients, SEVEN),
        "eleven": summary(ours, patients, ELEVEN),
        "v1_v6": summary(ours, patients, LEADS[6:]),
        "filter_only": {"seven": summary(filtered, patients, SEVEN)} | _beat_scores(good, "filter_only"),
        **_beat_scores(good, "ours"),
        **_band_scores(good),
        "i_prime": one_summary(ours, filtered),
        "left_out_s": END_S,
        "to_end": {
            "seven": summary(to_end, patients, SEVEN),
            "eleven": summary(to_end, patients, ELEVEN),
            "v1_v6": summary(to_end, patients, LEADS[6:]),
            "i_prime": one_summary(to_end, filtered_to_end),
            "filter_only": {"seven": summary(filtered_to_end, patients, SEVEN)},
        },
        "leads": {lead: summary(ours, patients, (lead,), intervals=False) for lead in LEADS},
        "superclass": {
            name: summary([s.ours.sums for _, s in of], [e.patient for e, _ in of], SEVEN)
            | {"records": len(of)}
            for name in SUPERCLASSES
            if (of := [(e, s) for e, s in good if name in e.superclasses])
        },
    }


def _beat_scores(good: Sequence[tuple[Entry, Scored]], which: str) -> dict[str, Any]:
    """ST and amplitudes of one way to the leads; empty where no record has enough beats."""
    pairs = [
        (scored.truth, compared.beats)
        for _, scored in good
        if scored.truth and (compared := getattr(scored, which)).beats
    ]
    if not pairs:
        return {}
    truth, estimate = [t for t, _ in pairs], [e for _, e in pairs]
    return {"st": st_summary(truth, estimate), "amplitude": amplitude_summary(truth, estimate)}


def _band_scores(good: Sequence[tuple[Entry, Scored]]) -> dict[str, Any]:
    """Coverage and interval score; empty where the model states no scale."""
    counted = [(scored.ours.bands, entry.superclasses) for entry, scored in good if scored.ours.bands]
    return band_summary([c for c, _ in counted], [s for _, s in counted]) if counted else {}


def score_all(
    entries: Sequence[Entry],
    model: bytes,
    jobs: int,
    change: Change | None = None,
    dense: bool = False,
    calibration: bytes | None = None,
    written: Path | None = None,
) -> Iterator[Scored | Skipped]:
    """What each record gives, in order.

    Parameters
    ----------
    entries : sequence of Entry
    model : bytes
        An ONNX file.
    jobs : int
        Processes.
    change : callable, optional
        Disturbs each record first; picklable where there are several processes.
    dense : bool
        Run a model with a stated receptive field in long hops: a twentieth of the time, and the same
        within 1e-4 mV.  Left out, everything runs as it does live.
    calibration : bytes, optional
        A person's file.
    written : Path, optional
        As of `results_of`.
    """
    work = (_Work(e.path, model, change, dense, calibration, written, e.key) for e in entries)
    yield from in_processes(_score, work, jobs, 16, _died)


@cache
def _network(model: bytes, calibration: bytes | None) -> Network | PersonalNetwork:
    network = Network(model)
    return network if calibration is None else PersonalNetwork(network, from_bytes(calibration))


@dataclass(frozen=True, slots=True)
class _Work:
    path: Path
    model: bytes
    change: Change | None = None
    dense: bool = False
    calibration: bytes | None = None
    written: Path | None = None
    key: str = ""


def _died(work: _Work) -> Scored | Skipped:
    return Skipped(DIED)


def _score(work: _Work) -> Scored | Skipped:
    path, change = work.path, work.change
    network = _network(work.model, work.calibration)
    try:
        record = Record(path)
        leads_mv, source_hz = record.twelve(), record.rate_hz
        if not np.isfinite(leads_mv[0]).any():
            return Skipped("Lead I holds nothing but NaN")
        measured_mv = leads_mv[0]
        if change is not None:
            chances = np.random.default_rng(zlib.crc32(path.name.encode()))
            measured_mv, leads_mv, source_hz = change(leads_mv, source_hz, chances)
        bands_of: Mapping[str, Sequence[float]] = network.spec.bands if network.spec.has_scale else {}
        if work.written is not None:
            made = written_leads(
                work.written, work.key or path.name, leads_mv, source_hz, network.spec.rate_hz
            )
            estimate, scale, bands_of = made.leads_mv, made.scale_mv, made.bands
        else:
            hop = long_hop(network.spec, len(measured_mv), source_hz) if work.dense else None
            estimate, scale = stream(measured_mv, source_hz, network, hop)
    except InputError as error:
        return Skipped(str(error))
    rate_hz = network.spec.rate_hz
    true_mv = at_rate(leads_mv, source_hz, rate_hz)
    truth = clinical_frame_at_rate(true_mv, network.spec.filters)
    first = round(SCORED_FROM_S * rate_hz)
    last = truth.shape[1] - round(END_S * rate_hz)
    if last <= first:
        return Skipped(f"shorter than {SCORED_FROM_S + END_S:g} s")
    filtered = _filter_only(true_mv, network)
    beats = find_beats(truth[:, :last], rate_hz, first)

    def compared(leads: NDArray[np.float32], bands: BandCounts | None = None) -> Compared:
        sums, to_end = lead_sums_to(leads[:, first:], truth[:, first:], last - first)
        return Compared(sums, to_end, measure(leads, beats, rate_hz) if beats else None, bands)

    bands = None
    if bands_of:
        where = regions(beats, truth.shape[1], first, rate_hz, last) & np.isfinite(estimate[0])
        here = slice(first, last)  # nothing else counts
        bands = count(estimate[:, here], scale[:, here], truth[:, here], bands_of, where[:, here])
    at_beats = measure(truth, beats, rate_hz) if beats else None
    return Scored(compared(estimate, bands), compared(filtered), at_beats)


def stream(
    lead_mv: NDArray[np.float32], rate_hz: float, network: Network | PersonalNetwork, hop: int | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One whole record's Lead I through the live path: leads and scales ``(12, n)``, model's rate."""
    whole = whole_lead(StreamInfo("evaluate", rate_hz, samples=len(lead_mv)), network, lead_mv, hop)
    return whole.leads_mv, whole.scale_mv


def _filter_only(leads_mv: NDArray[np.float64], network: Network | PersonalNetwork) -> NDArray[np.float32]:
    """True leads ``(12, n)`` at the model's rate in the causal input band, its low-pass's delay removed."""
    spec = network.spec
    start = steady_state(spec.filters.input)
    y = np.stack([sosfilt(spec.filters.input, x, start * x[0]) for x in leads_mv])
    delay = group_delay_s(spec.filters.input, spec.rate_hz, 10.0) * spec.rate_hz
    # A fraction of a sample, so by phase; the held end keeps the turn of the record out of it.
    n = y.shape[1]
    held = np.concatenate((y, np.repeat(y[:, -1:], 256 + -n % 256, axis=1)), axis=1)  # a length for the FFT
    turn = np.exp(2j * np.pi * np.fft.rfftfreq(held.shape[1]) * delay)
    return np.fft.irfft(np.fft.rfft(held) * turn, held.shape[1])[:, :n].astype(np.float32)
