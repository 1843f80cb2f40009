# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg evaluate`: the scores of a model, for the user and as a file."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mecg.app.interrupt import deferred
from mecg.app.models import latency_of, model_bytes
from mecg.app.options import ModelOptions
from mecg.app.terminal import put, put_json, say, words
from mecg.archive.report import arrow, to_parquet
from mecg.archive.shard import Shard
from mecg.cli.argument_types import folds_of, shard
from mecg.cli.help_text import Help
from mecg.cli.options import add_bands, add_calibration, add_force, add_jobs, add_model
from mecg.cli.progress_bar import Bar
from mecg.evaluation.dataset import read_table
from mecg.evaluation.evaluate import SCORED_FROM_S, Scored, about_of, results_of, scores_of
from mecg.evaluation.kept import Kept, merged
from mecg.evaluation.personal import evaluate_personal
from mecg.evaluation.personal_text import lines
from mecg.evaluation.rows import COLUMNS, table
from streamer.core.errors import InputError
from streamer.formats.atomic_write import refuse_existing, refuse_folder, write_whole
from streamer.formats.calibration_file import read_calibration, to_bytes

HELP = Help(
    about=(
        "Scores the real path on a folder shaped like PTB-XL: Lead I of every record goes through the "
        "model's own windows, and the twelve leads are held against the measured ones in the clinical "
        "frame."
    ),
    examples=(
        "mecg evaluate PTB-XL --folds 9 --report fold9.json",
        "mecg evaluate PTB-XL --records fold9.csv --jobs 2 --skip-existing",
        "mecg evaluate PTB-XL --shard 3/40 --records scores/3.csv",
        "mecg evaluate --merge scores/*.csv --report all.json",
        "mecg evaluate PTB-XL --written twelve --json",
        "mecg evaluate PTB-XL --personal --references 2 --jobs 2",
    ),
)


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    parser.add_argument("dataset", type=Path, nargs="?", metavar="DATASET", help="its folder")
    parser.add_argument("--folds", type=folds_of, default=(9,), metavar="9,10", help="which (9)")
    parser.add_argument("--rate", type=int, choices=(100, 500), default=100, help="of the files (100)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the scores as JSON")
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    parser.add_argument(
        "--records",
        type=Path,
        metavar="FILE",
        help="write a row for each record, FILE.csv or FILE.parquet; FILE.scores keeps what each gave",
    )
    parser.add_argument(
        "--skip-existing", action="store_true", help="with --records: go on where an earlier run was ended"
    )
    parser.add_argument("--shard", type=shard, metavar="K/N", help="only the K-th of N equal shares")
    parser.add_argument(
        "--merge",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="no data set, but what runs with --records FILE have scored: as if it had been one run",
    )
    parser.add_argument(
        "--written",
        type=Path,
        metavar="DIR",
        help="score the leads that mecg reconstruct DATASET --out DIR wrote, of files of the same --rate",
    )
    add_model(parser)
    add_bands(parser)
    add_calibration(parser)
    parser.add_argument(
        "--personal",
        action="store_true",
        help="calibrate each patient on earlier records and score the later ones",
    )
    parser.add_argument(
        "--references",
        type=int,
        choices=(1, 2, 3),
        default=1,
        help="with --personal: on the latest, on the latest two, or on all, three or more (1)",
    )
    add_force(parser, "the report")
    add_jobs(parser)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    dataset: Path | None
    folds: tuple[int, ...]
    rate: int
    report: Path | None
    json: bool
    records: Path | None
    skip_existing: bool
    shard: Shard | None
    merge: list[Path] | None
    written: Path | None
    models: ModelOptions
    personal: bool
    references: int
    force: bool
    jobs: int


