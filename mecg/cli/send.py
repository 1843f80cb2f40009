# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg send`: any source as an LSL stream, to rehearse with what reads one."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import closing
from dataclasses import dataclass

from devices.lsl.outlet import LslSender
from mecg.app.first_seconds import FirstSeconds
from mecg.app.options import ReplayOptions, SourceOptions
from mecg.app.session_builder import refuse_other_speeds, replay_of, say_notes, source_of
from mecg.app.terminal import say
from mecg.cli.help_text import Help
from mecg.cli.options import (
    add_lead,
    add_placement,
    add_replay,
    add_seconds,
    add_source_text,
    add_unit_and_rate,
)
from streamer.core.stream import Chunk

HELP = Help(
    about=(
        "Replays the measured lead of a source as an LSL stream, to rehearse with whatever reads one. "
        "Anybody who reaches this machine can read the stream."
    ),
    examples=("mecg send recordings/ptb-xl/00010_hr --lsl rehearsal --loop",),
    takes=("mecg.sources", "mecg.formats"),
)


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    add_source_text(parser)
    parser.add_argument("--lsl", required=True, metavar="NAME", help="the stream's name")
    add_lead(parser)
    add_placement(parser)
    add_unit_and_rate(parser)
    add_seconds(parser)
    add_replay(parser)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    source: SourceOptions
    replay: ReplayOptions
    lsl: str
    seconds: float | None


def run(options: Options) -> int:
    """Send until the source ends, ``--seconds`` have passed, or Ctrl-C."""
    replay = replay_of(options.replay)
    refuse_other_speeds(replay, "mecg send")
    source = FirstSeconds(source_of(options.source, replay), options.seconds)
    info = source.open()
    say_notes(info)
    samples = 0
    with closing(LslSender(options.lsl, info)) as sender:
        say(
            f"sending lead {info.lead} at {info.rate_hz:g} Hz as the LSL stream '{options.lsl}'; "
            "Ctrl-C ends it"
        )
        try:
            for item in source.items():
                if isinstance(item, Chunk):
                    sender.send(item)
                    samples += len(item.lead_mv)
                else:
                    say(item.text)
        finally:
            source.stop()
            say(f"{samples} samples sent")
    return 0
