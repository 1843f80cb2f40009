# SPDX-License-Identifier: GPL-3.0-or-later
"""One factor at a time, by short trainings: ``python -m training.studies.ablate --data PTB-XL --out RUNS``.

``--list`` only says what would be trained; a run that is there already is not trained again, so a
long list can be done in parts (``--only look-ahead size``); ``--table`` only prints the table.
Everything is scored on the fold that chooses, against the clinical frame.  Overlap needs no training:
windows agree wherever they overlap, so a cross-fade costs its length and changes nothing.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import signal
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mecg.evaluation.lead_scores import ratio_interval
from streamer.core.signal.clinical_frame import to_rate
from streamer.core.signal.filters import Filters, forward_backward
from training import config as configuration
from training.command import ended_in_one_line
from training.data import RATE_HZ, BandsOf, Records, load, network_input, targets
from training.filter_design import BAND_EDGES_HZ, INPUT_LOW_PASS_HZ, design
from training.network import MEASURED_DELAY, BandModule, MEcgNet, NetworkShape, weights
from training.train import Run, batches_of, log, scores, scores_of_each

SHORT = (
    "folds=[1,2,3]",
    "epochs=6",
    "model.scale=false",
    "gap_share=0.0",
    "noise_share=0.0",
)
"""What makes a training short: 40 % of the records, 6 epochs, nothing but the leads to learn."""
BASE = "as shipped"
EACH = "squares.npz"
"""In a run's folder: every record's error."""
How = tuple[Filters, float, BandsOf]
"""How records are read: the last arguments of `training.train.scores`."""
SEEDS_OF_DECISIVE = 3


@dataclass(frozen=True, slots=True)
class Signals:
    """How the network's input and its target are made."""

    high_pass: tuple[int, float] = (1, 0.5)
    """Order and edge (Hz) of the input band's."""
    zero_phase: bool = False
    """Filters run forward and backward: no delay, and input from the future."""
    own_frame: bool = False
    """Learn the true leads in the input band, its low-pass delay taken out, not the clinical frame."""

    def filters(self, rate_hz: float, cut_offs_hz: Sequence[float] = BAND_EDGES_HZ) -> Filters:
        """All of them; the clinical frame stays as it is."""
        order, edge_hz = self.high_pass
        high = signal.butter(order, edge_hz, "highpass", fs=rate_hz, output="sos")
        low = signal.butter(4, INPUT_LOW_PASS_HZ, "lowpass", fs=rate_hz, output="sos")
        return replace(design(rate_hz, cut_offs_hz), input=np.vstack((high, low)))

    @property
    def bands_of(self) -> BandsOf:
        """How Lead I becomes the input."""
        return zero_phase_input if self.zero_phase else network_input

    def targets(self, records: Records, filters: Filters, rate_hz: float) -> NDArray[np.int16]:
        """What is learned, ``(records, 8, n)`` in 1 uV."""
        if not self.own_frame:
            return targets(records, filters, rate_hz)
        return np.stack([_own_frame(uv, filters, rate_hz) for uv in records.leads_uv])


def zero_phase_input(
    lead_mv: NDArray[np.float32],
    filters: Filters,
    rate_hz: float,
    source_hz: float = RATE_HZ,
    *,
    hold: int = 0,
) -> NDArray[np.float32]:
    """As `training.data.network_input`, every filter run forward and backward."""
    x = to_rate(np.nan_to_num(lead_mv).astype(np.float64), source_hz, rate_hz)
    x = np.pad(x, (0, hold), "edge")
    measured = forward_backward(filters.input, x)
    low = forward_backward(filters.low, measured)
    mid = forward_backward(filters.mid, measured - low)
    return np.stack((low, mid, measured - low - mid, measured)).astype(np.float32)


def _own_frame(eight_uv: NDArray[np.int16], filters: Filters, rate_hz: float) -> NDArray[np.int16]:
    eight_mv = eight_uv.astype(np.float32) / 1e3  # the front end takes no thousand mV for a lead
    band = 1e3 * np.stack([network_input(row, filters, rate_hz)[3] for row in eight_mv])
    shifted = [np.pad(band[:, by:], ((0, 0), (0, by))) for by in MEASURED_DELAY]
    return np.rint(sum(shifted) / len(shifted)).clip(-32767, 32767).astype(np.int16)


