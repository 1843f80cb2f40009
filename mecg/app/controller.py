# SPDX-License-Identifier: GPL-3.0-or-later
"""The sessions behind one window: one after the other, each from a source of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from devices.registry import SCANS, is_live, is_session
from devices.replay.pacing import AS_RECORDED, Replay
from gui.controller import OnScan, RecordingStatus, RunningSession, SourceRequest
from gui.signal.inbox import Inbox
from mecg.app.calibration_previews import CalibrationPreviews, LastSeconds, Learned
from mecg.app.connecting import Connecting, say_event
from mecg.app.freed_memory import give_back
from mecg.app.measured_leads import truth_beside
from mecg.app.models import card_of, network_of
from mecg.app.options import ReplayOptions, SessionOptions, SourceOptions
from mecg.app.running_model import RunningModel
from mecg.app.session_builder import (
    attach_outlet,
    bundled_source,
    core_of,
    pipeline_of,
    recorder_of,
    refuse_other_speeds,
    refuse_recording_again,
    replay_of,
    say_notes,
    source_of,
    vitals_of,
)
from streamer.core.errors import InputError
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.printable import printable
from streamer.core.stream import StreamInfo
from streamer.core.vitals.vitals import Limits, Vitals
from streamer.recording.recorder_switch import RecorderSwitch
from streamer.recording.replay_core import ReplayCore
from streamer.session.description import SessionDescription
from streamer.session.session import Session, SessionReport
from streamer.session.sink import Overflow
from streamer.session.source import Played, Player, ScanResult, Source
from ward.bed import Bed

Scan = Callable[[float], list[ScanResult]]

MakeReport = Callable[[str, Path, Path | None], tuple[Path, ...]]
"""Takes a file, the folder of the page, and a model or None; returns where the page was written."""

SCAN_S = {"ble": 3.0, "lsl": 1.0, "port": 1.0}
"""A round of looking, each over and over while the list is shown."""

LEAD_IN_S = 10.0
"""A screen full: what lies before the place to which the user went."""


_USUAL_RATE_HZ = 250.0
"""Of no source: any rate will do to load and compile the path."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """A session that is composed and does not run yet."""

    request: SourceRequest
    source: Source
    session: Session
    inbox: Inbox
    description: SessionDescription
    vitals: Vitals
    last: LastSeconds
    switch: RecorderSwitch | None
    model: RunningModel | None


def _or(stated: float | None, otherwise: float | None) -> float | None:
    return otherwise if stated is None else stated


def options_for(request: SourceRequest, first: SessionOptions, *, given: bool) -> SessionOptions:
    """What another source is opened from.

    Parameters
    ----------
    first : SessionOptions
        What the first source was opened from.
    given : bool
        The request is for that source again.  What was stated of a person or a recording holds for no other.
    """
    live = is_live(request.source)
    return replace(
        first,
        source=SourceOptions(
            request.source,
            request.lead,
            request.invert,
            request.placement,
            _or(request.unit_mv, first.source.unit_mv if given else None),
            _or(request.rate_hz, first.source.rate_hz if given else None),
        ),
        replay=ReplayOptions(
            speed=1.0 if live else request.speed,
            start_s=0.0 if live else request.start_s,
            loop=first.replay.loop and given,
            drop=first.replay.drop if given else None,
        ),
        models=replace(
            first.models,
            calibration=first.models.calibration if given and request.person is None else None,
        ),
        as_recorded=first.as_recorded and is_session(request.source),
    )


class _Recording:
    """A recorder's switch, as the window asks it; see `gui.controller.RecordingControl`."""

    def __init__(self, switch: RecorderSwitch) -> None:
        self._switch = switch

    def begin(self) -> Path:
        """Begin a recording; returns the file."""
        return self._switch.begin()

    def end(self) -> None:
        """End it."""
        self._switch.end()

    def status(self) -> RecordingStatus | None:
        """How far it has come."""
        now = self._switch.now
        return None if now is None else RecordingStatus(*now)


def _scans() -> dict[str, Scan]:
    """What can be looked for; serial ports are no matter for who has not installed their extra."""
    return {kind: scan for kind, scan in SCANS.items() if kind != "port" or find_spec("serial")}


