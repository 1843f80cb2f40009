# SPDX-License-Identifier: MIT
"""What a model states of itself: everything that serving needs, checked before it runs.

A model is an ONNX file whose metadata key ``mecg`` holds one JSON object (`ModelSpec.to_json`).
Any windowed network that states these facts runs, a predecessor's too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from streamer.core.errors import InputError
from streamer.core.leads import LEADS, PREDICTED, SEVEN
from streamer.core.network.alternatives import Plausible
from streamer.core.signal.filters import BandSplitter, Filters

METADATA_KEY = "mecg"
STEP_KEY = "mecg_step"
"""Holds, where there is one, the incremental form: another ONNX model, base64."""
PRIOR_KEY = "mecg_personal"
"""Holds, where there is one, how persons differ (`streamer.core.calibration.fit.Prior`)."""
PARTS_KEY = "mecg_parts"
"""Holds, where there are any, the model's parts that run alone: by the fastest band that each hears (``low``,
``mid``) another ONNX model, base64, with metadata and incremental form of its own."""
FORMAT = 1
MODEL_HZ = (95.0, 1000.0)
"""At which rates a model may run, from and to."""
LEVELS = ("0.5", "0.8", "0.9")
"""Of the bands that a model with a scale states."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model's facts.  Lengths are in samples at the model's rate, signals in mV."""

    name: str
    version: str
    rate_hz: float
    window: int
    """Samples of input that one run sees, ending with the newest."""
    hop: int
    """Windows end at multiples of this."""
    look_ahead: int
    """A sample is used once this many newer ones were seen.  0 with a large overlap is classic
    overlap-add, for a network that states no fixed look-ahead."""
    overlap: int
    """Cross-fade between the used parts of consecutive windows."""
    grid: int
    """Hops must be multiples of this (the network's coarsest stride)."""
    receptive_field: int | None
    """How many samples of input an output depends on, the newest of them ``look_ahead`` after it;
    None: on the whole window.  Where stated, any hop and any longer stretch give the same result."""
    channels: tuple[str, ...]
    """Rows of the input, out of `BandSplitter.ROWS`."""
    leads: tuple[str, ...]
    """Rows of the output, out of `PREDICTED`; without "I", I' is the measured lead itself."""
    has_scale: bool
    """A second output of the same shape holds the uncertainty of each sample, mV."""
    filters: Filters
    bands: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """By level ("0.5", "0.8", "0.9"): the half-width of the band that holds so much of the truth, as
    a multiple of the scale, for each of the twelve leads.  Empty without a scale."""
    plausible: str = ""
    """How the errors of the leads go together over persons (`streamer.core.network.alternatives`); empty if
    not fitted."""
    about: dict[str, Any] = field(default_factory=dict)
    """Data set, folds, commit, metrics, licence: for people, shown by `mecg info`."""

    def __post_init__(self) -> None:
        _check(self)

    def runs_like(self, other: ModelSpec) -> bool:
        """Whether one can take the other's place in the midst of a stream."""
        same = ("rate_hz", "window", "hop", "look_ahead", "overlap", "grid", "channels", "leads", "has_scale")
        filters = zip(
            *([getattr(spec.filters, name) for name in _FILTERS] for spec in (self, other)), strict=True
        )
        return all(getattr(self, key) == getattr(other, key) for key in same) and all(
            np.array_equal(mine, theirs) for mine, theirs in filters
        )

    def window_for(self, hop: int) -> int:
        """The window that a hop of another length needs, where the receptive field is stated.

        Raises
        ------
        InputError
            Where the network needs its own window, or the hop does not fit its grid.
        """
        if self.receptive_field is None or hop % self.grid:
            raise InputError(f"the model {self.name} runs with its own hop of {self.hop} samples only")
        return -(-(self.receptive_field + hop + self.overlap - 1) // self.grid) * self.grid

    def hop_of(self, seconds: float) -> int | None:
        """A hop of about so long, in samples; None if the network runs with its own hop only."""
        if self.receptive_field is None:
            return None
        return max(1, round(seconds * self.rate_hz / self.grid)) * self.grid

    def to_json(self) -> str:
        """What goes into the model's metadata."""
        facts: dict[str, Any] = {"format": FORMAT, "unit": "mV"}
        for key in _PLAIN:
            facts[key] = getattr(self, key)
        facts["channels"], facts["leads"] = list(self.channels), list(self.leads)
        facts["filters"] = {name: getattr(self.filters, name).tolist() for name in _FILTERS}
        facts["bands"] = {level: list(factors) for level, factors in self.bands.items()}
        facts["about"] = self.about
        if self.plausible:
            facts["plausible"] = self.plausible
        return json.dumps(facts)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """Parse and check.

        Raises
        ------
        InputError
            Where a fact is missing, of the wrong kind, or cannot be.
        """
        try:
            facts = json.loads(text)
            if facts["format"] != FORMAT:
                raise InputError(
                    f"the model is of format {facts['format']!r}, this program reads {FORMAT}: "
                    "export it again"
                )
            if facts["unit"] != "mV":
                raise InputError(f"the model works in {facts['unit']!r}, not mV: export it again")
            filters = Filters(**{n: np.array(facts["filters"][n], np.float64) for n in _FILTERS})
            return cls(
                **{key: facts[key] for key in _PLAIN},
                channels=tuple(facts["channels"]),
                leads=tuple(facts["leads"]),
                filters=filters,
                bands={level: tuple(factors) for level, factors in facts["bands"].items()},
                plausible=facts.get("plausible", ""),
                about=dict(facts["about"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            if isinstance(error, InputError):
                raise
            reason = f"it states no {error}" if isinstance(error, KeyError) else str(error)
            raise InputError(f"the model's metadata cannot be used ({reason}): export it again") from error


_PLAIN = (
    "name",
    "version",
    "rate_hz",
    "window",
    "hop",
    "look_ahead",
    "overlap",
    "grid",
    "receptive_field",
    "has_scale",
)
_FILTERS = ("input", "low", "mid", "clinical")


def _check(spec: ModelSpec) -> None:
    def must(holds: bool, what: str) -> None:
        if not holds:
            raise InputError(f"the model's metadata cannot be used ({what}): export it again")

    lengths = {key: getattr(spec, key) for key in ("window", "hop", "look_ahead", "overlap", "grid")}
    for key, value in lengths.items():
        must(isinstance(value, int) and not isinstance(value, bool), f"{key} is not a whole number")
    must(isinstance(spec.name, str) and isinstance(spec.version, str), "name or version is not text")
    low, high = MODEL_HZ
    must(
        isinstance(spec.rate_hz, int | float) and low <= spec.rate_hz <= high,
        f"rate_hz is not {low:g} to {high:g}",
    )
    must(1 <= spec.window <= 100_000, "window is not 1 to 100000 samples")
    must(spec.grid >= 1 and spec.hop >= 1 and spec.hop % spec.grid == 0, "hop is not a multiple of grid")
    must(spec.look_ahead >= 0 and spec.overlap >= 0, "look_ahead or overlap is negative")
    must(spec.look_ahead + spec.overlap + spec.hop <= spec.window, "window is shorter than the part used")
    must(spec.window % spec.grid == 0, "window is not a multiple of grid")
    reach = spec.receptive_field
    must(
        reach is None or (isinstance(reach, int) and 1 <= reach <= spec.window - spec.hop - spec.overlap + 1),
        "window is shorter than receptive_field + hop + overlap - 1",
    )
    rows, leads = set(BandSplitter.ROWS), spec.leads
    must(bool(spec.channels) and set(spec.channels) <= rows, f"channels are not out of {sorted(rows)}")
    must(len(set(leads)) == len(leads) and set(leads) <= set(PREDICTED), f"leads are not out of {PREDICTED}")
    must(set(SEVEN) <= set(leads), f"leads lack some of {SEVEN}")
    must(isinstance(spec.has_scale, bool), "has_scale is not true or false")
    must(bool(spec.bands) == spec.has_scale, "bands and has_scale do not go together")
    for level, factors in spec.bands.items():
        numbers = all(isinstance(f, int | float) and 0 < f < 1000 for f in factors)
        must(level in LEVELS and len(factors) == len(LEADS) and numbers, f"band {level} is not 12 factors")
    must(not spec.bands or set(spec.bands) == set(LEVELS), f"bands are not those of {LEVELS}")
    must(isinstance(spec.plausible, str), "plausible is not text")
    must(spec.has_scale or not spec.plausible, "plausible and has_scale do not go together")
    if spec.plausible:
        try:
            Plausible.from_json(spec.plausible)
        except InputError as error:
            must(False, str(error))
    for name in _FILTERS:
        sos = getattr(spec.filters, name)
        must(
            sos.ndim == 2 and sos.shape[1] == 6 and 1 <= len(sos) <= 16 and bool(np.isfinite(sos).all()),
            f"filter {name} is not (sections, 6) numbers",
        )
        # Both poles inside the unit circle, or the stream would blow up (Jury's conditions).
        a1, a2 = sos[:, 4], sos[:, 5]
        must(
            bool((sos[:, 3] == 1).all() and (np.abs(a2) < 1).all() and (np.abs(a1) < 1 + a2).all()),
            f"filter {name} is not stable",
        )
