# SPDX-License-Identifier: GPL-3.0-or-later
"""Learns how persons differ and writes it into a model.

``python -m training.fitted.personal MODEL --data PTB-XL``

From every patient of the training folds with several records: one record gives the correction,
another is scored with it.  Everything that is then chosen (amplitudes, scales, bands) is chosen on
the fold that chooses.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from mecg.evaluation.beat_scores import find_beats, measure
from streamer.core.calibration.correction import Origin, PersonalNetwork
from streamer.core.calibration.fit import Prior, Reference, fit, reference_of, scale_terms
from streamer.core.calibration.swapped_leads import exchanged
from streamer.core.leads import SEVEN, scale_of_twelve, twelve_from_eight
from streamer.core.network.network import Network
from streamer.core.network.spec import LEVELS, PRIOR_KEY
from training.command import ended_in_one_line
from training.data import RATE_HZ, Records, load, network_input, targets

CHOOSE_FOLD = 8
EPOCHS = 4
BATCH = 64
RATE = 3e-3
HARM = 0.25
"""How much more an error counts by which a record gets worse than generic."""
REACH = 1.6
"""Chosen on fold 8: without a limit the mean error is 1.5 % higher and a fifth more records get worse;
a closer one takes amplitudes away."""
SPREAD, MOST_GAIN = 0.94, 1.12
"""To what the spread of R and S over records is brought in V1-V6, true ones being 1, and by how much at
the most: a gain of 1.1 costs 1.5 % of error."""
FALSE_EXCHANGES = 0.02
"""The share of true records in which two leads are said to be exchanged.  Some of them are."""
PAIRS_EACH = 4
"""So many ordered pairs of a patient's records are learned from, that none counts for much more."""
SCORED_FROM_S = 3.0
SHORT_S = 3.5


@dataclass(frozen=True, slots=True)
class Sums:
    """Moments of many records, of leads recorded at the same time."""

    features: torch.Tensor
    """``(records, features, features)``"""
    products: torch.Tensor
    """``(records, features, 7 * stride)``"""
    squares: torch.Tensor
    """``(records,)``"""
    steps: torch.Tensor
    """``(records,)``"""

    @classmethod
    def of(cls, references: Sequence[Reference], part: slice) -> Sums:
        """Over a part of each."""
        moments = [reference.moments(part) for reference in references]
        products = np.stack([m.products.transpose(1, 0, 2).reshape(m.products.shape[1], -1) for m in moments])
        arrays = (
            np.stack([m.features[0] for m in moments]),
            products,
            np.stack([m.squares.sum() for m in moments]),
            np.stack([m.steps[0] for m in moments]),
        )
        return cls(*(torch.from_numpy(np.ascontiguousarray(a, np.float32)) for a in arrays))

    def of_records(self, chosen: NDArray[np.int64]) -> Sums:
        """Some of them."""
        return Sums(self.features[chosen], self.products[chosen], self.squares[chosen], self.steps[chosen])


class Learned(torch.nn.Module):
    """The part of a prior that is learned by what it does to another record of the same patient."""

    def __init__(self, spread: torch.Tensor) -> None:
        super().__init__()
        self.factor = torch.nn.Parameter(torch.diag(1 / spread))
        self.log_precision = torch.nn.Parameter(torch.full((len(SEVEN),), -1.6))
        self.noise_share = torch.nn.Parameter(torch.tensor(-2.0))

    def forward(self, sums: Sums, usual_steps: float) -> torch.Tensor:
        """Heads ``(records, features, 7 * stride)``: as `correction.posterior`, without its gain."""
        steps = sums.steps[:, None, None]
        gram = self.factor.T @ (sums.features / steps) @ self.factor
        right = self.factor.T @ (sums.products / steps)
        share = torch.sigmoid(self.noise_share)
        weight = torch.exp(self.log_precision) * (1 - share + share * usual_steps / sums.steps[:, None])
        n, latent, _ = right.shape
        left = gram[:, None] + weight[..., None, None] * torch.eye(latent)
        by_lead = right.reshape(n, latent, len(SEVEN), -1).transpose(1, 2)
        z = torch.linalg.solve(left, by_lead).transpose(1, 2).reshape(n, latent, -1)
        return self.factor @ z


