# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's calibration before it is put to use: what it does to each lead; no Qt.

The window knows neither files nor models.  Whoever composes the program hands in `Trials`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.leads import LEADS, SEVEN
from streamer.stream import Samples

_SEVEN = [LEADS.index(lead) for lead in SEVEN]


class Person(Protocol):
    """A calibration that a session can be given (`gui.bench.Wanted.person`)."""

    @property
    def words(self) -> str:
        """Whose and from when, in one line."""
        ...


@dataclass(frozen=True, slots=True)
class Nobody:
    """No person: the generic model, also where the command line named a calibration."""

    words: str = "generic"


GENERIC = Nobody()


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A calibration, and a stretch of signal with what is made of it before and after."""

    person: Person
    rate_hz: float
    start_s: float
    """Instant of the first sample within the record, or within the last seconds of a source."""
    truth_mv: Samples
    """``(12, n)`` as measured, in the clinical frame; NaN where a lead is not known."""
    generic_mv: Samples
    """``(12, n)``"""
    personal_mv: Samples
    """``(12, n)``"""
    rmse_mv: NDArray[np.float64]
    """``(2, 12)``: of the generic and of the personal leads, over all of it; NaN without a truth."""
    halves_mv: NDArray[np.float64]
    """``(2, 12)``: the same within what was learned from, each half scored with what the other half taught;
    NaN where that is not known."""
    same: bool
    """What is shown is what was learned from: nothing that this person's next record would show."""
    about: str
    """What was learned from and what is shown, one line."""
    said: tuple[str, ...] = ()
    """More of it, for people."""
    warnings: tuple[str, ...] = ()
    """What fell back towards the generic model, and why; what to mind."""

    @property
    def seconds(self) -> float:
        """How much is shown."""
        return float(self.truth_mv.shape[1] / self.rate_hz)

    @property
    def has_truth(self) -> bool:
        """Whether there is anything to compare with."""
        return bool(np.isfinite(self.rmse_mv).any())

    def verdict(self) -> str:
        """What it achieves over the seven predicted leads, in one line; the fairest figure that there is."""
        if np.isfinite(self.halves_mv[:, _SEVEN]).any() and (self.same or not self.has_truth):
            found, how = self.halves_mv, "each half of the reference scored with what the other half taught"
        elif self.has_truth:
            found, how = self.rmse_mv, "on what is shown, none of which it was learned from"
        else:
            return "How good it is cannot be said here."
        before, after = np.nanmedian(found[:, _SEVEN], axis=1)
        return f"Median error of II and V1-V6: {before:.3f} mV generic, {after:.3f} mV personal ({how})."


class Trials(Protocol):
    """Learns persons and tries them out.

    All but `why_not_here` may block: call them from a thread beside the window's.
    """

    def why_not_here(self) -> str:
        """Why the source that runs cannot be learned from now, in one line; empty where it can."""
        ...

    def of_here(self) -> Trial:
        """Learn from the last seconds of the source that runs.

        Raises
        ------
        InputError
            Nothing can be learned from them.
        """
        ...

    def of_file(self, path: Path) -> Trial:
        """Learn from a 12-lead record, or read what ``mecg calibrate`` wrote.

        Raises
        ------
        InputError
            It is neither, cannot be used, or does not fit what runs.
        """
        ...

    def save(self, person: Person, path: Path) -> None:
        """Write it where only its owner may read it; raises OSError."""
        ...
