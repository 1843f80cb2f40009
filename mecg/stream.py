# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg stream`: the live path without a window."""

from __future__ import annotations

import argparse
import sys

from mecg.compose import (
    FirstSeconds,
    attach_outlet,
    network_of,
    pipeline_of,
    raise_failure,
    replay_of,
    say_notes,
    source_of,
)
from streamer.run.json_lines import JsonLines
from streamer.run.session import Session
from streamer.run.sink import SessionDescription
from streamer.run.status import StatusLine


def run(args: argparse.Namespace) -> int:
    """Stream until the source ends, ``--seconds`` have passed, or Ctrl-C."""
    replay = replay_of(args.speed, args.start, args.loop, args.drop)
    source = source_of(
        args.source, lead=args.lead, invert=args.invert, placement=args.placement, replay=replay
    )
    source = FirstSeconds(source, args.seconds)
    info = source.open()
    network = network_of(args.model)
    pipeline = pipeline_of(info, network)
    say_notes(info)
    session = Session(source, pipeline, SessionDescription.of(info, network.spec, pipeline.latency))
    if args.json:
        session.attach(JsonLines(sys.stdout), vital=True)
    attach_outlet(session, args.lsl_out, replay)
    session.attach(StatusLine(sys.stderr, lambda: pipeline.lost))
    raise_failure(session.run())
    return 0
