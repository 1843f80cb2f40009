# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores plausible twelve-leads.

``python -m training.fitted.plausible_scores MODEL --data PTB-XL --out FILE``

Three ways to say what the twelve leads may be: the estimate alone, samples drawn from the model's scale one
by one, and whole persons (`streamer.core.network.alternatives`).  Each is scored by what is true,
jointly over leads and time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mecg.evaluation.beat_scores import AROUND_R_S, find_beats
from streamer.core.calibration.correction import Origin, PersonalNetwork
from streamer.core.calibration.fit import fit, prior_of
from streamer.core.errors import InputError
from streamer.core.leads import LEADS, PREDICTED, SEVEN, scale_of_twelve, twelve_from_eight
from streamer.core.network.alternatives import Plausible
from streamer.core.network.network import Network
from streamer.core.signal.clinical_frame import clinical_frame
from streamer.core.signal.filters import BandSplitter
from streamer.core.stream import Samples
from training.command import ended_in_one_line
from training.data import RATE_HZ, load, network_input
from training.fitted.personal import first_and_later, references_of, several

SCORED_FROM_S = 3.0
LEFT_OUT_S = 0.3
"""At a record's end the clinical frame is bent by how it is defined: no truth there."""
BEFORE_R_S, AFTER_R_S = 0.25, 0.45
"""What of a beat is scored together."""
DRAWS = 32
RANKED = 19
"""Draws among which the truth is ranked: twenty places, each as likely where draws are true."""
SHOWN = 5
"""So many draws of each record tell how amplitudes spread over people."""
BOOTSTRAPS = 1000

_ROWS = [LEADS.index(lead) for lead in SEVEN]
_CHEST = slice(LEADS.index("V1"), None)

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Known:
    """A record as the model has it, beside the truth, without its ends."""

    patient: int
    leads_mv: Samples
    """``(8, n)`` in the order of `PREDICTED`."""
    scale_mv: Samples
    """``(8, n)``"""
    truth_mv: Samples
    """``(8, n)``"""


Way = Callable[[Known, int], Samples]
"""A record and a seed to draws ``(count, 12, n)``, mV."""


def records_of(
    network: Network, data: Path, folds: Sequence[int], every: int, cache: Path
) -> Iterator[Known]:
    """Every so manyth record of some folds, read as a dense stretch: as live within 1e-4 mV.

    Raises
    ------
    InputError
        Where the model states no scale, no receptive field, or not all leads.
    """
    spec = network.spec
    if not spec.has_scale or spec.receptive_field is None or spec.leads != PREDICTED:
        raise InputError(
            f"the model {spec.name} states no scale, no receptive field or not all leads: "
            "it cannot have plausible alternatives"
        )
    for fold in folds:
        records = load(data, [fold], cache)
        for patient, uv in zip(records.patient_id[::every], records.leads_uv[::every], strict=True):
            yield _known(network, int(patient), uv)


def later_records_of(network: Network, data: Path, fold: int, cache: Path) -> Iterator[Known]:
    """Every later record of a patient with several, calibrated on the first one.

    Raises
    ------
    InputError
        Where the model knows nothing of persons.
    """
    prior, origin = prior_of(network), Origin(network.spec.name, network.spec.version, "", "")
    records = several(load(data, [fold], cache))
    references = references_of(network, records)
    for a, b in first_and_later(records.patient_id):
        person = PersonalNetwork(network, fit(network, prior, references[a], origin))
        yield _known(person, int(records.patient_id[b]), records.leads_uv[b])


def _known(network: Network | PersonalNetwork, patient: int, leads_uv: NDArray[np.int16]) -> Known:
    spec = network.spec
    mv = leads_uv.astype(np.float32) / 1e3
    truth = clinical_frame(mv, RATE_HZ, spec.filters, spec.rate_hz).astype(np.float32)
    hold = spec.look_ahead + -(truth.shape[1] + spec.look_ahead) % spec.grid
    rows = [BandSplitter.ROWS.index(name) for name in spec.channels]
    out = network.run(network_input(mv[0], spec.filters, spec.rate_hz, hold=hold)[rows])
    first, left_out = round(SCORED_FROM_S * spec.rate_hz), round(LEFT_OUT_S * spec.rate_hz)
    part, eight = slice(first, truth.shape[1] - left_out), len(PREDICTED)
    return Known(patient, out[:eight, part], out[eight:, part], truth[:, part])


def estimate(known: Known, seed: int) -> Samples:
    """The one estimate."""
    return twelve_from_eight(known.leads_mv)[None]


def independent(known: Known, seed: int) -> Samples:
    """Each sample drawn by itself, from the Laplace distribution whose scale the model states."""
    noise = np.random.default_rng(seed).laplace(size=(DRAWS, *known.leads_mv.shape)).astype(np.float32)
    return np.stack([twelve_from_eight(known.leads_mv + one * known.scale_mv) for one in noise])


