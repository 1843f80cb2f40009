# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits how the errors of the leads go together: ``python -m training.fitted.plausible MODEL --data PTB-XL``.

Of each record of the training folds: the linear map of the eight estimated leads that explains its error
best, shrunk.  Maps are compared by what they do to a usual record, and the `FACTORS` directions in which
persons differ most are kept.  How far draws go is chosen on the fold that chooses.  Minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from streamer.core.leads import PREDICTED, SEVEN
from streamer.core.network.alternatives import Plausible
from streamer.core.network.network import Network
from streamer.core.network.spec import METADATA_KEY
from training.command import ended_in_one_line
from training.fitted.plausible_scores import Known, estimate, persons, records_of, score

CHOOSE_FOLD = 8
EVERY = 4
"""So many records go by for one that is learned from, or chosen on: more change nothing that shows."""
FACTORS = 8
"""Chosen on fold 8: with 4 the energy score is 0.4 % higher, with 16 0.3 % lower."""
RIDGE = 0.1
"""On maps of leads that vary by 1; a tenth or thrice of it is the same within 0.2 %."""
TEMPERS = (1.0, 1.1, 1.2, 1.3, 1.4)

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moments:
    """What a record says of its error, as means over samples."""

    leads: Array
    """``(8, 8)``"""
    products: Array
    """``(8, 7)``: of the leads with the error, mV^2."""

    @classmethod
    def of(cls, known: Known) -> Moments:
        """Of the estimated leads, and the error of the seven."""
        x = known.leads_mv.astype(np.float64)
        error = (known.truth_mv - known.leads_mv)[1:].astype(np.float64)
        return cls(x @ x.T / x.shape[1], x @ error.T / x.shape[1])


def learn(records: Sequence[Moments], factors: int = FACTORS) -> NDArray[np.float32]:
    """The directions in which records' errors differ most ``(factors, 7, 8)``, as `Plausible` has them."""
    usual = np.mean([record.leads for record in records], axis=0)
    power, axes = np.linalg.eigh(usual)
    white = (axes / np.sqrt(power + 1e-5 * power[-1])).T
    eye = np.eye(len(PREDICTED))
    maps = np.stack(
        [np.linalg.solve(white @ r.leads @ white.T + RIDGE * eye, white @ r.products).T for r in records]
    )
    _, size, rows = np.linalg.svd(maps.reshape(len(maps), -1), full_matrices=False)
    rows *= np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)])[:, None]
    kept = rows[:factors] * size[:factors, None] / np.sqrt(len(maps))
    found: NDArray[np.float32] = (kept.reshape(-1, len(SEVEN), len(PREDICTED)) @ white).astype(np.float32)
    return found.astype(np.float16).astype(np.float32)


def fit(network: Network, data: Path, cache: Path) -> Plausible:
    """Learn the factors on the model's own folds, and choose the temper.

    Raises
    ------
    InputError
        As `records_of`.
    """
    folds = [int(fold) for fold in network.spec.about["folds"]]
    records = [Moments.of(known) for known in records_of(network, data, folds, EVERY, cache)]
    factors = learn(records)
    print(f"{len(records)} records of folds {folds}: {factors.size} numbers", flush=True)
    chosen = list(records_of(network, data, [CHOOSE_FOLD], EVERY, cache))
    rate_hz = network.spec.rate_hz
    alone = score(chosen, estimate, rate_hz)
    best, least = Plausible(factors, TEMPERS[0]), np.inf
    for temper in TEMPERS:
        tried = Plausible(factors, temper)
        scores = score(chosen, persons(tried), rate_hz)
        # Both count alike: the whole stretch, and the amplitudes by which a heart is read.
        whole = np.mean(scores.record_mv) / np.mean(alone.record_mv)
        waves = np.nanmean(scores.waves_mv) / np.nanmean(alone.waves_mv)
        print(
            f"temper {temper:g}: energy score over the estimate's {whole:.4f}, R and S {waves:.4f}",
            flush=True,
        )
        if whole + waves < least:
            best, least = tried, float(whole + waves)
    return best


def write(path: Path, plausible: Plausible) -> None:
    """Put it into a model's metadata; everything else stays as it is."""
    spec = replace(Network(path.read_bytes()).spec, plausible=plausible.to_json())
    model = onnx.load(path)
    facts = {p.key: p.value for p in model.metadata_props} | {METADATA_KEY: spec.to_json()}
    onnx.helper.set_model_props(model, facts)
    part = path.with_suffix(".part")
    onnx.save(model, part)
    part.replace(path)


def main() -> None:
    """Fit and write as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="an exported model with a scale; written to")
    parser.add_argument("--data", type=Path, required=True, help="a PTB-XL directory")
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    args = parser.parse_args()
    plausible = fit(Network(args.model.read_bytes()), args.data, args.cache)
    write(args.model, plausible)
    print(f"{args.model}: temper {plausible.temper}, {len(plausible.to_json())} bytes")


if __name__ == "__main__":
    ended_in_one_line(main)
