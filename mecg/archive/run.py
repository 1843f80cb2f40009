# SPDX-License-Identifier: GPL-3.0-or-later
"""A run over many records: each is done once, or named; nothing but counts is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from mecg.app.models import network_of
from mecg.archive.naming import Item
from mecg.archive.record import Job, Outcome
from mecg.archive.report import Report
from mecg.archive.unfinished import remove_unfinished
from mecg.archive.workers import ClusterGoneError, Told, Work, beside_each_other, one_by_one
from mecg.cli.exit_codes import error_line
from mecg.cli.progress_bar import Bar
from streamer.core.errors import Field, InputError
from streamer.core.network.parts import ALL_BANDS
from streamer.export.band import band_name


@dataclass(frozen=True, slots=True)
class Way:
    """How a run is done."""

    model: Path | None
    """None is the bundled one."""
    bands: str = ALL_BANDS
    jobs: int = 1
    scheduler: str | None = None
    """The address of a Dask scheduler; None does it here."""
    skip_existing: bool = False
    report: Path | None = None


@dataclass(slots=True)
class Tally:
    """What became of a run."""

    done: int = 0
    there: int = 0
    """Before the run."""
    failed: int = 0
    untried: int = 0
    removed: int = 0
    """Files that a killed run had left unfinished."""
    why: str = ""
    """Why some were not tried."""


def run(items: Sequence[Item], job: Job, way: Way, progress: Bar, interrupted: Callable[[], bool]) -> Tally:
    """Do all records.

    Raises
    ------
    InputError
        The report cannot be written, no process be started, no scheduler be reached: before a record is done.
    KeyboardInterrupt
        ``interrupted`` said so; what was begun is removed, what is done stays.
    """
    this = _Run(items, job, way, progress, interrupted)
    folders = sorted({job.out / item.folder for item in items})
    this.tally.removed = remove_unfinished(folders)
    if way.report is not None:
        this.report = Report(way.report, more=way.skip_existing)
    try:
        this.go()
    finally:
        if this.report is not None:
            this.report.close()
        if way.scheduler is not None:
            remove_unfinished(folders)
    return this.tally


class _Run:
    def __init__(
        self,
        items: Sequence[Item],
        job: Job,
        way: Way,
        progress: Bar,
        interrupted: Callable[[], bool],
    ) -> None:
        self._items, self._job, self._way = items, job, way
        self._progress, self._interrupted = progress, interrupted
        self.tally = Tally()
        self.report: Report | None = None
        self._given = 0

    def go(self) -> None:
        with closing(self._told()) as told:  # type: ignore[type-var]
            try:
                for said in told:
                    if isinstance(said, Outcome):
                        self._note(said)
                    elif said is not None:
                        self._progress.advance(said)
                    if self._interrupted():
                        raise KeyboardInterrupt
            except ClusterGoneError as gone:
                self.tally.why = str(gone)
        tally = self.tally
        tally.untried = len(self._items) - tally.done - tally.there - tally.failed

    def _told(self) -> Iterator[Told]:
        way, job, work = self._way, self._job, self._work()
        if way.scheduler is not None:
            from mecg.archive.cluster import on_cluster

            return on_cluster(way.scheduler, work, way.model, way.bands, job)
        if way.jobs == 1 or len(self._items) == 1:
            network = network_of(way.model, way.bands)
            return one_by_one(work, network, job, self._progress.advance, self._interrupted)
        return beside_each_other(min(way.jobs, len(self._items)), work, way.model, way.bands, job)

    def _work(self) -> Iterator[Work]:
        """What is still to be done."""
        skip, force = self._way.skip_existing, self._job.force
        for item in self._items:
            if self.tally.why:
                return
            header = item.header(self._job.out)
            if skip and header.exists():
                self.tally.there += 1
                if self.report is not None:
                    self.report.there(item, header)
                self._progress.leap()
                continue
            if not skip and not force and (there := _first_there(header)) is not None:
                self._note(Outcome.failed(item, self._refusal(there)))
                continue
            # Without its header a record is not whole: a run was killed between its files.
            yield Work(item, force=skip)

    def _refusal(self, there: Path) -> str:
        if len(self._items) == 1:
            return error_line(InputError(f"{there} exists", Field.OUTPUT))
        return f"{there} exists: keep it with --skip-existing, or overwrite it with --force"

    def _note(self, outcome: Outcome) -> None:
        item = outcome.item
        if self.report is not None:
            self.report.add(outcome, item.header(self._job.out))
        if outcome.good:
            self.tally.done += 1
        else:
            self.tally.failed += 1
            self._progress.fail()
        if outcome.no_room:
            self.tally.why = "there is no room left, make some"
        if outcome.words:
            self._progress.say(self._line(outcome))
        self._progress.advance(1.0)

    def _line(self, outcome: Outcome) -> str:
        record, words = outcome.item.record, outcome.words
        if outcome.good:
            return f"{record}: {words}"
        return f"mecg: {words}" if len(self._items) == 1 or record in words else f"mecg: {record}: {words}"


def _first_there(header: Path) -> Path | None:
    band = header.with_name(f"{band_name(header.stem)}.hea")
    paths = (header, header.with_suffix(".dat"), band)
    return next((path for path in paths if path.exists()), None)


def remove_empty(out: Path, items: Sequence[Item]) -> None:
    """The folders that were made for records of which none went well."""
    for folder in sorted({item.folder for item in items}, reverse=True):
        path = out / folder
        while path != out.parent:
            with suppress(OSError):
                path.rmdir()  # refuses one that holds something
            path = path.parent
