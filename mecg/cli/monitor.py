# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg monitor`: the live path into the window."""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import platformdirs

from gui.app import load_window, run_monitor, why_no_display
from mecg.app.controller import Controller
from mecg.app.session_builder import raise_failure, replay_of, source_of
from streamer.core.errors import InputError
from streamer.formats.atomic_write import refuse_existing
from streamer.session.source import Source

AS_IT_COMES = argparse.Namespace(
    source=None, lead=None, invert=False, placement=None, model=None, record=None, as_recorded=False
)
"""What a command line without options says."""
vars(AS_IT_COMES).update(speed=1.0, start=0.0, loop=False, drop=None, lsl_out=None, calibration=None)


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
        bench = Controller(args)
        bench.prepare(source)
        reason = asked.result()
    if reason is not None:
        raise InputError(f"{reason}; without a window, use: mecg stream")
    return _show(bench, args.screenshot, args.seconds)


def show(source: Source) -> int:
    """Show a source that is not open yet; for those who know that there is a display.

    Raises
    ------
    InputError
        As the source's `open` does.
    """
    bench = Controller(AS_IT_COMES)
    bench.prepare(source)
    return _show(bench, None, None)


def _show(bench: Controller, screenshot: Path | None, seconds: float | None) -> int:
    load_window()
    showing = bench.begin()
    about = showing.description
    try:
        code = run_monitor(
            showing.inbox,
            about.stream,
            f"{about.model} {about.model_version}",
            about.latency.total_ms,
            on_close=bench.end,
            screenshot=screenshot,
            seconds=seconds,
            tell=showing.tell,
            bench=bench,
            settings=None
            if screenshot is not None
            else platformdirs.user_config_path("mecg", False) / "monitor.ini",
        )
    finally:
        report = bench.close()
    raise_failure(report)
    return code
