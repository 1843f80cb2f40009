# SPDX-License-Identifier: GPL-3.0-or-later
"""How much better a network does on persons that it learned from.

``python -m training.studies.known_persons MODEL --data PTB-XL``

Compares the mean beat of the seven leads.  Some folds are harder than others, so the yardstick is a ridge
regression of that beat on a few numbers of Lead I's: too small to know a person.  It learns from the first
folds alone.  The gap is by how much the network's error over the ridge's is higher on a fold that the
network did not learn from than on folds that it did.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from mecg.evaluation.evaluate import END_S, SCORED_FROM_S, stream
from mecg.evaluation.lead_scores import resampled
from streamer.core.errors import InputError
from streamer.core.leads import LEADS, PREDICTED
from streamer.core.network.network import Network
from training.command import ended_in_one_line
from training.data import RATE_HZ, load, targets
from training.studies.visits import mean_beat

RIDGE_FOLDS = (1, 2, 3, 4)
NUMBERS = 17
"""Of Lead I's mean beat: its first principal components."""
PENALTY = 1.0
"""Of the ridge, in records."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Beats:
    """Mean beats of the records of some folds, mV."""

    patients: NDArray[np.int64]
    one: Array
    """Lead I's, ``(records, n)``."""
    truth: Array
    """Those of the seven, ``(records, 7 n)``."""
    estimate: Array
    """The network's, of the same beats."""


def beats_of(network: Network, data: Path, folds: tuple[int, ...], every: int, cache: Path) -> Beats:
    """Mean beats of every so many records; those without beats are left out.

    Raises
    ------
    InputError
        If no record has any.
    """
    records = load(data, folds, cache)
    rate_hz = network.spec.rate_hz
    rows = [LEADS.index(lead) for lead in PREDICTED[1:]]
    truth_uv = targets(records, network.spec.filters, rate_hz)
    first, last = round(SCORED_FROM_S * rate_hz), truth_uv.shape[2] - round(END_S * rate_hz)
    chosen, found = [], []
    for i in tqdm(range(0, len(records.ecg_id), every), desc=f"folds {folds}", mininterval=5):
        made, _ = stream(records.leads_uv[i, 0].astype(np.float32) / 1e3, RATE_HZ, network)
        leads_mv = np.concatenate((truth_uv[i].astype(np.float32) / 1e3, made[rows]))[:, first:last]
        beat = mean_beat(leads_mv, rate_hz)
        if beat is not None:
            chosen.append(i)
            found.append(beat.astype(np.float64))
    if not found:
        raise InputError(f"no record of folds {folds} of {data} has a beat: name other folds")
    each = np.stack(found)
    seven = len(rows)
    flat = [
        part.reshape(len(each), -1) for part in (each[:, 0], each[:, 1 : 1 + seven], each[:, 1 + seven :])
    ]
    return Beats(records.patient_id[chosen], *flat)


@dataclass(frozen=True, slots=True)
class Ridge:
    """The seven leads' mean beat from a few numbers of Lead I's."""

    middle: Array
    directions: Array
    """``(numbers, n)``"""
    weights: Array
    """``(1 + numbers, 7 n)``; the first row is what all have in common."""

    @classmethod
    def fit(cls, beats: Beats) -> Ridge:
        """Learn it."""
        middle = beats.one.mean(axis=0)
        directions = np.linalg.svd(beats.one - middle, full_matrices=False)[2][:NUMBERS]
        x = cls._numbers(beats.one, middle, directions)
        penalty = PENALTY * np.diag(np.square(x).mean(axis=0))
        penalty[0, 0] = 0
        weights = np.linalg.solve(x.T @ x + penalty, x.T @ beats.truth)
        return cls(middle, directions, weights.astype(np.float64))

    @staticmethod
    def _numbers(one: Array, middle: Array, directions: Array) -> Array:
        return np.concatenate((np.ones((len(one), 1)), (one - middle) @ directions.T), axis=1)

    def __call__(self, one: Array) -> Array:
        """``(records, n)`` to ``(records, 7 n)``, mV."""
        made: Array = self._numbers(one, self.middle, self.directions) @ self.weights
        return made


def over_ridge(beats: Beats, ridge: Ridge, rng: np.random.Generator) -> tuple[dict[str, Any], Array]:
    """The network's error over the ridge's, and what it is in each draw of patients."""
    squared = np.stack(
        [np.square(x - beats.truth).mean(axis=1) for x in (beats.estimate, ridge(beats.one))], axis=1
    )
    drawn = resampled(squared, beats.patients.tolist(), rng)
    network_mv, ridge_mv = np.sqrt(squared.mean(axis=0))
    ratios = np.sqrt(drawn[:, 0] / drawn[:, 1])
    return {
        "records": len(squared),
        "network_mv": float(network_mv),
        "ridge_mv": float(ridge_mv),
        "over_ridge": float(network_mv / ridge_mv),
        "over_ridge_ci95": [float(x) for x in np.quantile(ratios, [0.025, 0.975])],
    }, ratios


def study(model: bytes, data: Path, unknown: int, every: int, cache: Path) -> dict[str, Any]:
    """All of it, as plain JSON types.

    Raises
    ------
    InputError
        If the model does not say what it learned from, or learned from nothing beyond the ridge's folds or
        from the fold that it is not to know.
    """
    network = Network(model)
    said = network.spec.about.get("folds")
    if not isinstance(said, list | tuple) or not said:
        raise InputError(
            f"the model {network.spec.name} does not say which folds it learned from: export it again"
        )
    learned = {int(fold) for fold in said}
    known = tuple(sorted(learned - set(RIDGE_FOLDS)))
    if unknown in learned or not known:
        raise InputError(
            f"the model {network.spec.name} learned from folds {sorted(learned)}: name a fold that is not "
            f"among them, and a model that learned from one beyond {RIDGE_FOLDS}"
        )
    ridge = Ridge.fit(beats_of(network, data, RIDGE_FOLDS, every, cache))
    rng = np.random.default_rng(0)
    of_known, known_ratios = over_ridge(beats_of(network, data, known, every, cache), ridge, rng)
    of_unknown, unknown_ratios = over_ridge(beats_of(network, data, (unknown,), every, cache), ridge, rng)
    gaps = unknown_ratios / known_ratios - 1
    return {
        "model": f"{network.spec.name} {network.spec.version}",
        "known": {"folds": list(known), **of_known},
        "unknown": {"folds": [unknown], **of_unknown},
        "gap": of_unknown["over_ridge"] / of_known["over_ridge"] - 1,
        "gap_ci95": [float(x) for x in np.quantile(gaps, [0.025, 0.975])],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="a PTB-XL directory")
    parser.add_argument("--fold", type=int, default=8, help="one that the model did not learn from (8)")
    parser.add_argument("--every", type=int, default=1, help="take every so many records (1)")
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    args = parser.parse_args()
    print(json.dumps(study(args.model.read_bytes(), args.data, args.fold, args.every, args.cache), indent=1))


if __name__ == "__main__":
    ended_in_one_line(main)
