# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores personal calibration: learned from a patient's first record, scored on every later one."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mecg.evaluation.band_scores import SCORED_LEVEL, BandCounts, band_summary, count, regions
from mecg.evaluation.beat_scores import ST_LIMIT_MV, BeatValues, find_beats, measure, st_summary
from mecg.evaluation.dataset import SUPERCLASSES, Entry, read_table
from mecg.evaluation.evaluate import END_S, SCORED_FROM_S, Compared, stream
from mecg.evaluation.lead_scores import lead_sums, median_intervals
from mecg.evaluation.noise import Noise, disturbed
from mecg.evaluation.processes import DIED, in_processes
from streamer.core.calibration.correction import Calibration, Origin, PersonalNetwork
from streamer.core.calibration.fit import fit, prior_of, reference_of
from streamer.core.calibration.sequential_reference import sequence_reference
from streamer.core.calibration.visits import MOST_VISITS, Visit, combined, visit_of
from streamer.core.errors import InputError
from streamer.core.leads import LEADS, PREDICTED, SEVEN
from streamer.core.network.network import Network
from streamer.core.signal.clinical_frame import clinical_frame
from streamer.core.vitals.beats import beats_in
from streamer.formats.wfdb_reader import Record

SEQUENCE = ("II", "V2", "V5")
"""Held one after another: each is given its own third of the reference."""

NOISE_DB = 10.0

SWAPPED = (("V1", "V2"), ("V2", "V5"), ("II", "V6"), ("V4", "V5"))
"""Each record has one of these pairs of leads swapped."""

LIVE_NOISE_DB = {Noise.WHITE: (20, 10, 0), Noise.WANDER: (10, 0), Noise.MUSCLE: (10, 0)}
"""What the later record's Lead I is disturbed with, to see whether the bands widen."""

RHYTHMS = {
    "atrial fibrillation": {"AFIB"},
    "atrial flutter": {"AFLT"},
    "paced": {"PACE"},
    "bigeminy, trigeminy": {"BIGU", "TRIGU"},
    "ventricular ectopic beats": {"PVC"},
    "atrial ectopic beats": {"PAC"},
    "tachycardia": {"STACH", "SVTAC", "PSVT"},
}
"""Later records that are scored by themselves, by the table's codes."""

RHYTHM_CODES = {"SR", "SARRH", "SBRAD", "SVARR"}.union(*RHYTHMS.values()) - {"PVC", "PAC"}

FEWEST_PAIRS = 3
"""A rhythm of fewer gets no row."""

WITH_BANDS = ("generic", "personal")

HARM = 1.05
ALL_FROM = 3
"""So many references, or more, are all that there are."""
CALIBRATED_ON = {
    1: "the latest record before each",
    2: "the latest two records before each",
    3: "all records before each, three or more,",
}

HOP_S = 1.0

Leads = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Held:
    """Sums over samples of the seven leads, of the 90 % band."""

    samples: float
    inside: float
    width_mv: float
    interval_mv: float

    @classmethod
    def of(cls, counts: BandCounts) -> Held:
        """One record's."""
        rows = [LEADS.index(lead) for lead in SEVEN]
        each = (counts.count, counts.inside[SCORED_LEVEL], counts.width_mv, counts.interval_mv)
        return cls(*(float(x[0, rows].sum()) for x in each))


@dataclass(frozen=True, slots=True)
class Pair:
    """What one later record gave."""

    ways: Mapping[str, Compared]
    truth: BeatValues | None
    noisy: Mapping[str, Mapping[str, Held]]
    """The bands of ``generic`` and ``personal`` by the noise in Lead I."""


@dataclass(frozen=True, slots=True)
class _Work:
    patient: tuple[Entry, ...]
    model: bytes
    references: int = 1

    def learned_from(self) -> list[tuple[Entry, ...]]:
        """The earlier records that each of the patient's is calibrated on; nothing where they are too few."""
        chosen = []
        for i in range(len(self.patient)):
            earlier = self.patient[:i]
            latest = earlier[-self.references :] if self.references < ALL_FROM else earlier
            chosen.append(latest if len(earlier) >= self.references else ())
        return chosen