def run(options: Options) -> int:
    """Evaluate, print the scores, and write them as JSON if asked to."""
    _refuse(options)
    if options.merge is not None:
        scores = _merged(options)
    elif options.personal:
        scores = _personal(options)
    else:
        scores = _scored(options)
    if options.report is not None:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        write_whole(options.report, f"{json.dumps(scores, indent=1)}\n".encode())
        say(f"scores written to {options.report}")
    if options.json:
        put_json(scores)
    else:
        put(*lines(scores) if options.personal else _lines(scores))
    return 0


def _refuse(options: Options) -> None:
    """What does not go together, and what is there already: before anything is done."""
    records, personal = options.records, options.personal
    rules = (
        (options.dataset is None and not options.merge, "no data set is named: name its folder, or --merge"),
        (options.dataset is not None and options.merge, "--merge takes no data set: leave it out"),
        (options.merge and (options.shard or options.written), "--merge takes what was scored before only"),
        (options.merge and options.skip_existing, "--merge has nothing to go on with"),
        (personal and options.merge, "--personal scores are not merged: leave out one of them"),
        (personal and (records or options.shard or options.written), "--personal scores whole patients only"),
        (personal and options.models.calibration, "--personal calibrates each patient: leave --calibration"),
        (options.references > 1 and not personal, "--references says how --personal calibrates: add it"),
        (options.skip_existing and records is None, "--skip-existing goes on with --records FILE: name it"),
        (
            options.skip_existing and options.force,
            "--skip-existing keeps what --force overwrites: choose one",
        ),
        (options.written and options.models.calibration, "--written leads are made: leave out --calibration"),
    )
    for broken, words_ in rules:
        if broken:
            raise InputError(words_)
    if options.report is not None:
        refuse_folder(options.report.parent)
        refuse_existing(options.report, force=options.force or options.skip_existing)
    if records is None:
        return
    if records.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(f"{records} ends neither in .csv nor in .parquet: name such a file")
    if records.suffix.lower() == ".parquet":
        arrow("pyarrow")
    refuse_folder(records.parent)
    for path in (records, _kept_beside(records)):
        refuse_existing(path, force=options.force or options.skip_existing)


def _kept_beside(records: Path) -> Path:
    return records.with_name(f"{records.name}.scores")


def _personal(options: Options) -> dict[str, Any]:
    assert options.dataset is not None
    model = model_bytes(options.models.model, options.models.bands)
    which = options.dataset, options.folds, options.rate, options.jobs, model
    with _shown() as progress:
        return evaluate_personal(*which, progress, references=options.references)


def _scored(options: Options) -> dict[str, Any]:
    assert options.dataset is not None
    models = options.models
    model = model_bytes(models.model, models.bands)
    person = None if models.calibration is None else to_bytes(read_calibration(models.calibration))
    entries = read_table(options.dataset, options.folds, options.rate)
    if options.shard is not None:
        entries = sorted(entries, key=lambda entry: entry.key)[options.shard.slice()]
    if options.written is not None and not options.written.is_dir():
        raise InputError(f"{options.written} is no folder: name what mecg reconstruct --out wrote to")
    about = about_of(options.folds, options.rate, model, latency_of(models.model), person, options.written)
    with ExitStack() as stack:
        kept = None
        if options.records is not None:
            kept = stack.enter_context(Kept(_kept_beside(options.records), about, more=options.skip_existing))
            stack.callback(_write_rows, options.records, kept)
        there = [] if kept is None else [r for r in kept.of(entries) if isinstance(r.what, Scored)]
        known = {result.entry.key for result in there}
        left = [entry for entry in entries if entry.key not in known]
        progress = stack.enter_context(_shown())
        results = list(there)
        for result in results_of(left, model, options.jobs, person, options.written):
            results.append(result)
            if kept is not None:
                kept.add(result)
            progress(len(results), len(entries))
    return scores_of(about, results)


def _merged(options: Options) -> dict[str, Any]:
    about, results = merged([_kept_beside(path) for path in options.merge or ()])
    if options.records is not None:
        with Kept(_kept_beside(options.records), about, more=False) as kept:
            for result in results:
                kept.add(result)
            _write_rows(options.records, kept)
    return scores_of(about, results)


