# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg stream`: the live path without a window."""

from __future__ import annotations

import argparse
import sys

from mecg.app.first_seconds import FirstSeconds
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
from streamer.session.json_lines import JsonLines
from streamer.session.session import Session
from streamer.session.status_line import StatusLine


def run(args: argparse.Namespace) -> int:
    """Stream until the source ends, ``--seconds`` have passed, or Ctrl-C."""
    replay = replay_of(args.speed, args.start, args.loop, args.drop)
    whole = source_of(
        args.source, lead=args.lead, invert=args.invert, placement=args.placement, replay=replay
    )
    source = FirstSeconds(whole, args.seconds)
    info = source.open()
    core, description = core_of(
        whole, info, args.model, calibration=args.calibration, as_recorded=args.as_recorded
    )
    say_notes(info)
    if description.calibration:
        print(description.whose, file=sys.stderr)
    session = Session(source, core, description, vitals=vitals_of(description, core))
    attach_recorder(session, args)
    if args.json:
        session.attach(JsonLines(sys.stdout, lambda: core.lost), vital=True)
    attach_outlet(session, args.lsl_out, replay)
    session.attach(StatusLine(sys.stderr, lambda: core.lost))
    raise_failure(session.run())
    return 0
