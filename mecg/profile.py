# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg profile`: where each millisecond between the heart and the screen goes.

Writes summary.json (docs/profile.md), trace.json for https://ui.perfetto.dev and report.html.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

import psutil

from devices.pacing import AS_RECORDED
from mecg import __version__
from mecg.absolute_delay import Beside, Delay, Kept, measure
from mecg.compose import (
    FirstSeconds,
    personal_of,
    pipeline_of,
    raise_failure,
    refuse_other_speeds,
    replay_of,
    say_notes,
    source_of,
    vitals_of,
    words_of,
)
from mecg.files import refuse_existing, write_whole
from mecg.hops import Blocks, Hops
from mecg.model_file import network_of
from mecg.profile_compare import FORMAT, check_length, compare, read_summary, remarks, table
from mecg.profile_report import report_html
from streamer.errors import InputError
from streamer.run.session import Session, SessionReport
from streamer.run.sink import Overflow, SessionDescription, algorithmic_ms
from streamer.run.status import StatusLine
from streamer.stream import Event
from streamer.waterfall import CORE

LOOK_S = 0.25
"""How often memory and queues are looked at."""

RADIO = ("polar", "movesense")
"""Sources whose clock cannot be compared with ours: the least delay on the way stays unseen."""

_ABSOLUTE = "absolute: stamps are on a clock that this machine can read"
_RELATIVE = (
    "relative: the device's clock is fitted to the least delayed packets, so the least delay itself, "
    "which nobody can see from here, is not in it"
)

FILES = ("summary.json", "trace.json", "report.html")


def run(args: argparse.Namespace) -> int:
    """Measure, write, say; 1 where a comparison finds it worse."""
    before = None if args.compare is None else read_summary(args.compare)
    for name in FILES:
        refuse_existing(args.out / name, force=args.force)
    replay = replay_of(args.speed, args.start, args.loop, args.drop)
    refuse_other_speeds(replay, "mecg profile")
    source = Kept(
        FirstSeconds(
            source_of(
                args.source, lead=args.lead, invert=args.invert, placement=args.placement, replay=replay
            ),
            args.seconds,
        )
    )
    info = source.open()
    if args.with_monitor:
        _refuse_without_display()
    network = personal_of(network_of(args.model), args.calibration, info)
    pipeline = pipeline_of(info, network)
    beside = None
    if args.reference is not None:
        beside = Beside(source_of(args.reference, replay=AS_RECORDED))
    say_notes(info)
    args.out.mkdir(parents=True, exist_ok=True)
    description = SessionDescription.of(info, network.spec, pipeline.latency, words_of(network))
    status = StatusLine(sys.stderr, lambda: pipeline.lost)
    end = "monitor" if args.with_monitor else status.name
    hops = Hops(network.spec, info.rate_hz, end, screen=args.with_monitor)
    session = Session(source, pipeline, description, watch=hops.watch, vitals=vitals_of(description))
    watched = Watched(session, hops)
    if beside is not None:
        beside.start()
    interrupted = False
    watched.start()
    try:
        if args.with_monitor:
            interrupted = _show(session, description, hops, args.seconds) == 130
        else:
            session.attach(status)
            session.run()
    except KeyboardInterrupt:
        interrupted = True  # what was measured until then is worth a report
    finally:
        watched.stop()
    report = session.report()
    raise_failure(report)
    delay = None if beside is None else measure(source.signal(), beside.stop())
    summary = summarise(report, hops, watched, source.events)
    summary["reference"] = None if delay is None else _reference(args.reference, delay, summary)
    rows = []
    if before is not None:
        check_length(summary, "this session")
        rows = compare(before, summary)
        summary["compared_with"] = str(args.compare)
    write_whole(args.out / "summary.json", f"{json.dumps(summary, indent=1, allow_nan=False)}\n".encode())
    write_whole(args.out / "trace.json", json.dumps(trace(hops, watched, source.events)).encode())
    write_whole(args.out / "report.html", report_html(summary, hops, rows).encode())
    _say(summary, args.out)
    if before is not None:
        print("\n".join((*remarks(before, summary), *table(rows))))
    if interrupted:
        return 130
    return 1 if any(row.verdict == "worse" for row in rows) else 0


class Watched:
    """Looks at a session from beside it: memory, queues and processor time, second by second.

    Parameters
    ----------
    session : Session
        To look at.
    hops : Hops
        Has its notes worked off.
    """

    def __init__(self, session: Session, hops: Hops) -> None:
        self._session = session
        self._hops = hops
        self._process = psutil.Process()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="profiler", daemon=True)
        self.blocks = Blocks()
        self.threads: dict[str, float] = {}
        """Processor seconds, by thread."""
        self.began_s = 0.0
        self.seconds = 0.0
        self.memory_mb: list[float] = []
        """At the start, and at the end."""
        self.deepest: dict[str, int] = {}
        self.load: list[float | None] = []
        """Of the machine, one-minute mean, at the start and at the end."""

    def start(self) -> None:
        """Begin to look."""
        self.began_s = time.monotonic()
        self._before = self._cpu_s()
        self.memory_mb.append(self._memory_mb())
        self.load.append(_load())
        self._thread.start()

    def stop(self) -> None:
        """Look once more, and end."""
        self._ended.set()
        self._thread.join()
        self.memory_mb.append(self._memory_mb())
        self.load.append(_load())

    def _look_on(self) -> None:
        while not self._ended.wait(LOOK_S):
            self._look()
        self._look()

    def _look(self) -> None:
        self.seconds = time.monotonic() - self.began_s
        block = self.blocks.at(self.seconds)
        self._hops.digest(block)
        block.memory_mb = max(block.memory_mb, self._memory_mb())
        for name, (waiting, deepest) in self._session.queues().items():
            block.waiting[name] = max(block.waiting[name], waiting)
            self.deepest[name] = deepest
        now = self._cpu_s()
        for thread, (name, spent_s) in now.items():
            used_s = spent_s - self._before.get(thread, ("", 0.0))[1]
            block.cpu_s[name] = block.cpu_s.get(name, 0.0) + used_s
            self.threads[name] = self.threads.get(name, 0.0) + used_s
        self._before = now

    def _cpu_s(self) -> dict[int, tuple[str, float]]:
        """Processor seconds so far, by the system's number of the thread."""
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        return {
            thread.id: (
                names.get(thread.id, "libraries"),
                _finely_s(thread.id, thread.user_time + thread.system_time),
            )
            for thread in self._process.threads()
        }

    def _memory_mb(self) -> float:
        return float(self._process.memory_info().rss / 1e6)


