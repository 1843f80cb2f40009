# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as argparse knows it: from words to one command's options."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, get_type_hints

from mecg import __version__
from mecg.app.terminal import say

COMMANDS = {
    "monitor": "the window",
    "demo": "the window on the bundled recording; files of it without a display",
    "stream": "without a window; a status line on stderr",
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
}
"""Each is a module of this package with ``add_options(parser)``, a data class ``Options`` that holds what
they say, and ``run(options)``.  It is imported only when asked for: `mecg --version` must not wait for a
compiler or a window."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the usage in one line."""

    def error(self, message: str) -> NoReturn:
        say(f"{self.prog}: {message} (see {self.prog} --help)")
        raise SystemExit(2)


class _CommandParser(_Parser):
    """Gets its options from the command's module, once it is that command's turn."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        module = importlib.import_module(f"mecg.cli.{self.prog.split()[-1]}")
        module.add_options(self)
        self.set_defaults(module=module)
        return super().parse_known_args(args, namespace)


def parse(argv: Sequence[str] | None) -> Callable[[], int]:
    """What the words of a command line ask for, ready to run.

    Raises
    ------
    SystemExit
        Wrong usage, after one line on stderr; or --help and --version, after what they print.
    """
    parser = _Parser(
        prog="mecg",
        description="Live 12-lead ECG from one measured lead.  Research software, not a medical device.",
        epilog="A SOURCE is a WFDB record, synthetic:?rate=500&bpm=72, or nothing: the bundled recording.",
    )
    parser.add_argument("--version", action="version", version=f"mecg {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_CommandParser)
    for name, about in COMMANDS.items():
        commands.add_parser(name, help=about)
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
