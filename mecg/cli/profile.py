# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg profile`: where each millisecond between the heart and the screen goes.

Writes summary.json (docs/profile.md), trace.json for https://ui.perfetto.dev and report.html.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mecg.app.connecting import Connecting, say_event
from mecg.app.first_seconds import FirstSeconds
from mecg.app.models import network_of
from mecg.app.options import ModelOptions, ReplayOptions, SourceOptions
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
from mecg.app.terminal import put, put_json, words
from mecg.cli.argument_types import positive
from mecg.cli.help_text import Help
from mecg.cli.options import add_force, add_replay, add_source
from mecg.profiling.clock_offset import Beside, Kept, measure
from mecg.profiling.collector import LatencyCollector
from mecg.profiling.compare import Row, check_length, compare, read_summary, remarks, table
from mecg.profiling.perfetto_trace import trace
from mecg.profiling.report_html import report_html
from mecg.profiling.resources import ResourceMonitor
from mecg.profiling.summary import reference_delay, summarise
from streamer.core.errors import InputError
from streamer.formats.atomic_write import refuse_existing, refuse_folder, write_whole
from streamer.session.description import SessionDescription
from streamer.session.session import Session
from streamer.session.sink import Overflow
from streamer.session.status_line import StatusLine

FILES = ("summary.json", "trace.json", "report.html")


