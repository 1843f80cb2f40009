# SPDX-License-Identifier: GPL-3.0-or-later
"""What a session is opened from: plain facts, whether a command or the window states them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from streamer.core.network.parts import ALL_BANDS


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Which source, and how its lead is read."""

    text: str | None = None
    """A SOURCE; None is the bundled recording."""
    lead: str | None = None
    """The measured lead; None is Lead I."""
    invert: bool = False
    placement: str | None = None
    """``arms``, ``chest``, or None if not stated."""
    unit_mv: float | None = None
    """What a step of the source's numbers is; None if the source states it."""
    rate_hz: float | None = None
    """The sampling rate of a file that does not state it."""
    keep_identity: bool = False
    """Let what a file says of whose it is go into what is made of it."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How something that is already there is played."""

    speed: float = 1.0
    start_s: float = 0.0
    loop: bool = False
    drop: str | None = None
    """What to leave out, as `devices.replay.pacing.Drop.parse` reads it."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Which model makes the leads, and for whom."""

    model: Path | None = None
    """None is the bundled one."""
    calibration: Path | None = None
    bands: str = ALL_BANDS
    """Out of `BANDS`: how much of it runs."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """Everything that a session is opened from."""

    source: SourceOptions = SourceOptions()
    replay: ReplayOptions = ReplayOptions()
    models: ModelOptions = ModelOptions()
    as_recorded: bool = False
    """Show a recorded session's own leads."""
    lsl_out: str | None = None
    """The name of the LSL stream that sends the leads; None sends none."""
    record: Path | None = None
    """The folder that the session is recorded in; None records nothing."""

    def settings(self) -> dict[str, object]:
        """By option, what a recording states of how it was made; where it lies is not part of that."""
        return {
            "--lead": self.source.lead,
            "--invert": self.source.invert,
            "--placement": self.source.placement,
            "--unit": self.source.unit_mv,
            "--rate": self.source.rate_hz,
            "--keep-identity": self.source.keep_identity,
            "--model": self.models.model,
            "--bands": None if self.models.bands == ALL_BANDS else self.models.bands,
            "--calibration": self.models.calibration,
            "--speed": self.replay.speed,
            "--start": self.replay.start_s,
            "--loop": self.replay.loop,
            "--drop": self.replay.drop,
            "--lsl-out": self.lsl_out,
        }