class FreeOne(MEcgNet):
    """I' is the network's own, not bound to the measured lead."""

    def complete(self, y: Tensor, measured: Tensor) -> Tensor:
        """As `MEcgNet.complete`, without a scale."""
        return y


class _Kept(nn.Module):
    """Weights of which some stay zero."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: Tensor) -> Tensor:
        """The weights that may differ from zero."""
        return weight * self.mask


def low_draws_one(shape: NetworkShape) -> MEcgNet:
    """A split network in which the low band's channels alone correct I'."""
    network = MEcgNet(shape)
    (module,), (facts,) = network.bands, shape.modules
    assert isinstance(module, BandModule)
    assert facts.split
    mask = torch.ones_like(module.head.weight)
    mask[: facts.stride, facts.channels :] = 0  # the first lead's rows, the mid and high band's columns
    parametrize.register_parametrization(module.head, "weight", _Kept(mask))
    return network


MAKERS = {"bounded": MEcgNet, "free": FreeOne, "low band": low_draws_one}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs from the base."""

    factor: str
    value: str
    settings: tuple[str, ...] = ()
    """``key=value`` of the configuration."""
    signals: Signals = Signals()
    one: str = "bounded"
    """How I' comes about: a key of `MAKERS`."""
    seeds: int = 1
    against: str = BASE
    """The value that it is compared with."""

    @property
    def name(self) -> str:
        """A folder's name."""
        return "".join(c if c.isalnum() else "-" for c in f"{self.factor}-{self.value}")


def module(stride: int = 4, channels: int = 58, dilations: str = "1,2,4,8", more: str = "split=false") -> str:
    """The setting of a network of one module that sees all bands."""
    shape = f"stride={stride},channels={channels},dilations=[{dilations}],inputs=[0,1,2]"
    return f"modules=[{{{shape},{more}}}]"


def _own_strides() -> str:
    parts = [
        f"{{stride={stride},channels=35,dilations=[{dilations}],inputs=[{band}],split=false}}"
        for band, (stride, dilations) in enumerate(((16, "1,2"), (8, "1,2,4"), (4, "1,2,4,8")))
    ]
    return f"modules=[{','.join(parts)}]"


def ladder(
    channels: Sequence[int] = (10, 14, 43),
    slowest: str = "2,4,8,16",
    cut_offs_hz: Sequence[float] = BAND_EDGES_HZ,
    nested_share: float = 0.15,
) -> tuple[str, ...]:
    """The settings of a module for each band, which hears itself and the slower ones."""
    parts = [
        f"{{stride=4,channels={n},dilations=[{'1,2,4,8' if band else slowest}],inputs=[{band}],split=false}}"
        for band, n in enumerate(channels)
    ]
    nested, cut_offs = f"nested_share={nested_share}", f"model.cut_offs_hz={list(cut_offs_hz)}"
    return f"modules=[{','.join(parts)}]", "model.ladder=true", nested, cut_offs


LADDER = "a ladder"
SPLIT = module(channels=33, more="split=true")
CHANGES = (
    Change("base", BASE, seeds=SEEDS_OF_DECISIVE),
    Change("bands", "three modules, their outputs summed", (SPLIT,), seeds=SEEDS_OF_DECISIVE),
    Change(
        "bands",
        "three modules that hear of each other",
        (module(channels=26, more="split=true,lateral=true"),),
    ),
    Change("bands", "each at its own stride (64, 32, 16 ms)", (_own_strides(),)),
    Change("ladder", LADDER, ladder(), seeds=SEEDS_OF_DECISIVE),
    Change(
        "nesting",
        "its slow modules never learn by themselves",
        ladder(nested_share=0.0),
        against=LADDER,
    ),
    Change("widths", "19, 23, 28 channels, equal dilations", ladder((19, 23, 28), "1,2,4,8"), against=LADDER),
    *(
        Change("cut-offs", f"{low} and {mid} Hz", ladder(cut_offs_hz=(low, mid)), against=LADDER)
        for low, mid in ((3.0, 12.0), (8.0, 20.0))
    ),
    # Without a delay to take out, the measured lead is no bound for I'.
    Change("bands", "zero-phase", signals=Signals(zero_phase=True), one="free"),
    *(Change("look-ahead", f"{4 * n} ms", (f"model.look_ahead={n}",)) for n in (0, 6, 25, 50, 100)),
    Change("context", "0.4 s", (module(channels=81, dilations="1,2"),)),
    Change("context", "1 s", (module(channels=67, dilations="1,2,4"),)),
    Change("context", "4 s", (module(channels=52, dilations="1,2,4,8,16"),)),
    *(Change("size", f"{n} channels", (module(channels=n),)) for n in (16, 28, 41, 84, 124)),
    Change("target", "the input band's own frame", signals=Signals(own_frame=True), seeds=SEEDS_OF_DECISIVE),
    *(
        Change("input high-pass", f"order {order}, {hz:g} Hz", signals=Signals(high_pass=(order, hz)))
        for order, hz in ((2, 0.5), (1, 0.05), (2, 0.05))
    ),
    Change("I'", "predicted freely", one="free"),
    Change(
        "I'",
        "three modules, only the low band's corrects it",
        (SPLIT,),
        one="low band",
        against="three modules, their outputs summed",
    ),
)