def evaluate_personal(
    dataset: Path,
    folds: Sequence[int],
    rate_hz: int,
    jobs: int,
    model: bytes,
    progress: Callable[[int, int], None] = lambda done, of: None,
    references: int = 1,
) -> dict[str, Any]:
    """Calibrate every patient on earlier records, and score the later ones.

    Parameters and errors as of `mecg.evaluation.evaluate.evaluate`; returns what docs/calibration.md lists.
    ``references``: on how many, the latest ones; from `ALL_FROM` on, on all that there are, so many at least.
    """
    network = Network(model)
    prior_of(network)
    patients, ordered_by = _patients(dataset, read_table(dataset, folds, rate_hz))
    if not 1 <= references <= ALL_FROM:
        raise InputError(f"{references} references: calibrate on 1 to {ALL_FROM} records")
    patients = [patient for patient in patients if len(patient) > references]
    if not patients:
        raise InputError(
            f"no patient of {dataset} has {references + 1} records in fold {list(folds)}: choose other "
            "--folds"
        )
    work = [_Work(tuple(patient), model, references) for patient in patients]
    pairs: list[tuple[Entry, Pair]] = []
    skipped: dict[str, str] = {}
    results = in_processes(_score, work, jobs, 4, _died)
    for done, (job, result) in enumerate(zip(work, results, strict=True), 1):
        for entry, outcome in zip(job.patient, result, strict=True):
            if isinstance(outcome, Pair):
                pairs.append((entry, outcome))
            elif outcome is not None:
                skipped[entry.path.name] = outcome
        progress(done, len(work))
    if not pairs:
        raise InputError(f"no record of {dataset} could be scored: {next(iter(skipped.values()))}")
    facts = {
        "model": f"{network.spec.name} {network.spec.version}",
        "folds": list(folds),
        "rate_hz": rate_hz,
        "patients": len(patients),
        "calibrated_on_records": references,
        "calibrated_on": f"{CALIBRATED_ON[references]} by {ordered_by}",
        "sequence": list(SEQUENCE),
        "skipped": len(skipped),
        "skipped_why": dict(list(skipped.items())[:20]),
    }
    codes = {
        entry.path: frozenset[str]().union(*(earlier.codes for earlier in learned_from))
        for job in work
        for entry, learned_from in zip(job.patient, job.learned_from(), strict=True)
    }
    return facts | _summary(pairs, codes)


def _patients(dataset: Path, entries: Sequence[Entry]) -> tuple[list[list[Entry]], str]:
    """The records of each patient with several, the earliest first, and by what they are told apart.

    By their dates, where the table has one for each of the patient's records, else by their numbers.
    """
    of: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        of[entry.patient].append(entry)
    several = [some for some in of.values() if len(some) > 1]
    undated = [some for some in several if not all(entry.recorded for entry in some)]
    if any(entry.ecg_id is None for some in undated for entry in some):
        raise InputError(
            f"{dataset / 'ptbxl_database.csv'} tells not which record of a patient is the earliest: it needs "
            "recording_date or else ecg_id for each, so add one of these columns"
        )
    by = "ecg_id" if len(undated) == len(several) else "recording_date"
    if 0 < len(undated) < len(several):
        by += f" (by ecg_id for {len(undated)} of {len(several)} patients, of whom a date is missing)"

    def at(some: Sequence[Entry]) -> list[Entry]:
        dated = all(entry.recorded for entry in some)
        return sorted(some, key=lambda e: (e.recorded if dated else "", e.ecg_id or 0))

    return [at(some) for some in several], by


@cache
def _network(model: bytes) -> Network:
    return Network(model)


def _died(work: _Work) -> list[Pair | str | None]:
    return [DIED] * len(work.patient)


def _score(work: _Work) -> list[Pair | str | None]:
    """What each of a patient's records gave, or why it gave nothing; none where too few came before it."""
    network = _network(work.model)
    read = cache(_leads)
    visit = cache(lambda path: _visit(network, *read(path)))
    results: list[Pair | str | None] = []
    for entry, learned_from in zip(work.patient, work.learned_from(), strict=True):
        if not learned_from:
            results.append(None)
            continue
        latest = learned_from[-1].path
        try:
            reference_mv, rate_hz = read(latest)
            chances = np.random.default_rng(zlib.crc32(latest.name.encode()))
            if len(learned_from) == 1:
                calibrations = _calibrations(network, reference_mv, rate_hz, chances)
            else:
                visits = [visit(earlier.path) for earlier in learned_from][-MOST_VISITS:]
                parts = {"personal": visits, "the latest alone": visits[-1:]}
                calibrations = {name: combined(prior_of(network), some) for name, some in parts.items()}
        except InputError as error:
            results.append(f"its reference: {error}")
            continue
        template = _mean_beat(
            clinical_frame(reference_mv, rate_hz, network.spec.filters, network.spec.rate_hz), network
        )
        try:
            results.append(_pair(network, calibrations, template, *read(entry.path)))
        except InputError as error:
            results.append(str(error))
    return results