HELP = Help(
    about=(
        "Measures a live session and says where each millisecond goes. Writes summary.json, trace.json for "
        "Perfetto and report.html."
    ),
    examples=(
        "mecg profile --seconds 60 --out before",
        "mecg profile --seconds 60 --out after --compare before/summary.json",
        "mecg profile --compare before/summary.json after/summary.json",
    ),
    failed="the comparison found something worse, beyond noise",
    takes=("mecg.sources", "mecg.formats"),
)


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    add_source(parser)
    parser.add_argument("--seconds", type=positive, default=60.0, metavar="N", help="for so long (60)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the results go")
    parser.add_argument("--with-monitor", action="store_true", help="up to the paint of the window")
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="SUMMARY.json",
        help="with an earlier session; exit code 1 if worse. Without --out, SOURCE is a finished one's too",
    )
    parser.add_argument(
        "--reference", metavar="SOURCE", help="a second measurement of the same signal with stamps to trust"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    add_force(parser)
    add_replay(parser)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    source: SourceOptions
    replay: ReplayOptions
    models: ModelOptions
    seconds: float
    out: Path | None
    with_monitor: bool
    compare: Path | None
    reference: str | None
    json: bool
    force: bool


def run(options: Options) -> int:
    """Measure, write, say; 1 if a comparison finds it worse."""
    if options.out is None:
        return _compare_finished(options)
    return _measure(options, options.out)


def _compare_finished(options: Options) -> int:
    """Two finished sessions; nothing is measured or written."""
    if options.compare is None or options.source.text is None:
        raise InputError(
            "a session needs --out; two finished ones are compared by --compare A/summary.json B/summary.json"
        )
    before, after = read_summary(options.compare), read_summary(Path(options.source.text))
    rows = compare(before, after)
    if options.json:
        put_json({"comparison": _as_json(rows), "remarks": list(remarks(before, after))})
    else:
        put(*remarks(before, after), *table(rows))
    return 1 if any(row.verdict == "worse" for row in rows) else 0


def _measure(options: Options, out: Path) -> int:
    refuse_folder(out)
    for name in FILES:
        refuse_existing(out / name, force=options.force)
    before = None if options.compare is None else read_summary(options.compare)
    replay = replay_of(options.replay)
    refuse_other_speeds(replay, "mecg profile")
    source = Kept(FirstSeconds(source_of(options.source, replay), options.seconds))
    info = Connecting(say_event).open(source)
    if options.with_monitor:
        _refuse_without_display()
    network = personal_of(
        network_of(options.models.model, options.models.bands), options.models.calibration, info
    )
    pipeline = pipeline_of(info, network)
    beside = None
    if options.reference is not None:
        beside = Beside(source_of(SourceOptions(options.reference)))
    say_notes(info)
    out.mkdir(parents=True, exist_ok=True)
    description = SessionDescription.of(info, network.spec, pipeline.latency, words_of(network))
    status = StatusLine(words(), lambda: pipeline.lost)
    end = "monitor" if options.with_monitor else status.name
    hops = LatencyCollector(network.spec, info.rate_hz, end, screen=options.with_monitor)
    session = Session(source, pipeline, description, watch=hops.watch, vitals=vitals_of(description))
    watched = ResourceMonitor(session, hops)
    if beside is not None:
        beside.start()
    watched.start()
    try:
        interrupted = _run_to_the_end(session, status, hops, options)
    finally:
        watched.stop()
    report = session.report()
    raise_failure(report)
    delay = None if beside is None else measure(source.signal(), beside.stop())
    summary = summarise(report, hops, watched, source.events)
    summary["reference"] = None
    if delay is not None and options.reference is not None:
        summary["reference"] = reference_delay(options.reference, delay, summary)
    rows = []
    if before is not None:
        check_length(summary, "this session")
        rows = compare(before, summary)
        summary["compared_with"] = str(options.compare)
    write_whole(out / "summary.json", f"{json.dumps(summary, indent=1, allow_nan=False)}\n".encode())
    write_whole(out / "trace.json", json.dumps(trace(hops, watched, source.events)).encode())
    write_whole(out / "report.html", report_html(summary, hops, rows).encode())
    _print(summary, before, rows, options, out)
    if interrupted:
        return 130
    return 1 if any(row.verdict == "worse" for row in rows) else 0


def _run_to_the_end(session: Session, status: StatusLine, hops: LatencyCollector, options: Options) -> bool:
    """Whether Ctrl-C ended it: what was measured until then is worth a report."""
    try:
        if options.with_monitor:
            return _show(session, session.report().description, hops, options.seconds) == 130
        session.attach(status)
        session.run()
    except KeyboardInterrupt:
        return True
    return False


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


def _print(
    summary: dict[str, Any],
    before: dict[str, Any] | None,
    rows: Sequence[Row],
    options: Options,
    out: Path,
) -> None:
    if options.json:
        put_json(summary if before is None else {**summary, "comparison": _as_json(rows)})
        return
    _say(summary, out)
    if before is not None:
        put(*remarks(before, summary), *table(rows))


def _as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [{**asdict(row), "verdict": row.verdict} for row in rows]


def _say(summary: dict[str, Any], out: Path) -> None:
    felt, end, samples = summary["felt_ms"], summary["end_to_end_ms"], summary["samples"]
    total = summary["algorithmic_ms"]["total"]
    if felt["mean"] is not None:
        parts = {"algorithm": 0.0, "source": 0.0, "program": 0.0, "screen": 0.0}
        for stage in summary["waterfall_ms"]:
            parts[stage["kind"]] += stage["mean"]
        said = " + ".join(f"{value:.1f} ms {kind}" for kind, value in parts.items() if value)
        put(f"an average sample  {felt['mean']:.1f} ms = {said}")
    put(f"algorithmic        {total:.1f} ms at the most")
    if end["p50"] is not None:
        put(
            f"arrival to end     p50 {end['p50']:.2f}, p99 {end['p99']:.2f}, max {end['max']:.2f} ms "
            f"({summary['end_to_end_sink']})"
        )
    if summary["transport"]["relative"]:
        put(f"transport          {summary['transport']['words']}")
    if summary["reference"] is not None:
        delay = summary["reference"]["delay"]
        put(
            f"reference          our stamps are {delay['ms']:.2f} ms later "
            f"[{delay['low_ms']:.2f}, {delay['high_ms']:.2f}]"
        )
    put(
        f"samples            {samples['in']} in, {samples['out']} out, {samples['lost']} lost; "
        f"{100 * summary['cpu']['cores']:.1f} % of a core; {summary['memory_mb']['peak']:.0f} MB"
    )
    put(f"written            {', '.join(str(out / name) for name in FILES)}")
