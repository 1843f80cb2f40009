# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the beds of a ward: a session for each, opened again by itself when it fails."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from devices.registry import is_live
from mecg.app.bed_list import BedPlan
from mecg.app.models import network_of
from mecg.app.options import ReplayOptions
from mecg.app.session_builder import attach_recorder, core_of, replay_of, source_of, vitals_of
from streamer.core.errors import InputError
from streamer.core.events import State
from streamer.core.network.network import Network
from streamer.recording.recorder import Recorder
from streamer.session.core_thread import CoreThread
from streamer.session.session import Session
from streamer.session.sink import Overflow
from streamer.session.source import Source
from ward.bed import Bed, Beds

AGAIN_S = (1.0, 2.0, 5.0, 10.0)
"""How long a bed waits before it is opened again, the last over and over."""

STEADY_S = 30.0
"""A session that ran for so long begins with the first of these again."""


@lru_cache(maxsize=4)
def shared_network(model: Path | None, bands: str) -> Network:
    """One network for all beds; raises `InputError`."""
    return network_of(model, bands)


class RunningBed:
    """One bed's sessions, one after the other, in a thread of its own.

    Parameters
    ----------
    plan : BedPlan
        What it is opened from.
    bed : Bed
        Where it is shown.
    opening : threading.Semaphore
        Held while a session is composed, so that many that begin at once do not slow those that run.
    cores : CoreThread
        Makes the leads of all of them.
    """

    def __init__(self, plan: BedPlan, bed: Bed, opening: threading.Semaphore, cores: CoreThread) -> None:
        self.plan = plan
        self.bed = bed
        self._opening = opening
        self._cores = cores
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._source: Source | None = None
        self._session: Session | None = None
        self.unrecorded: str | None = None
        """Why its recording ended before its time, if it did."""
        self._thread = threading.Thread(target=self._run, name=f"bed {bed.number}", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ask for the end; returns at once."""
        self._stopping.set()
        with self._lock:
            if self._session is not None:
                self._session.stop()
            elif self._source is not None:
                self._source.stop()

    def wait(self, timeout_s: float) -> None:
        """Wait for the end."""
        self._thread.join(timeout_s)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            begun_s = time.monotonic()
            try:
                again = self._session_once()
                why = "" if again is None else again
            except InputError as error:
                again = why = error.line
            except Exception as error:  # noqa: BLE001 - one bed must not end the others
                again = why = str(error) or type(error).__name__
            if again is None or self._stopping.is_set():
                self.bed.end(State.ENDED, why or "the source has ended")
                return
            failures = 0 if time.monotonic() > begun_s + STEADY_S else failures + 1
            pause_s = AGAIN_S[min(max(failures - 1, 0), len(AGAIN_S) - 1)]
            self.bed.end(State.RECONNECTING, f"{why}; opened again in {pause_s:g} s")
            self._stopping.wait(pause_s)

    def _session_once(self) -> str | None:
        """One session; why another is to follow it, or None if none is."""
        with self._opening:
            session = self._composed()
        if session is None:
            return None
        session.start()
        while not session.wait(0.5):
            pass
        report = session.report()
        with self._lock:
            self._session = self._source = None
        unrecorded = report.failures.get(Recorder.name)
        if unrecorded is not None:
            self.unrecorded = str(unrecorded) or type(unrecorded).__name__
        failure = report.failures.get("source") or report.failures.get("core")
        if failure is not None:
            return str(failure) or type(failure).__name__
        return "the source has ended" if report.description.stream.live else None

    def _composed(self) -> Session | None:
        """A session that is ready; None if the end was asked for meanwhile."""
        options = self.plan.session
        live = is_live(options.source.text or "")
        source = source_of(options.source, replay_of(ReplayOptions() if live else options.replay))
        with self._lock:
            self._source = source
        if self._stopping.is_set():
            return None
        info = source.open()
        core, description = core_of(
            source,
            info,
            options.models,
            as_recorded=options.as_recorded,
            load=shared_network,
        )
        vitals = vitals_of(description, core)
        vitals.limits = self.plan.limits
        session = Session(source, core, description, vitals=vitals, core_thread=self._cores)
        if options.record is not None:
            folder = options.record / folder_name(self.plan.name)
            attach_recorder(session, replace(options, record=folder), {})
        session.attach(self.bed.sink(session.tell), Overflow.DROP_OLDEST, at_once=True)
        with self._lock:
            if self._stopping.is_set():
                source.stop()
                return None
            self._session = session
        return session


def folder_name(name: str) -> str:
    """What a bed's recordings lie in: its name, as far as every file system takes it."""
    return re.sub(r"[^\w-]+", "-", name).strip("-") or "bed"


class WardBeds:
    """The running beds of a ward, as its list has them now.

    Parameters
    ----------
    beds : Beds
        Where they are shown.
    """

    def __init__(self, beds: Beds) -> None:
        self._beds = beds
        self._running: dict[str, RunningBed] = {}
        self._opening = threading.Semaphore(2)
        self._cores = CoreThread()
        self._gone: list[RunningBed] = []

    def follow(self, plans: Sequence[BedPlan]) -> None:
        """Run these beds: new ones begin, changed ones begin again, those that are not among them end."""
        wanted = {plan.name: plan for plan in plans}
        self._gone = [each for each in self._gone if not each.ended or each.unrecorded is not None]
        for name, running in tuple(self._running.items()):
            if wanted.get(name) != running.plan:
                running.stop()
                self._beds.remove(running.bed)
                self._gone.append(running)
                del self._running[name]
        for name, plan in wanted.items():
            if name not in self._running:
                running = RunningBed(plan, self._beds.add(name, plan.limits), self._opening, self._cores)
                self._running[name] = running
                running.start()

    @property
    def unrecorded(self) -> list[tuple[str, str]]:
        """The beds whose recordings ended before their time, and why."""
        every = (*self._gone, *self._running.values())
        return [(each.plan.name, each.unrecorded) for each in every if each.unrecorded is not None]

    @property
    def ended(self) -> bool:
        """Whether no bed has anything more to come."""
        return all(running.ended for running in self._running.values())

    def stop(self) -> None:
        """End all, and wait for it: their recordings are closed."""
        running = (*self._gone, *self._running.values())
        for each in running:
            each.stop()
        for each in running:
            each.wait(5.0)
