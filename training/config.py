# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training run is told, read from a TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from training.network import ModuleShape, NetworkShape


@dataclass(frozen=True, slots=True)
class Config:
    """One training run; see training/configs/first.toml for what each number means."""

    name: str
    seed: int
    epochs: int
    batch: int
    peak_rate: float
    weight_decay: float
    average: float
    gain_spread: float
    folds: tuple[int, ...]
    choose_fold: int
    rate_hz: int
    hop: int
    shape: NetworkShape


def read(path: Path) -> Config:
    """Read a configuration; a missing or unknown key is a KeyError or TypeError that names it."""
    with path.open("rb") as handle:
        facts = tomllib.load(handle)
    model, modules = facts.pop("model"), facts.pop("modules")
    shape = NetworkShape(
        modules=tuple(ModuleShape(m["stride"], m["channels"], tuple(m["dilations"])) for m in modules),
        inputs=tuple(tuple(m["inputs"]) for m in modules),
        look_ahead=model["look_ahead"],
    )
    facts["folds"] = tuple(facts["folds"])
    return Config(name=model["name"], rate_hz=model["rate_hz"], hop=model["hop"], shape=shape, **facts)
