# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains a predecessor and exports it: ``python -m training.baselines NAME --data PTB-XL --out RUN``.

Started again with the same ``--out`` it goes on from its last checkpoint.  ``log.csv`` is the
learning curve, ``verdict.json`` says whether it was flat when the budget ended, ``NAME.onnx`` runs
live (``mecg monitor --model``).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from training.baselines import ridge
from training.baselines.export import export, lagged, windowed
from training.baselines.recipe import RECIPES
from training.baselines.run import train, write_verdict
from training.command import ended_in_one_line
from training.data import load
from training.network import weights
from training.train import device_of

FOLDS, CHOOSE_FOLD = (1, 2, 3, 4, 5, 6, 7), 8


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=("ridge", *RECIPES))
    parser.add_argument("--data", type=Path, required=True, help="a PTB-XL directory")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder")
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    parser.add_argument(
        "--cpu-hours", type=float, default=1.0, metavar="H", help="of training (1); ridge needs minutes"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda; ridge needs a CPU")
    parser.add_argument(
        "--folds",
        type=int,
        nargs="+",
        default=FOLDS,
        help="to learn from; teachers leave some out",
    )
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / f"{args.name}.onnx"
    about: dict[str, Any] = {"folds": list(args.folds), "seed": args.seed}
    if args.name == "ridge":
        network = ridge.train(args.data, tuple(args.folds), CHOOSE_FOLD, args.cache, args.out)
        about |= {"architecture": "ridge regression on lagged Lead I", "weights": weights(network)}
        export(network, lagged(network, about | {"converged": True}), path)
        return
    recipe = RECIPES[args.name]
    try:
        learn, choose = (load(args.data, folds, args.cache) for folds in (args.folds, [CHOOSE_FOLD]))
        device = device_of(args.device)
        learner = train(recipe, learn, choose, args.out, args.cpu_hours * 3600, device, args.seed)
    except KeyboardInterrupt:
        print("interrupted; run again to go on from the last checkpoint")
        raise SystemExit(130) from None
    found = write_verdict(args.out)
    about |= {"architecture": recipe.paper, "weights": weights(learner.average), **found}
    export(learner.average, windowed(args.name, recipe, about), path)
    state = "converged" if found["converged"] else "NOT CONVERGED"
    print(
        f"{args.name}: {state} after {found['cpu_minutes']} CPU minutes, {found['passes']} passes over the "
        f"records; {found['rmse_seven_mv']:.4f} mV on some records of fold {CHOOSE_FOLD}"
    )


if __name__ == "__main__":
    ended_in_one_line(main)