def facts_of(change: Change, config: Path, seed: int, short: Sequence[str] = SHORT) -> dict[str, Any]:
    """The configuration of one run, as `training.config.facts`."""
    return configuration.facts(config, (*short, *change.settings, f"seed={seed}"))


def train(change: Change, facts: dict[str, Any], data: Path, cache: Path, out: Path) -> None:
    """One short training, or the rest of it; ``log.csv`` in its folder has a line per epoch."""
    config = configuration.configured(facts)
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(facts, indent=1))
    run = Run(config, torch.device("cpu"), MAKERS[change.one])
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        run.resume(checkpoint)
    rate_hz = config.rate_hz
    filters = change.signals.filters(rate_hz, config.cut_offs_hz)
    learn, choose = (load(data, folds, cache) for folds in (config.folds, [config.choose_fold]))
    learnt = change.signals.targets(learn, filters, rate_hz)
    batches = batches_of(config, learn, learnt, filters, change.signals.bands_of)
    truth = targets(choose, filters, rate_hz)  # whatever was learned, the clinical frame is asked
    while run.epoch < config.epochs:
        began = time.monotonic()
        loss = run.train_epoch(batches)
        run.save(checkpoint)
        found = scores(run.average, choose, truth, filters, rate_hz, change.signals.bands_of)
        log(
            out / "log.csv",
            {
                "epoch": run.epoch,
                "of": config.epochs,
                "weights": weights(run.network),
                "loss_mv": loss,
                **found,
                "seconds": time.monotonic() - began,
            },
        )
    keep_squares(run.average, choose, truth, (filters, rate_hz, change.signals.bands_of), out)


def keep_squares(network: MEcgNet, choose: Records, truth_uv: NDArray[np.int16], how: How, out: Path) -> None:
    """Each record's mean squared error (mV^2), and those of a ladder's first modules alone, for intervals."""
    parts = {"squares": network}
    if network.shape.ladder:
        parts |= {f"squares_{n}": network.part(n) for n in range(1, len(network.shape.modules))}
    each: dict[str, Any] = {
        name: scores_of_each(part, choose, truth_uv, *how)["rmse_seven_mv"] for name, part in parts.items()
    }
    np.savez(out / EACH, patient_id=choose.patient_id, **each)


def squares_of(out: Path, change: Change, part: str = "squares") -> tuple[NDArray[Any], NDArray[Any]] | None:
    """The mean over a change's seeds of each record's squared error, and whose each is; none before all of
    its runs have come to their end.
    """
    files = [out / f"{change.name}-{seed}" / EACH for seed in range(1, change.seeds + 1)]
    if not all(path.exists() for path in files):
        return None
    kept = [np.load(path) for path in files]
    if any(part not in arrays for arrays in kept):
        return None
    return np.mean([arrays[part] for arrays in kept], axis=0), kept[0]["patient_id"]


def finished(out: Path) -> dict[str, float] | None:
    """The last line of a run that came to its end."""
    path = out / "log.csv"
    if not path.exists():
        return None
    with path.open(newline="") as handle:
        last = list(csv.DictReader(handle))[-1]
    return {key: float(value) for key, value in last.items()} if last["epoch"] == last["of"] else None


