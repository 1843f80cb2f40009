# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg monitor`: the live path into the window."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from gui.app import load_window, run_monitor, why_no_display
from gui.controller import RunningSession
from mecg.app.controller import Controller
from mecg.app.options import ReplayOptions, SessionOptions, SourceOptions
from mecg.app.page_server import ServeOptions, page_of_one_bed
from mecg.app.session_builder import raise_failure
from mecg.cli.help_text import Help
from mecg.cli.options import WindowOptions, add_outputs, add_replay, add_serving, add_source, add_window
from mecg.cli.report import beside_others
from streamer.core.errors import InputError
from streamer.formats.atomic_write import refuse_file
from ward.bed import Bed

HELP = Help(
    about=(
        "The live path in a window: the measured lead and eleven estimated ones, on paper true to the "
        "millimetre, with heart rate, quality and alarms. Without a SOURCE the window asks for one. Press ? "
        "in it for its keys."
    ),
    examples=(
        "mecg monitor polar: --placement arms",
        "mecg monitor recordings/ptb-xl/00010_hr",
        "mecg monitor --seconds 10 --screenshot monitor.png",
    ),
    failed="the recording was removed while it was written",
    takes=("mecg.sources", "mecg.formats"),
)


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    add_source(parser)
    add_replay(parser)
    add_outputs(parser)
    add_serving(parser, "no page")
    add_window(parser)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    session: SessionOptions
    window: WindowOptions
    serving: ServeOptions


def run(options: Options) -> int:
    """Show the monitor until it is closed."""
    with page_of_one_bed(options.serving) as bed:
        return show(options.session, options.window, start_page=wants_start_page(options), bed=bed)


def wants_start_page(options: Options) -> bool:
    """Whether the window is to ask for a source: none is named, and nothing that needs one at once.

    A picture, a time to close, and options that say how a source is read or played mean the bundled
    recording, as they always did.
    """
    session, window = options.session, options.window
    return (
        session.source == SourceOptions()
        and session.replay == ReplayOptions()
        and session.models.calibration is None
        and not session.as_recorded
        and window.screenshot is None
        and window.seconds is None
    )


def show(
    session: SessionOptions, window: WindowOptions, *, start_page: bool = False, bed: Bed | None = None
) -> int:
    """Show a session until the window is closed; returns the exit code.

    Parameters
    ----------
    start_page : bool
        Let the user choose the source in the window.
    bed : Bed, optional
        Shows on a page what the window shows.

    Raises
    ------
    InputError
        If there is no display, or the session cannot be opened.
    """
    if window.screenshot is not None:
        _refuse_picture(window.screenshot, force=window.force)
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(why_no_display)  # takes a second, as loading the model does
        controller = Controller(session, window.settings(), report=beside_others, bed=bed)
        begin = controller.wait_for_choice if start_page else controller.begin
        if not start_page:
            controller.prepare()
        reason = asked.result()
    if reason is not None:
        raise InputError(f"{reason}; without a window, use: mecg stream")
    return _show(controller, begin, window)


def _refuse_picture(path: Path, *, force: bool) -> None:
    refuse_file(path, force=force)
    if sys.platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # a picture needs no screen


def _show(controller: Controller, begin: Callable[[], RunningSession], window: WindowOptions) -> int:
    load_window()
    running = begin()
    about = running.description
    try:
        code = run_monitor(
            running.inbox,
            about.stream,
            f"{about.model} {about.model_version}",
            about.latency.total_ms,
            on_close=controller.end,
            screenshot=window.screenshot,
            seconds=window.seconds,
            tell=running.tell,
            controller=controller,
            settings=None
            if window.screenshot is not None
            else platformdirs.user_config_path("mecg", False) / "monitor.json",
        )
    finally:
        report = controller.close()
    if report is not None:
        raise_failure(report)
    return code
