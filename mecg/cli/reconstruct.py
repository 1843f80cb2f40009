# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg reconstruct`: recordings in, 12-lead WFDB records out, as fast as it goes."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path

from mecg.app.interrupt import deferred
from mecg.app.models import network_of
from mecg.app.options import ModelOptions, SourceOptions
from mecg.app.terminal import say, words
from mecg.archive.naming import FEWEST_HZ, Found, Selection, find
from mecg.archive.record import Job
from mecg.archive.report import refuse_report
from mecg.archive.run import Tally, Way, remove_empty
from mecg.archive.run import run as run_all
from mecg.archive.shard import Shard
from mecg.cli.argument_types import folds_of, shard, whole
from mecg.cli.help_text import Help
from mecg.cli.options import add_force, add_identity, add_jobs, add_reading, add_unit_and_rate
from mecg.cli.progress_bar import Bar
from streamer.core.calibration.correction import PersonalNetwork
from streamer.core.errors import InputError
from streamer.core.stream import Placement
from streamer.formats import calibration_file
from streamer.formats.atomic_write import refuse_folder

HELP = Help(
    about=(
        "Reconstructs recordings as fast as it goes: each becomes a 12-lead WFDB record of the same name, "
        "rate, start and length, with the algorithmic latency taken out, and a record NAME_band with the 90 "
        "% band. A folder is searched with all below it, and the results lie as deep. A run that was ended "
        "goes on with --skip-existing."
    ),
    examples=(
        "mecg reconstruct recordings/ptb-xl/00010_hr --out twelve",
        "mecg reconstruct night-1.edf night-2.edf --out twelve --jobs 2",
        "mecg reconstruct PTB-XL --folds 1,2,3 --out twelve --jobs auto --report twelve.csv",
        "mecg reconstruct archive --out twelve --skip-existing --shard 3/40",
        "mecg reconstruct archive --out twelve --scheduler tcp://head:8786",
    ),
    failed="some records failed, and each is named",
    takes=("mecg.formats",),
)


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    parser.add_argument(
        "records", nargs="*", metavar="RECORD", help="a recording (docs/files.md), a folder, or a pattern"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where they go")
    which = parser.add_argument_group("which records")
    which.add_argument(
        "--list",
        dest="listed",
        metavar="FILE|-",
        help="also those of a file, one a line; - is standard input",
    )
    which.add_argument(
        "--folds",
        type=folds_of,
        metavar="1,2",
        help="of PTB-XL folders, only these; --rate says which of their files (100)",
    )
    which.add_argument("--every", type=whole, default=1, metavar="N", help="each N-th only")
    which.add_argument("--limit", type=whole, metavar="N", help="no more than N")
    which.add_argument("--shard", type=shard, metavar="K/N", help="the K-th of N equal shares of them")
    which.add_argument("--flat", action="store_true", help="all results in one folder")
    how = parser.add_argument_group("how they are done")
    add_jobs(how)
    how.add_argument(
        "--scheduler", metavar="ADDRESS", help="by the workers of a Dask scheduler: docs/cluster.md"
    )
    how.add_argument(
        "--skip-existing", action="store_true", help="leave out what is done: go on with an earlier run"
    )
    how.add_argument(
        "--report", type=Path, metavar="FILE", help="a row for each record: FILE.csv or FILE.parquet"
    )
    add_reading(parser)
    add_unit_and_rate(parser)
    add_identity(parser)
    add_force(parser)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    records: list[str]
    out: Path
    listed: str | None
    folds: tuple[int, ...] | None
    every: int
    limit: int | None
    shard: Shard | None
    flat: bool
    source: SourceOptions
    models: ModelOptions
    jobs: int
    scheduler: str | None
    skip_existing: bool
    report: Path | None
    force: bool


def run(options: Options) -> int:
    """Reconstruct every record; those that cannot be get a line each."""
    if options.skip_existing and options.force:
        raise InputError("--skip-existing leaves what --force would overwrite: choose one of them")
    refuse_folder(options.out)
    if options.report is not None:
        refuse_report(options.report, more=options.skip_existing, force=options.force)
    selection = _selection(options)
    found = find(selection, options.out)
    if found.no_recordings:
        say(f"left out: {_counted(found.no_recordings, 'file')} of no format that is known here")
    if not found.items:
        say(f"shard {options.shard} of {_counted(found.in_all, 'record')} has none: nothing to do")
        return 0
    models = options.models
    way = Way(
        models.model, models.bands, options.jobs, options.scheduler, options.skip_existing, options.report
    )
    network = network_of(models.model, models.bands)  # a bad model is reported once, not for each record
    if options.models.calibration is not None:  # and so is a bad calibration
        PersonalNetwork(network, calibration_file.read_calibration(options.models.calibration))
    was_there = options.out.exists()
    bar = Bar(words(), len(found.items))
    try:
        with deferred() as interrupted:
            tally = run_all(found.items, _job(options), way, bar, interrupted)
    finally:
        bar.end()
        if not was_there:
            remove_empty(options.out, found.items)
    return _end(tally, found, options)


def _selection(options: Options) -> Selection:
    rate_hz = options.source.rate_hz if options.folds else None
    if rate_hz not in (None, 100, 500):
        raise InputError(f"PTB-XL has files of 100 and of 500 Hz, none of {rate_hz:g}: choose another --rate")
    return Selection(
        records=options.records,
        listed=options.listed,
        folds=options.folds,
        rate_hz=int(rate_hz or FEWEST_HZ),
        every=options.every,
        limit=options.limit,
        shard=options.shard,
        flat=options.flat,
        keep_identity=options.source.keep_identity,
    )


def _job(options: Options) -> Job:
    source = options.source
    return Job(
        out=options.out,
        calibration=options.models.calibration,
        lead=source.lead,
        invert=source.invert,
        placement=Placement(source.placement) if source.placement else Placement.UNSTATED,
        force=options.force,
        unit_mv=source.unit_mv,
        rate_hz=None if options.folds else source.rate_hz,
        keep_identity=source.keep_identity,
        judged=options.report is not None,
    )


def _end(tally: Tally, found: Found, options: Options) -> int:
    """One line, and the exit code."""
    if tally.removed:
        say(f"removed: {_counted(tally.removed, 'unfinished file')} of a run that was killed")
    if tally.done:
        there = f"; {tally.there} were there already" if tally.there else ""
        say(f"{_counted(tally.done, 'record')} written to {options.out}{there}")
    elif tally.there:
        say(f"{_counted(tally.there, 'record')} in {options.out} already: nothing else to do")
    if tally.untried:
        untried = _counted(tally.untried, "record")
        say(f"mecg: {tally.why}; {untried} not tried: go on with --skip-existing")
    good = tally.done + tally.there
    if good == len(found.items):
        return 0
    return 1 if good else 2


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
