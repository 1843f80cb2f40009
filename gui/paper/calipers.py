# SPDX-License-Identifier: GPL-3.0-or-later
"""Two points on the paper, and what lies between them; no Qt."""

from __future__ import annotations

from dataclasses import dataclass

from gui.paper.geometry import RHYTHM
from streamer.core.leads import LEADS

MEASURES = ("interval", "RR", "QT")


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
    measure: str = "interval"
    """One of `MEASURES`."""
    marching: bool = False
    """The interval is drawn again and again along the lead."""
    rr_ms: float | None = None
    """What QT is corrected with; None if it is not known."""

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

    @property
    def qtc_ms(self) -> tuple[float, float] | None:
        """QT by Bazett and by Fridericia, if it is QT and RR is known."""
        if self.measure != "QT" or self.rr_ms is None:
            return None
        rr_s = self.rr_ms / 1e3
        return float(self.ms / rr_s**0.5), float(self.ms / rr_s ** (1 / 3))

    def words(self) -> str:
        """What they say, in a line."""
        bpm = "" if self.bpm is None else f"   {self.bpm:.0f} bpm"
        if self.measure == "RR":
            return f"RR {self.ms:.0f} ms{bpm}"
        if self.measure == "QT":
            if self.qtc_ms is None:
                return f"QT {self.ms:.0f} ms   no RR for QTc"
            bazett, fridericia = self.qtc_ms
            corrected = f"QTcB {bazett:.0f}   QTcF {fridericia:.0f} ms"
            return f"QT {self.ms:.0f} ms   {corrected}   RR {self.rr_ms:.0f}"
        return f"{self.ms:.0f} ms   {self.mv:+.2f} mV{bpm}"

    def where(self, rhythm: str) -> str:
        """On which lead they measure, and whether that is an estimate; ``rhythm`` is the strip's lead."""
        lead = rhythm if self.begin.lead == RHYTHM else self.begin.lead
        if lead not in LEADS[1:]:
            return "on I, measured"
        return f"on {lead}: reconstructed, an estimate"
