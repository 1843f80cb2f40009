# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits the bands of a trained network's scale: ``python -m training.fitted.scale RUN --data PTB-XL``.

On the fold that chooses, each lead's bands get the width that holds 50, 80 and 90 % of the truth.
``bands.json`` in the run's folder goes into the exported model.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.core.leads import LEADS, scale_of_twelve, twelve_from_eight
from streamer.core.network.parts import ALL_BANDS
from streamer.core.network.spec import LEVELS
from training import config as configuration
from training.command import checkpoint_of, ended_in_one_line, filled
from training.data import load, network_input, targets
from training.filter_design import design
from training.network import MEcgNet
from training.train import BENT_END_S, SCORED_FROM_S


def fit(run: Path, data: Path, cache: Path) -> dict[str, dict[str, list[float]]]:
    """The half-widths of the bands, as multiples of the scale, for each level and lead: of the whole
    network (``all``), and of a ladder's parts by their names (`training.network.PARTS`).

    Raises
    ------
    InputError
        Where the run has no network that puts out a scale.
    """
    config = configuration.configured(configuration.facts(run / "config.json"))
    if not config.shape.scale:
        raise InputError(f"{run} learns no scale (model.scale = false): it needs no bands")
    network = MEcgNet(config.shape)
    filled(network, checkpoint_of(run)["average"], run)
    network.eval()
    filters = design(config.rate_hz, config.cut_offs_hz)
    records = load(data, [config.choose_fold], cache)
    truth_uv = targets(records, filters, config.rate_hz)
    bent = round(BENT_END_S * config.rate_hz)
    part = slice(round(SCORED_FROM_S * config.rate_hz), truth_uv.shape[2] - bent)
    hold = config.shape.hold(truth_uv.shape[-1])
    networks = {ALL_BANDS: network} | network.parts()
    ratios: dict[str, list[NDArray[np.float32]]] = {name: [] for name in networks}
    for lead_uv, eight_uv in zip(records.leads_uv[:, 0], truth_uv, strict=True):
        x = network_input(lead_uv.astype(np.float32) / 1e3, filters, config.rate_hz, hold=hold)[:3]
        truth = twelve_from_eight(eight_uv[:, part].astype(np.float32) / 1e3)
        for name, some in networks.items():
            with torch.no_grad():
                out = some(torch.from_numpy(x[None]))[0].numpy()[:, part]
            leads = config.shape.leads
            error = np.abs(twelve_from_eight(out[:leads]) - truth)
            ratios[name].append(error / scale_of_twelve(out[leads:]))
    found = {}
    for name, each in ratios.items():
        every = np.concatenate(each, axis=1)
        found[name] = {level: [float(np.quantile(row, float(level))) for row in every] for level in LEVELS}
    return found


def main() -> None:
    """Fit as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="a PTB-XL directory")
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    args = parser.parse_args()
    bands = fit(args.run, args.data, args.cache)
    (args.run / "bands.json").write_text(json.dumps(bands, indent=1))
    for name, levels in bands.items():
        for level, factors in levels.items():
            print(name, level, "  ".join(f"{lead} {f:.2f}" for lead, f in zip(LEADS, factors, strict=True)))


if __name__ == "__main__":
    ended_in_one_line(main)
