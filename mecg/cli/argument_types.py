# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of arguments: text in, a value or a one-line reason out."""

from __future__ import annotations

import argparse
import math
import os
import re
from pathlib import Path
from typing import TypeVar

from mecg.archive.shard import Shard
from streamer.core.errors import InputError
from streamer.core.printable import printable
from streamer.core.units import mv_per_step
from streamer.formats.atomic_write import refuse_folder
from streamer.model_files import LATENCIES, bundled_model

LARGEST = 1e9
"""Of a number of seconds, Hz or times; 30 years of them."""

MOST_PROCESSES = 256

N = TypeVar("N", int, float)


def latency(text: str) -> Path:
    """A bundled model by its setting."""
    if text not in LATENCIES:
        raise argparse.ArgumentTypeError(f"{text} is not {', '.join(LATENCIES[:-1])} or {LATENCIES[-1]}")
    return bundled_model(text)


def positive(text: str) -> float:
    """A finite number above 0."""
    value = _number(text, float)
    if not 0 < value <= LARGEST:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0, up to {LARGEST:g}")
    return value


def from_zero(text: str) -> float:
    """A finite number from 0."""
    value = _number(text, float)
    if not 0 <= value <= LARGEST:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to {LARGEST:g}")
    return value


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(text.split(","))


def stream_name(text: str) -> str:
    """The name of an LSL stream, not a SOURCE that was meant."""
    if _is_a_source(text):
        raise argparse.ArgumentTypeError(f"{text} is a SOURCE: put it before --lsl-out")
    return text


def folder(text: str) -> Path:
    """A folder, not a SOURCE that was meant."""
    files = (Path(text), Path(f"{text}.hea"))
    try:
        is_file = any(path.is_file() for path in files)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{printable(text, 60)} can be no folder ({error})") from error
    if _is_a_source(text) or is_file:
        raise argparse.ArgumentTypeError(f"{text} is a SOURCE: put it before --record")
    try:
        refuse_folder(Path(text))
    except InputError as error:
        raise argparse.ArgumentTypeError(error.line) from None
    return Path(text)


def unit(text: str) -> float:
    """How many mV a step is: a unit of voltage, or a number."""
    try:
        return mv_per_step(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(error.line) from None


def speed(text: str) -> float:
    """A number above 0, or `max`."""
    return math.inf if text == "max" else positive(text)


def count(text: str) -> int:
    """A whole number from 1 to `MOST_PROCESSES`."""
    value = _number(text, int)
    if not 1 <= value <= MOST_PROCESSES:
        raise argparse.ArgumentTypeError(f"{text} is not 1 to {MOST_PROCESSES}")
    return value


def address(text: str) -> tuple[str, int]:
    """Host and port, such as `127.0.0.1:8912` or `[::1]:8912`."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host or (":" in host and not text.startswith("[")) or not port.isascii():
        raise argparse.ArgumentTypeError(f"{printable(text, 60)} is no ADDRESS:PORT, such as 0.0.0.0:8912")
    if not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{printable(port, 60)} is no port from 0 to 65535")
    return host, int(port)


def processes(text: str) -> int:
    """A number of processes, or ``auto``: as many as there are processors for this one."""
    if text != "auto":
        return count(text)
    allowed = getattr(os, "sched_getaffinity", None)  # not on macOS, nor Windows
    return min(len(allowed(0)) if allowed else os.cpu_count() or 1, MOST_PROCESSES)


def whole(text: str) -> int:
    """A whole number from 1."""
    value = _number(text, int)
    if not 1 <= value <= LARGEST:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 to {LARGEST:g}")
    return value


def shard(text: str) -> Shard:
    """A share of many records, such as ``3/40``."""
    parts = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    number, of = (int(parts[1]), int(parts[2])) if parts else (0, 0)
    if not 1 <= number <= of:
        raise argparse.ArgumentTypeError(f"{text} is no share: give 3/40 for the third of forty")
    return Shard(number, of)


def folds_of(text: str) -> tuple[int, ...]:
    """Folds of PTB-XL, such as `8,9`."""
    try:
        folds = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        folds = ()
    if not folds or not 1 <= folds[0] <= folds[-1] <= 10:
        raise argparse.ArgumentTypeError(f"{text} are no folds: give 9, or 8,9")
    return folds


def _is_a_source(text: str) -> bool:
    from devices.registry import is_a_source  # loads Bluetooth and LSL, which most commands need not

    return is_a_source(text)


def _number(text: str, kind: type[N]) -> N:
    try:
        return kind(text)
    except ValueError as error:
        name = "whole number" if kind is int else "number"
        raise argparse.ArgumentTypeError(f"invalid {name} value: {text!r}") from error
