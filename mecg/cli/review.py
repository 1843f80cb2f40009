# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg review`: a recorded session in the window, as it was."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass

from devices.registry import session_source
from mecg.app.options import ReplayOptions, SessionOptions, SourceOptions
from mecg.cli.help_text import Help
from mecg.cli.monitor import show
from mecg.cli.options import WindowOptions, add_pace, add_window

HELP = Help(
    about=(
        "Shows a recorded session in the window with the twelve leads as they were recorded, none made again."
    ),
    examples=("mecg review mecg-20261128-081500-000.xdf --start 60",),
)


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    parser.add_argument("text", type=session_source, metavar="SESSION", help="a session's file")
    add_pace(parser)
    add_window(parser)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    source: SourceOptions
    replay: ReplayOptions
    window: WindowOptions


def run(options: Options) -> int:
    """Show it until the window is closed."""
    return show(SessionOptions(options.source, options.replay, as_recorded=True), options.window)
