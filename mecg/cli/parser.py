# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as argparse knows it."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import NoReturn

from mecg import __version__
from mecg.cli.argument_types import (
    count,
    folder,
    folds_of,
    from_zero,
    latency,
    names,
    positive,
    session,
    speed,
    stream_name,
)
from streamer.model_files import LATENCIES


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the usage in one line."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)


def build_parser() -> argparse.ArgumentParser:
    """Every command and option of `mecg`."""
    parser = _Parser(
        prog="mecg",
        description="Live 12-lead ECG from one measured lead.  Research software, not a medical device.",
        epilog="A SOURCE is a WFDB record, synthetic:?rate=500&bpm=72, or nothing: the bundled recording.",
    )
    parser.add_argument("--version", action="version", version=f"mecg {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    monitor = commands.add_parser("monitor", help="the window")
    _add_source(monitor)
    _add_replay(monitor)
    _add_lsl_out(monitor)
    _add_record(monitor)
    _add_window(monitor)

    commands.add_parser("demo", help="the window on the bundled recording; files of it without a display")

    stream = commands.add_parser("stream", help="without a window; a status line on stderr")
    _add_source(stream)
    stream.add_argument("--seconds", type=positive, metavar="N", help="stop after N seconds of signal")
    _add_replay(stream)
    _add_lsl_out(stream)
    _add_record(stream)
    stream.add_argument("--json", action="store_true", help="the twelve leads as JSON lines on stdout")

    reconstruct = commands.add_parser("reconstruct", help="WFDB records in, 12-lead WFDB records out")
    reconstruct.add_argument("records", nargs="+", metavar="RECORD", help="a WFDB record")
    reconstruct.add_argument("--out", type=Path, required=True, metavar="DIR", help="where they go")
    _add_jobs(reconstruct)
    _add_common(reconstruct)
    reconstruct.add_argument("--force", action="store_true", help="overwrite what is there")

    calibrate = commands.add_parser("calibrate", help="learn one person from a short 12-lead reference")
    calibrate.add_argument("reference", metavar="REFERENCE", help="a WFDB record, or lsl: with 12 leads")
    calibrate.add_argument("--out", type=Path, required=True, metavar="PERSON.npz", help="where it goes")
    calibrate.add_argument("--check", metavar="OTHER", help="score it on another 12-lead record")
    calibrate.add_argument("--picture", type=Path, metavar="FILE.png", help="before and after, lead by lead")
    calibrate.add_argument(
        "--sequence",
        action="append",
        metavar="LEAD=SOURCE",
        help="one lead, held after Lead I for some 10 s; give it once for each of II, V2, V5 ...",
    )
    calibrate.add_argument("--placement", choices=("arms", "chest"), help="where Lead I's electrodes sit")
    calibrate.add_argument("--invert", action="store_true", help="turn Lead I's polarity")
    _add_model(calibrate)
    calibrate.add_argument("--force", action="store_true", help="overwrite the file")

    evaluate = commands.add_parser("evaluate", help="score the model on a PTB-XL-shaped directory")
    evaluate.add_argument("dataset", type=Path, metavar="DATASET")
    evaluate.add_argument("--folds", type=folds_of, default=(9,), metavar="9,10", help="which (9)")
    evaluate.add_argument("--rate", type=int, choices=(100, 500), default=100, help="of the files (100)")
    evaluate.add_argument("--report", type=Path, metavar="FILE", help="write the scores as JSON")
    _add_model(evaluate)
    _add_calibration(evaluate)
    evaluate.add_argument(
        "--personal",
        action="store_true",
        help="calibrate each patient on earlier records and score the later ones",
    )
    evaluate.add_argument(
        "--references",
        type=int,
        choices=(1, 2, 3),
        default=1,
        help="with --personal: on the latest, on the latest two, or on all, three or more (1)",
    )
    evaluate.add_argument("--force", action="store_true", help="overwrite the report")
    _add_jobs(evaluate)

    profile = commands.add_parser("profile", help="measure where each millisecond goes")
    _add_source(profile)
    profile.add_argument("--seconds", type=positive, default=60.0, metavar="N", help="for so long (60)")
    profile.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the results go")
    profile.add_argument("--with-monitor", action="store_true", help="up to the paint of the window")
    profile.add_argument(
        "--compare",
        type=Path,
        metavar="SUMMARY.json",
        help="with an earlier session; exit code 1 where worse",
    )
    profile.add_argument(
        "--reference", metavar="SOURCE", help="a second measurement of the same signal with stamps to trust"
    )
    profile.add_argument("--force", action="store_true", help="overwrite what is there")
    _add_replay(profile)

    send = commands.add_parser("send", help="replay a source as an LSL stream, to rehearse")
    send.add_argument("source", nargs="?", metavar="SOURCE", help="the bundled recording where left out")
    send.add_argument("--lsl", required=True, metavar="NAME", help="the stream's name")
    _add_lead(send)
    send.add_argument("--seconds", type=positive, metavar="N", help="stop after N seconds of signal")
    _add_replay(send)

    export = commands.add_parser("export", help="a recorded session as files for other programs")
    export.add_argument("session", type=Path, metavar="SESSION", help="a session's file")
    export.add_argument("--format", choices=("wfdb", "edf", "csv", "pdf", "dicom"), required=True)
    export.add_argument(
        "--start", type=from_zero, default=0.0, metavar="T", help="seconds into the session (0)"
    )
    export.add_argument("--end", type=positive, default=math.inf, metavar="T", help="the end, likewise")
    export.add_argument(
        "--leads",
        type=names,
        default=(),
        metavar="I,II,measured",
        help="these only; measured: I, as measured",
    )
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the files go")
    export.add_argument("--force", action="store_true", help="overwrite what is there")

    sessions = commands.add_parser("sessions", help="list what was recorded")
    sessions.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="another than the user's own")
    sessions.add_argument("--json", action="store_true", help="as JSON")

    repair = commands.add_parser("repair", help="close a recording that a crash left open")
    repair.add_argument("file", type=Path, metavar="FILE", help="a session's file")

    review = commands.add_parser("review", help="a recorded session in the window, as it was")
    review.add_argument("source", type=session, metavar="SESSION", help="a session's file")
    review.add_argument("--speed", type=speed, default=1.0, metavar="X|max", help="1 is real time (1)")
    review.add_argument("--start", type=from_zero, default=0.0, metavar="SECONDS", help="where to begin (0)")
    _add_window(review)
    review.set_defaults(as_recorded=True, loop=False, drop=None, lead=None, invert=False, placement=None)
    review.set_defaults(model=None, calibration=None, lsl_out=None, record=None)

    devices = commands.add_parser("devices", help="what can be connected to, over Bluetooth and LSL")
    devices.add_argument("--seconds", type=positive, default=5.0, metavar="N", help="how long to look (5)")
    devices.add_argument("--json", action="store_true", help="as JSON")

    info = commands.add_parser("info", help="versions, model, filters, latency budget")
    _add_model(info)
    info.add_argument("--json", action="store_true", help="as JSON")
    return parser


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", nargs="?", metavar="SOURCE", help="the bundled recording where left out")
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    _add_lead(parser)
    parser.add_argument("--placement", choices=("arms", "chest"), help="where the electrodes sit")
    _add_model(parser)
    _add_calibration(parser)