def table(out: Path, changes: Sequence[Change] = CHANGES) -> str:
    """Markdown: every finished run, its seeds' mean and range, and how it compares."""
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    for change in changes:
        for seed in range(1, change.seeds + 1):
            if (line := finished(out / f"{change.name}-{seed}")) is not None:
                found[change.value].append(line)
    by_value = {change.value: change for change in changes}
    lines = [
        "| factor | | weights | seeds | RMSE of the seven, mV | range | against what it changes "
        "| mean Pearson | I', mV |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for change in changes:
        runs = found[change.value]
        if not runs:
            continue
        rmse = [run["rmse_seven_mv"] for run in runs]
        spread = f"{max(rmse) - min(rmse):.4f}" if len(rmse) > 1 else "-"
        base = found[change.against]
        against = "-"
        if base and change.value != change.against:
            against = f"{np.mean(rmse) / np.mean([run['rmse_seven_mv'] for run in base]) - 1:+.2%}"
            against += interval(out, by_value[change.against], change)
        lines.append(
            f"| {change.factor} | {change.value} | {runs[0]['weights']:,.0f} | {len(runs)} | "
            f"{np.mean(rmse):.4f} | {spread} | {against} | "
            f"{np.mean([run['pearson_seven'] for run in runs]):.3f} | "
            f"{np.mean([run['rmse_one_mv'] for run in runs]):.3f} |"
        )
    return "\n".join(lines) + "\n"


def interval(out: Path, base: Change, change: Change, part: str = "squares") -> str:
    """The 95 % interval of how much larger an error is, paired by records, by bootstrap over patients."""
    ours, theirs = squares_of(out, base), squares_of(out, change, part)
    if ours is None or theirs is None:
        return ""
    low, high = ratio_interval(ours[0], theirs[0], ours[1].tolist())
    return f" ({low - 1:+.2%} to {high - 1:+.2%})"


def table_of_parts(out: Path, changes: Sequence[Change] = CHANGES) -> str:
    """Markdown: of every ladder, how much worse its first modules are alone; empty where there is none."""
    lines = []
    for change in changes:
        whole = squares_of(out, change)
        for n in range(1, 3):
            alone = squares_of(out, change, f"squares_{n}")
            if whole is None or alone is None:
                continue
            rmse, of = (float(np.sqrt(squares.mean())) for squares in (alone[0], whole[0]))
            against = f"{rmse / of - 1:+.1%}{interval(out, change, change, f'squares_{n}')}"
            lines.append(f"| {change.value} | {n} | {rmse:.4f} | {against} |")
    head = ["| ladder | first modules | RMSE of the seven, mV | against all |", "|---|---:|---:|---:|"]
    return "\n".join([*head, *lines]) + "\n" if lines else ""


def main() -> None:
    """Train what is missing, as the command line says, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=Path("training/configs/low.toml"), help="the base")
    parser.add_argument("--data", type=Path, help="a PTB-XL directory")
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    parser.add_argument("--out", type=Path, required=True, help="a folder for all runs")
    factors = sorted({change.factor for change in CHANGES})
    parser.add_argument("--only", nargs="+", choices=factors, default=factors, help="these factors")
    parser.add_argument("--list", action="store_true", help="say what would be trained")
    parser.add_argument("--table", action="store_true", help="print the table of what is there")
    args = parser.parse_args()
    for change in CHANGES if not args.table else ():
        if change.factor not in args.only:
            continue
        for seed in range(1, change.seeds + 1):
            out = args.out / f"{change.name}-{seed}"
            if finished(out) is not None:
                continue
            facts = facts_of(change, args.config, seed)
            if args.list:
                size = weights(MAKERS[change.one](configuration.configured(facts).shape))
                print(f"{out}: {change.factor}: {change.value}, seed {seed}, {size:,} weights")
            elif args.data is None:
                parser.error("--data is needed to train")
            else:
                train(change, facts, args.data, args.cache, out)
    if not args.list:
        text = "\n".join(filter(None, (table(args.out), table_of_parts(args.out))))
        (args.out / "table.md").write_text(text)
        print(text)


if __name__ == "__main__":
    ended_in_one_line(main)
