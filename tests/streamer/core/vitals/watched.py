"""A session's vitals behind the real path, and hearts to put before them."""

from collections.abc import Sequence

import numpy as np
from hypothesis import Phase

from streamer.core.events import Alarm, AlarmKind, Beat, Event
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, StreamInfo
from streamer.core.vitals.vitals import Limits, Vitals

RATE_HZ = 250.0
UNSHRUNK = (Phase.explicit, Phase.reuse, Phase.generate)
"""A counter-example of half a minute of signal takes minutes to make smaller, and says no more."""


def watch(
    network: Network,
    items: Sequence[Chunk | Event],
    info: StreamInfo | None = None,
    limits: Limits | None = None,
) -> list[Event]:
    """What is told of these items."""
    info = info or StreamInfo("test:", RATE_HZ)
    pipeline = Pipeline(info, network)
    vitals = Vitals(RATE_HZ, info, pipeline.latency.low_pass_delay_10hz_ms / 1e3)
    vitals.limits = limits or Limits()
    told = []
    for item in items:
        if not isinstance(item, Chunk):
            told += vitals.hear(item)
            continue
        vitals.chunk(item)
        for frame in pipeline.push(item):
            told += vitals.push(frame)
    return told + [event for frame in pipeline.finish() for event in vitals.push(frame)]


def beats(told: Sequence[Event]) -> list[Beat]:
    return [event for event in told if isinstance(event, Beat)]


def alarms(told: Sequence[Event], *about: AlarmKind) -> list[Alarm]:
    """All, or those about this."""
    return [event for event in told if isinstance(event, Alarm) and (not about or event.alarm in about)]


def heart(
    bpm: float,
    seconds: float,
    r_mv: float = 0.9,
    p: float = 0.13,
    t: float = 0.28,
    width: float = 1.0,
    begins: float = 0.5,
) -> np.ndarray:
    """A steady heart with 3 uV of noise; P and T as shares of R, which is as much wider than it is narrow.

    The stream begins at this share of an interval after an R peak.
    """
    length = 60 / bpm
    stretch = length**0.5  # Bazett
    waves = (
        (p, -0.17 * stretch, 0.02 * stretch),
        (-0.09, -0.027 * width, 0.009 * width),
        (1.0, 0.0, 0.011 * width),
        (-0.17, 0.028 * width, 0.009 * width),
        (t, 0.27 * stretch, 0.045 * stretch),
    )
    since = np.arange(round(seconds * RATE_HZ)) / RATE_HZ + begins * length
    lead = np.random.default_rng(7).normal(0, 0.003, len(since))
    for height, centre, sd in waves:
        away = (since - centre + length / 2) % length - length / 2
        lead += r_mv * height * np.exp(-0.5 * (away / sd) ** 2)
    return lead.astype(np.float32)
