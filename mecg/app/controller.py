# SPDX-License-Identifier: GPL-3.0-or-later
"""The sessions behind one window: one after the other, each from a source of its own."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from devices.bluetooth.scan import scan_ble
from devices.lsl.inlet import scan_lsl
from devices.registry import parse_source
from devices.replay.pacing import AS_RECORDED, Replay
from gui.controller import OnScan, Person, Player, RunningSession, SourceRequest
from gui.signal.inbox import Inbox
from mecg.app.calibration_previews import CalibrationPreviews, LastSeconds, Learned
from mecg.app.measured_leads import truth_beside
from mecg.app.models import card_of
from mecg.app.session_builder import (
    attach_outlet,
    attach_recorder,
    core_of,
    refuse_other_speeds,
    replay_of,
    say_notes,
    source_of,
    vitals_of,
)
from streamer.core.errors import InputError
from streamer.core.stream import StreamInfo
from streamer.core.vitals.vitals import Limits, Vitals
from streamer.session.description import SessionDescription
from streamer.session.session import Session, SessionReport
from streamer.session.sink import Overflow
from streamer.session.source import Played, ScanResult, Source

Scan = Callable[[float], list[ScanResult]]

SCAN_S = {"ble": 3.0, "lsl": 1.0}
"""A round of looking, each over and over while somebody looks."""

LEAD_IN_S = 10.0
"""A screen full: what lies before the place to which a person went."""

LIVE = ("lsl", "polar", "movesense")
"""Nobody can ask these for a sample again: they take no start and no speed."""


class Controller:
    """Composes the sessions of one window; see `gui.controller.Controller`.

    Each source gets a session, a pipeline and, where ``--record`` says so, a recording of its own: what
    ran before is stopped and its file closed before the next one begins.  So does a seek: it is a new
    stream from another place, whose filters settle anew.

    Parameters
    ----------
    args : namespace
        As the command line of `mecg monitor` has it; what concerns the source holds for the first only.
    scans : mapping, optional
        For tests.
    """

    def __init__(
        self, args: argparse.Namespace, scans: dict[str, Scan] | None = None, limits: Limits | None = None
    ) -> None:
        self._args = args
        self._scans = scans or {"ble": scan_ble, "lsl": scan_lsl}
        self._limits = limits or Limits()
        self._lock = threading.Lock()  # one source is opened at a time, which may take long, ...
        self._switching = threading.Lock()  # ... and no session begins while the window closes
        self._closed = False
        self._session: Session | None = None
        self._showing: RunningSession | None = None
        self._opening: Source | None = None

    @property
    def showing(self) -> RunningSession:
        """The session that runs now; call `begin` first."""
        if self._showing is None:
            raise RuntimeError("begin() comes before a session runs")
        return self._showing

    @property
    def card(self) -> str:
        """The model card; empty where a model of the user's came without one."""
        return card_of(self._args.model)

    @property
    def trials(self) -> CalibrationPreviews:
        """What learns a person from what runs, or from a file."""
        return CalibrationPreviews(self._args.model, lambda: (self.showing.description, self._last))

    def prepare(self, source: Source) -> None:
        """Open the first source, and compose its session; `begin` starts it.

        Raises
        ------
        InputError
            As the source's `open` and `mecg.app.session_builder` do.
        """
        args, info = self._args, source.open()
        wanted = SourceRequest(
            info.source, args.lead, args.invert, args.placement, start_s=args.start, speed=args.speed
        )
        self._first = wanted, source, self._compose(source, info, args)
        say_notes(info)

    def begin(self) -> RunningSession:
        """Start what was prepared; raises `InputError` or `OSError` as `Session.start` does."""
        wanted, source, parts = self._first
        return self._start(wanted, source, *parts)

    def open(self, wanted: SourceRequest) -> RunningSession:
        """End what runs and begin another; raises `InputError` or `OSError` where that cannot be done."""
        with self._lock:
            args = self._args_for(wanted)
            replay = self._with_lead_in(wanted, replay_of(args.speed, args.start, args.loop, args.drop))
            if args.lsl_out is not None:
                refuse_other_speeds(replay, "--lsl-out")
            source = source_of(
                args.source, lead=args.lead, invert=args.invert, placement=args.placement, replay=replay
            )
            if wanted.source == self.showing.wanted.source and self.showing.player is None:
                self._stop()  # a device has one link only
            self._opening = source
            try:
                parts = self._compose(source, source.open(), args, wanted.person)
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
                return self._start(wanted, source, *parts, lead_in_s=replay.lead_in_s)

    def _with_lead_in(self, wanted: SourceRequest, replay: Replay) -> Replay:
        """Who seeks in what is shown finds the seconds before that place on the screen."""
        again = wanted.source == self.showing.wanted.source and self.showing.player is not None
        lead_in_s = min(LEAD_IN_S, replay.start_s) if again and self._args.lsl_out is None else 0.0
        return replace(replay, start_s=replay.start_s - lead_in_s, lead_in_s=lead_in_s)

    def _args_for(self, wanted: SourceRequest) -> argparse.Namespace:
        """The command line that would have opened this."""
        scheme, _ = parse_source(wanted.source)
        # What the command line says of a person or a recording holds for no other.
        given = wanted.source == self._first[0].source
        live = scheme in LIVE
        changed = {
            "source": wanted.source,
            "lead": wanted.lead,
            "invert": wanted.invert,
            "placement": wanted.placement,
            "start": 0.0 if live else wanted.start_s,
            "speed": 1.0 if live else wanted.speed,
            "loop": self._args.loop and given,
            "drop": self._args.drop if given else None,
            "calibration": self._args.calibration if given and wanted.person is None else None,
            "as_recorded": self._args.as_recorded and scheme == "session",
        }
        return argparse.Namespace(**(vars(self._args) | changed))

    def _compose(
        self, source: Source, info: StreamInfo, args: argparse.Namespace, person: Person | None = None
    ) -> tuple[Session, Inbox, SessionDescription, Vitals, LastSeconds]:
        calibration = person.calibration if isinstance(person, Learned) else args.calibration
        core, description = core_of(
            source, info, args.model, calibration=calibration, as_recorded=args.as_recorded
        )
        vitals = vitals_of(description, core)
        vitals.limits = self._limits
        session = Session(source, core, description, vitals=vitals)
        inbox = Inbox(truth=truth_beside(source, info, core))
        attach_recorder(session, args)
        session.attach(inbox, Overflow.DROP_OLDEST)
        last = LastSeconds()
        session.attach(last, Overflow.DROP_OLDEST)
        attach_outlet(session, args.lsl_out, AS_RECORDED if info.live else Replay(speed=args.speed))
        return session, inbox, description, vitals, last

    def _start(
        self,
        wanted: SourceRequest,
        source: Source,
        session: Session,
        inbox: Inbox,
        description: SessionDescription,
        vitals: Vitals,
        last: LastSeconds,
        lead_in_s: float = 0.0,
    ) -> RunningSession:
        player: Player | None = source.player if isinstance(source, Played) else None
        if player is not None:
            player.paused = wanted.paused

        def watch_for(limits: Limits) -> None:
            self._limits = vitals.limits = limits

        session.start()
        self._session, self._last = session, last
        self._showing = RunningSession(wanted, inbox, description, session.tell, watch_for, player, lead_in_s)
        return self._showing

    def _stop(self) -> None:
        if self._session is not None:
            self._session.stop()
            self._session.wait()

    def end(self) -> None:
        """Ask for the end of what runs, also of what is being opened; returns at once."""
        self._closed = True
        if self._opening is not None:
            self._opening.stop()
        if self._session is not None:
            self._session.stop()

    def close(self) -> SessionReport:
        """Wait for the end; what became of the last session."""
        self.end()
        with self._switching:
            self._stop()
        assert self._session is not None
        return self._session.report()

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
                    problem = " ".join(str(error).split())
                if not stopping.is_set():
                    found(kind, seen, problem)
                if problem:
                    stopping.wait(SCAN_S[kind])

        for kind, scan in self._scans.items():
            threading.Thread(target=look, args=(kind, scan), name=f"scan {kind}", daemon=True).start()
        return stopping.set
