# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains a predecessor's network within a budget of CPU time, resumably."""

from __future__ import annotations

import csv
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from streamer.core.errors import InputError
from streamer.core.leads import PREDICTED, SEVEN
from streamer.core.signal.filters import Filters
from streamer.core.signal.overlap_add import taper
from training.baselines.recipe import Learner, Recipe
from training.data import Batches, Records, network_input, targets
from training.filter_design import design
from training.train import SCORED_FROM_S, TRUTH_BEGINS_S, TRUTH_ENDS_S, half_precision, log

CPU = torch.device("cpu")
SEED = 1
MEASURED = 3
"""The row of `network_input` that holds the whole input band."""
ROUNDS = 8
"""Points of a learning curve, so far apart in CPU time."""
CHOOSE_RECORDS = 100
"""Of the fold that chooses, for the learning curve."""
GAIN_SPREAD, GAP_SHARE, NOISE_SHARE = 0.2, 0.15, 0.25
"""As our own network is trained (training/configs/low.toml)."""

FLAT = 0.005
FEWEST_PASSES = 3


@dataclass(slots=True)
class Progress:
    """How far a run is: written beside every checkpoint."""

    cpu_s: float = 0.0
    round: int = 0
    windows: int = 0
    records: str = ""
    """Tells those that are learnt from others; empty in checkpoints from before it was kept."""


def subset(records: Records, which: NDArray[np.int64]) -> Records:
    """Some of the records."""
    return Records(records.ecg_id[which], records.patient_id[which], records.leads_uv[which])