def _write_rows(path: Path, kept: Kept) -> None:
    text = table(kept.results.values()).encode()
    if path.suffix.lower() == ".csv":
        write_whole(path, text)
        return
    rows, part = (path.with_name(f".{path.name}.{end}") for end in ("rows", "part"))
    try:
        rows.write_bytes(text)
        to_parquet(rows, part, COLUMNS)
        part.replace(path)
    finally:
        rows.unlink(missing_ok=True)
        part.unlink(missing_ok=True)


@contextmanager
def _shown() -> Iterator[Callable[[int, int], None]]:
    """A bar, for who counts records; Ctrl-C ends it after one."""
    bar: Bar | None = None
    try:
        with deferred() as interrupted:

            def progress(done: int, of: int) -> None:
                nonlocal bar
                bar = bar or Bar(words(), of)
                bar.show(done)
                if interrupted():
                    raise KeyboardInterrupt

            yield progress
    finally:
        if bar is not None:
            bar.end()


def _lines(scores: dict[str, Any]) -> list[str]:
    folds = ", ".join(map(str, scores["folds"]))
    named = {"II, V1-V6 (the seven)": "seven", "V1-V6": "v1_v6", "all but I (the eleven)": "eleven"}
    rows = [(name, scores[key]) for name, key in named.items()]
    rows.append(("the seven, filter only", scores["filter_only"]["seven"]))
    rows += scores["leads"].items()
    latency_ms = scores["latency_ms"]
    lines = [
        f"{scores['model']}: {scores['records']} records of {scores['patients']} patients, fold {folds}, "
        f"{scores['rate_hz']} Hz, {scores['skipped']} skipped"
        + ("" if latency_ms is None else f", {latency_ms:.0f} ms latency"),
        f"against the clinical frame, from {SCORED_FROM_S:g} s to {scores['left_out_s']:g} s before the end; "
        "intervals: 95 %, bootstrap over patients",
        f"{'':24}{'RMSE mV':>9}{'':19}{'mean Pearson':>13}",
    ]
    for name, row in rows:
        pearson = "-" if row["pearson_mean"] is None else f"{row['pearson_mean']:.3f}"
        rmse_ci, pearson_ci = _interval(row, "rmse_mv_ci95"), _interval(row, "pearson_mean_ci95")
        lines.append(f"{name:24}{row['rmse_mv']:>9.4f} {rmse_ci:18}{pearson:>13} {pearson_ci}".rstrip())
    if "st" in scores:
        ours, filtered = scores["st"], scores["filter_only"]["st"]
        lines.append(
            f"ST of the seven off by more than 0.1 mV: {ours['over_0_1_mv']:.1%} of beats "
            f"(the input filter alone: {filtered['over_0_1_mv']:.1%})"
        )
    one = scores["i_prime"]
    lines.append(
        f"I' is {one['rmse_mv']:.4f} mV away from the clinical frame, the input "
        f"{one['input_rmse_mv']:.4f} mV; I' is the farther one in {one['farther_than_input']:.1%} of records"
    )
    old = scores["to_end"]
    lines.append(
        f"as scores were defined before, to the very end, where the truth is pinned to zero: the seven "
        f"{old['seven']['rmse_mv']:.4f} mV, {old['seven']['pearson_mean']:.3f}; "
        f"I' {old['i_prime']['rmse_mv']:.4f} mV"
    )
    if "coverage" in scores:
        held, width = scores["coverage"]["0.9"], scores["interval_score"]
        lines.append(
            f"90 % band of the seven holds {held['all']:.1%} "
            f"(QRS {held['qrs']:.1%}, ST-T {held['st_t']:.1%}); "
            f"interval score {width['ours']:.3f} mV (constant width: {width['constant_width']:.3f} mV)"
        )
    return lines


def _interval(row: dict[str, Any], key: str) -> str:
    return "({:.3f} to {:.3f})".format(*row[key]) if key in row else ""