def _visit(network: Network, leads_mv: Leads, rate_hz: float) -> Visit:
    """A record as one visit of several."""
    spec = network.spec
    eight = leads_mv[[LEADS.index(lead) for lead in PREDICTED]]
    origin = Origin(spec.name, spec.version, "reference", "")
    return visit_of(network, prior_of(network), reference_of(network, eight, rate_hz), origin)


def _leads(path: Path) -> tuple[Leads, float]:
    record = Record(path)
    return record.twelve(), record.rate_hz


def _calibrations(
    network: Network, leads_mv: Leads, rate_hz: float, chances: np.random.Generator
) -> dict[str, Calibration]:
    """From the whole reference, from parts of it, and from what went wrong with it."""
    prior, spec = prior_of(network), network.spec
    origin = Origin(spec.name, spec.version, "reference", "")
    eight = leads_mv[[LEADS.index(lead) for lead in PREDICTED]]

    def simultaneous(mv: Leads) -> Calibration:
        return fit(network, prior, reference_of(network, mv, rate_hz), origin)

    def only(seconds: float) -> Leads:
        return eight[:, : round((seconds) * rate_hz)]

    power = 10 ** (-NOISE_DB / 20) * np.nanstd(eight, axis=1, keepdims=True)
    noisy = (eight + power * chances.normal(size=eight.shape)).astype(np.float32)
    swapped = eight.copy()
    a, b = (PREDICTED.index(lead) for lead in SWAPPED[int(chances.integers(len(SWAPPED)))])
    swapped[[a, b]] = swapped[[b, a]]
    third = eight.shape[1] // len(SEQUENCE)
    strips = {
        lead: (eight[PREDICTED.index(lead), i * third : (i + 1) * third], rate_hz)
        for i, lead in enumerate(SEQUENCE)
    }
    made = {
        "personal": simultaneous(eight),
        "3 s": simultaneous(only(3.0)),
        "5 s": simultaneous(only(5.0)),
        "10 dB noise": simultaneous(noisy),
        "two leads swapped": simultaneous(swapped),
    }
    try:
        reference, _ = sequence_reference(network, eight[0], strips, rate_hz)
        made["sequence"] = fit(network, prior, reference, replace(origin, kind="sequence"))
    except InputError:
        pass  # too few beats: such a person stays generic
    return made


def _pair(
    network: Network,
    calibrations: Mapping[str, Calibration],
    template: Leads,
    leads_mv: Leads,
    rate_hz: float,
) -> Pair:
    spec = network.spec
    truth = clinical_frame(leads_mv, rate_hz, spec.filters, spec.rate_hz)
    first = round(SCORED_FROM_S * spec.rate_hz)
    last = truth.shape[1] - round(END_S * spec.rate_hz)
    if last <= first:
        raise InputError(f"shorter than {SCORED_FROM_S + END_S:g} s")
    beats = find_beats(truth[:, :last], spec.rate_hz, first)
    where = regions(beats, truth.shape[1], first, spec.rate_hz, last)
    hop = spec.hop_of(HOP_S)

    def compared(leads: Leads, scale: Leads | None = None, bands: Any = None, full: bool = True) -> Compared:
        sums, to_end = (lead_sums(leads[:, first:to], truth[:, first:to]) for to in (last, None))
        if not full:
            return Compared(sums, to_end)
        at_beats = measure(leads, beats, spec.rate_hz) if beats else None
        counted = count(leads, scale, truth, bands, where) if bands and scale is not None else None
        return Compared(sums, to_end, at_beats, counted)

    generic, scale = stream(leads_mv[0], rate_hz, network, hop)
    ways = {"generic": compared(generic, scale, spec.bands)}
    for name, calibration in calibrations.items():
        personal = PersonalNetwork(network, calibration)
        leads, scale = stream(leads_mv[0], rate_hz, personal, hop)
        ways[name] = compared(leads, scale, personal.spec.bands, full=name in ("personal", "sequence"))
    if "3 s" in calibrations:  # else it was not tried
        ways.setdefault("sequence", ways["generic"])
    ways["mean_beat"] = compared(_copied(template, truth[0], network))
    noisy = _noisy(network, calibrations["personal"], leads_mv[0], rate_hz, truth, where, hop)
    return Pair(ways, measure(truth, beats, spec.rate_hz) if beats else None, noisy)


