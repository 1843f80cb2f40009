# SPDX-License-Identifier: GPL-3.0-or-later
"""Two points on the paper, and what lies between them; no Qt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spot:
    """A place on the paper, in the signal's own units."""

    lead: str
    """Of the area: one of the twelve, or `gui.paper.geometry.RHYTHM`."""
    at_s: float
    """Instant of the stream, seconds."""
    mv: float
    """Above the area's baseline."""


@dataclass(frozen=True, slots=True)
class Calipers:
    """From one spot of a area to another."""

    begin: Spot
    end: Spot

    @property
    def ms(self) -> float:
        """Time between both, not negative."""
        return 1e3 * abs(self.end.at_s - self.begin.at_s)

    @property
    def mv(self) -> float:
        """From the first to the second, upwards positive."""
        return self.end.mv - self.begin.mv

    @property
    def bpm(self) -> float | None:
        """The rate if this is one beat to the next; None out of 10 to 400 bpm."""
        return 60_000 / self.ms if 150 <= self.ms <= 6000 else None

    def words(self) -> str:
        """What they say, in a line."""
        bpm = "" if self.bpm is None else f"   {self.bpm:.0f} bpm"
        return f"{self.ms:.0f} ms   {self.mv:+.2f} mV{bpm}"
