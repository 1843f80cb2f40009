# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg profile`: where each millisecond between the heart and the screen goes.

Writes summary.json (docs/profile.md), trace.json for https://ui.perfetto.dev and report.html.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from devices.replay.pacing import AS_RECORDED
from mecg.app.first_seconds import FirstSeconds
from mecg.app.models import network_of
from mecg.app.session_builder import (
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
from mecg.profiling.clock_offset import Beside, Kept, measure
from mecg.profiling.collector import LatencyCollector
from mecg.profiling.compare import check_length, compare, read_summary, remarks, table
from mecg.profiling.perfetto_trace import trace
from mecg.profiling.report_html import report_html
from mecg.profiling.resources import ResourceMonitor
from mecg.profiling.summary import reference_delay, summarise
from streamer.core.errors import InputError
from streamer.formats.atomic_write import refuse_existing, write_whole
from streamer.session.description import SessionDescription
from streamer.session.session import Session
from streamer.session.sink import Overflow
from streamer.session.status_line import StatusLine

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
    hops = LatencyCollector(network.spec, info.rate_hz, end, screen=args.with_monitor)
    session = Session(source, pipeline, description, watch=hops.watch, vitals=vitals_of(description))
    watched = ResourceMonitor(session, hops)
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
    summary["reference"] = None if delay is None else reference_delay(args.reference, delay, summary)
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


def _refuse_without_display() -> None:
    from gui.app import why_no_display

    reason = why_no_display()
    if reason is not None:
        raise InputError(f"{reason}; profile without --with-monitor")


def _show(session: Session, description: SessionDescription, hops: LatencyCollector, seconds: float) -> int:
    from gui.app import run_monitor
    from gui.signal.inbox import Inbox

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
