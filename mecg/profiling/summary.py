# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of a profiling session."""

from __future__ import annotations

import os
import platform
from datetime import datetime
from math import isfinite
from typing import Any

from devices.registry import is_radio
from mecg import __version__
from mecg.profiling.clock_offset import Delay
from mecg.profiling.collector import LatencyCollector
from mecg.profiling.compare import FORMAT
from mecg.profiling.resources import ResourceMonitor
from streamer.core.events import Dropped, Event
from streamer.session.description import algorithmic_ms
from streamer.session.session import SessionReport

_ABSOLUTE = "absolute: stamps are on a clock that this machine can read"

_RELATIVE = (
    "relative: the device's clock is fitted to the least delayed packets, so the least delay itself, "
    "which nobody can see from here, is not in it"
)


def summarise(
    report: SessionReport, hops: LatencyCollector, watched: ResourceMonitor, events: list[Event]
) -> dict[str, Any]:
    """Everything that was measured, as plain JSON types: docs/profile.md."""
    about, stream = report.description, report.description.stream
    blocks = watched.blocks.all
    radio = is_radio(stream.source)
    seconds = max(watched.seconds, 1e-9)
    return {
        "format": FORMAT,
        "mecg": __version__,
        "source": stream.source,
        "source_rate_hz": stream.rate_hz,
        "rate_hz": about.rate_hz,
        "model": about.model,
        "model_version": about.model_version,
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "seconds": round(watched.seconds, 3),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
        "load": watched.load,
        "algorithmic_ms": algorithmic_ms(about.latency),
        "waterfall_ms": hops.waterfall_ms(),
        "felt_ms": hops.felt.summary() | {"mean": _mean(hops)},
        "end_to_end_ms": hops.end_to_end.summary(),
        "end_to_end_sink": hops.end,
        "stages_ms": {name: histogram.summary() for name, histogram in hops.stages.items()},
        "hop_jitter_ms": hops.jitter.summary(),
        "transport": {
            "relative": radio,
            "least_ms": round(hops.least_transport_ms, 4) if isfinite(hops.least_transport_ms) else None,
            "words": _RELATIVE if radio else _ABSOLUTE,
        },
        "samples": {"in": report.samples_in, "out": report.samples_out, "lost": report.lost},
        "late_packets": sum(event.count or 1 for event in events if isinstance(event, Dropped)),
        "dropped": {name: dict(counts) for name, counts in report.dropped.items()},
        "queues": dict(watched.deepest),
        "cpu": {
            "cores": round(sum(watched.threads.values()) / seconds, 5),
            "threads": {
                name: round(spent_s / seconds, 5)
                for name, spent_s in sorted(watched.threads.items(), key=lambda item: -item[1])
                if spent_s > 0
            },
        },
        "memory_mb": {
            "start": round(watched.memory_mb[0], 2),
            "end": round(watched.memory_mb[-1], 2),
            "peak": round(max([*watched.memory_mb, *(block.memory_mb for block in blocks)]), 2),
        },
        "blocks": [block.as_dict() for block in blocks],
    }


def _mean(hops: LatencyCollector) -> float | None:
    return round(sum(hops.sums_ms.values()) / hops.whole, 6) if hops.whole else None


def reference_delay(source: str, delay: Delay, summary: dict[str, Any]) -> dict[str, Any]:
    """The delay of our stamps behind the reference's, and what the user feels with it added."""
    felt, transport = summary["felt_ms"], summary["stages_ms"]["transport"]
    return {
        "source": source,
        "delay": delay.as_dict(),
        "felt_absolute_ms": None if felt["mean"] is None else round(felt["mean"] + delay.ms, 4),
        "transport_absolute_ms": None if transport["p50"] is None else round(transport["p50"] + delay.ms, 4),
    }