def _finely_s(thread: int, in_ticks_s: float) -> float:
    """A thread's processor time to the nanosecond where Linux tells it: a tick of 10 ms is what a sink
    takes in seconds."""
    try:
        return int(Path(f"/proc/self/task/{thread}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        return in_ticks_s


def summarise(report: SessionReport, hops: Hops, watched: Watched, events: list[Event]) -> dict[str, Any]:
    """Everything that was measured, as plain JSON types: docs/profile.md."""
    about, stream = report.description, report.description.stream
    blocks = watched.blocks.all
    radio = stream.source.partition(":")[0] in RADIO
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
        "late_packets": sum(event.count or 1 for event in events if event.kind == "dropped"),
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


def trace(hops: Hops, watched: Watched, events: list[Event]) -> dict[str, Any]:
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
            span("screen", "hold-back and paint", hop.done_s, hop.end_s, hop=hop.start)
    at_once = {"ph": "i", "s": "p", "pid": 1, "tid": 1}
    out += [
        at_once | {"ts": us(event.host_s), "name": event.text or event.kind}
        for event in events
        if isfinite(event.host_s)
    ]
    for block in watched.blocks.all:
        at = {"ph": "C", "pid": 1, "ts": round(1e6 * block.at_s, 3)}
        out.append(at | {"name": "memory, MB", "args": {"resident": round(block.memory_mb, 2)}})
        out.append(at | {"name": "waiting", "args": dict(block.waiting)})
    return {"traceEvents": out, "displayTimeUnit": "ms"}


def _mean(hops: Hops) -> float | None:
    return round(sum(hops.sums_ms.values()) / hops.whole, 6) if hops.whole else None


def _reference(source: str, delay: Delay, summary: dict[str, Any]) -> dict[str, Any]:
    """The delay of our stamps behind the reference's, and what a person feels with it added."""
    felt, transport = summary["felt_ms"], summary["stages_ms"]["transport"]
    return {
        "source": source,
        "delay": delay.as_dict(),
        "felt_absolute_ms": None if felt["mean"] is None else round(felt["mean"] + delay.ms, 4),
        "transport_absolute_ms": None if transport["p50"] is None else round(transport["p50"] + delay.ms, 4),
    }


def _refuse_without_display() -> None:
    from gui.app import why_no_display

    reason = why_no_display()
    if reason is not None:
        raise InputError(f"{reason}; profile without --with-monitor")


def _show(session: Session, description: SessionDescription, hops: Hops, seconds: float) -> int:
    from gui.app import run_monitor
    from gui.inbox import Inbox

    inbox = Inbox()
    session.attach(inbox, Overflow.DROP_OLDEST)
    session.start()
    try:
        return run_monitor(
            inbox,
            description.stream,
            f"{description.model} {description.model_version}",
            description.latency.total_ms,
            on_close=session.stop,
            seconds=seconds,
            painted=hops.painted,
        )
    finally:
        session.stop()
        session.wait()


def _load() -> float | None:
    ask: Callable[[], tuple[float, float, float]] | None = getattr(os, "getloadavg", None)
    return None if ask is None else round(ask()[0], 2)


def _say(summary: dict[str, Any], out: Path) -> None:
    felt, end, samples = summary["felt_ms"], summary["end_to_end_ms"], summary["samples"]
    total = summary["algorithmic_ms"]["total"]
    if felt["mean"] is not None:
        parts = {"algorithm": 0.0, "source": 0.0, "program": 0.0, "screen": 0.0}
        for stage in summary["waterfall_ms"]:
            parts[stage["kind"]] += stage["mean"]
        said = " + ".join(f"{value:.1f} ms {kind}" for kind, value in parts.items() if value)
        print(f"an average sample  {felt['mean']:.1f} ms = {said}")
    print(f"algorithmic        {total:.1f} ms at the most")
    if end["p50"] is not None:
        print(
            f"arrival to end     p50 {end['p50']:.2f}, p99 {end['p99']:.2f}, max {end['max']:.2f} ms "
            f"({summary['end_to_end_sink']})"
        )
    if summary["transport"]["relative"]:
        print(f"transport          {summary['transport']['words']}")
    if summary["reference"] is not None:
        delay = summary["reference"]["delay"]
        print(
            f"reference          our stamps are {delay['ms']:.2f} ms later "
            f"[{delay['low_ms']:.2f}, {delay['high_ms']:.2f}]"
        )
    print(
        f"samples            {samples['in']} in, {samples['out']} out, {samples['lost']} lost; "
        f"{100 * summary['cpu']['cores']:.1f} % of a core; {summary['memory_mb']['peak']:.0f} MB"
    )
    print(f"written            {', '.join(str(out / name) for name in FILES)}")
