# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg evaluate`: the scores of a model, for the user and as a file."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mecg.app.interrupt import deferred
from mecg.app.models import latency_of, model_bytes
from mecg.app.options import ModelOptions
from mecg.app.terminal import put, put_json, say, words
from mecg.cli.argument_types import folds_of
from mecg.cli.help_text import Help
from mecg.cli.options import add_bands, add_calibration, add_force, add_jobs, add_model
from mecg.cli.progress_bar import Bar
from mecg.evaluation.evaluate import SCORED_FROM_S, evaluate
from mecg.evaluation.personal import evaluate_personal
from mecg.evaluation.personal_text import lines
from streamer.core.errors import InputError
from streamer.formats.atomic_write import refuse_existing, write_whole
from streamer.formats.calibration_file import read_calibration, to_bytes

HELP = Help(
    about=(
        "Scores the real path on a folder shaped like PTB-XL: Lead I of every record goes through the "
        "model's own windows, and the twelve leads are held against the measured ones in the clinical "
        "frame."
    ),
    examples=(
        "mecg evaluate PTB-XL --folds 9 --report fold9.json",
        "mecg evaluate PTB-XL --personal --references 2 --jobs 2",
    ),
)


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="its folder")
    parser.add_argument("--folds", type=folds_of, default=(9,), metavar="9,10", help="which (9)")
    parser.add_argument("--rate", type=int, choices=(100, 500), default=100, help="of the files (100)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the scores as JSON")
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
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

    dataset: Path
    folds: tuple[int, ...]
    rate: int
    report: Path | None
    json: bool
    models: ModelOptions
    personal: bool
    references: int
    force: bool
    jobs: int


def run(options: Options) -> int:
    """Evaluate, print the scores, and write them as JSON where asked."""
    if options.report is not None:
        refuse_existing(options.report, force=options.force)
    bar: Bar | None = None

    model = model_bytes(options.models.model, options.models.bands)
    if options.personal and options.models.calibration:
        raise InputError("--personal calibrates each patient itself: leave out --calibration")
    if options.references > 1 and not options.personal:
        raise InputError("--references says how --personal calibrates: add --personal")
    calibration = options.models.calibration
    person = None if calibration is None else to_bytes(read_calibration(calibration))
    try:
        with deferred() as interrupted:

            def progress(done: int, of: int) -> None:
                nonlocal bar
                bar = bar or Bar(words(), of)
                bar.show(done)
                if interrupted():
                    raise KeyboardInterrupt

            which = options.dataset, options.folds, options.rate, options.jobs, model, progress
            if options.personal:
                scores = evaluate_personal(*which, references=options.references)
            else:
                scores = evaluate(*which, latency_of(options.models.model), person)
    finally:
        if bar is not None:
            bar.end()
    if options.report is not None:
        write_whole(options.report, f"{json.dumps(scores, indent=1)}\n".encode())
        say(f"scores written to {options.report}")
    if options.json:
        put_json(scores)
    else:
        put(*lines(scores) if options.personal else _lines(scores))
    return 0


def _lines(scores: dict[str, Any]) -> list[str]:
    folds = ", ".join(map(str, scores["folds"]))
    named = {"II, V1-V6 (the seven)": "seven", "V1-V6": "v1_v6", "all but I (the eleven)": "eleven"}
    rows = [(name, scores[key]) for name, key in named.items()]
    rows.append(("the seven, filter only", scores["filter_only"]["seven"]))
    rows += scores["leads"].items()
    lines = [
        f"{scores['model']}: {scores['records']} records of {scores['patients']} patients, fold {folds}, "
        f"{scores['rate_hz']} Hz, {scores['skipped']} skipped, {scores['latency_ms']:.0f} ms latency",
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
