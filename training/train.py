# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains a network: ``python -m training.train --config FILE --data PTB-XL --out RUN``.

Started again with the same ``--out`` it goes on from the last checkpoint, which is written after
every epoch and, between two batches, on Ctrl-C: the weights become what they would have become
without a stop.  ``log.csv`` in the run's folder has a line per epoch.
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import math
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from streamer.core.errors import InputError
from streamer.core.leads import PREDICTED, SEVEN
from streamer.core.network.network import Network
from streamer.core.signal.filters import Filters
from training import config as configuration
from training.command import checkpoint_of, ended_in_one_line, filled, folds_of
from training.data import BandsOf, Batches, Records, load, network_input, targets
from training.filter_design import design
from training.network import GatedBlock, MEcgNet, NetworkShape, weights
from training.teachers import said_by

WARM_UP = 0.1
TRUTH_BEGINS_S, TRUTH_ENDS_S = 0.5, 0.8
"""sosfiltfilt's odd extension pins the clinical frame to zero at both ends of a record (0.25 mV RMS
off in the last 0.2 s).  Before the network can see that a record ends there is nothing in it to
learn; the last samples, which it puts out while the live path holds the last one, are learnt."""
SCORED_FROM_S, BENT_END_S = 3.0, 0.3
"""Scores begin so long after a record's begin, and end so long before its end, where the truth is bent."""
_MATRIX_UNITS = bool(torch.cpu.get_capabilities().get("amx_bf16", False))


