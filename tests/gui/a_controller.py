# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller whose sessions are inboxes that the test fills."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from gui.controller import (
    GENERIC,
    CalibrationPreview,
    OnScan,
    Person,
    RecordingStatus,
    RunningSession,
    SourceRequest,
)
from gui.signal.inbox import Inbox
from streamer.core.errors import Field, InputError
from streamer.core.events import Event
from streamer.core.network.latency import LatencyBudget
from streamer.core.stream import StreamInfo
from streamer.core.vitals.vitals import Limits
from streamer.session.description import SessionDescription
from streamer.session.source import ScanResult

BUDGET = LatencyBudget(56.0, 0.0, 16.0, 0.0, 72.0, 10.0)


def description(source: str = "wfdb:first", **changes: object) -> SessionDescription:
    info = StreamInfo(source, 250.0, **changes)  # type: ignore[arg-type]
    return SessionDescription(info, "net", "1", 250.0, BUDGET, "0.5-40 Hz")


class APlayer:
    """Stands where it is told to."""

    def __init__(self, duration_s: float | None = 60.0) -> None:
        self.paused = False
        self._speed = 1.0
        self.position_s = 0.0
        self.duration_s = duration_s
        self.fixed = False

    @property
    def speed(self) -> float:
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if self.fixed or not speed > 0 or math.isnan(speed):
            raise InputError("it cannot be played so")
        self._speed = speed


@dataclass(frozen=True)
class Seen(ScanResult):
    source: str
    kind: str = "ble"
    name: str = "a strap"
    address: str = ""
    rssi: int | None = -60
    rate_hz: float | None = 130.0
    ecg: bool = True


@dataclass(frozen=True)
class APerson:
    words: str = "a person, 2026-11-23"


def a_preview(
    seconds: float = 20.0, *, same: bool = False, truth: bool = True, **changes: object
) -> CalibrationPreview:
    """Leads of 1 mV sines: generic half as tall as the truth, personal three quarters."""
    n = round(250 * seconds)
    truth_mv = np.tile(np.sin(np.arange(n) / 20).astype(np.float32), (12, 1))
    rmse = np.sqrt(0.5) * np.repeat([[0.5], [0.25]], 12, axis=1)
    facts: dict[str, object] = {
        "person": APerson(),
        "rate_hz": 250.0,
        "start_s": 10.0,
        "truth_mv": truth_mv if truth else np.full_like(truth_mv, np.nan),
        "generic_mv": truth_mv * np.float32(0.5),
        "personal_mv": truth_mv * np.float32(0.75),
        "rmse_mv": rmse if truth else np.full_like(rmse, np.nan),
        "halves_mv": np.repeat([[0.4], [0.2]], 12, axis=1),
        "same": same,
        "about": "learned from the first 10 s of a record",
        "said": ("Reference: a record.",),
        "warnings": (),
    }
    return CalibrationPreview(**(facts | changes))  # type: ignore[arg-type]


@dataclass
class APreviews:
    """Gives one preview, as soon as it may."""

    preview: CalibrationPreview = field(default_factory=a_preview)
    why_not: str = ""
    refuse: str = ""
    refuse_field: Field | None = None
    asked: list[Path | None] = field(default_factory=list)
    saved: list[tuple[Person, Path]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.hold.set()

    def why_not_here(self) -> str:
        return self.why_not

    def of_here(self) -> CalibrationPreview:
        return self._give(None)

    def of_file(self, path: Path) -> CalibrationPreview:
        return self._give(path)

    def _give(self, path: Path | None) -> CalibrationPreview:
        self.asked.append(path)
        self.hold.wait(10)
        if self.refuse:
            raise InputError(self.refuse, self.refuse_field)
        return self.preview

    def added(self, person: Person, path: Path) -> CalibrationPreview:
        return self._give(path)

    def save(self, person: Person, path: Path) -> None:
        path.write_text(person.words)
        self.saved.append((person, path))


@dataclass
class ARecording:
    """Says what it was told to say."""

    seconds: float = 0.0
    size: int = 0
    refuse: str = ""
    on: bool = False

    def begin(self) -> Path:
        if self.refuse:
            raise InputError(self.refuse)
        self.on = True
        return Path("a.xdf")

    def end(self) -> None:
        self.on = False

    def status(self) -> RecordingStatus | None:
        return RecordingStatus(Path("a.xdf"), self.seconds, self.size) if self.on else None


@dataclass
class AController:
    card: str = "## What it cannot know\n- **ST**: no.\n- **Pacing spikes**: no.\n"
    told: list[Event] = field(default_factory=list)
    limits: list[Limits] = field(default_factory=list)
    opened: list[SourceRequest] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)
    refuse: str = ""
    refuse_field: Field | None = None
    players: bool = True
    hold: threading.Event = field(default_factory=threading.Event)
    previews: APreviews = field(default_factory=APreviews)
    first: str = "wfdb:first"
    choices: tuple[str, ...] = ()
    recording: ARecording = field(default_factory=lambda: ARecording())

    def __post_init__(self) -> None:
        self.hold.set()
        self.found: OnScan | None = None
        self.scans = 0
        self._running_session = self._show(SourceRequest(self.first))

    @property
    def bundled(self) -> str:
        return "wfdb:bundled"

    @property
    def running(self) -> RunningSession:
        return self._running_session

    def _show(self, request: SourceRequest) -> RunningSession:
        inbox, about = Inbox(), description(request.source)
        if request.person not in (None, GENERIC):
            about = replace(about, calibration=request.person.words)
        inbox.open(about)
        player = APlayer() if self.players else None
        return RunningSession(
            request,
            inbox,
            about,
            self.told.append,
            self.limits.append,
            player,
            recording=self.recording if request.source else None,
        )

    def open(self, request: SourceRequest, step: Callable[[str], None] = lambda text: None) -> RunningSession:
        self.opened.append(request)
        step("a step towards it")
        self.hold.wait(10)
        if self.refuse:
            raise InputError(self.refuse, self.refuse_field, choices=self.choices)
        self._running_session = self._show(request)
        return self._running_session

    def report(self, file: str, folder: Path) -> tuple[Path, ...]:
        self.reported.append(file)
        if self.refuse:
            raise InputError(self.refuse, self.refuse_field)
        return folder / "a.pdf", folder / "a.png"

    def scan(self, found: OnScan) -> Callable[[], None]:
        self.found, self.scans = found, self.scans + 1

        def stop() -> None:
            self.found = None

        return stop
