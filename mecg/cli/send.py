# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg send`: any source as an LSL stream, to rehearse with what reads one."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing

from devices.lsl.outlet import LslSender
from mecg.app.first_seconds import FirstSeconds
from mecg.app.session_builder import refuse_other_speeds, replay_of, say_notes, source_of
from streamer.core.stream import Chunk


def run(args: argparse.Namespace) -> int:
    """Send until the source ends, ``--seconds`` have passed, or Ctrl-C."""
    replay = replay_of(args.speed, args.start, args.loop, args.drop)
    refuse_other_speeds(replay, "mecg send")
    source = FirstSeconds(
        source_of(args.source, lead=args.lead, invert=args.invert, replay=replay), args.seconds
    )
    info = source.open()
    say_notes(info)
    samples = 0
    with closing(LslSender(args.lsl, info)) as sender:
        print(
            f"sending lead {info.lead} at {info.rate_hz:g} Hz as the LSL stream '{args.lsl}'; Ctrl-C ends it",
            file=sys.stderr,
        )
        try:
            for item in source.items():
                if isinstance(item, Chunk):
                    sender.send(item)
                    samples += len(item.lead_mv)
                else:
                    print(item.text, file=sys.stderr)
        finally:
            source.stop()
            print(f"{samples} samples sent", file=sys.stderr)
    return 0
