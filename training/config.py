# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training run is told: a TOML file, and what the command line changes in it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.filter_design import BAND_EDGES_HZ
from training.network import ModuleShape, NetworkShape


@dataclass(frozen=True, slots=True)
class Config:
    """One training run; see training/configs/first.toml for what each number means."""

    name: str
    seed: int
    epochs: int
    batch: int
    peak_rate: float
    matrix_rate: float
    weight_decay: float
    average: float
    gain_spread: float
    gap_share: float
    turn_deg: float
    noise_share: float
    square_weight: float
    scale_weight: float
    folds: tuple[int, ...]
    choose_fold: int
    rate_hz: int
    hop: int
    shape: NetworkShape
    start: str = ""
    """Another run, in the folder beside, whose weights it begins with."""
    teachers: tuple[str, ...] = ()
    """Other runs there: what it learns is drawn from the truth towards what they make of it, in the mean."""
    teachers_share: float = 0.0
    nested_share: float = 0.0
    """So many of a ladder's batches are learnt by some of its first modules alone."""
    cut_offs_hz: tuple[float, ...] = BAND_EDGES_HZ
    """Between the low and the mid band, and the mid and the high one."""


def facts(path: Path, changes: Sequence[str] = ()) -> dict[str, Any]:
    """Read a TOML file (or the JSON that a run keeps) and change single keys of it.

    Parameters
    ----------
    path : Path
        Such as training/configs/first.toml.
    changes : sequence of str
        ``key=value`` with a TOML value, such as ``epochs=4`` or ``model.look_ahead=6``.
    """
    text = path.read_text()
    read: dict[str, Any] = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    for change in changes:
        key, _, value = change.partition("=")
        *tables, last = key.strip().split(".")
        table = read
        for name in tables:
            table = table[name]
        if last not in table:
            raise KeyError(f"{key} is not in {path}")
        table[last] = tomllib.loads(f"value = {value}")["value"]
    return read


def configured(read: dict[str, Any]) -> Config:
    """The run that `facts` describe; a missing or unknown key is an error that names it."""
    model, modules = read["model"], read["modules"]
    rest = {key: value for key, value in read.items() if key not in ("model", "modules")}
    shape = NetworkShape(
        modules=tuple(
            ModuleShape(**{key: tuple(v) if isinstance(v, list) else v for key, v in m.items()})
            for m in modules
        ),
        look_ahead=model["look_ahead"],
        scale=model["scale"],
        ladder=model.get("ladder", False),  # runs from before there were ladders do not say
    )
    for name in ("folds", "teachers"):
        rest[name] = tuple(rest.get(name, ()))
    cut_offs_hz = tuple(model.get("cut_offs_hz", BAND_EDGES_HZ))
    return Config(
        name=model["name"],
        rate_hz=model["rate_hz"],
        hop=model["hop"],
        cut_offs_hz=cut_offs_hz,
        shape=shape,
        **rest,
    )
