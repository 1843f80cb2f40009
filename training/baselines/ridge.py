# SPDX-License-Identifier: GPL-3.0-or-later
"""Ridge regression on lagged Lead I: the least that a network has to beat.

One pass over the records sums up products of the lags with each other and with the leads; how far
back to look and how much to shrink is then chosen on the fold that chooses, without a second pass.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from tqdm import tqdm

from streamer.core.leads import PREDICTED, SEVEN
from streamer.core.signal.filters import Filters
from training.baselines.networks import Lags
from training.baselines.run import GAIN_SPREAD, GAP_SHARE, MEASURED, NOISE_SHARE, SEED
from training.data import Batches, Records, load, targets
from training.filter_design import design
from training.train import SCORED_FROM_S, TRUTH_BEGINS_S, TRUTH_ENDS_S, log

RATE_HZ = 250
LOOK_AHEAD, HOP = 14, 4
"""Samples, as our own network."""
STEP = 2
"""Samples from lag to lag: nothing above 40 Hz is left to see."""
LAGS = 250
"""2 s in all."""
CONTEXTS = (32, 63, 125, 250)
"""How many of the newest lags: 0.25, 0.5, 1 and 2 s."""
SHRINKAGES = (1e-6, 1e-4, 1e-3, 1e-2, 0.1, 1.0)
"""Of the lags' mean power."""


@dataclass(slots=True)
class Sums:
    """What a linear filter must know of the records; arrays of float64."""

    count: float
    lags: NDArray[np.float64]
    """``(LAGS, LAGS)``"""
    leads: NDArray[np.float64]
    """``(LAGS, 8)``"""
    power: NDArray[np.float64]
    """``(8,)``"""

    @classmethod
    def none(cls) -> Sums:
        """Of no record."""
        eight = len(PREDICTED)
        return cls(0.0, np.zeros((LAGS, LAGS)), np.zeros((LAGS, eight)), np.zeros(eight))

    def add(self, lead: NDArray[np.float32], truth: NDArray[np.float32], first_s: float) -> None:
        """One record: Lead I ``(n,)`` and the leads ``(8, n)``, from ``first_s`` on."""
        reach = (LAGS - 1) * STEP
        padded = np.pad(lead, (reach, LOOK_AHEAD))
        # Row j holds the lags of sample j, the newest (LOOK_AHEAD later) last.
        every = sliding_window_view(padded[LOOK_AHEAD:], reach + 1)[:, ::STEP]
        part = slice(round(first_s * RATE_HZ), len(lead) - round(TRUTH_ENDS_S * RATE_HZ))
        there = lead[part] != 0
        x = every[part][there].astype(np.float64)
        y = truth[:, part][:, there].T.astype(np.float64)
        self.count += len(x)
        self.lags += x.T @ x
        self.leads += x.T @ y
        self.power += (y**2).sum(axis=0)

    def solve(self, context: int, shrinkage: float) -> NDArray[np.float64]:
        """The taps ``(LAGS, 8)`` of a filter that sees the newest ``context`` lags."""
        newest = slice(LAGS - context, None)
        square = self.lags[newest, newest]
        ridge = shrinkage * np.trace(square) / context * np.eye(context)
        taps = np.zeros_like(self.leads)
        taps[newest] = np.linalg.solve(square + ridge, self.leads[newest])
        return taps

    def rmse_mv(self, taps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Error of a filter on these records, by lead."""
        explained = 2 * (taps * self.leads).sum(axis=0) - (taps * (self.lags @ taps)).sum(axis=0)
        return np.asarray(np.sqrt(np.maximum(self.power - explained, 0) / self.count))


def train(data: Path, folds: tuple[int, ...], choose: int, cache: Path, out: Path) -> Lags:
    """Fit, choose, and write ``log.csv``; the sums of each fold are kept, so it can go on."""
    filters = design(RATE_HZ)
    learnt = Sums.none()
    for fold in tqdm(folds, desc="folds", leave=False):
        of = _sums_of(load(data, [fold], cache), filters, out / f"sums{fold:02d}.npz", augmented=True)
        for name in ("count", "lags", "leads", "power"):
            setattr(learnt, name, getattr(learnt, name) + getattr(of, name))
    chosen = _sums_of(load(data, [choose], cache), filters, out / f"sums{choose:02d}.npz", augmented=False)
    rows = [PREDICTED.index(lead) for lead in SEVEN]
    (out / "log.csv").unlink(missing_ok=True)
    best, taps = np.inf, np.zeros((LAGS, len(PREDICTED)))
    for context in CONTEXTS:
        for shrinkage in SHRINKAGES:
            tried = learnt.solve(context, shrinkage)
            rmse_mv = float(np.sqrt((chosen.rmse_mv(tried)[rows] ** 2).mean()))
            context_s = context * STEP / RATE_HZ
            log(
                out / "log.csv",
                {"context_s": context_s, "shrinkage": shrinkage, "rmse_seven_mv": rmse_mv},
            )
            if rmse_mv < best:
                best, taps, kept = rmse_mv, tried[LAGS - context :], (context_s, shrinkage)
    print(f"context {kept[0]:g} s, shrinkage {kept[1]:g}: {best:.4f} mV on fold {choose}")
    network = Lags(len(taps), STEP, LOOK_AHEAD)
    network.taps.copy_(torch.from_numpy(taps.T[:, None].astype(np.float32)))
    torch.save(network.state_dict(), out / "checkpoint.pt")
    return network


def _sums_of(records: Records, filters: Filters, kept: Path, *, augmented: bool) -> Sums:
    of = hashlib.sha256(records.leads_uv.tobytes()).hexdigest()
    if kept.exists():
        with np.load(kept) as arrays:
            if "of" in arrays and str(arrays["of"]) == of:
                return Sums(float(arrays["count"]), arrays["lags"], arrays["leads"], arrays["power"])
        print(f"{kept} was summed of other records: summed again")
    truth = targets(records, filters, RATE_HZ)
    how = (GAIN_SPREAD, GAP_SHARE, NOISE_SHARE) if augmented else (0.0, 0.0, 0.0)
    sums = Sums.none()
    for x, y in Batches(records, truth, filters, RATE_HZ, 1, *how).epoch(np.random.default_rng(SEED)):
        sums.add(x[0, MEASURED], y[0], TRUTH_BEGINS_S if augmented else SCORED_FROM_S)
    part = kept.with_name(f"part_{kept.name}")
    np.savez(part, of=of, count=sums.count, lags=sums.lags, leads=sums.leads, power=sums.power)
    part.replace(kept)
    return sums
