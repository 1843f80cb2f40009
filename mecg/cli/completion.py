# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg completion`: what makes a shell complete commands, options and files."""

from __future__ import annotations

from argparse import ArgumentParser, _SubParsersAction
from dataclasses import dataclass
from pathlib import Path

import shtab

from mecg.app.terminal import put
from mecg.cli.help_text import Help

HELP = Help(
    about=(
        "Prints a script that makes a shell complete mecg's commands, options, choices and file names. It is "
        "made once, so nothing of mecg runs when the Tab key is pressed."
    ),
    examples=(
        "mecg completion bash > ~/.local/share/bash-completion/completions/mecg",
        "mecg completion zsh > ~/.zfunc/_mecg",
        "mecg completion tcsh > ~/.mecg.tcsh",
    ),
)

FOLDERS = ("DIR", "DATASET")
FILES = ("SOURCE", "SESSION", "RECORD", "REFERENCE")


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    parser.add_argument("shell", choices=tuple(shtab.SUPPORTED_SHELLS), help="whose script")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    shell: str


def run(options: Options) -> int:
    """Print the script."""
    put(*script(options.shell).splitlines())
    return 0


def script(shell: str) -> str:
    """What the shell must read."""
    from mecg.cli.parser import filled_parser  # which imports every command, this one too

    parser, commands = filled_parser()
    for each in commands.values():
        _say_which_are_files(each)
    return shtab.complete(parser, shell=shell)


def _say_which_are_files(parser: ArgumentParser) -> None:
    for action in parser._actions:
        if isinstance(action, _SubParsersAction) or action.choices:
            continue
        name = action.metavar if isinstance(action.metavar, str) else ""
        if name in FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.type is Path or name in FILES or name.startswith("FILE"):
            action.complete = shtab.FILE  # type: ignore[attr-defined]