def _noisy(
    network: Network,
    calibration: Calibration,
    lead_mv: NDArray[np.float32],
    rate_hz: float,
    truth: Leads,
    where: NDArray[np.bool_],
    hop: int | None,
) -> dict[str, dict[str, Held]]:
    """The bands where Lead I is disturbed; nothing where the model states none."""
    result: dict[str, dict[str, Held]] = {"generic": {}, "personal": {}}
    if not network.spec.has_scale:
        return result
    for noise, levels_db in LIVE_NOISE_DB.items():
        for level_db in levels_db:  # the same noise, more of it
            chances = np.random.default_rng(zlib.crc32(lead_mv.tobytes()))
            lead = disturbed(lead_mv, rate_hz, noise, level_db, chances)
            for name, model in (("generic", network), ("personal", PersonalNetwork(network, calibration))):
                leads, scale = stream(lead, rate_hz, model, hop)
                counts = count(leads, scale, truth, model.spec.bands, where)
                result[name][f"{noise.value}, {level_db} dB"] = Held.of(counts)
    return result


BEFORE_S, AFTER_S = 0.3, 0.5


def _mean_beat(leads_mv: Leads, network: Network) -> Leads:
    """The reference's mean beat, twelve leads around R; zeros where it shows none."""
    rate_hz = network.spec.rate_hz
    before, after = round(BEFORE_S * rate_hz), round(AFTER_S * rate_hz)
    beats = beats_in(leads_mv[0], rate_hz)
    beats = beats[(beats >= before) & (beats + after <= leads_mv.shape[1])]
    if not len(beats):
        return np.zeros((len(LEADS), before + after), np.float32)
    return np.asarray(leads_mv[:, beats[:, None] + np.arange(-before, after)].mean(axis=1), np.float32)


def _copied(template: Leads, lead_mv: NDArray[np.float32], network: Network) -> Leads:
    """The mean beat at every beat of Lead I, each sample from the nearest; zero far from any."""
    rate_hz = network.spec.rate_hz
    beats = beats_in(lead_mv, rate_hz)
    result = np.zeros((len(LEADS), len(lead_mv)), np.float32)
    if len(beats):
        at = np.arange(len(lead_mv))
        nearest = beats[np.abs(at[:, None] - beats).argmin(axis=1)]
        place = at - nearest + round(BEFORE_S * rate_hz)
        inside = (place >= 0) & (place < template.shape[1])
        result[:, inside] = template[:, place[inside]]
    return result


def _summary(pairs: Sequence[tuple[Entry, Pair]], codes: Mapping[Path, frozenset[str]]) -> dict[str, Any]:
    rows = [LEADS.index(lead) for lead in SEVEN]

    def rmse(name: str, part: str = "sums") -> NDArray[np.float64]:
        sums = [getattr(pair.ways[name], part) for _, pair in pairs]
        return np.array([np.sqrt(s.squared[rows].sum() / s.count[rows].sum()) for s in sums])

    def pearson(name: str, part: str = "sums") -> float:
        return float(np.nanmean([getattr(pair.ways[name], part).pearson[rows] for _, pair in pairs]))

    there = {name for name in pairs[0][1].ways if all(name in pair.ways for _, pair in pairs)}
    main = [name for name in ("generic", "personal", "sequence", "mean_beat") if name in there]
    every = ("personal", "the latest alone", "5 s", "3 s", "10 dB noise", "two leads swapped", "sequence")
    tried = [name for name in every if name in there]
    whole = "all of them" if "the latest alone" in there else "10 s"
    generic, patients = rmse("generic"), [entry.patient for entry, _ in pairs]

    def of_reference(name: str) -> dict[str, Any]:
        mine = rmse(name)
        return {
            "median_rmse_mv": float(np.median(mine)),
            "ratio": float(np.median(mine) / np.median(generic)),
            "mean_rmse_mv": float(mine.mean()),
            "mean_ratio": float(mine.mean() / generic.mean()),
            "pearson_mean": pearson(name),
            "worse_by_5pct_fraction": float((mine > HARM * generic).mean()),
            **median_intervals(mine, generic, HARM, patients),
        }

    result: dict[str, Any] = {
        "pairs": len(pairs),
        "median_rmse_mv": {name: float(np.median(rmse(name))) for name in main},
        "pearson_mean": {name: pearson(name) for name in main},
        "worse_by_5pct_fraction": float((rmse("personal") > HARM * generic).mean()),
        **_amplitudes(pairs),
        "st": {name: _st(*_at_beats(pairs, name)) for name in main if _at_beats(pairs, name)[0]},
        "mean_rmse_mv": {name: float(rmse(name).mean()) for name in main},
        "left_out_s": END_S,
        "to_end": {
            "median_rmse_mv": {name: float(np.median(rmse(name, "to_end"))) for name in main},
            "pearson_mean": {name: pearson(name, "to_end") for name in main},
            "worse_by_5pct_fraction": float(
                (rmse("personal", "to_end") > HARM * rmse("generic", "to_end")).mean()
            ),
        },
        "references": {(whole if name == "personal" else name): of_reference(name) for name in tried},
    }
    for name in (*WITH_BANDS, *({"sequence"} & there)):
        counted = [(e, w.bands) for e, p in pairs if (w := p.ways[name]).bands is not None]
        if counted:
            classes = [[c for c in e.superclasses if c in SUPERCLASSES] for e, _ in counted]
            summary = band_summary([b for _, b in counted if b], classes)
            summary["width_mv"] = _of_bands([Held.of(b) for _, b in counted if b])["width_mv"]
            result.setdefault("bands", {})[name] = summary
    levels = [level for _, p in pairs[:1] for level in p.noisy["personal"]]
    result["noise"] = {
        level: {name: _of_bands([p.noisy[name][level] for _, p in pairs]) for name in WITH_BANDS}
        for level in levels
    }
    return result | {"rhythms": _rhythms(pairs, codes)}


