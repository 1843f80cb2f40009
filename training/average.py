# SPDX-License-Identifier: GPL-3.0-or-later
"""The mean of a run and of one that began with its weights: ``python -m training.average RUN RUN --out RUN``.

What two trainings of the same beginning agree on lies in a flatter place than either's end
(Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from streamer.core.errors import InputError
from training import config as configuration
from training.command import checkpoint_of, ended_in_one_line, filled, folds_of
from training.data import load, targets
from training.filter_design import design
from training.network import MEcgNet
from training.train import log, scores


def mean_of(runs: Sequence[Path]) -> dict[str, Any]:
    """A checkpoint with the mean of the runs' averaged weights, and the epochs of all of them."""
    states = [checkpoint_of(run) for run in runs]
    averages = [state["average"] for state in states]
    for run, average in zip(runs, averages, strict=True):
        if {name: x.shape for name, x in average.items()} != {n: x.shape for n, x in averages[0].items()}:
            raise InputError(f"{run} and {runs[0]} are networks of different shapes: they have no mean")
    mean = {name: torch.stack([average[name] for average in averages]).mean(0) for name in averages[0]}
    folds = set().union(*(folds_of(run, state) for run, state in zip(runs, states, strict=True)))
    return {"average": mean, "folds": sorted(folds), "epoch": sum(state["epoch"] for state in states)}


def main() -> None:
    """Average as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", help="the last one's configuration is kept")
    parser.add_argument("--data", type=Path, required=True, help="a PTB-XL directory")
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    parser.add_argument("--out", type=Path, required=True, help="a folder that export takes for a run")
    args = parser.parse_args()
    facts = configuration.facts(args.runs[-1] / "config.json")
    config = configuration.configured(facts)
    network = MEcgNet(config.shape)
    checkpoint = mean_of(args.runs)
    filled(network, checkpoint["average"], args.runs[-1])
    filters = design(config.rate_hz, config.cut_offs_hz)
    choose = load(args.data, [config.choose_fold], args.cache)
    found = scores(network.eval(), choose, targets(choose, filters, config.rate_hz), filters, config.rate_hz)
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "config.json").write_text(json.dumps(facts, indent=1))
    torch.save(checkpoint, args.out / "checkpoint.pt")
    (args.out / "log.csv").unlink(missing_ok=True)
    log(args.out / "log.csv", found)
    print("  ".join(f"{name} {value:.4f}" for name, value in found.items()))


if __name__ == "__main__":
    ended_in_one_line(main)
