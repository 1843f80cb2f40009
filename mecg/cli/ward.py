# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg ward`: many beds on one page, in the browser."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from mecg.app.bed_list import BedPlan, plans_of, read_bed_list
from mecg.app.options import SessionOptions
from mecg.app.page_server import ServeOptions, page_server, say_where
from mecg.app.terminal import say
from mecg.app.ward_beds import WardBeds, shared_network
from mecg.app.ward_processes import WardProcesses, processes_for
from mecg.cli.argument_types import count
from mecg.cli.help_text import Help
from mecg.cli.options import add_reading, add_record, add_replay, add_seconds, add_serving, add_unit_and_rate
from streamer.core.errors import InputError
from ward.bed import Beds
from ward.history import History

HELP = Help(
    about=(
        "Many beds on one page, in the browser: a session for each SOURCE, and a page that shows "
        "them all. The page only shows; who has its token can look."
    ),
    examples=(
        "mecg ward lsl:name=bed-1 lsl:name=bed-2 polar: --record",
        "mecg ward --list beds.toml --serve 0.0.0.0:8912 --tls-certificate ward.pem --tls-key ward.key",
        "mecg ward recordings/ptb/s0010_re synthetic:?bpm=140 --loop",
    ),
    failed="a recording could not be kept whole",
    takes=("mecg.sources", "mecg.formats"),
)

LIST_S = 2.0
"""So often it is looked whether the list of beds has changed."""


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help="a bed each")
    parser.add_argument(
        "--list",
        dest="bed_list",
        type=Path,
        metavar="FILE",
        help="the beds as a TOML file: name, source, placement, calibration, limits; beds come and go as it "
        "is changed",
    )
    parser.add_argument(
        "--history",
        type=Path,
        metavar="FILE",
        help="where the last 24 h of rates, losses and alarms are kept (SQLite; in the user's own folder)",
    )
    parser.add_argument(
        "--jobs",
        type=count,
        metavar="N",
        help="processes that share the beds (one for each 16, as far as there are cores)",
    )
    add_serving(parser, "127.0.0.1:8912")
    add_record(parser)
    add_reading(parser)
    add_unit_and_rate(parser)
    add_replay(parser)
    add_seconds(parser)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    session: SessionOptions
    serving: ServeOptions
    sources: Sequence[str]
    bed_list: Path | None
    history: Path | None
    jobs: int | None
    seconds: float | None


def run(options: Options) -> int:
    """Run the beds and serve their page until Ctrl-C, or for ``--seconds``."""
    plans = _plans(options)
    models = options.session.models
    shared_network(models.model, models.bands)  # a model that cannot be used is no bed's fault
    history = History(options.history or default_history(), say)
    beds = Beds(number_of=history.number_of, log=history.event)
    jobs = processes_for(len(plans)) if options.jobs is None else options.jobs
    running = WardProcesses(beds, history.event, jobs) if jobs > 1 else WardBeds(beds)
    server = page_server(beds, options.serving, history)
    server.start()
    say_where(server)
    try:
        running.follow(plans)
        history.start(beds)
        _watch(options, running)
    finally:
        running.stop()
        history.stop()
        server.stop()
    for name, why in running.unrecorded:
        say(f"{name} was not recorded to its end: {why}")
    return 1 if running.unrecorded else 0


def default_history() -> Path:
    """Where the last day is kept unless stated otherwise."""
    return platformdirs.user_data_path("mecg", appauthor=False) / "ward.sqlite"


def _plans(options: Options) -> tuple[BedPlan, ...]:
    if bool(options.sources) == (options.bed_list is not None):
        raise InputError("a ward needs beds: name a SOURCE for each, or all of them with --list FILE")
    if options.bed_list is not None:
        return read_bed_list(options.bed_list, options.session)
    return plans_of(options.sources, options.session)


def _watch(options: Options, running: WardBeds | WardProcesses) -> None:
    """Follow the list of beds until the time is over."""
    until_s = time.monotonic() + (options.seconds or 1e9)
    changed = _changes(options.bed_list)
    while time.monotonic() < until_s:
        time.sleep(min(LIST_S, max(0.0, until_s - time.monotonic())))
        if changed():
            try:
                running.follow(_plans(options))
            except InputError as error:  # half-saved, perhaps: what runs goes on
                say(f"{error.line}; the beds stay as they are")


def _changes(path: Path | None) -> Callable[[], bool]:
    """Says whether a file has changed since it was asked last."""
    if path is None:
        return lambda: False
    seen = [_stamp(path)]

    def changed() -> bool:
        now = _stamp(path)
        before, seen[0] = seen[0], now
        return now != before and now is not None

    return changed


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size
