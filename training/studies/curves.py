# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws learning curves: ``python -m training.studies.curves RUN... --data PTB-XL --out CURVES.png``.

The runs' points come to lie in CURVES.csv beside it; without runs it is drawn again from there.  All
errors are brought to the scale of the predecessors' own curves, which are scored on every so many
records of the fold that chooses, from 3 s until half a window before the end.  Ridge is scored so.  A
run of ours is logged on all records to their very end, where the truth is pinned to zero: its whole
curve is multiplied by what its last network has on that scale, over what was logged of it.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate, groupby
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import NDArray
from torch import Tensor

from streamer.core.leads import PREDICTED, SEVEN
from training import config as configuration
from training.baselines import ridge
from training.baselines.networks import Lags
from training.baselines.run import MEASURED, to_choose_by
from training.command import ended_in_one_line
from training.data import Records, load, network_input, targets
from training.filter_design import design
from training.network import MEcgNet
from training.train import SCORED_FROM_S

CHOOSE_FOLD = 8
RATE_HZ = 250
ENDS_S = 1.024
"""So long before a record's end the scores end: half a window of the U-Net and of MCMA; EKGAN's is 0.5 s."""

COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's: told apart by the colour-blind."""
MARKERS = "osD^vPX"
MOST_MV = 0.29
"""What lies above is cut off: the first rounds of an adversary."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a learning curve, or the one figure of a method that has none."""

    model: str
    minutes: float
    """Of training until then: processor time, for ours wall time with its scoring."""
    passes: float
    """Over the records that it learns from."""
    logged_mv: float
    """RMSE of the seven as the run's own log has it."""
    rmse_seven_mv: float
    """The same on the scale of the picture."""
    converged: str = ""
    """``yes`` or ``no``, where the run says so itself."""


Reading = Callable[[NDArray[np.float32]], Tensor]
"""Bands ``(4, n)`` mV to leads ``(8 or more, n)`` mV."""


def points(run: Path, rmse_mv: Callable[[Reading, int], float]) -> list[Point]:
    """What the log of a run of `training.train` or `training.baselines` holds.

    Parameters
    ----------
    run : Path
        Its folder.
    rmse_mv : callable
        Scores a network, whose input goes on so many samples after a record's end, on the common scale.
    """
    with (run / "log.csv").open(newline="") as handle:
        lines = list(csv.DictReader(handle))
    errors = [float(line["rmse_seven_mv"]) for line in lines]
    if "shrinkage" in lines[0]:
        return [Point("ridge", 0.0, 1.0, min(errors), rmse_mv(_ridge(run), 0))]
    if "windows" in lines[0]:
        (model,) = run.glob("*.onnx")
        converged = "yes" if json.loads((run / "verdict.json").read_text())["converged"] else "no"
        return [
            Point(model.stem, float(line["cpu_s"]) / 60, float(line["passes"]), error, error, converged)
            for line, error in zip(lines, errors, strict=True)
        ]
    config = configuration.configured(configuration.facts(run / "config.json"))
    n = config.rate_hz * 10
    factor = rmse_mv(_ours(run, config), config.shape.hold(n)) / errors[-1]
    minutes = accumulate(float(line["seconds"]) / 60 for line in lines)
    return [
        Point(config.name, minute, float(line["epoch"]), error, error * factor)
        for line, error, minute in zip(lines, errors, minutes, strict=True)
    ]


def _ours(run: Path, config: configuration.Config) -> Reading:
    network = MEcgNet(config.shape).eval()
    state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(state["average"])
    return lambda bands: network(torch.from_numpy(bands[None, :MEASURED]))[0]


def _ridge(run: Path) -> Reading:
    state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    network = Lags(state["taps"].shape[-1], ridge.STEP, ridge.LOOK_AHEAD)
    network.load_state_dict(state)
    return lambda bands: network(torch.from_numpy(bands[None, MEASURED : MEASURED + 1]))[0]


