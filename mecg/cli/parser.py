# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as argparse knows it: from words to one command's options."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, get_type_hints

from mecg import __version__
from mecg.app.garbage import collected_later
from mecg.app.interrupt import deferred
from mecg.app.terminal import say
from mecg.cli.help_text import PLUG_INS, WIDTH, added_by_plug_ins

COMMANDS = {
    "monitor": "the window",
    "demo": "the window on the bundled recording; files of it without a display",
    "stream": "without a window; a status line on stderr",
    "ward": "many beds on one page, in the browser",
    "report": "a recording of a watch or any other file as a 12-lead page, and what can be read from it",
    "reconstruct": "WFDB records in, 12-lead WFDB records out",
    "calibrate": "learn one person from a short 12-lead reference",
    "evaluate": "score the model on a PTB-XL-shaped directory",
    "profile": "measure where each millisecond goes",
    "send": "replay a source as an LSL stream, to rehearse",
    "export": "a recorded session as files for other programs",
    "sessions": "list what was recorded",
    "repair": "close a recording that a crash left open",
    "review": "a recorded session in the window, as it was",
    "devices": "what can be connected to, over Bluetooth and LSL",
    "info": "versions, model, filters, latency budget",
    "completion": "a script that makes a shell complete mecg's words",
}
"""Each is a module of this package with ``HELP``, ``add_options(parser)``, a data class ``Options`` that
holds what they say, and ``run(options)``.  It is imported only when asked for: `mecg --version` must not wait
for a compiler or a window."""


SOURCE = (
    "A SOURCE is a recording's path, or polar:, movesense:, lsl:QUERY, synthetic:?rate=500&bpm=72, "
    "session:FILE, or nothing: the bundled recording. mecg COMMAND --help has examples and exit codes."
)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the usage in one line."""

    def error(self, message: str) -> NoReturn:
        say(f"{self.prog}: {message} (see {self.prog} --help)")
        raise SystemExit(2)


class _CommandParser(_Parser):
    """Gets its options from the command's module, once it is that command's turn."""

    _filled = False

    def fill(self) -> None:
        """Import the command's module and take its options and its help."""
        if self._filled:
            return
        self._filled = True
        with deferred():
            module = importlib.import_module(f"mecg.cli.{self.prog.split()[-1]}")
        module.add_options(self)
        self.set_defaults(module=module)
        self.formatter_class = argparse.RawDescriptionHelpFormatter
        self.description = module.HELP.description()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self.fill()
        return super().parse_known_args(args, namespace)

    def format_help(self) -> str:
        self.fill()
        self.epilog = self.get_default("module").HELP.epilog()  # asks for plug-ins, which others need not
        return super().format_help()


class _WholeParser(_Parser):
    """Of `mecg` itself."""

    def format_help(self) -> str:
        added = [line for group in PLUG_INS for line in added_by_plug_ins(group)]
        self.epilog = "\n\n".join(
            [
                textwrap.fill(SOURCE, WIDTH),
                "\n".join(["plug-ins:", *(f"  {line}" for line in added or ["none installed"])]),
                "exit codes: 0 done, 1 a check failed, 2 bad input or usage, 130 ended by Ctrl-C",
            ]
        )
        return super().format_help()


def parser_of_all() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The whole parser, and that of each command by its name, still to be filled."""
    parser = _WholeParser(
        prog="mecg",
        description="Live 12-lead ECG from one measured lead.  Research software, not a medical device.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mecg {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_CommandParser)
    return parser, {name: commands.add_parser(name, help=about) for name, about in COMMANDS.items()}


def filled_parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The same with the options of every command, for manual pages and a shell's completion."""
    parser, commands = parser_of_all()
    for command in commands.values():
        if isinstance(command, _CommandParser):
            command.fill()
    return parser, commands


def parse(argv: Sequence[str] | None) -> Callable[[], int]:
    """What the words of a command line ask for, ready to run.

    Raises
    ------
    SystemExit
        Wrong usage, after one line on stderr; or --help and --version, after what they print.
    """
    parser, _ = parser_of_all()
    with collected_later():  # the modules of a command are loaded
        arguments = parser.parse_args(argv)
    module = arguments.module
    options = _filled(module.Options, arguments)
    return lambda: int(module.run(options))


def _filled(kind: type[Any], arguments: argparse.Namespace) -> Any:
    """A data class, and those within it, from the arguments of the same names; absent ones keep defaults."""
    types = get_type_hints(kind)
    values = {}
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(types[field.name]):
            values[field.name] = _filled(types[field.name], arguments)
        elif hasattr(arguments, field.name):
            values[field.name] = getattr(arguments, field.name)
    return kind(**values)
