# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg stream`: the live path without a window."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass

from mecg.app.connecting import Connecting, say_event
from mecg.app.first_seconds import FirstSeconds
from mecg.app.options import SessionOptions
from mecg.app.page_server import ServeOptions, page_of_one_bed
from mecg.app.session_builder import (
    attach_outlet,
    attach_recorder,
    core_of,
    raise_failure,
    replay_of,
    say_notes,
    source_of,
    vitals_of,
)
from mecg.app.terminal import data, say, words
from mecg.cli.help_text import Help
from mecg.cli.options import add_outputs, add_replay, add_seconds, add_serving, add_source
from streamer.session.json_lines import JsonLines
from streamer.session.session import Session
from streamer.session.sink import Overflow
from streamer.session.status_line import StatusLine
from ward.bed import Bed

HELP = Help(
    about=(
        "The live path without a window. A status line goes to stderr; the twelve leads go to stdout as "
        "JSON lines, into a recording or into an LSL stream, if asked for."
    ),
    examples=(
        "mecg stream lsl:type=ECG --json --record",
        "mecg stream polar: --placement arms --lsl-out",
        "mecg stream synthetic:?bpm=72 --seconds 60 --speed max --json",
    ),
    failed="a live source gave no sample, or the recording was removed while it was written",
    takes=("mecg.sources", "mecg.formats"),
)


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    add_source(parser)
    add_seconds(parser)
    add_replay(parser)
    add_outputs(parser)
    add_serving(parser, "no page")
    parser.add_argument("--json", action="store_true", help="the twelve leads as JSON lines on stdout")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    session: SessionOptions
    serving: ServeOptions
    seconds: float | None
    json: bool


def run(options: Options) -> int:
    """Stream until the source ends, ``--seconds`` have passed, or Ctrl-C."""
    with page_of_one_bed(options.serving) as bed:
        return _stream(options, bed)


def _stream(options: Options, bed: Bed | None) -> int:
    wanted = options.session
    replay = replay_of(wanted.replay)
    whole = source_of(wanted.source, replay)
    source = FirstSeconds(whole, options.seconds)
    lines = JsonLines(data(), lambda: core.lost) if options.json else None
    connecting = Connecting(say_event, *([lines.announce] if lines else []))
    info = connecting.open(source)
    core, description = core_of(whole, info, wanted.models, as_recorded=wanted.as_recorded)
    say_notes(info)
    if description.calibration:
        say(description.whose)
    session = Session(source, core, description, vitals=vitals_of(description, core))
    attach_recorder(session, wanted, {"--seconds": options.seconds, "--json": options.json})
    if lines is not None:
        session.attach(lines, vital=True)
    attach_outlet(session, wanted.lsl_out, replay)
    session.attach(StatusLine(words(), lambda: core.lost, connecting.said))
    if bed is not None:
        session.attach(bed.sink(session.tell), Overflow.DROP_OLDEST)
    raise_failure(session.run())
    if info.live and source.empty:
        say(f"no sample came from {info.source}; see that it measures, and try again")
        return 1
    return 0
