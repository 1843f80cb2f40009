# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left for a diagnosis.

``python -m training.studies.diagnose MODEL.onnx... --data PTB-XL --out FILE``

One small classifier of the five superclasses learns from the real twelve leads of the training folds
and is tested on the real twelve and on the twelve that each model makes of Lead I.  Another of the same
recipe learns from Lead I alone: the control, since reconstruction adds no information.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor, nn
from tqdm import tqdm

from mecg.evaluation.dataset import SUPERCLASSES, read_table
from mecg.evaluation.evaluate import stream
from streamer.core.leads import LEADS, twelve_from_eight
from streamer.core.network.network import Network
from training.command import ended_in_one_line
from training.data import RATE_HZ, Records, load, targets
from training.filter_design import design

FOLDS, CHOOSE_FOLD = (1, 2, 3, 4, 5, 6, 7), 8
MODEL_HZ = 250
EVERY = 2
"""The classifier sees every second sample: nothing is left above 40 Hz."""
PART = slice(round(2.0 * MODEL_HZ), round(9.6 * MODEL_HZ), EVERY)
"""Of each record: when the filters have settled, and before the clinical frame's pinned end."""
ONE = [LEADS.index("I")]
EPOCHS, BATCH, RATE, SEED = 8, 64, 3e-3, 1
RESAMPLES = 500


class Classifier(nn.Module):
    """Five strided convolutions, pooled over time: logits of the superclasses."""

    def __init__(self, leads: int, widths: Sequence[int] = (32, 48, 64, 96, 96)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i, (into, width) in enumerate(zip((leads, *widths[:-1]), widths, strict=True)):
            stride = 3 if i == 0 else 2
            layers += [
                nn.Conv1d(into, width, 9, stride, padding=4, bias=False),
                nn.BatchNorm1d(width),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * widths[-1], len(SUPERCLASSES)))

    def forward(self, leads_mv: Tensor) -> Tensor:
        """``(batch, leads, n)`` mV to ``(batch, classes)``."""
        x = self.layers(leads_mv)
        out: Tensor = self.head(torch.cat((x.mean(dim=2), x.amax(dim=2)), dim=1))
        return out


@dataclass(frozen=True, slots=True)
class Labelled:
    """Records with their superclasses; the leads as the classifier sees them."""

    patients: NDArray[np.int64]
    leads_mv: NDArray[np.float32]
    """``(records, leads, n)``"""
    labels: NDArray[np.float32]
    """``(records, classes)``"""


def real_twelve(records: Records) -> NDArray[np.float32]:
    """The true twelve leads in the clinical frame, as the classifier sees them."""
    eight = targets(records, design(MODEL_HZ), MODEL_HZ)[:, :, PART]
    return np.stack([twelve_from_eight(uv.astype(np.float32) / 1e3) for uv in eight])


def made_twelve(records: Records, network: Network) -> NDArray[np.float32]:
    """The twelve leads that a model makes of each record's Lead I, through the live path."""
    spec = network.spec
    hop = None if spec.receptive_field is None else round(spec.rate_hz / spec.grid) * spec.grid
    times = round(spec.rate_hz / MODEL_HZ)
    made = []
    for lead_uv in tqdm(records.leads_uv[:, 0], desc=spec.name, mininterval=5):
        leads, _ = stream(lead_uv.astype(np.float32) / 1e3, float(RATE_HZ), network, hop)
        made.append(leads[:, ::times][:, PART])
    return np.stack(made)


def labelled(data: Path, folds: Sequence[int], cache: Path, every: int) -> tuple[Records, Labelled]:
    """Some of the records of some folds that have a superclass."""
    records = load(data, folds, cache)
    classes = {
        int(entry.path.name.split("_")[0]): entry.superclasses for entry in read_table(data, folds, RATE_HZ)
    }
    labels = np.array(
        [[name in classes[int(i)] for name in SUPERCLASSES] for i in records.ecg_id], np.float32
    )
    chosen = np.flatnonzero(labels.any(axis=1))[::every]
    records = Records(records.ecg_id[chosen], records.patient_id[chosen], records.leads_uv[chosen])
    return records, Labelled(records.patient_id, real_twelve(records), labels[chosen])


