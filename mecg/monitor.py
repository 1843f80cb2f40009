# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg monitor`: the live path into the window."""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from devices.source import Source
from gui.app import run_monitor, why_no_display
from gui.inbox import Inbox
from mecg.compose import (
    attach_outlet,
    attach_recorder,
    core_of,
    raise_failure,
    replay_of,
    say_notes,
    source_of,
)
from mecg.files import refuse_existing
from streamer.errors import InputError
from streamer.run.session import Session
from streamer.run.sink import Overflow, SessionDescription
from streamer.vitals import Vitals


def run(args: argparse.Namespace) -> int:
    """Show the monitor until it is closed."""
    if args.screenshot is not None:
        refuse_existing(args.screenshot, force=args.force)
        if not args.screenshot.absolute().parent.is_dir():
            raise InputError(f"there is no folder for {args.screenshot}: make it, or choose another")
        if sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
            os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # a picture needs no screen
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(why_no_display)  # takes a second, as loading the model does
        replay = replay_of(args.speed, args.start, args.loop, args.drop)
        source = source_of(
            args.source, lead=args.lead, invert=args.invert, placement=args.placement, replay=replay
        )
        session, inbox, description = _prepare(source, args)
        attach_outlet(session, args.lsl_out, replay)
        reason = asked.result()
    if reason is not None:
        raise InputError(f"{reason}; without a window, use: mecg stream")
    return _show(session, inbox, description, args.screenshot, args.seconds)


def show(source: Source) -> int:
    """Show a source that is not open yet; for those who know that there is a display.

    Raises
    ------
    InputError
        As the source's `open` does.
    """
    return _show(*_prepare(source), None, None)


def _prepare(
    source: Source, args: argparse.Namespace | None = None
) -> tuple[Session, Inbox, SessionDescription]:
    info = source.open()
    model, as_recorded = (None, False) if args is None else (args.model, args.as_recorded)
    core, description = core_of(source, info, model, as_recorded=as_recorded)
    say_notes(info)
    vitals = Vitals(description.rate_hz, info)
    session, inbox = Session(source, core, description, vitals=vitals), Inbox()
    if args is not None:
        attach_recorder(session, args)
    session.attach(inbox, Overflow.DROP_OLDEST)
    return session, inbox, description


def _show(
    session: Session,
    inbox: Inbox,
    description: SessionDescription,
    screenshot: Path | None,
    seconds: float | None,
) -> int:
    session.start()
    try:
        code = run_monitor(
            inbox,
            description.stream,
            f"{description.model} {description.model_version}",
            description.latency.total_ms,
            on_close=session.stop,
            screenshot=screenshot,
            seconds=seconds,
            tell=session.tell,
        )
    finally:
        session.stop()
        session.wait()
    raise_failure(session.report())
    return code
