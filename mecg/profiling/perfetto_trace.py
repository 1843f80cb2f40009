# SPDX-License-Identifier: GPL-3.0-or-later
"""A profiling session as a trace for Perfetto."""

from __future__ import annotations

from math import isfinite
from typing import Any

from mecg.profiling.collector import LatencyCollector
from mecg.profiling.resources import ResourceMonitor
from streamer.core.events import Event
from streamer.core.timing.breakdown import CORE
from streamer.session.event_wire import wire_kind


def trace(hops: LatencyCollector, watched: ResourceMonitor, events: list[Event]) -> dict[str, Any]:
    """The last seconds and the slowest hops in Chrome's trace event format, which Perfetto reads."""
    began_s = watched.began_s
    rows = {"source": 1, "core": 2, f"sink {hops.end}": 3, "screen": 4, "memory": 5}

    def us(at_s: float) -> float:
        return round(1e6 * (at_s - began_s), 3)

    out: list[dict[str, Any]] = [
        {"ph": "M", "pid": 1, "tid": tid, "name": "thread_name", "args": {"name": name}}
        for name, tid in rows.items()
    ]
    out.append({"ph": "M", "pid": 1, "name": "process_name", "args": {"name": "mecg"}})

    def span(row: str, name: str, from_s: float, to_s: float, **args: Any) -> None:
        if isfinite(from_s) and isfinite(to_s):
            common = {"ph": "X", "pid": 1, "tid": rows[row], "name": name, "args": args}
            out.append(common | {"ts": us(from_s), "dur": round(1e6 * max(to_s - from_s, 0.0), 3)})

    latest = list(hops.latest)
    kept = {hop.start for hop in latest}
    for hop in sorted((*latest, *(h for h in hops.worst if h.start not in kept)), key=lambda h: h.start):
        stamps, sink = hop.stamps, f"sink {hops.end}"
        instants = stamps[:8]
        span("source", "queue", hop.arrival_s, stamps.taken, hop=hop.start)
        for name, from_s, to_s in zip(CORE, instants, instants[1:], strict=False):
            span("core", name, from_s, to_s, hop=hop.start)
        span(sink, "handover", hop.put_s, hop.taken_s, hop=hop.start)
        span(sink, "take", hop.taken_s, hop.done_s, hop=hop.start)
        if hop.end_s > hop.done_s:
            span("screen", "display delay and paint", hop.done_s, hop.end_s, hop=hop.start)
    at_once = {"ph": "i", "s": "p", "pid": 1, "tid": 1}
    out += [
        at_once | {"ts": us(event.host_s), "name": event.text or wire_kind(event)}
        for event in events
        if isfinite(event.host_s)
    ]
    for block in watched.blocks.all:
        at = {"ph": "C", "pid": 1, "ts": round(1e6 * block.at_s, 3)}
        out.append(at | {"name": "memory, MB", "args": {"resident": round(block.memory_mb, 2)}})
        out.append(at | {"name": "waiting", "args": dict(block.waiting)})
    return {"traceEvents": out, "displayTimeUnit": "ms"}