class Controller:
    """Composes the sessions of one window; see `gui.controller.SessionController`.

    Each source gets a session, a pipeline and, where ``--record`` says so, a recording of its own: what
    ran before is stopped and its file closed before the next one begins.  So does a seek: it is a new
    stream from another place, whose filters settle again.

    Parameters
    ----------
    options : SessionOptions
        What concerns the source holds for the first only.
    beside : mapping, optional
        What a recording states beside them: the command's own options.
    scans : mapping, optional
        For tests.
    bed : Bed, optional
        Shows every session on a page too.
    report : callable, optional
        Writes the page of a file.
    """

    def __init__(
        self,
        options: SessionOptions | None = None,
        beside: Mapping[str, object] | None = None,
        scans: dict[str, Scan] | None = None,
        limits: Limits | None = None,
        bed: Bed | None = None,
        report: MakeReport | None = None,
    ) -> None:
        self._options = options or SessionOptions()
        self._beside = beside or {}
        self._scans = scans or _scans()
        self._limits = limits or Limits()
        self._bed = bed
        self._make_report = report
        self._lock = threading.Lock()  # one source is opened at a time, which may take long, ...
        self._switching = threading.Lock()  # ... and no session begins while the window closes
        self._closed = False
        self._session: Session | None = None
        self._running_session: RunningSession | None = None
        self._opening: Source | None = None
        self._model: RunningModel | None = None

    @property
    def running(self) -> RunningSession:
        """The session that runs now; call `begin` first."""
        if self._running_session is None:
            raise RuntimeError("begin() comes before a session runs")
        return self._running_session

    @property
    def card(self) -> str:
        """The model card; empty where a model of the user's came without one."""
        return card_of(self._options.models.model)

    @property
    def previews(self) -> CalibrationPreviews:
        """What learns a person from what runs, or from a file."""
        return CalibrationPreviews(self._options.models.model, lambda: (self.running.description, self._last))

    def report(self, file: str, folder: Path) -> tuple[Path, ...]:
        """Write the page of a recording; raises `InputError` or `OSError` if that cannot be done."""
        if self._make_report is None:
            raise InputError("pages of files are not made here; use mecg report")
        return self._make_report(file, folder, self._options.models.model)

    def prepare(self) -> None:
        """Open the first source, and compose its session; `begin` starts it.

        Raises
        ------
        InputError
            As the source's `open` and `mecg.app.session_builder` do.
        """
        options = self._options
        source = source_of(options.source, replay_of(options.replay))
        info = Connecting(say_event).open(source)
        read, replay = options.source, options.replay
        self._first = SourceRequest(
            info.source,
            read.lead,
            read.invert,
            read.placement,
            replay.start_s,
            replay.speed,
            unit_mv=read.unit_mv,
            rate_hz=read.rate_hz,
        )
        self._prepared = self._compose(self._first, source, info, options)
        say_notes(info)

    @property
    def bundled(self) -> str:
        """The SOURCE of the bundled recording; empty if there is none."""
        return bundled_source() or ""

    def wait_for_choice(self) -> RunningSession:
        """Run nothing until `open`, with the model loaded and warm; in place of `prepare` and `begin`.

        Raises
        ------
        InputError
            The model cannot be used.
        """
        self._first, self._last = SourceRequest(""), LastSeconds()
        info = StreamInfo("no source", _USUAL_RATE_HZ)
        network = network_of(self._options.models.model, self._options.models.bands)
        description = SessionDescription.of(info, network.spec, pipeline_of(info, network).latency)
        inbox = Inbox()
        inbox.open(description)
        self._running_session = RunningSession(
            self._first, inbox, description, lambda event: None, self._set_limits
        )
        return self._running_session

    def _set_limits(self, limits: Limits) -> None:
        self._limits = limits
        if self._bed is not None:
            self._bed.watch_for(limits)

    def begin(self) -> RunningSession:
        """Start what was prepared; raises `InputError` or `OSError` as `Session.start` does."""
        return self._start(self._prepared)

    def open(self, request: SourceRequest, step: Callable[[str], None] = lambda text: None) -> RunningSession:
        """End what runs and begin another; raises `InputError` or `OSError` if that cannot be done."""
        with self._lock:
            options = options_for(request, self._options, given=request.source == self._first.source)
            replay = self._with_lead_in(request, replay_of(options.replay))
            if options.lsl_out is not None:
                refuse_other_speeds(replay, "--lsl-out")
            source = source_of(options.source, replay)
            if request.source == self.running.request.source and self.running.player is None:
                self._stop()  # a device has one link only
            self._opening = source
            try:
                info = Connecting(lambda event: step(printable(event.text))).open(source)
                parts = self._compose(request, source, info, options)
            except BaseException:
                source.stop()
                raise
            finally:
                self._opening = None
            with self._switching:
                if self._closed:
                    source.stop()
                    raise InputError("the window was closed meanwhile")
                self._stop()
                return self._start(parts, lead_in_s=replay.lead_in_s)

    def _with_lead_in(self, request: SourceRequest, replay: Replay) -> Replay:
        """Who seeks in what is shown finds the seconds before that place on the screen."""
        again = request.source == self.running.request.source and self.running.player is not None
        lead_in_s = min(LEAD_IN_S, replay.start_s) if again and self._options.lsl_out is None else 0.0
        return replace(replay, start_s=replay.start_s - lead_in_s, lead_in_s=lead_in_s)

    def _compose(
        self, request: SourceRequest, source: Source, info: StreamInfo, options: SessionOptions
    ) -> _Parts:
        person = request.person
        core, description = core_of(
            source,
            info,
            options.models,
            person=person.calibration if isinstance(person, Learned) else None,
            as_recorded=options.as_recorded,
        )
        vitals = vitals_of(description, core)
        vitals.limits = self._limits
        session = Session(source, core, description, vitals=vitals)
        inbox = Inbox(truth=truth_beside(source, info, core))
        switch = self._attach_switch(session, options)
        session.attach(inbox, Overflow.DROP_OLDEST)
        if self._bed is not None:
            session.attach(self._bed.sink(session.tell), Overflow.DROP_OLDEST)
        last = LastSeconds()
        session.attach(last, Overflow.DROP_OLDEST)
        attach_outlet(session, options.lsl_out, AS_RECORDED if info.live else Replay(options.replay.speed))
        model = self._model_of(core)
        return _Parts(request, source, session, inbox, description, vitals, last, switch, model)

    def _model_of(self, core: Pipeline | ReplayCore) -> RunningModel | None:
        """How much of a session's model runs: as much as of the one before, once the user has said so."""
        if isinstance(core, ReplayCore) or not isinstance(core.network, Network):
            return None
        model, before = RunningModel(core, core.network), self._model
        if before is not None:
            model.shows_parts = before.shows_parts
            if before.used != model.used:
                model.use(before.used)
        self._model = model
        return model

    def _attach_switch(self, session: Session, options: SessionOptions) -> RecorderSwitch | None:
        """What records the session when the user says so, from its beginning if the command line did."""
        refuse_recording_again(options)
        if options.as_recorded:
            return None
        switch = RecorderSwitch(
            lambda: recorder_of(options, self._beside, session.tell),
            session.tell,
            at_once=options.record is not None,
        )
        session.attach(switch)
        return switch

    def _start(self, parts: _Parts, lead_in_s: float = 0.0) -> RunningSession:
        source, session, vitals = parts.source, parts.session, parts.vitals
        player: Player | None = source.player if isinstance(source, Played) else None
        if player is not None:
            player.paused = parts.request.paused

        def watch_for(limits: Limits) -> None:
            vitals.limits = limits
            self._set_limits(limits)

        session.start()
        self._session, self._last = session, parts.last
        self._running_session = RunningSession(
            parts.request,
            parts.inbox,
            parts.description,
            session.tell,
            watch_for,
            player,
            lead_in_s,
            None if parts.switch is None else _Recording(parts.switch),
            parts.model,
        )
        return self._running_session

    def _stop(self) -> None:
        if self._session is not None:
            self._session.stop()
            self._session.wait()
            give_back()

    def end(self) -> None:
        """Ask for the end of what runs, also of what is being opened; returns at once."""
        self._closed = True
        if self._opening is not None:
            self._opening.stop()
        if self._session is not None:
            self._session.stop()

    def close(self) -> SessionReport | None:
        """Wait for the end; what became of the last session, if there was one."""
        self.end()
        with self._switching:
            self._stop()
        return None if self._session is None else self._session.report()

    def scan(self, found: OnScan) -> Callable[[], None]:
        """Look over Bluetooth and LSL at the same time, round after round, until told to stop."""
        stopping = threading.Event()

        def look(kind: str, scan: Scan) -> None:
            while not stopping.is_set():
                seen: Sequence[ScanResult] = ()
                problem = ""
                try:
                    seen = scan(SCAN_S[kind])
                except InputError as error:
                    problem = error.line
                if not stopping.is_set():
                    found(kind, seen, problem)
                if problem:
                    stopping.wait(SCAN_S[kind])

        for kind, scan in self._scans.items():
            threading.Thread(target=look, args=(kind, scan), name=f"scan {kind}", daemon=True).start()
        return stopping.set