def persons(plausible: Plausible) -> Way:
    """Whole persons, others for each record."""
    return lambda known, seed: plausible.draws(
        twelve_from_eight(known.leads_mv), scale_of_twelve(known.scale_mv), DRAWS, seed
    )


@dataclass(frozen=True, slots=True)
class Scores:
    """What one way gave, one row to a record; NaN where a record has too few beats."""

    patient: NDArray[np.int64]
    record_mv: Array
    """Energy score of the seven leads over the whole stretch, over the root of how many numbers that is."""
    beat_mv: Array
    """The same of each beat, averaged over the record's."""
    waves_mv: Array
    """The same of the twelve amplitudes R and S of V1-V6, each the median over beats."""
    rmse_mv: Array
    """Of the draws' mean, seven leads."""
    rank: NDArray[np.float64]
    """``(records, 12)``: how many of `RANKED` draws lie below the truth: R of V1-V6, then S."""
    true_waves_mv: Array
    """``(records, 12)``"""
    waves_drawn_mv: Array
    """``(records, SHOWN or 1, 12)``"""


def score(records: Iterable[Known], way: Way, rate_hz: float) -> Scores:
    """Draw for every record, and compare with what is true."""
    patients, rows = [], []
    for seed, known in enumerate(records):
        patients.append(known.patient)
        rows.append(_score(known, way(known, seed), rate_hz))
    record, beat, waves, rmse, rank, true, drawn = (np.array(column) for column in zip(*rows, strict=True))
    return Scores(np.array(patients), record, beat, waves, rmse, rank, true, drawn)


def _score(known: Known, drawn: Samples, rate_hz: float) -> tuple[Any, ...]:
    truth = twelve_from_eight(known.truth_mv)
    record = energy_score(drawn[:, _ROWS], truth[_ROWS])
    rmse = float(np.sqrt(((drawn[:, _ROWS].mean(axis=0) - truth[_ROWS]) ** 2).mean()))
    some = min(len(drawn), SHOWN)
    beats = find_beats(truth, rate_hz, 0)
    if beats is None:
        none = np.full(12, np.nan)
        return record, np.nan, np.nan, rmse, none, none, np.full((some, 12), np.nan)
    before, after = round(BEFORE_R_S * rate_hz), round(AFTER_R_S * rate_hz)
    inside = beats.r[(beats.r >= before) & (beats.r < truth.shape[1] - after)]
    each = [
        energy_score(drawn[:, _ROWS, r - before : r + after], truth[_ROWS, r - before : r + after])
        for r in inside
    ]
    true, ours = waves_mv(truth, beats.r, rate_hz), waves_mv(drawn, beats.r, rate_hz)
    rank = (ours[:RANKED] < true).sum(axis=0) if len(drawn) >= RANKED else np.full(12, np.nan)
    beat = float(np.mean(each)) if each else np.nan
    return record, beat, energy_score(ours, true), rmse, rank, true, ours[:some]


def energy_score(drawn: NDArray[Any], truth: NDArray[Any]) -> float:
    """How far draws ``(count, ...)`` lie from the truth ``(...)``, less half of how far they lie apart.

    Proper: nothing scores better than the distribution that the truth is drawn from (Gneiting and Raftery,
    2007).  Over the root of how many numbers there are; of a single draw its root mean square error.
    """
    x = drawn.reshape(len(drawn), -1).astype(np.float64)
    error = np.sqrt(((x - truth.ravel()) ** 2).sum(axis=1)).mean()
    if len(x) == 1:
        return float(error / np.sqrt(truth.size))
    products = x @ x.T
    squares = np.diag(products)
    apart = np.sqrt(np.maximum(squares[:, None] + squares - 2 * products, 0))
    np.fill_diagonal(apart, 0)
    return float((error - apart.sum() / (2 * len(x) * (len(x) - 1))) / np.sqrt(truth.size))


def waves_mv(leads_mv: NDArray[Any], r: NDArray[np.int64], rate_hz: float) -> Array:
    """R of V1-V6, then S ``(..., 12)``, as `beat_scores.measure` has them, of leads ``(..., 12, n)``."""
    reach = round(AROUND_R_S * rate_hz)
    near = leads_mv[..., _CHEST, :][..., r[:, None] + np.arange(-reach, reach + 1)].astype(np.float64)
    both = np.median(near.max(axis=-1), axis=-1), np.median(near.min(axis=-1), axis=-1)
    return np.concatenate(both, axis=-1)