def scorer(records: Records) -> Callable[[Reading, int], float]:
    """How a network is scored on the common scale, on some of these records."""
    few, filters = to_choose_by(records), design(RATE_HZ)
    truth_uv = targets(few, filters, RATE_HZ)
    rows = [PREDICTED.index(lead) for lead in SEVEN]
    part = slice(round(SCORED_FROM_S * RATE_HZ), -round(ENDS_S * RATE_HZ))

    def rmse_mv(network: Reading, hold: int) -> float:
        squares = []
        for lead_uv, true_uv in zip(few.leads_uv[:, 0], truth_uv, strict=True):
            bands = network_input(lead_uv.astype(np.float32) / 1e3, filters, RATE_HZ, hold=hold)
            with torch.no_grad():
                out = network(bands)[rows, : truth_uv.shape[-1]].numpy()
            squares.append((out - true_uv[rows].astype(np.float32) / 1e3)[:, part] ** 2)
        return float(np.sqrt(np.mean(squares)))

    return rmse_mv


def write(found: Sequence[Point], path: Path) -> None:
    """Keep the points as CSV."""
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, asdict(found[0]).keys(), lineterminator="\n")
        writer.writeheader()
        for point in found:
            rounded = {k: f"{v:.5g}" if isinstance(v, float) else v for k, v in asdict(point).items()}
            writer.writerow(rounded)


def read(path: Path) -> list[Point]:
    """The points that `write` kept."""
    with path.open(newline="") as handle:
        return [
            Point(
                line["model"],
                float(line["minutes"]),
                float(line["passes"]),
                float(line["logged_mv"]),
                float(line["rmse_seven_mv"]),
                line["converged"],
            )
            for line in csv.DictReader(handle)
        ]


def draw(found: Sequence[Point], path: Path) -> None:
    """The curves over minutes and over passes, side by side; a method of one point is a line across."""
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    curves = {model: list(of) for model, of in groupby(found, key=lambda point: point.model)}
    looks = zip(curves.items(), COLOURS, MARKERS, strict=False)
    for (model, of), colour, marker in looks:
        for axis, key in zip(axes, ("minutes", "passes"), strict=True):
            _curve(axis, model, of, key, colour, marker)
    axes[0].set_xlabel("minutes of training (processor time; ours: wall time, with scoring)")
    axes[1].set_xlabel("passes over the training records")
    axes[0].set_ylabel("RMSE of the seven on some 100 records of fold 8,\n3 s to 1 s before the end, mV")
    for axis in axes:
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_ylim(None, MOST_MV)
        axis.grid(color="#dddddd", linewidth=0.6)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    figure.savefig(path, dpi=110)


def _curve(axis: Axes, model: str, of: Sequence[Point], key: str, colour: str, marker: str) -> None:
    state = ", NOT CONVERGED" if of[0].converged == "no" else ""
    label = f"{model}: {of[-1].rmse_seven_mv:.3f} mV{state}"
    if len(of) == 1:
        axis.axhline(of[0].rmse_seven_mv, color=colour, linestyle="--", label=label)
        return
    x = [getattr(point, key) for point in of]
    y = [point.rmse_seven_mv for point in of]
    filled = colour if of[0].converged != "no" else "white"
    axis.plot(x, y, color=colour, marker=marker, markerfacecolor=filled, markersize=5, label=label)


def main() -> None:
    """Draw as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="*", help="none: what was drawn last, from its CSV file")
    parser.add_argument("--data", type=Path, help="a PTB-XL directory")
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    parser.add_argument("--out", type=Path, required=True, help="a picture, PNG or SVG")
    args = parser.parse_args()
    kept = args.out.with_suffix(".csv")
    if args.runs:
        if args.data is None:
            parser.error("--data is needed to bring the runs to one scale")
        rmse_mv = scorer(load(args.data, [CHOOSE_FOLD], args.cache))
        write([point for run in args.runs for point in points(run, rmse_mv)], kept)
    found = read(kept)
    draw(found, args.out)
    for model, of in groupby(found, key=lambda point: point.model):
        *_, last = of
        print(
            f"{model}: {last.rmse_seven_mv:.4f} mV after {last.passes:g} passes, {last.minutes:.1f} minutes"
        )


if __name__ == "__main__":
    ended_in_one_line(main)