def _rhythms(pairs: Sequence[tuple[Entry, Pair]], codes_of: Mapping[Path, frozenset[str]]) -> dict[str, Any]:
    """The bands in later records of some rhythms, and of one that the reference did not have."""
    chosen = {name: [p for e, p in pairs if e.codes & codes] for name, codes in RHYTHMS.items()}
    chosen["a rhythm that the reference had not"] = [
        p for e, p in pairs if (was := codes_of[e.path] & RHYTHM_CODES) and e.codes & RHYTHM_CODES - was
    ]
    result: dict[str, Any] = {}
    for rhythm, some in chosen.items():
        counts = {name: [b for p in some if (b := p.ways[name].bands) is not None] for name in WITH_BANDS}
        if len(counts["personal"]) >= FEWEST_PAIRS:
            rows = {name: _of_bands([Held.of(b) for b in of]) for name, of in counts.items()}
            result[rhythm] = {"pairs": len(counts["personal"]), **rows}
    return result


def _of_bands(held: Sequence[Held]) -> dict[str, float]:
    """Of the 90 % band, the seven leads pooled."""
    total = sum(h.samples for h in held)
    return {
        "coverage": sum(h.inside for h in held) / total,
        "width_mv": sum(h.width_mv for h in held) / total,
        "interval_score_mv": sum(h.interval_mv for h in held) / total,
    }


def _st(truth: Sequence[BeatValues], estimate: Sequence[BeatValues]) -> dict[str, Any]:
    """False calls alone would speak for calling nothing, so how many of the true ones are found, too."""
    rows = [LEADS.index(lead) for lead in SEVEN]
    true, ours = (np.concatenate([v.st_mv[:, rows] for v in values]) for values in (truth, estimate))
    summary = st_summary(truth, estimate)
    for name, sign in (("elevation", 1), ("depression", -1)):
        called = sign * ours[sign * true > ST_LIMIT_MV] > ST_LIMIT_MV
        summary[f"found_{name}"] = float(called.mean()) if called.size else None
    return summary


def _at_beats(pairs: Sequence[tuple[Entry, Pair]], name: str) -> tuple[list[BeatValues], list[BeatValues]]:
    both = [(p.truth, p.ways[name].beats) for _, p in pairs]
    good = [(t, e) for t, e in both if t is not None and e is not None]
    return [t for t, _ in good], [e for _, e in good]


def _amplitudes(pairs: Sequence[tuple[Entry, Pair]]) -> dict[str, Any]:
    """Spread of R and S over records, estimate over truth: pooled by lead, and each wave."""
    result: dict[str, Any] = {"spread_ratio": {}, "spread_ratio_generic": {}, "waves": {}}
    for name, key in (("personal", "spread_ratio"), ("generic", "spread_ratio_generic")):
        truth, estimate = _at_beats(pairs, name)
        if not truth:
            continue
        for lead in LEADS[6:]:
            row = LEADS.index(lead)
            a = np.array([[v.r_mv[row], v.s_mv[row]] for v in estimate])
            b = np.array([[v.r_mv[row], v.s_mv[row]] for v in truth])
            pooled = np.sqrt(b.var(axis=0).sum())
            result[key][lead] = float(np.sqrt(a.var(axis=0).sum()) / pooled) if pooled > 0 else None
            if name == "personal" and (b.std(axis=0) > 0).all() and (a.std(axis=0) > 0).all():
                result["waves"][lead] = {
                    wave: {
                        "spread_ratio": float(a[:, i].std() / b[:, i].std()),
                        "correlation": float(np.corrcoef(a[:, i], b[:, i])[0, 1]),
                    }
                    for i, wave in enumerate("rs")
                }
    return result
