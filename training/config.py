# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training run is given: a TOML file, and what the command line changes in it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.core.errors import InputError
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
    data: str
    """What it learns from, and whose that is: goes into the exported model."""
    licence: str
    """Of the exported weights."""
    start: str = ""
    """Another run, in the folder beside, whose weights it begins with."""
    teachers: tuple[str, ...] = ()
    """Other runs there: what it learns is drawn from the truth towards what they make of it, in the mean."""
    teachers_share: float = 0.0
    cross_fitted: bool = False
    """Each teacher speaks only of folds that it did not learn from."""
    recorder_share: float = 0.0
    """So many of the records, each time, are as another recorder would have made them."""
    nested_share: float = 0.0
    """So many of a ladder's batches are learnt by some of its first modules alone as well."""
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
    read = _read(path)
    for change in changes:
        key, found, value = change.partition("=")
        *tables, last = key.strip().split(".")
        table = read
        for name in tables:
            table = table.get(name, {})
            table = table if isinstance(table, dict) else {}
        if not found or last not in table:
            raise InputError(f"{key.strip()} is not in {path}: change what is there, as KEY=VALUE")
        try:
            table[last] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{value} is no TOML value ({error}): put text in double quotes") from error
    return read


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        read: dict[str, Any] = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except FileNotFoundError as error:
        raise InputError(f"{path} is not there: name a configuration, or a run that has begun") from error
    except (tomllib.TOMLDecodeError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}): mend it") from error
    return read


def configured(read: dict[str, Any]) -> Config:
    """The run that `facts` describe.

    Raises
    ------
    InputError
        Where a key is missing, unknown, or its value cannot be; it is named.
    """
    try:
        return _configured(read)
    except KeyError as error:
        raise InputError(f"the configuration lacks {error.args[0]}: add it") from error
    except (TypeError, ValueError, AttributeError) as error:
        reason = str(error).replace("Config.__init__() ", "").replace("ModuleShape.__init__() ", "")
        raise InputError(f"the configuration cannot be used ({reason}): mend it") from error


def _configured(read: dict[str, Any]) -> Config:
    model, modules, about = read["model"], read["modules"], read.get("about", {})
    rest = {key: value for key, value in read.items() if key not in ("model", "modules", "about")}
    shape = NetworkShape(
        modules=tuple(_module(m) for m in modules),
        look_ahead=model["look_ahead"],
        scale=model["scale"],
        ladder=model.get("ladder", False),  # runs from before there were ladders do not say
    )
    for name in ("folds", "teachers"):
        rest[name] = tuple(rest.get(name, ()))
    for key in ("data", "licence"):
        if not isinstance(about.get(key), str) or not about[key].strip():
            raise KeyError(f"about.{key} (what an exported model says of itself)")
    return Config(
        name=model["name"],
        rate_hz=model["rate_hz"],
        hop=model["hop"],
        cut_offs_hz=tuple(model.get("cut_offs_hz", BAND_EDGES_HZ)),
        shape=shape,
        data=about["data"],
        licence=about["licence"],
        **rest,
    )


def _module(read: dict[str, Any]) -> ModuleShape:
    facts: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in read.items()}
    return ModuleShape(**facts)
