# SPDX-License-Identifier: MIT
"""The latency budget: the part that the algorithm owes, by one formula, in one place."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from streamer.core.network.spec import ModelSpec
from streamer.core.signal.filters import Sos
from streamer.core.signal.rate import RateConverter


@dataclass(frozen=True, slots=True)
class LatencyBudget:
    """Algorithmic latency, in ms.  Output for time t never depends on input later than t + total."""

    look_ahead_ms: float
    """How far the network looks past the sample that it puts out."""
    overlap_ms: float
    """Cross-fade between consecutive windows."""
    hop_ms: float
    """The longest that a sample waits for its window to begin."""
    rate_conversion_ms: float
    """The converter's wait, from the source's rate to the model's."""
    total_ms: float
    """Their sum."""
    low_pass_delay_10hz_ms: float
    """Group delay of the input band's filters at 10 Hz: in the measured trace, not in the total."""

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


def budget(spec: ModelSpec, converter: RateConverter, hop: int | None = None) -> LatencyBudget:
    """The budget of a model behind a converter; ``hop`` in samples where not the model's own."""

    def ms(samples: int) -> float:
        return samples / spec.rate_hz * 1e3

    look_ahead, overlap, hop_ms = ms(spec.look_ahead), ms(spec.overlap), ms(hop or spec.hop)
    conversion = converter.delay_s * 1e3
    return LatencyBudget(
        look_ahead_ms=look_ahead,
        overlap_ms=overlap,
        hop_ms=hop_ms,
        rate_conversion_ms=conversion,
        total_ms=look_ahead + overlap + hop_ms + conversion,
        low_pass_delay_10hz_ms=group_delay_s(spec.filters.input, spec.rate_hz, 10.0) * 1e3,
    )


def group_delay_s(sos: Sos, rate_hz: float, at_hz: float) -> float:
    """Group delay of a cascade at one frequency, seconds (the slope of its phase)."""
    step_hz = 1e-3
    z = np.exp(-2j * np.pi * np.array([at_hz - step_hz, at_hz + step_hz]) / rate_hz)
    response = np.ones(2, complex)
    for b0, b1, b2, a0, a1, a2 in sos:
        response *= (b0 + b1 * z + b2 * z * z) / (a0 + a1 * z + a2 * z * z)
    turn = np.angle(response[1] / response[0])
    return float(-turn / (2 * np.pi * 2 * step_hz))
