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
from streamer.core.printable import printable
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


_SHARE = (0.0, 1.0)
_NUMBERS: dict[str, tuple[type, float, float]] = {
    "seed": (int, 0, 2**32 - 1),
    "epochs": (int, 1, 10_000),
    "batch": (int, 1, 4096),
    "peak_rate": (float, 1e-9, 1.0),
    "matrix_rate": (float, 0.0, 1.0),
    "weight_decay": (float, *_SHARE),
    "average": (float, 0.0, 0.999_999),
    "gain_spread": (float, 0.0, 0.99),
    "gap_share": (float, *_SHARE),
    "turn_deg": (float, 0.0, 90.0),
    "noise_share": (float, *_SHARE),
    "square_weight": (float, 0.0, 1000.0),
    "scale_weight": (float, 0.0, 1000.0),
    "choose_fold": (int, 1, 1000),
    "rate_hz": (int, 100, 1000),
    "hop": (int, 1, 1000),
    "teachers_share": (float, *_SHARE),
    "recorder_share": (float, *_SHARE),
    "nested_share": (float, *_SHARE),
}
"""What each number of a run can be: whole or not, from, to."""

_SIZES = {"stride": 64, "channels": 1024, "kernel": 99}
_MOST_DILATION, _MOST_LOOK_AHEAD = 1024, 2000


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
        raise InputError(f"the configuration lacks {printable(error.args[0], 99)}: add it") from error
    except (TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        reason = str(error).replace("Config.__init__() ", "").replace("ModuleShape.__init__() ", "")
        raise InputError(f"the configuration cannot be used ({printable(reason, 200)}): mend it") from error


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
    config = Config(
        name=model["name"],
        rate_hz=model["rate_hz"],
        hop=model["hop"],
        cut_offs_hz=tuple(model.get("cut_offs_hz", BAND_EDGES_HZ)),
        shape=shape,
        data=about["data"],
        licence=about["licence"],
        **rest,
    )
    _check(config)
    return config


def _check(config: Config) -> None:
    """Refuse what cannot be trained, before an hour is spent on it."""
    for key, (kind, low, high) in _NUMBERS.items():
        _check_number(key, getattr(config, key), kind, low, high)
    for key in ("name", "start"):
        value = getattr(config, key)
        if not isinstance(value, str) or not value.isprintable() or (key == "name" and not value.strip()):
            raise ValueError(f"{key} is {value!r}, and must be words")
    if not isinstance(config.cross_fitted, bool) or not all(isinstance(one, str) for one in config.teachers):
        raise ValueError("cross_fitted must be true or false, and teachers a list of names")
    for fold in config.folds:
        _check_number("folds", fold, int, 1, 1000)
    if not config.folds or len(set(config.folds)) < len(config.folds) or config.choose_fold in config.folds:
        raise ValueError(
            f"folds are {list(config.folds)} and {config.choose_fold} chooses: name some to learn from, "
            "each once, and another one to choose by"
        )
    low, *_, high = (*config.cut_offs_hz, 0.0, 0.0)[:2]
    for cut_off in config.cut_offs_hz:
        _check_number("cut_offs_hz", cut_off, float, 0.6, 39.0)
    if len(config.cut_offs_hz) != 2 or low >= high:
        raise ValueError(f"cut_offs_hz are {list(config.cut_offs_hz)}, and must be two, the lower first")
    _check_shape(config.shape)


def _check_shape(shape: NetworkShape) -> None:
    _check_number("look_ahead", shape.look_ahead, int, 0, _MOST_LOOK_AHEAD)
    flags = [shape.scale, shape.ladder, *(flag for m in shape.modules for flag in (m.split, m.lateral))]
    if not shape.modules or not all(isinstance(flag, bool) for flag in flags):
        raise ValueError("a network has a module, and scale, ladder, split and lateral are true or false")
    if any(shape.grid % module.stride for module in shape.modules if module.stride):
        raise ValueError("the strides of the modules must divide the largest of them")
    for module in shape.modules:
        for key, most in _SIZES.items():
            _check_number(key, getattr(module, key), int, 1, most)
        for dilation in module.dilations:
            _check_number("dilations", dilation, int, 1, _MOST_DILATION)
        first, last = module.inputs[0], module.inputs[-1]
        if (
            not module.dilations
            or module.inputs != tuple(range(first, last + 1))
            or not 0 <= first <= last <= 2
        ):
            raise ValueError("a module has dilations, and hears neighbouring ones of the bands 0, 1 and 2")


def _check_number(key: str, value: object, kind: type, low: float, high: float) -> None:
    is_number = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:  # type: ignore[operator]
        what = "a whole number" if kind is int else "a number"
        raise ValueError(f"{key} is {value!r}, and must be {what} from {low:g} to {high:g}")


def _module(read: dict[str, Any]) -> ModuleShape:
    facts: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in read.items()}
    return ModuleShape(**facts)