def _add_calibration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calibration", type=Path, metavar="FILE", help="a person's, as mecg calibrate writes it"
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", type=Path, metavar="FILE", help="another model than the bundled ones")
    which.add_argument(
        "--latency",
        dest="model",
        type=latency,
        metavar="|".join(LATENCIES),
        help="which bundled model: the longer it looks ahead, the closer it comes (low)",
    )


def _add_lead(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lead", metavar="NAME", help="measured lead; Lead I where left out")
    parser.add_argument("--invert", action="store_true", help="turn its polarity")


def _add_window(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--screenshot", type=Path, metavar="FILE", help="write a picture of it at the end (PNG)"
    )
    parser.add_argument("--seconds", type=positive, metavar="N", help="close it after N seconds")
    parser.add_argument("--force", action="store_true", help="overwrite the picture")


def _add_record(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--record",
        nargs="?",
        const=True,
        type=folder,
        metavar="DIR",
        help="record the session in a new file in DIR, or in the user's own folder; see mecg sessions",
    )
    parser.add_argument(
        "--as-recorded", action="store_true", help="of session: the twelve leads as recorded, none made anew"
    )


def _add_lsl_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--lsl-out",
        nargs="?",
        const="mecg",
        type=stream_name,
        metavar="NAME",
        help="send the twelve leads as an LSL stream (mecg); anybody who reaches this machine can read it",
    )


def _add_replay(parser: argparse.ArgumentParser) -> None:
    replay = parser.add_argument_group("of what is played back (wfdb:, synthetic:, session:)")
    replay.add_argument("--speed", type=speed, default=1.0, metavar="X|max", help="1 is real time (1)")
    replay.add_argument("--start", type=from_zero, default=0.0, metavar="SECONDS", help="where to begin (0)")
    replay.add_argument("--loop", action="store_true", help="from the end on again from there")
    replay.add_argument(
        "--drop",
        metavar="SHARE[:LENGTH]",
        help="leave out 5%% of the packets singly, or 5%%:2s in stretches of 2 s, to rehearse a bad link",
    )


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="processes at a time (1)")
