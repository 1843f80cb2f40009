# SPDX-License-Identifier: GPL-3.0-or-later
"""What `mecg COMMAND --help`, the manual pages and the reference say of a command beside its options."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

WIDTH = 79

DONE = "done"
BAD = "bad input or usage, with one line that says what is wrong and what to do"
STOPPED = "ended by Ctrl-C, after a clean stop"
TERMINATED = "ended by SIGTERM, or because the terminal was closed, after a clean stop"

PLUG_INS = {"mecg.sources": "sources", "mecg.formats": "file formats"}
"""The groups of entry points by which installed packages add something, and what that is."""


@dataclass(frozen=True, slots=True)
class Help:
    """What a command does, how it is called, and how it ends."""

    about: str
    """A few sentences."""

    examples: tuple[str, ...]
    """Lines for a shell; each must be understood by the parser."""

    failed: str = ""
    """What exit code 1 means; empty if the command never ends so."""

    takes: tuple[str, ...] = ()
    """The groups of plug-ins that add to what it takes."""

    @property
    def exit_codes(self) -> dict[int, str]:
        """What each exit code means."""
        codes = {0: DONE, 1: self.failed, 2: BAD, 130: STOPPED, 143: TERMINATED}
        return {code: meaning for code, meaning in codes.items() if meaning}

    def description(self) -> str:
        """The text above the options, in lines."""
        return textwrap.fill(self.about, WIDTH)

    def epilog(self) -> str:
        """The text below the options: examples, what plug-ins add, exit codes."""
        parts = ["\n".join(["examples:", *(f"  {line}" for line in self.examples)])]
        if self.takes:
            added = [f"  {line}" for group in self.takes for line in added_by_plug_ins(group)]
            parts.append("\n".join(["plug-ins:", *(added or ["  none installed"])]))
        codes = (
            textwrap.fill(meaning, WIDTH, initial_indent=f"  {code:<4} ", subsequent_indent=" " * 7)
            for code, meaning in self.exit_codes.items()
        )
        parts.append("\n".join(["exit codes:", *codes]))
        return "\n\n".join(parts)


def added_by_plug_ins(group: str) -> list[str]:
    """What installed packages add to one group, a line each; nothing of them is loaded."""
    offers = sorted(entry_points(group=group), key=lambda offer: offer.name)
    return [f"{_named(offer, group)}  ({PLUG_INS[group]}, {_package(offer)})" for offer in offers]


def _named(offer: EntryPoint, group: str) -> str:
    return f"{offer.name.lower()}:" if group == "mecg.sources" else offer.name


def _package(offer: EntryPoint) -> str:
    return offer.dist.name if offer.dist is not None else offer.value