class Run:
    """A training run: everything that a checkpoint holds, and how to go on."""

    def __init__(
        self,
        config: configuration.Config,
        device: torch.device,
        make: Callable[[NetworkShape], MEcgNet] = MEcgNet,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.device = config, device
        self.network = make(config.shape).to(device)
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.optimisers = optimisers(self.network, config)
        self.teachers: list[MEcgNet] = []
        self.folds = set(config.folds)
        """All that the weights have learnt from."""
        self.epoch = 0
        self.step = 0
        self.batch = 0
        """So many batches of the epoch are done,"""
        self.sum_mv = 0.0
        """their losses summed up,"""
        self.seconds = 0.0
        """and how long they took."""
        self.stop = False
        """Set this to end an epoch after the batch that is being learnt."""
        self._compiled_for: set[int] = set()
        """How many modules the batches have kept whose code is there."""
        self._compiled_loss = torch.compile(self._loss)
        self._compiled_taught = torch.compile(self._taught)

    def train_epoch(self, batches: Batches) -> float | None:
        """One pass over the training records, or the rest of it.

        Returns
        -------
        float or None
            The mean loss, mV; none where `stop` ended the pass before it was through.
        """
        # The order of an epoch follows from seed and epoch alone, so a resumed run repeats it.
        rng = np.random.default_rng([self.config.seed, self.epoch])
        kept = self.kept_modules(len(batches))
        steps = self.config.epochs * len(batches)
        self.step = self.epoch * len(batches) + self.batch
        began, before_s = time.monotonic(), self.seconds if self.batch else 0.0
        progress = tqdm(
            batches.taught(rng, self.batch),
            total=len(batches),
            initial=self.batch,
            desc=f"epoch {self.epoch + 1}",
            leave=False,
        )
        for x, truth, said in progress:
            peaks = (self.config.peak_rate, self.config.matrix_rate)
            for optimiser, peak in zip(self.optimisers, peaks, strict=True):
                optimiser.param_groups[0]["lr"] = peak * share_of_peak(self.step / steps)
            bands, leads, known = (torch.from_numpy(part).to(self.device) for part in (x[:, :3], truth, said))
            taught = self._compiled_taught(bands, leads, known)
            self.network.zero_grad()
            losses = []
            for modules in sorted({kept[self.batch], len(self.network.bands)}, reverse=True):
                self._announce_compiling(modules)
                losses.append(self._compiled_loss(bands, leads, taught, modules))
            loss, *_ = losses
            torch.stack(losses).sum().backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            for optimiser in self.optimisers:
                optimiser.step()
            self._follow()
            self.step += 1
            self.batch += 1
            self.sum_mv += loss.item()
            self.seconds = before_s + time.monotonic() - began
            progress.set_postfix(loss=f"{self.sum_mv / self.batch:.4f}")
            if self.stop and self.batch < len(batches):
                progress.close()
                return None
        mean_mv = self.sum_mv / len(batches)
        self.epoch, self.batch, self.sum_mv = self.epoch + 1, 0, 0.0
        return mean_mv

    def _announce_compiling(self, modules: int) -> None:
        """Say that batches which so many modules learn are about to be compiled, the first time."""
        if modules not in self._compiled_for:
            self._compiled_for.add(modules)
            announce("the first batch of its kind is compiled: a minute in which nothing is to be seen")

    def kept_modules(self, batches: int) -> list[int]:
        """How many of the network's modules learn in each batch of this epoch, beside all of them: mostly
        no others.
        """
        # Chance of its own, so that the records' order is what it is without.
        rng, all_of_them = np.random.default_rng([self.config.seed, self.epoch, 1]), len(self.network.bands)
        if not self.config.nested_share:
            return [all_of_them] * batches
        nested = rng.random(batches) < self.config.nested_share
        return [int(n) for n in np.where(nested, rng.integers(1, all_of_them, batches), all_of_them)]

    def _taught(
        self, bands: torch.Tensor, truth: torch.Tensor, said: torch.Tensor | None = None
    ) -> torch.Tensor:
        """What is learnt ``(batch, 8, n)``: the truth, drawn towards what the teachers make of it, or
        towards what has been said of it.
        """
        if not self.teachers:
            return truth if said is None else truth.lerp(said, self.config.teachers_share)
        n, leads = truth.shape[-1], self.config.shape.leads
        with torch.no_grad(), half_precision(self.device):
            said = [teacher(bands)[:, :leads, :n] for teacher in self.teachers]
        return truth.lerp(torch.stack(said).mean(0), self.config.teachers_share)

    def _loss(
        self, bands: torch.Tensor, truth: torch.Tensor, taught: torch.Tensor, kept: int | None = None
    ) -> torch.Tensor:
        n = truth.shape[-1]
        rate_hz, shape = self.config.rate_hz, self.config.shape
        leads = shape.leads
        with half_precision(self.device):
            out = self.network(bands[..., : n + shape.hold(n)], kept)[..., :n]
        # A lost sample has no output; nothing is asked of the network there.
        there = (bands[..., :n] != 0).any(dim=1, keepdim=True).float()
        there[..., : round(TRUTH_BEGINS_S * rate_hz)] = 0
        there[..., n - round(TRUTH_ENDS_S * rate_hz) : n - shape.look_ahead] = 0
        error = (out[:, :leads] - taught) * there
        loss = error.abs().mean() + self.config.square_weight * error.square().mean()
        if shape.scale:
            # A Laplace likelihood of the errors as they are: it must not buy certainty with error.
            scale, error = out[:, leads:], (out[:, :leads] - truth) * there
            likelihood = (there * torch.log(2 * scale) + error.detach().abs() / scale).mean()
            loss = loss + self.config.scale_weight * likelihood
        return loss

    def _follow(self) -> None:
        keep = min(self.config.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mine, theirs in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mine.lerp_(theirs, 1 - keep)

    def start_from(self, run: Path) -> None:
        """Begin with the averaged weights of another run of the same shape, such as one with
        another look-ahead.
        """
        state = checkpoint_of(run, self.device)
        self.folds |= folds_of(run, state)
        weights_of = state["average"]
        filled(self.network, weights_of, run)
        filled(self.average, weights_of, run)

    def learn_from(self, runs: Sequence[Path]) -> None:
        """Take the averaged weights of other runs, of whatever shape, as teachers."""
        for run in runs:
            config = configuration.configured(configuration.facts(run / "config.json"))
            teacher = MEcgNet(config.shape).to(self.device).requires_grad_(False)
            filled(teacher, checkpoint_of(run, self.device)["average"], run)
            self.teachers.append(teacher.train())  # the fast way through it; there is no dropout

    def save(self, path: Path) -> None:
        """Write a checkpoint; a crash leaves the old one."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "folds": sorted(self.folds),
            "epoch": self.epoch,
            "batch": self.batch,
            "sum_mv": self.sum_mv,
            "seconds": self.seconds,
        }
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def resume(self, path: Path) -> None:
        """Take up a checkpoint."""
        state = checkpoint_of(path, self.device)
        filled(self.network, state["network"], path)
        filled(self.average, state["average"], path)
        for optimiser, kept in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        self.folds |= set(state.get("folds", ()))
        self.epoch = state["epoch"]
        # Earlier checkpoints end with an epoch.
        self.batch, self.sum_mv = state.get("batch", 0), state.get("sum_mv", 0.0)
        self.seconds = state.get("seconds", 0.0)


def announce(words: str) -> None:
    """Say it on stderr, beside a progress bar or without one."""
    tqdm.write(words, file=sys.stderr)
    sys.stderr.flush()


def half_precision(device: torch.device) -> torch.autocast:
    """bfloat16 inside products and convolutions, if that is faster: a CPU needs matrix units (AMX) for it.

    With them a step takes a third to a half of the time in float32, with AVX-512 alone 1.2 to 1.5
    times that.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type != "cpu" or _MATRIX_UNITS)


def share_of_peak(done: float) -> float:
    """Of a learning rate, where a share of all steps is done: linear warm-up, then half a cosine."""
    if done < WARM_UP:
        return done / WARM_UP
    return (1 + math.cos(math.pi * min(1.0, (done - WARM_UP) / (1 - WARM_UP)))) / 2


class Mixing(torch.optim.Muon):
    """Muon (Jordan et al. 2024) on the matrices by which blocks mix their channels, one for each group."""

    def __init__(self, layers: Sequence[torch.nn.Conv1d], rate: float, weight_decay: float) -> None:
        self._layers = layers
        # It takes matrices only: these share the memory of the convolutions' weights.
        self._matrices = [
            torch.nn.Parameter(rows)
            for layer in layers
            for rows in layer.weight.detach().flatten(1).chunk(layer.groups)
        ]
        super().__init__(self._matrices, lr=rate, weight_decay=weight_decay)

    def step(self, closure: Any = None) -> Any:
        """As its base."""
        gradients: list[torch.Tensor | None] = []
        for layer in self._layers:
            whole = layer.weight.grad  # none where the layer's module was left out
            gradients += [None] * layer.groups if whole is None else whole.flatten(1).chunk(layer.groups)
        for matrix, gradient in zip(self._matrices, gradients, strict=True):
            matrix.grad = gradient
        return super().step(closure)


def others(network: torch.nn.Module, mixing: Sequence[torch.nn.Conv1d]) -> list[torch.nn.Parameter]:
    """Everything in a network but the weights of some of its layers."""
    mixed = {id(layer.weight) for layer in mixing}
    return [parameter for parameter in network.parameters() if id(parameter) not in mixed]


def optimisers(network: MEcgNet, config: configuration.Config) -> tuple[torch.optim.Optimizer, ...]:
    """AdamW, and Muon for the matrices that mix channels: a short training ends with 4 % less error."""
    blocks = [block for block in network.modules() if isinstance(block, GatedBlock)]
    mixing = [layer for block in blocks for layer in (block.value, block.gate, block.out)]
    return (
        torch.optim.AdamW(others(network, mixing), lr=config.peak_rate, weight_decay=config.weight_decay),
        Mixing(mixing, config.matrix_rate, config.weight_decay),
    )


def batches_of(
    config: configuration.Config,
    records: Records,
    truth_uv: NDArray[np.int16],
    filters: Filters,
    bands_of: BandsOf = network_input,
    shapes: Sequence[NetworkShape] = (),
    said_uv: NDArray[np.int16] | None = None,
) -> Batches:
    """What a run learns from: augmented as its configuration says, each record's last sample held for as
    long as the network, and any other of these shapes, looks ahead.

    Raises
    ------
    InputError
        There are fewer records than a batch has.
    """
    if len(records.ecg_id) < config.batch:
        raise InputError(
            f"a batch has {config.batch} records, the folds have {len(records.ecg_id)}: make it smaller"
        )
    return Batches(
        records,
        truth_uv,
        filters,
        config.rate_hz,
        config.batch,
        config.gain_spread,
        config.gap_share,
        config.noise_share,
        turn_deg=config.turn_deg,
        recorder_share=config.recorder_share,
        bands_of=bands_of,
        hold=max(shape.hold(truth_uv.shape[-1]) for shape in (config.shape, *shapes)),
        said_uv=said_uv,
    )


def scores(
    network: MEcgNet,
    records: Records,
    truth_uv: NDArray[np.int16],
    filters: Filters,
    rate_hz: float,
    bands_of: BandsOf = network_input,
) -> dict[str, float]:
    """RMSE (mV) and mean Pearson of the seven leads, and RMSE of I', read densely; and the first two again
    as scores were before, up to the records' very ends.
    """
    found = scores_of_each(network, records, truth_uv, filters, rate_hz, bands_of)
    means = {name: float(each.mean()) for name, each in found.items()}
    return {name: mean**0.5 if name.startswith("rmse") else mean for name, mean in means.items()}


def scores_of_each(
    network: MEcgNet,
    records: Records,
    truth_uv: NDArray[np.int16],
    filters: Filters,
    rate_hz: float,
    bands_of: BandsOf = network_input,
) -> dict[str, NDArray[np.float32]]:
    """What `scores` are the means of: for each record, squared errors (mV^2) and correlations."""
    first, rows = round(SCORED_FROM_S * rate_hz), [PREDICTED.index(lead) for lead in SEVEN]
    bent = round(BENT_END_S * rate_hz)
    device = next(network.parameters()).device
    found: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    for i in range(0, len(records.ecg_id), 64):
        lead = records.leads_uv[i : i + 64, 0].astype(np.float32) / 1e3
        x = np.stack(
            [bands_of(row, filters, rate_hz, hold=network.shape.hold(truth_uv.shape[-1]))[:3] for row in lead]
        )
        with torch.no_grad():
            out = network(torch.from_numpy(x).to(device)).cpu().numpy()
        part = slice(first, truth_uv.shape[-1])
        truth = truth_uv[i : i + 64, :, part].astype(np.float32) / 1e3
        out = out[:, : network.shape.leads, part]
        for of, end in (("", -bent), ("_to_end", None)):
            some, true = (leads_mv[:, rows, :end] for leads_mv in (out, truth))
            found[f"rmse_seven{of}_mv"].append(((some - true) ** 2).mean(axis=(1, 2)))
            found[f"pearson_seven{of}"].append(pearson(some, true).mean(axis=1))
        found["rmse_one_mv"].append(((out - truth)[:, 0, :-bent] ** 2).mean(axis=1))
    return {name: np.concatenate(each) for name, each in found.items()}


def pearson(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Correlations over the last axis."""
    a, b = (x - x.mean(axis=-1, keepdims=True) for x in (a, b))
    correlations: NDArray[np.float32] = (a * b).sum(-1) / (np.sqrt((a * a).sum(-1) * (b * b).sum(-1)) + 1e-9)
    return correlations


def device_of(name: str) -> torch.device:
    """``cpu`` or ``cuda``; ``auto`` is a GPU where there is one.

    Raises
    ------
    InputError
        Where there is no such device.
    """
    automatic = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.zeros(1, device=automatic if name == "auto" else name).device
    except (RuntimeError, AssertionError) as error:  # torch says it by either
        raise InputError(f"there is no device {name!r} here: say --device auto, cpu or cuda") from error


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="a PTB-XL directory")
    parser.add_argument("--out", type=Path, required=True, help="the run's folder: checkpoint and log")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the config")
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    args = parser.parse_args()

    facts = configuration.facts(args.config, args.set)
    config = configuration.configured(facts)
    if config.hop % config.shape.grid:  # it could be trained, and not be exported
        raise InputError(f"model.hop is {config.hop}: make it a multiple of {config.shape.grid}, the stride")
    run = Run(config, device_of(args.device))
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "config.json").write_text(json.dumps(facts, indent=1))
    checkpoint = args.out / "checkpoint.pt"
    if checkpoint.exists():
        run.resume(checkpoint)
    elif config.start:
        run.start_from(args.out.parent / config.start)
    models = [name for name in config.teachers if name.endswith(".onnx")]
    run.learn_from([args.out.parent / name for name in config.teachers if name not in models])
    known = [Network((args.out.parent / name).read_bytes()) for name in models]

    filters = design(config.rate_hz, config.cut_offs_hz)
    if config.cross_fitted and run.teachers:
        raise InputError("cross-fitted teachers are exported models (.onnx): export these runs")
    learn = load(args.data, config.folds, args.cache)
    choose = load(args.data, [config.choose_fold], args.cache)
    truth = targets(learn, filters, config.rate_hz)
    truth_choose = targets(choose, filters, config.rate_hz)
    shapes = [teacher.shape for teacher in run.teachers]
    said = None
    if known:
        announce(f"{', '.join(models)} read {len(learn.ecg_id)} records: some minutes, once a start")
        said = said_by(known, config, args.data, args.cache, truth, filters)
    batches = batches_of(config, learn, truth, filters, shapes=shapes, said_uv=said)
    print(f"{weights(run.network)} weights, {len(learn.ecg_id)} records, on {run.device}")
    with stopped_between_batches(run):
        while run.epoch < config.epochs and not run.stop:
            loss = run.train_epoch(batches)
            run.save(checkpoint)
            if loss is None:
                break
            began = time.monotonic()
            score = scores(run.average, choose, truth_choose, filters, config.rate_hz)
            seconds = run.seconds + time.monotonic() - began
            line = {"epoch": run.epoch, "loss_mv": loss, **score, "seconds": seconds}
            log(args.out / "log.csv", line)
            print("  ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in line.items()))
    if run.epoch < config.epochs:
        print(
            f"interrupted in epoch {run.epoch + 1} after {run.batch} batches; run again to go on from there"
        )
        raise SystemExit(130)


@contextmanager
def stopped_between_batches(run: Run) -> Iterator[None]:
    """Ctrl-C ends a run's epoch after the batch that is being learnt, a second one whatever is done."""

    def stop(number: int, frame: FrameType | None) -> None:
        run.stop = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def log(path: Path, line: dict[str, Any]) -> None:
    """Add a line to a CSV file."""
    new = not path.exists()
    with path.open("a", newline="") as handle:
        writer = csv.DictWriter(handle, line.keys())
        if new:
            writer.writeheader()
        writer.writerow(line)


if __name__ == "__main__":
    ended_in_one_line(main)