def table(ways: dict[str, Scores]) -> dict[str, Any]:
    """What every way gave, as plain JSON types; intervals are paired, by bootstrap over patients."""
    mean = ways["estimate"]
    found: dict[str, Any] = {"records": len(mean.patient), "patients": len(np.unique(mean.patient))}
    for name, scores in ways.items():
        row: dict[str, Any] = {"rmse_of_mean_mv": float(np.sqrt((scores.rmse_mv**2).mean()))}
        for kind in ("record_mv", "beat_mv", "waves_mv"):
            ours, theirs = getattr(scores, kind), getattr(mean, kind)
            row[kind] = float(np.nanmean(ours))
            row[f"{kind.removesuffix('_mv')}_over_estimate"] = _ratio(ours, theirs, mean.patient)
        row["spread_ratio"] = _spread(scores)
        if np.isfinite(scores.rank).any():
            row["ranks"] = _ranks(scores.rank)
        found[name] = row
    return found


def _ratio(ours: Array, theirs: Array, patient: NDArray[np.int64]) -> dict[str, Any]:
    """Of means over records, with its 95 % interval."""
    there = np.isfinite(ours) & np.isfinite(theirs)
    _, who = np.unique(patient[there], return_inverse=True)
    sums = np.stack([np.bincount(who, weights=x[there]) for x in (ours, theirs)])
    chances = np.random.default_rng(0).integers(sums.shape[1], size=(BOOTSTRAPS, sums.shape[1]))
    a, b = sums[:, chances].sum(axis=2)
    return {
        "ratio": float(sums[0].sum() / sums[1].sum()),
        "ci95": [float(q) for q in np.quantile(a / b, [0.025, 0.975])],
    }


def _spread(scores: Scores) -> dict[str, dict[str, float]]:
    """SD over records of each amplitude, drawn over true; the mean over draws."""
    there = np.isfinite(scores.true_waves_mv).all(axis=1)
    ratio = scores.waves_drawn_mv[there].std(axis=0).mean(axis=0) / scores.true_waves_mv[there].std(axis=0)
    chest = LEADS[_CHEST]
    return {"r": dict(zip(chest, ratio[:6].tolist(), strict=True))} | {
        "s": dict(zip(chest, ratio[6:].tolist(), strict=True))
    }


def _ranks(rank: Array) -> dict[str, Any]:
    """How far the ranks are from even.

    ``off_flat``: the share of records that would have to move; ``chi2_per_df``: 1 is what chance does;
    ``outermost``: the share in the two outermost of twenty places, 0.1 where draws are true.
    """
    places = RANKED + 1
    there = rank[np.isfinite(rank).all(axis=1)].astype(np.int64)
    each: dict[str, dict[str, float]] = {}
    for k in range(there.shape[1]):
        counts = np.bincount(there[:, k], minlength=places)
        even = len(there) / places
        each[f"{'r' if k < 6 else 's'} {LEADS[_CHEST][k % 6]}"] = {
            "off_flat": float(np.abs(counts / len(there) - 1 / places).sum() / 2),
            "chi2_per_df": float(((counts - even) ** 2 / even).sum() / (places - 1)),
            "outermost": float((counts[0] + counts[-1]) / len(there)),
            "lowest": float(counts[0] / len(there)),
        }
    pooled = np.bincount(there.ravel(), minlength=places) / there.size
    mean = {key: float(np.mean([one[key] for one in each.values()])) for key in next(iter(each.values()))}
    return {"mean": mean, "histogram": [round(float(x), 4) for x in pooled], "each": each}


def main() -> None:
    """Score as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="a model that training.fitted.plausible wrote to")
    parser.add_argument("--data", type=Path, required=True, help="a PTB-XL directory")
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    parser.add_argument("--fold", type=int, default=9)
    parser.add_argument("--every", type=int, default=1, help="only every so manyth record")
    parser.add_argument(
        "--personal", action="store_true", help="later records, calibrated on the patient's first one"
    )
    parser.add_argument("--out", type=Path, help="a JSON file")
    args = parser.parse_args()
    network = Network(args.model.read_bytes())
    plausible = Plausible.from_json(network.spec.plausible)
    if args.personal:
        records = list(later_records_of(network, args.data, args.fold, args.cache))[:: args.every]
    else:
        records = list(records_of(network, args.data, [args.fold], args.every, args.cache))
    ways: dict[str, Way] = {
        "estimate": estimate,
        "independent": independent,
        "plausible": persons(plausible),
    }
    found = table({name: score(records, way, network.spec.rate_hz) for name, way in ways.items()})
    found |= {"numbers": plausible.factors.size + 1, "temper": plausible.temper, "fold": args.fold}
    found["calibration"] = "personal" if args.personal else "generic"
    found["model"] = f"{network.spec.name} {network.spec.version}"
    text = json.dumps(found, indent=1)
    if args.out is not None:
        args.out.write_text(text)
    print(text)


if __name__ == "__main__":
    ended_in_one_line(main)
