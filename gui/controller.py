# SPDX-License-Identifier: GPL-3.0-or-later
"""What the window may ask of the program around it: look for sources, open one, control a replay; no Qt.

The window knows no devices.  The program around it hands in a `SessionController`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gui.signal.inbox import Inbox
from streamer.core.events import Event
from streamer.core.leads import LEADS, SEVEN
from streamer.core.stream import Samples
from streamer.core.vitals.vitals import Limits
from streamer.session.description import SessionDescription
from streamer.session.source import Player, ScanResult

_SEVEN = [LEADS.index(lead) for lead in SEVEN]


class Person(Protocol):
    """A calibration that a session can be given (`gui.controller.SourceRequest.person`)."""

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
class CalibrationPreview:
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
    visits: int = 1
    """Of so many visits; of several ``halves_mv`` is each visit's, scored with what the others taught."""

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
        left_out = self.same or not self.has_truth or self.visits > 1
        if np.isfinite(self.halves_mv[:, _SEVEN]).any() and left_out:
            found, how = self.halves_mv, "each half of the reference scored with what the other half taught"
            if self.visits > 1:
                how = f"each of {self.visits} visits scored with what the others taught"
        elif self.has_truth:
            found, how = self.rmse_mv, "on what is shown, none of which it was learned from"
        else:
            return "How good it is cannot be said here."
        before, after = np.nanmedian(found[:, _SEVEN], axis=1)
        return f"Median error of II and V1-V6: {before:.3f} mV generic, {after:.3f} mV personal ({how})."


class CalibrationPreviews(Protocol):
    """Learns persons and tries them out.

    All but `why_not_here` may block: call them from a thread beside the window's.
    """

    def why_not_here(self) -> str:
        """Why the source that runs cannot be learned from now, in one line; empty where it can."""
        ...

    def of_here(self) -> CalibrationPreview:
        """Learn from the last seconds of the source that runs.

        Raises
        ------
        InputError
            Nothing can be learned from them.
        """
        ...

    def of_file(self, path: Path) -> CalibrationPreview:
        """Learn from a 12-lead record, or read what ``mecg calibrate`` wrote.

        Raises
        ------
        InputError
            It is neither, cannot be used, or does not fit what runs.
        """
        ...

    def added(self, person: Person, path: Path) -> CalibrationPreview:
        """The person of a file with what was learned now as a further visit; the file stays as it is.

        Raises
        ------
        InputError
            The file keeps no visits, has this one already, or was measured otherwise.
        """
        ...

    def save(self, person: Person, path: Path) -> None:
        """Write it where only its owner may read it; raises OSError."""
        ...


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """A source that the user has chosen, and how it is to be read."""

    source: str
    """A SOURCE, as on the command line."""
    lead: str | None = None
    """The measured lead; None is Lead I."""
    invert: bool = False
    placement: str | None = None
    """``arms``, ``chest``, or None if not stated."""
    start_s: float = 0.0
    """Of a replay: where to begin."""
    speed: float = 1.0
    """Of a replay."""
    paused: bool = False
    """Of a replay: begin held."""
    person: Person | None = None
    """Whose calibration: from a `CalibrationPreview`, `GENERIC`, or None: what the command line says."""
    unit_mv: float | None = None
    """How many mV a step of the numbers is; None if the source states it."""
    rate_hz: float | None = None
    """The sampling rate; None if the source states it."""


@dataclass(frozen=True, slots=True)
class RecordingStatus:
    """A recording that runs."""

    path: Path
    seconds: float
    """Of signal: stands still if nothing comes."""
    size_bytes: int


class RecordingControl(Protocol):
    """Records a session that runs."""

    def begin(self) -> Path:
        """Begin a recording; returns the file.

        Raises
        ------
        InputError
            Nothing can be recorded there.
        """
        ...

    def end(self) -> None:
        """End it; raises InputError or OSError if the file cannot be closed."""
        ...

    def status(self) -> RecordingStatus | None:
        """How far it has come; None if nothing is recorded."""
        ...


class RunningModel(Protocol):
    """How much of a model runs (`streamer.core.network.parts.BANDS`)."""

    @property
    def bands(self) -> tuple[str, ...]:
        """What `use` takes, the least first."""
        ...

    @property
    def used(self) -> str:
        """Which of them runs."""
        ...

    shows_parts: bool
    """Whether frames have `Frame.parts`."""

    @property
    def words(self) -> str:
        """Its name and version, and that of the part."""
        ...

    def use(self, bands: str) -> None:
        """Go on with as much of the model as hears no faster bands than these."""
        ...


@dataclass(frozen=True, slots=True)
class RunningSession:
    """A session that runs."""

    request: SourceRequest
    """Of no source, with an empty text, before one was chosen."""
    inbox: Inbox
    """Attached to the session as one of its sinks."""
    description: SessionDescription
    tell: Callable[[Event], None]
    """Lets every sink of the session know what the user did."""
    watch_for: Callable[[Limits], None]
    """Sets when alarms are raised, from now on."""
    player: Player | None = None
    """None if the source is live."""
    lead_in_s: float = 0.0
    """The first so many seconds of the stream come at once: it lies before the place that was sought."""
    recording: RecordingControl | None = None
    """None if there is nothing to record."""
    model: RunningModel | None = None
    """None if it runs as a whole only: of a person, or of what was recorded."""


OnScan = Callable[[str, Sequence[ScanResult], str], None]
"""Takes what a round of scanning found: ``ble`` or ``lsl``, all that is there now, and why nothing can be
found, in one line, or nothing."""


class SessionController(Protocol):
    """Composes sessions.  `open`, `previews` and `report` may block: call them from a thread of their own."""

    @property
    def running(self) -> RunningSession:
        """The session that runs now."""
        ...

    @property
    def card(self) -> str:
        """The model card, Markdown; empty where the model came without one."""
        ...

    @property
    def previews(self) -> CalibrationPreviews:
        """What learns a person, and tries the result out."""
        ...

    @property
    def bundled(self) -> str:
        """The SOURCE of the bundled recording; empty if there is none."""
        ...

    def open(self, request: SourceRequest, step: Callable[[str], None] = ...) -> RunningSession:
        """End the session that runs, and its recording with it, and begin another.

        Parameters
        ----------
        request : SourceRequest
        step : callable
            Takes one sentence for the user on each step of connecting, in any thread.

        Raises
        ------
        InputError, OSError
            It cannot be opened; what runs goes on, where the new source was refused before it ended.
        """
        ...

    def report(self, file: str, folder: Path) -> tuple[Path, ...]:
        """Write the page of a recording into a folder, beside what is there; returns the PDF first.

        Raises
        ------
        InputError, OSError
            It cannot be read, or the page cannot be written.
        """
        ...

    def scan(self, found: OnScan) -> Callable[[], None]:
        """Look for sources until the returned function is called; ``found`` is called by other threads."""
        ...
