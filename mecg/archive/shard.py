# SPDX-License-Identifier: GPL-3.0-or-later
"""A share of many records."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shard:
    """The ``number``-th of ``of`` equal shares, counted from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def slice(self) -> slice:
        """Of a sorted list: every share gets records from all of it."""
        return slice(self.number - 1, None, self.of)
