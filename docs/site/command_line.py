# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as the reference and the manual pages take it: the parser itself, with every option.

`python command_line.py FOLDER` writes the manual pages.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from mecg.cli.parser import COMMANDS, filled_parser  # noqa: E402


def parser() -> argparse.ArgumentParser:
    """The whole, with examples and exit codes as reStructuredText."""
    whole, commands = filled_parser()
    for command in commands.values():
        said = command.get_default("module").HELP
        examples = "\n".join(f"   {line}" for line in said.examples)
        codes = "\n".join(f"{code}\n   {meaning}" for code, meaning in said.exit_codes.items())
        command.epilog = f".. code-block:: console\n\n{examples}\n\nExit codes:\n\n{codes}\n"
    return whole


def write_manual(folder: Path) -> list[Path]:
    """Write `mecg.1` and `mecg-COMMAND.1` for each command; returns their paths."""
    from argparse_manpage.manpage import Manpage

    whole, commands = filled_parser()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    pages = {"mecg": (whole, "live 12-lead ECG from one measured lead")}
    pages |= {f"mecg-{name}": (command, COMMANDS[name]) for name, command in commands.items()}
    for name, (of, about) in pages.items():
        of.format_help()  # sets the text below the options
        of.man_short_description = about
        page = Manpage(of)
        page.prog = name
        path = folder / f"{name}.1"
        path.write_text(f"{page}\n", "utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    for path in write_manual(Path(sys.argv[1])):
        print(path)
