# SPDX-License-Identifier: MIT
"""What every sink gets to know of a session before its first sample."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np

from streamer.core.leads import LEADS, ORIGIN
from streamer.core.network.alternatives import Plausible
from streamer.core.network.latency import LatencyBudget
from streamer.core.network.spec import ModelSpec
from streamer.core.signal.filters import Sos
from streamer.core.stream import Samples, StreamInfo

NOT_FOR_DIAGNOSIS = "reconstructed from one lead; research use, not for diagnosis"
"""Goes with everything that leaves the program."""

ST_NOT_TO_BE_READ = "ST of calibrated leads is not to be read"
"""A calibration doubles false calls of elevation, and triples those of depression (docs/calibration.md)."""


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """Everything that is true of a whole session; said once, to every sink."""

    stream: StreamInfo
    model: str
    """Name of the model that reconstructs."""
    model_version: str
    """As its metadata states."""
    rate_hz: float
    """The model's rate: that of every frame."""
    latency: LatencyBudget
    """The algorithmic latency and its parts.  Frame indices have it taken out already."""
    filters: str
    """The input band in words, such as ``0.5-40 Hz``."""
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType(ORIGIN))
    """``measured``, ``predicted`` or ``derived`` for each of the twelve leads."""
    bands: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """By level, such as "0.9": the half-width of the band that holds so much of the truth, as a multiple
    of `Frame.scale_mv`, for each of the twelve leads.  Empty if the model states no scale."""
    calibration: str = ""
    """One line that names the person's reference and its date; empty where the model is generic."""
    plausible: str = ""
    """As `ModelSpec.plausible`; empty where the model knows nothing of how errors go together."""

    def __post_init__(self) -> None:
        if self.plausible:
            Plausible.from_json(self.plausible)

    @classmethod
    def of(
        cls, stream: StreamInfo, spec: ModelSpec, latency: LatencyBudget, calibration: str = ""
    ) -> SessionDescription:
        """From what the source, the model and the pipeline say of themselves."""
        return cls(
            stream=stream,
            model=spec.name,
            model_version=spec.version,
            rate_hz=spec.rate_hz,
            latency=latency,
            filters=band_in_words(spec.filters.input, spec.rate_hz),
            bands=MappingProxyType(dict(spec.bands)),
            calibration=calibration,
            plausible=spec.plausible,
        )

    def half_width_mv(self, scale_mv: Samples, level: str) -> Samples | None:
        """Half-width of a level's band ``(12, n)`` from scales of that shape; None without bands."""
        if level not in self.bands:
            return None
        return scale_mv * np.asarray(self.bands[level], np.float32)[:, None]

    @property
    def band(self) -> tuple[str, str] | None:
        """Both ends of the input band in Hz, such as ``("0.5", "40")``, for formats with a field for
        each; None if ``filters`` (of another version's file) does not read so.
        """
        found = re.fullmatch(r"([\d.]+)-([\d.]+) Hz", self.filters)
        return (found[1], found[2]) if found else None

    @property
    def whose(self) -> str:
        """``generic``, or ``personal`` and whose, as everything shows it."""
        return f"personal: {self.calibration}" if self.calibration else "generic"

    @property
    def model_in_words(self) -> str:
        """The model, its version, and whose it is."""
        return f"{self.model} {self.model_version}, {self.whose}"

    @property
    def labels(self) -> tuple[str, ...]:
        """What the twelve rows are called: the first is Lead I only if that was measured."""
        first = LEADS[0] if self.stream.is_lead_i else f"{self.stream.lead} corrected"
        return (first, *LEADS[1:])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What must be said beside every reconstructed lead."""
        wrong = () if self.stream.is_lead_i else (f"input is not Lead I but {self.stream.shown_lead}",)
        return (NOT_FOR_DIAGNOSIS, *wrong, *((self.caution,) if self.caution else ()))

    @property
    def caution(self) -> str:
        """What a person's calibration does not make fit to be read; empty if there is none."""
        return ST_NOT_TO_BE_READ if self.calibration else ""

    def as_dict(self) -> dict[str, Any]:
        """The same as plain JSON types."""
        stream = self.stream
        return {
            "source": stream.source,
            "source_kind": stream.kind.name.lower(),
            "source_rate_hz": stream.rate_hz,
            "input_lead": stream.lead,
            "input_is_lead_i": stream.is_lead_i,
            "inverted": stream.inverted,
            "placement": stream.placement.value,
            "device": stream.device,
            **({"identity": stream.identity} if stream.identity else {}),
            "rate_hz": self.rate_hz,
            "units": "mV",
            "leads": list(self.labels),
            "origins": {
                label: self.origins.get(lead, "predicted")
                for label, lead in zip(self.labels, LEADS, strict=True)
            },
            "bands": {level: list(factors) for level, factors in self.bands.items()},
            "model": self.model,
            "model_version": self.model_version,
            "calibration": self.whose,
            "filters": self.filters,
            "algorithmic_ms": algorithmic_ms(self.latency),
            "warnings": list(self.warnings),
        }


def algorithmic_ms(latency: LatencyBudget) -> dict[str, float]:
    """The budget as every JSON of this program has it: ``look_ahead, overlap, hop, rate_conversion,
    total`` and, beside the total, ``low_pass_delay_10hz``; ms.
    """
    return {key.removesuffix("_ms"): round(value, 4) for key, value in latency.as_dict().items()}


def band_in_words(sos: Sos, rate_hz: float) -> str:
    """The band of a cascade between its -3 dB points, such as ``0.5-40 Hz``."""
    return _band_in_words(sos.tobytes(), len(sos), rate_hz)


@lru_cache(maxsize=16)  # a run over an archive describes one filter for every record
def _band_in_words(sections: bytes, count: int, rate_hz: float) -> str:
    sos = np.frombuffer(sections).reshape(count, 6)
    hz = np.geomspace(0.01, rate_hz / 2, 20_000)
    z = np.exp(-2j * np.pi * hz / rate_hz)
    powers = np.stack((np.ones_like(z), z, z * z))
    gain = np.abs(((sos[:, :3] @ powers) / (sos[:, 3:] @ powers)).prod(axis=0))
    passed = hz[gain >= gain.max() / np.sqrt(2)]
    return f"{passed[0]:.2g}-{passed[-1]:.3g} Hz"