def learn(of: Labelled, rows: Sequence[int]) -> Classifier:
    """Train the classifier on some of the twelve leads."""
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    model = Classifier(len(rows))
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    batches = len(of.labels) // BATCH
    step = 0
    for epoch in range(EPOCHS):
        order = rng.permutation(len(of.labels))
        for b in tqdm(
            range(batches), desc=f"{len(rows)} leads, epoch {epoch + 1}", leave=False, mininterval=5
        ):
            chosen = order[b * BATCH : (b + 1) * BATCH]
            done = step / (EPOCHS * batches)
            for group in optimiser.param_groups:
                group["lr"] = RATE * min(1.0, 10 * done + 0.01) * (1 + math.cos(math.pi * done)) / 2
            x = torch.from_numpy(of.leads_mv[chosen][:, list(rows)])
            loss = nn.functional.binary_cross_entropy_with_logits(
                model(x), torch.from_numpy(of.labels[chosen])
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            step += 1
    model.eval()
    return model


def kept_or_learned(path: Path, data: Path, cache: Path, every: int) -> dict[str, Classifier]:
    """Both classifiers: ``twelve`` and ``one``, learned once and kept at ``path``."""
    rows = {"twelve": list(range(12)), "one": ONE}
    if path.exists():
        states = torch.load(path, map_location="cpu", weights_only=True)
        found = {name: Classifier(len(leads)).eval() for name, leads in rows.items()}
        for name, classifier in found.items():
            classifier.load_state_dict(states[name])
        return found
    _, train = labelled(data, FOLDS, cache, every)
    found = {name: learn(train, leads) for name, leads in rows.items()}
    torch.save({name: classifier.state_dict() for name, classifier in found.items()}, path)
    return found


def answers(model: Classifier, leads_mv: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits ``(records, classes)``."""
    with torch.no_grad():
        parts = [model(torch.from_numpy(leads_mv[i : i + 256])).numpy() for i in range(0, len(leads_mv), 256)]
    return np.concatenate(parts)


def auroc(scores: NDArray[np.float32], labels: NDArray[np.float32]) -> float:
    """Area under the curve of one class: how often a case scores above a non-case."""
    cases = labels > 0
    n, m = int(cases.sum()), int((~cases).sum())
    if not (n and m):
        return math.nan
    ranks = rankdata(scores)
    return float((ranks[cases].sum() - n * (n + 1) / 2) / (n * m))


def areas(scores: NDArray[np.float32], of: Labelled) -> dict[str, Any]:
    """By class and their mean, with a 95 % interval of the mean by bootstrap over patients."""
    each = {name: auroc(scores[:, i], of.labels[:, i]) for i, name in enumerate(SUPERCLASSES)}
    rng = np.random.default_rng(0)
    _, whose = np.unique(of.patients, return_inverse=True)
    by_patient = np.split(np.argsort(whose, kind="stable"), np.cumsum(np.bincount(whose))[:-1])
    means = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([by_patient[i] for i in rng.integers(0, len(by_patient), len(by_patient))])
        areas_of = [auroc(scores[rows, i], of.labels[rows, i]) for i in range(len(SUPERCLASSES))]
        means.append(np.mean(areas_of))
    return {
        "macro": float(np.mean(list(each.values()))),
        "macro_ci95": [float(v) for v in np.nanpercentile(means, [2.5, 97.5])],
        **each,
    }


def diagnose(
    models: Sequence[Network],
    classifiers: dict[str, Classifier],
    data: Path,
    cache: Path,
    test_fold: int,
    every: int,
) -> dict[str, Any]:
    """Test the classifiers, as plain JSON types."""
    _, choose = labelled(data, [CHOOSE_FOLD], cache, every)
    records, test = labelled(data, [test_fold], cache, every)
    of_twelve, of_one = classifiers["twelve"], classifiers["one"]
    rows = {
        "the real twelve leads": areas(answers(of_twelve, test.leads_mv), test),
        "Lead I alone, a classifier of its own": areas(answers(of_one, test.leads_mv[:, ONE]), test),
    }
    for network in models:
        made = made_twelve(records, network)
        rows[f"twelve leads by {network.spec.name}"] = areas(answers(of_twelve, made), test)
    return {
        "test_records": len(test.labels),
        "test_fold": test_fold,
        "every": every,
        "weights": sum(p.numel() for p in of_twelve.parameters()),
        "fold8_macro": {
            "twelve": areas(answers(of_twelve, choose.leads_mv), choose)["macro"],
            "one": areas(answers(of_one, choose.leads_mv[:, ONE]), choose)["macro"],
        },
        "rows": rows,
    }


def markdown(result: dict[str, Any]) -> str:
    """The table for the model card."""
    lines = [
        f"A classifier of {result['weights']:,} weights, {EPOCHS} epochs on folds 1-7; "
        f"AUROC on {result['test_records']} records of fold {result['test_fold']}.",
        "",
        f"| tested on | macro | 95 % | {' | '.join(SUPERCLASSES)} |",
        f"|---|---:|---|{'---:|' * len(SUPERCLASSES)}",
    ]
    for name, row in result["rows"].items():
        low, high = row["macro_ci95"]
        each = " | ".join(f"{row[c]:.3f}" for c in SUPERCLASSES)
        lines.append(f"| {name} | {row['macro']:.3f} | ({low:.3f} to {high:.3f}) | {each} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Diagnose as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL.onnx")
    parser.add_argument("--data", type=Path, required=True, help="a PTB-XL directory")
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    parser.add_argument("--fold", type=int, default=9, help="to test on (9)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth record only")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE.json",
        help="and FILE.md beside it; FILE.pt keeps the classifiers, used again where it is",
    )
    args = parser.parse_args()
    models = [Network(path.read_bytes()) for path in args.models]
    classifiers = kept_or_learned(args.out.with_suffix(".pt"), args.data, args.cache, args.every)
    result = diagnose(models, classifiers, args.data, args.cache, args.fold, args.every)
    table = markdown(result)
    args.out.write_text(json.dumps(result, indent=1) + "\n")
    args.out.with_suffix(".md").write_text(table)
    print(table)


if __name__ == "__main__":
    ended_in_one_line(main)
