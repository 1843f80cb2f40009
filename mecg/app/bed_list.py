# SPDX-License-Identifier: GPL-3.0-or-later
"""The beds of a ward as a file lists them (TOML; docs/ward.md has an example)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mecg.app.options import SessionOptions, SourceOptions
from streamer.core.errors import InputError
from streamer.core.printable import printable
from streamer.core.vitals.vitals import Limits
from streamer.formats.bounded_read import read_bounded

MOST_BEDS = 256

_LARGEST_BYTES = 1_000_000

_BPM = (15.0, 300.0)

_KINDS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "source": str,
    "lead": str,
    "invert": bool,
    "placement": str,
    "calibration": str,
    "loop": bool,
    "low_bpm": (int, float),
    "high_bpm": (int, float),
}
"""What a ``[[bed]]`` may say."""


@dataclass(frozen=True, slots=True)
class BedPlan:
    """A bed as the user wants it."""

    name: str
    session: SessionOptions
    limits: Limits = field(default_factory=Limits)


def plans_of(sources: Sequence[str], common: SessionOptions) -> tuple[BedPlan, ...]:
    """A bed for each SOURCE, named by its place."""
    plans = [
        BedPlan(f"Bed {place}", replace(common, source=replace(common.source, text=text)))
        for place, text in enumerate(sources, 1)
    ]
    return _checked(plans)


def read_bed_list(path: Path, common: SessionOptions) -> tuple[BedPlan, ...]:
    """The beds that a file lists.

    Parameters
    ----------
    common : SessionOptions
        What holds unless a bed says otherwise.

    Raises
    ------
    InputError
        It cannot be read, or a bed is not described so that it could be opened.
    """
    try:
        content = tomllib.loads(read_bounded(path, _LARGEST_BYTES).decode())
    except OSError as error:
        raise InputError(f"the list of beds {path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"the list of beds {path} is not TOML: {error}") from error
    beds = content.get("bed")
    if set(content) != {"bed"} or not isinstance(beds, list):
        raise InputError(f"the list of beds {path} has to be a list of [[bed]] and nothing else")
    return _checked([_plan(path, place, bed, common) for place, bed in enumerate(beds, 1)])


def _plan(path: Path, place: int, bed: Any, common: SessionOptions) -> BedPlan:
    here = f"bed {place} of {path}"
    if not isinstance(bed, dict):
        raise InputError(f"{here} is no table: begin it with [[bed]]")
    for key, value in bed.items():
        if key not in _KINDS:
            raise InputError(f"{here} says {printable(key, 40)!r}: it may say {', '.join(_KINDS)}")
        if not isinstance(value, _KINDS[key]) or (isinstance(value, bool) and _KINDS[key] is not bool):
            raise InputError(f"{here}: {key} cannot be {printable(value, 40)}")
    if not bed.get("source"):
        raise InputError(f'{here} has no source: add, for instance, source = "lsl:name=bed-{place}"')
    if bed.get("placement", "arms") not in ("arms", "chest"):
        raise InputError(f"{here}: placement is arms or chest")
    calibration = bed.get("calibration")
    session = replace(
        common,
        source=SourceOptions(
            bed["source"],
            bed.get("lead", common.source.lead),
            bed.get("invert", common.source.invert),
            bed.get("placement", common.source.placement),
            common.source.unit_mv,
            common.source.rate_hz,
        ),
        replay=replace(common.replay, loop=bed.get("loop", common.replay.loop)),
        models=replace(
            common.models,
            calibration=common.models.calibration if calibration is None else path.parent / calibration,
        ),
    )
    return BedPlan(bed.get("name") or f"Bed {place}", session, _limits(here, bed))


def _limits(here: str, bed: Mapping[str, Any]) -> Limits:
    usual = Limits()
    low, high = float(bed.get("low_bpm", usual.low_bpm)), float(bed.get("high_bpm", usual.high_bpm))
    if not _BPM[0] <= low < high <= _BPM[1]:
        raise InputError(
            f"{here}: low_bpm {low:g} and high_bpm {high:g} are no limits; "
            f"take two that rise within {_BPM[0]:g} to {_BPM[1]:g}"
        )
    return replace(usual, low_bpm=low, high_bpm=high)


def _checked(plans: list[BedPlan]) -> tuple[BedPlan, ...]:
    names = [plan.name for plan in plans]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two beds are called {printable(twice, 40)!r}: give each a name of its own")
    if len(plans) > MOST_BEDS:
        raise InputError(f"{len(plans)} beds are more than {MOST_BEDS}: share them among several wards")
    return tuple(plans)