def rmse_mv(head: torch.Tensor, sums: Sums) -> torch.Tensor:
    """What each record's head leaves of its errors ``(records,)``, from the moments alone."""
    cross, own = (head * sums.products).sum((1, 2)), (head * (sums.features @ head)).sum((1, 2))
    left: torch.Tensor = (sums.squares - 2 * cross + own).clamp_min(1e-9)
    return (left / sums.steps / head.shape[2]).sqrt()


def pairs_of(patients: NDArray[np.int64], seed: int = 0) -> NDArray[np.int64]:
    """Ordered pairs of two records of one patient ``(pairs, 2)``."""
    rng = np.random.default_rng(seed)
    of: dict[int, list[int]] = defaultdict(list)
    for i, patient in enumerate(patients):
        of[int(patient)].append(i)
    pairs = []
    for some in of.values():
        mine = [(a, b) for a in some for b in some if a != b]
        pairs += [mine[i] for i in rng.permutation(len(mine))[:PAIRS_EACH]]
    return np.array(pairs)


def learn(references: Sequence[Reference], pairs: NDArray[np.int64], seed: int = 0) -> tuple[Learned, float]:
    """Find the factor and precisions with which one record serves another best; and the usual steps."""
    some = references[0]
    first = round(SCORED_FROM_S * some.rate_hz / some.stride)
    short = slice(first, first + round(SHORT_S * some.rate_hz / some.stride))
    scored = Sums.of(references, slice(first, None))
    given = [Sums.of(references, slice(None)), Sums.of(references, short)]
    usual = float(given[0].steps.median())
    spread = (scored.features.diagonal(dim1=1, dim2=2).sum(0) / scored.steps.sum()).sqrt()
    learned = Learned(spread.clamp_min(1e-6))
    optimiser = torch.optim.Adam(learned.parameters(), lr=RATE)
    rng = np.random.default_rng(seed)
    total = EPOCHS * (len(pairs) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total, pct_start=0.1)
    for epoch in range(EPOCHS):
        ratios = []
        for chosen in np.array_split(rng.permutation(len(pairs)), len(pairs) // BATCH)[: len(pairs) // BATCH]:
            a, b = pairs[chosen].T
            other = scored.of_records(b)
            head = learned(given[int(rng.random() < 0.25)].of_records(a), usual)
            ratio = rmse_mv(head, other) / rmse_mv(torch.zeros_like(head), other)
            loss = ratio.mean() + HARM * torch.relu(ratio - 1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            ratios.append(ratio.mean().item())
        print(f"epoch {epoch + 1}: error left {np.mean(ratios):.4f}", flush=True)
    return learned, usual


def prior_from(learned: Learned, references: Sequence[Reference], usual: float) -> Prior:
    """As the live path reads it, before anything is chosen."""
    factor = learned.factor.detach().numpy().astype(np.float64)
    n = len(SEVEN)
    with torch.no_grad():
        sums = Sums.of(references, slice(None))
        heads = learned(sums, usual).numpy().astype(np.float64)
    z = np.linalg.solve(factor, heads).reshape(*heads.shape[:2], n, -1)
    flat = z.transpose(2, 0, 1, 3).reshape(n, -1)
    left = np.stack(
        [
            r.moments().left_mv2(h.reshape(h.shape[0], n, -1).transpose(1, 0, 2))
            for r, h in zip(references, heads, strict=True)
        ]
    )
    return Prior(
        factor=factor,
        precision=learned.log_precision.detach().exp().numpy().astype(np.float64),
        visit=1 - torch.sigmoid(learned.noise_share).item(),
        gain=np.ones(n),
        noise_mv=np.sqrt(np.median(left, axis=0)),
        reach=REACH,
        lead_covariance=flat @ flat.T / flat.shape[1] + 1e-6 * np.eye(n),
        scale=np.zeros((n, 3)),
        error_covariance=error_covariance(references),
        exchange=1e3,  # until it is chosen, none is
    )


def error_covariance(references: Sequence[Reference]) -> NDArray[np.float64]:
    """How generic errors of leads go together ``(7, 7)``: each record counts as one, whatever its size."""
    total = np.zeros((len(SEVEN), len(SEVEN)))
    for reference in references:
        error = reference.error_mv[:, np.isfinite(reference.error_mv).all(axis=0)].astype(np.float64)
        own = error @ error.T
        total += own / max(np.trace(own), 1e-9)
    return total / len(references) + 1e-5 * np.eye(len(SEVEN))


def exchange_limit(references: Sequence[Reference], covariance: NDArray[np.float64]) -> float:
    """What `streamer.core.calibration.swapped_leads.exchanged` says of `FALSE_EXCHANGES` of these."""
    said = []
    for reference in references:
        known = np.isfinite(reference.error_mv).all(axis=0)
        assert reference.generic_mv is not None
        generic = reference.generic_mv[:, known]
        said.append(exchanged(generic + reference.error_mv[:, known], generic, covariance)[0])
    return float(max(np.quantile(said, 1 - FALSE_EXCHANGES), 1.0))


@dataclass(frozen=True, slots=True)
class Scored:
    """One pair of the fold that chooses."""

    truth: NDArray[np.float32]
    """``(8, n)`` mV"""
    generic: NDArray[np.float32]
    """``(16, n)``, leads and scales"""
    personal: NDArray[np.float32]
    """``(16, n)``, of a calibration whose scale is the generic one"""
    terms: NDArray[np.float64]
    """``(7, 3)``: `streamer.core.calibration.fit.scale_terms` of the reference."""


def score(
    network: Network,
    prior: Prior,
    lead_mv: NDArray[np.float32],
    references: Sequence[Reference],
    truth: NDArray[np.float32],
    pairs: NDArray[np.int64],
) -> list[Scored]:
    """Calibrate on the first of each pair, and run the second."""
    spec = network.spec
    part = slice(round(SCORED_FROM_S * spec.rate_hz), -spec.look_ahead)
    origin = Origin(spec.name, spec.version, "", "")
    result = []
    for a, b in pairs:
        reference = references[a]
        calibration = fit(network, prior, reference, origin)
        none = np.zeros(calibration.head.transpose(0, 2, 1).shape)
        generic_mv = np.sqrt(reference.moments().left_mv2(none))
        terms = scale_terms(calibration.left.astype(np.float64), generic_mv, reference.stated_mv)
        x = network_input(lead_mv[b], spec.filters, spec.rate_hz)[:3]
        personal = PersonalNetwork(network, calibration).run(x)[:, part]
        generic = network.run(x)[:, part]
        result.append(Scored(truth[b][:, part], generic, personal, terms))
    return result


def choose(network: Network, prior: Prior, data: Path, cache: Path) -> Prior:
    """Set amplitudes, scales and bands on the fold that chooses."""
    spec = network.spec
    records = several(load(data, [CHOOSE_FOLD], cache))
    references = references_of(network, records)
    pairs = first_and_later(records.patient_id)
    lead_mv = records.leads_uv[:, 0].astype(np.float32) / 1e3
    truth = targets(records, spec.filters, spec.rate_hz).astype(np.float32) / 1e3
    limit = exchange_limit(references, prior.error_covariance)
    print(f"two leads look exchanged from {limit:.3f} on")
    prior = replace(prior, exchange=limit)
    scored = score(network, prior, lead_mv, references, truth, pairs)
    rows = slice(1, 8)
    gain = np.ones(len(SEVEN))
    spread = _spread(scored, spec.rate_hz)
    gain[1:] = np.clip(1 + (SPREAD - spread), 1.0, MOST_GAIN)
    print("spread of R and S in V1-V6 before the gain", np.round(spread, 3), "gain", np.round(gain, 3))
    prior = replace(prior, gain=gain)
    scored = score(network, prior, lead_mv, references, truth, pairs)
    if not spec.has_scale:
        return prior
    n = len(SEVEN)
    terms = np.stack([s.terms for s in scored])
    best = np.stack(
        [
            np.log(np.quantile(np.abs(s.personal[rows] - s.truth[rows]) / s.generic[9:16], 0.9, axis=1))
            for s in scored
        ]
    )
    scale = np.stack([np.linalg.lstsq(terms[:, i], best[:, i])[0] for i in range(n)])
    scale[:, 1:] = scale[:, 1:].clip(0, 1)
    free = (best - (scale[:, 1:] * terms[:, :, 1:]).sum(axis=2)).mean(axis=0)
    scale[:, 0] = free - np.log(np.array([spec.bands["0.9"][i] for i in (1, *range(6, 12))]))
    prior = replace(prior, scale=scale)
    factors = np.exp((scale * terms).sum(axis=2))
    ratios = []
    for s, factor in zip(scored, factors, strict=True):
        wide = s.generic[8:16].copy()
        wide[rows] *= factor[:, None].astype(np.float32)
        error = np.abs(twelve_from_eight(s.personal[:8]) - twelve_from_eight(s.truth))
        ratios.append(error / scale_of_twelve(wide))
    every = np.concatenate(ratios, axis=1)
    bands = {name: tuple(float(np.quantile(row, float(name))) for row in every) for name in LEVELS}
    rmse = [
        np.array([np.sqrt(((getattr(s, k)[rows] - s.truth[rows]) ** 2).mean()) for s in scored])
        for k in ("generic", "personal")
    ]
    before, after = np.median(rmse, axis=1)
    worse = float(np.mean(rmse[1] > 1.05 * rmse[0]))
    print(
        f"fold {CHOOSE_FOLD}: {len(pairs)} pairs, median RMSE {before:.4f} -> {after:.4f} mV, "
        f"ratio {after / before:.3f}, worse by 5 %: {worse:.3f}"
    )
    return replace(prior, bands=bands)


def _spread(scored: Sequence[Scored], rate_hz: float) -> NDArray[np.float64]:
    """SD over records of R and S, personal over true, for V1 to V6."""
    both: list[list[NDArray[np.float64]]] = [[], []]
    for s in scored:
        truth = twelve_from_eight(s.truth)
        beats = find_beats(truth, rate_hz, 0)
        if beats is not None:
            for leads, values in zip((truth, twelve_from_eight(s.personal[:8])), both, strict=True):
                at = measure(leads, beats, rate_hz)
                values.append(np.stack((at.r_mv[6:], at.s_mv[6:])))
    true, personal = (np.sqrt(np.stack(values).var(axis=0).sum(axis=0)) for values in both)
    return np.asarray(personal / true)


def several(records: Records) -> Records:
    """Those of patients with several records, in the order of their number."""
    order = np.argsort(records.ecg_id)
    who, count = np.unique(records.patient_id, return_counts=True)
    kept = order[np.isin(records.patient_id[order], who[count > 1])]
    return type(records)(records.ecg_id[kept], records.patient_id[kept], records.leads_uv[kept])


def first_and_later(patients: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each patient's first record with every later one."""
    first: dict[int, int] = {}
    return np.array([(first[int(p)], i) for i, p in enumerate(patients) if first.setdefault(int(p), i) != i])


def references_of(network: Network, records: Records) -> list[Reference]:
    """Every record as a reference."""
    return [reference_of(network, uv.astype(np.float32) / 1e3, RATE_HZ) for uv in records.leads_uv]


def main() -> None:
    """Learn and write as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="an exported model that puts out features; written to")
    parser.add_argument("--data", type=Path, required=True, help="a PTB-XL directory")
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    args = parser.parse_args()
    torch.manual_seed(0)
    network = Network(args.model.read_bytes())
    folds = [int(f) for f in network.spec.about["folds"]]
    references, patients = [], []
    for fold in folds:
        records = several(load(args.data, [fold], args.cache))
        references += references_of(network, records)
        patients += list(records.patient_id)
        print(f"fold {fold}: {len(references)} records", flush=True)
    learned, usual = learn(references, pairs_of(np.array(patients)))
    prior = choose(network, prior_from(learned, references, usual), args.data, args.cache)
    model = onnx.load(args.model)
    facts = {p.key: p.value for p in model.metadata_props} | {PRIOR_KEY: prior.to_json()}
    onnx.helper.set_model_props(model, facts)
    part = args.model.with_suffix(".part")
    onnx.save(model, part)
    part.replace(args.model)
    print(f"{args.model}: {len(facts[PRIOR_KEY])} bytes of how persons differ")


if __name__ == "__main__":
    ended_in_one_line(main)