def to_choose_by(records: Records) -> Records:
    """Every so many, `CHOOSE_RECORDS` or a few more: what learning curves are scored on."""
    every = max(1, len(records.ecg_id) // CHOOSE_RECORDS)
    return subset(records, np.arange(len(records.ecg_id))[::every])


def train(
    recipe: Recipe,
    learn: Records,
    choose: Records,
    out: Path,
    budget_s: float,
    device: torch.device = CPU,
    seed: int = SEED,
) -> Learner:
    """Train until the budget of CPU seconds is spent, or go on where a run was left.

    ``log.csv`` gets a line for each point of the learning curve, ``checkpoint.pt`` holds the rest.
    The budget counts training and its data; scoring comes on top.
    """
    torch.manual_seed(seed)
    with device:
        learner = recipe.learner(recipe)
    done = Progress(records=hashlib.sha256(learn.ecg_id.tobytes()).hexdigest())
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        before = Progress(**state["progress"])
        if before.records not in ("", done.records):
            raise InputError(f"{out} has learnt from other records: name the same folds, or another folder")
        learner.resume(state["learner"])
        done = replace(before, records=done.records)
    filters = design(recipe.rate_hz)
    choose = to_choose_by(choose)
    truth_choose = targets(choose, filters, recipe.rate_hz)
    shuffled = Shuffled(learn, filters, recipe.rate_hz, recipe.batch)
    while done.cpu_s < budget_s:
        began = time.monotonic()
        try:
            loss = _round(recipe, learner, shuffled, done, budget_s, device, seed)
        finally:  # what was learned is kept on Ctrl-C too
            save(checkpoint, learner, done)
        scores = score(learner.average, recipe, choose, truth_choose, filters)
        line = {
            "round": done.round,
            "cpu_s": round(done.cpu_s, 1),
            "windows": done.windows,
            "passes": done.windows / len(learn.ecg_id),
            "loss_mv": loss,
            **scores,
            "seconds": round(time.monotonic() - began, 1),
        }
        log(out / "log.csv", line)
        print("  ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in line.items()))
    return learner


class Shuffled:
    """Batches of whole records in random order for ever, their truth made when first asked for."""

    def __init__(self, records: Records, filters: Filters, rate_hz: float, batch: int) -> None:
        self._records, self._filters, self._rate_hz, self._batch = records, filters, rate_hz, batch
        self._truth: dict[int, NDArray[np.int16]] = {}

    def batches(self, rng: np.random.Generator) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """As `training.data.Batches.epoch`, with its augmentation."""
        while True:
            order = rng.permutation(len(self._records.ecg_id))
            for first in range(0, len(order) - self._batch + 1, self._batch):
                chosen = order[first : first + self._batch]
                some = subset(self._records, chosen)
                truth = np.stack([self._truth_of(int(i)) for i in chosen])
                yield from Batches(
                    some,
                    truth,
                    self._filters,
                    self._rate_hz,
                    self._batch,
                    GAIN_SPREAD,
                    GAP_SHARE,
                    NOISE_SHARE,
                ).epoch(rng)

    def _truth_of(self, i: int) -> NDArray[np.int16]:
        if i not in self._truth:
            one = subset(self._records, np.array([i]))
            self._truth[i] = targets(one, self._filters, self._rate_hz)[0]
        return self._truth[i]


def _round(
    recipe: Recipe,
    learner: Learner,
    shuffled: Shuffled,
    done: Progress,
    budget_s: float,
    device: torch.device,
    seed: int,
) -> float:
    """Train for one part in `ROUNDS` of the budget; returns the mean absolute error, mV."""
    # A round that is taken up goes on with other batches: those before the stop are learnt already.
    rng = np.random.default_rng([seed, done.round, done.windows])
    until_s = min(budget_s, done.cpu_s + budget_s / ROUNDS)
    learner.network.train()
    losses: list[float] = []
    progress = tqdm(desc=f"round {done.round + 1}", unit=" batches", leave=False, mininterval=5)
    before_s = time.process_time()
    for x, y in shuffled.batches(rng):
        lead, leads, known = (part.to(device) for part in crops(x, y, recipe, rng))
        losses.append(learner.learn(lead, leads, known, done.cpu_s / budget_s))
        done.windows += len(lead)
        now_s = time.process_time()
        done.cpu_s += now_s - before_s
        before_s = now_s
        progress.update()
        if done.cpu_s >= until_s:
            break
    progress.close()
    done.round += 1
    return float(np.mean(losses))


def crops(
    x: NDArray[np.float32], truth: NDArray[np.float32], recipe: Recipe, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A window of each record: Lead I, the eight leads, and where there is input."""
    first, last = round(TRUTH_BEGINS_S * recipe.rate_hz), round(TRUTH_ENDS_S * recipe.rate_hz)
    starts = rng.integers(first, x.shape[2] - last - recipe.window, len(x))
    cuts = [slice(start, start + recipe.window) for start in starts]
    lead = np.stack([row[MEASURED : MEASURED + 1, cut] for row, cut in zip(x, cuts, strict=True)])
    leads = np.stack([row[:, cut] for row, cut in zip(truth, cuts, strict=True)])
    return torch.from_numpy(lead), torch.from_numpy(leads), torch.from_numpy(lead != 0).float()


def overlap_add(network: nn.Module, lead: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """Whole records ``(records, n)`` as they are served: ``(records, 8, n)`` mV."""
    hop, device = window // 2, next(network.parameters()).device
    weights = taper(window, hop)
    n = lead.shape[1]
    padded = np.pad(lead, ((0, 0), (hop, window)))
    total = np.zeros((len(lead), len(PREDICTED), padded.shape[1]), np.float32)
    weight = np.zeros(padded.shape[1], np.float32)
    for start in range(0, n + hop, hop):
        part = np.ascontiguousarray(padded[:, None, start : start + window])
        with torch.no_grad(), half_precision(device):
            out = network(torch.from_numpy(part).to(device)).float().cpu().numpy()
        total[..., start : start + window] += out * weights
        weight[start : start + window] += weights
    return total[..., hop : hop + n] / weight[hop : hop + n]


def score(
    network: nn.Module, recipe: Recipe, records: Records, truth_uv: NDArray[np.int16], filters: Filters
) -> dict[str, float]:
    """RMSE (mV) and mean Pearson of the seven leads, served by overlap-add."""
    rows = [PREDICTED.index(lead) for lead in SEVEN]
    part = slice(round(SCORED_FROM_S * recipe.rate_hz), -recipe.window // 2)  # the last half is held live
    squares, pearson = [], []
    for i in range(0, len(records.ecg_id), 16):
        lead = records.leads_uv[i : i + 16, 0].astype(np.float32) / 1e3
        x = np.stack([network_input(row, filters, recipe.rate_hz)[MEASURED] for row in lead])
        out = overlap_add(network, x, recipe.window)[:, rows, part]
        true = truth_uv[i : i + 16, rows, part].astype(np.float32) / 1e3
        squares.append(((out - true) ** 2).mean(axis=(1, 2)))
        a, b = (v - v.mean(axis=-1, keepdims=True) for v in (out, true))
        pearson.append(((a * b).sum(-1) / (np.sqrt((a * a).sum(-1) * (b * b).sum(-1)) + 1e-9)).mean(axis=1))
    return {
        "rmse_seven_mv": float(np.sqrt(np.concatenate(squares).mean())),
        "pearson_seven": float(np.concatenate(pearson).mean()),
    }


def save(path: Path, learner: Learner, done: Progress) -> None:
    """Write a checkpoint; a crash leaves the old one."""
    part = path.with_suffix(".part")
    torch.save({"learner": learner.state(), "progress": asdict(done)}, part)
    part.replace(path)


def verdict(curve: Path) -> dict[str, Any]:
    """Whether a learning curve was flat when it ended.

    Converged is called only what has seen the records `FEWEST_PASSES` times and gained less than
    0.5 % over the last quarter of its curve.
    """
    with curve.open(newline="") as handle:
        lines = list(csv.DictReader(handle))
    errors = [float(line["rmse_seven_mv"]) for line in lines]
    before = len(errors) - max(1, len(errors) // 4)
    flat = before > 0 and min(errors[before:]) > (1 - FLAT) * min(errors[:before])
    passes = float(lines[-1]["passes"])
    return {
        "converged": bool(flat and passes >= FEWEST_PASSES),
        "passes": round(passes, 2),
        "cpu_minutes": round(float(lines[-1]["cpu_s"]) / 60, 1),
        "rmse_seven_mv": errors[-1],
    }


def write_verdict(out: Path) -> dict[str, Any]:
    """Keep the verdict beside the run."""
    found = verdict(out / "log.csv")
    (out / "verdict.json").write_text(json.dumps(found, indent=1) + "\n")
    return found
