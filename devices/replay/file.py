# SPDX-License-Identifier: MIT
"""``file:`` and ``wfdb:`` - one lead of a recording of any format, played as if it came live."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from devices.replay.pacing import AS_RECORDED, Playback, Replay
from streamer.core.errors import Field, InputError
from streamer.core.events import Event
from streamer.core.leads import LEADS, canonical_lead
from streamer.core.signal.rate import SOURCE_HZ
from streamer.core.stream import Chunk, Placement, Samples, StreamInfo
from streamer.formats.recording import Lead, Recording, Stated, without_identity
from streamer.formats.registry import split_reading
from streamer.formats.wfdb_files import show
from streamer.formats.wfdb_reader import Record
from streamer.lead_recording import LeadRecording, open_recording

_LOOK = 1 << 16
_MOST_KEPT = 1 << 20


class FileReplay:
    """Replays a file that `streamer.lead_recording.open_recording` opens; follows
    `streamer.session.source.Source`.

    Parameters
    ----------
    path : str or Path
        Of the file; for a WFDB record its ``.hea``, ``.dat``, ``.mat``, or its name without any.  Behind it
        ``?reading=2`` says which of several readings.
    lead : str, optional
        Any lead of the record: a spelling of one of the twelve, else its label in any case; or which lead a
        single one is whose label names none.  Lead I if not given, or the single lead if its placement is
        known.
    invert : bool
        Turn the polarity of that lead.
    placement : Placement
        What the user says of the electrodes; travels in the stream's description.  On the arms, a lead whose
        label names none is Lead I.
    unit_mv, rate_hz
        For what the file does not say: how many mV a step is, and the sampling rate.
    keep_identity : bool
        Let what the file says of whose it is travel in the stream's description.
    replay, chunk_samples, clock, sleep
        As `devices.replay.pacing.Playback` takes them.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        lead: str | None = None,
        invert: bool = False,
        placement: Placement = Placement.UNSTATED,
        unit_mv: float | None = None,
        rate_hz: float | None = None,
        keep_identity: bool = False,
        replay: Replay = AS_RECORDED,
        chunk_samples: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._path = path
        self._lead = lead
        self._sign = np.float32(-1 if invert else 1)
        self._placement = placement
        self._stated = Stated(unit_mv, rate_hz, lead, placement)
        self._keep_identity = keep_identity
        self._replay = replay
        self.player = Playback(replay, chunk_samples, clock, sleep)
        """Pauses it and sets its speed."""
        self._record: LeadRecording | None = None
        self._row = 0
        self._reference: dict[int, int] = {}
        self._begin: Samples | None = None  # read to see that there is something, and not twice

    def open(self) -> StreamInfo:
        """Read the header, choose the lead, and see that there is something to play.

        Raises
        ------
        InputError
            No such record or lead, a rate that the core does not take, a lead that is no voltage
            or holds no valid sample, a start behind the end, and all that
            `streamer.formats.wfdb_reader.Record` refuses.
        """
        record = open_recording(self._path, self._stated)
        path = str(self._path) if self._keep_identity else without_identity(str(self._path))
        name, rate_hz = show(Path(split_reading(path)[0]).name), record.rate_hz
        if isinstance(record, Record):
            name = show(record.header.name)
        if not SOURCE_HZ[0] <= rate_hz <= SOURCE_HZ[1]:
            raise InputError(
                f"{name} runs at {rate_hz:g} Hz, out of the {SOURCE_HZ[0]:g} to {SOURCE_HZ[1]:g} Hz range; "
                "resample it, or name another record"
            )
        placement = self._placement if self._placement is not Placement.UNSTATED else record.placement
        row, is_lead_i = _measured(record, name, self._lead, placement)
        lead = record.leads[row]
        label = show(lead.label)[1:-1]
        if not lead.is_voltage:
            why = f"lead {label} of {name} is in {show(lead.unit)}, no voltage"
            raise InputError(why, Field.LEAD, choices=_others(record, row))
        begin = record.read(0, _LOOK)
        if not (np.isfinite(begin[row]).any() or _any_valid(record, row)):
            raise InputError(
                f"lead {label} of {name} holds no valid sample", Field.LEAD, choices=_others(record, row)
            )
        length = self._replay.length(rate_hz, record.samples)
        leads = [other.name if other.is_voltage else None for other in record.leads]
        reference = {LEADS.index(lead): i for i, lead in reversed(list(enumerate(leads))) if lead is not None}
        if lead.name is not None:  # of two leads of one name, the one that is played
            reference[LEADS.index(lead.name)] = row
        self._record, self._row = record, row
        self._begin = begin if begin.size <= _MOST_KEPT else None
        self._reference = reference if len(reference) > 1 else {}
        self._placement = placement
        return StreamInfo(
            source=f"{'wfdb' if isinstance(record, Record) else 'file'}:{path}",
            rate_hz=rate_hz,
            lead=lead.label,
            is_lead_i=is_lead_i and placement is not Placement.CHEST,
            inverted=bool(self._sign < 0),
            placement=placement,
            samples=None if self._replay.loop else length,
            notes=(*self._notes(name, label, is_lead_i), *self.remarks),
            identity=_identity(record) if self._keep_identity else "",
            speed=self._replay.speed,
            start_s=self._replay.start_s,
            began=began.isoformat() if (began := record.began) is not None and began.year > 1 else "",
        )

    def _notes(self, name: str, label: str, is_lead_i: bool) -> tuple[str, ...]:
        """Sentences for the user."""
        assert self._record is not None
        record, lead = self._record, self._record.leads[self._row]
        length_s = record.samples / record.rate_hz
        notes = [f"Playing lead {label} of {name}: {length_s:.1f} s at {record.rate_hz:g} Hz."]
        if lead.name is None and is_lead_i:
            notes.append(f"The label {label} names no lead: it is taken as Lead I, as stated.")
        elif not is_lead_i:
            notes.append(f"The input is {label}, not Lead I: every reconstructed lead is marked so.")
        if self._sign < 0:
            notes.append(f"The polarity of {label} is turned, as asked.")
        if self._reference:
            notes.append(f"The record holds {len(self._reference)} of the twelve leads, for comparison.")
        return (*notes, *self._replay.notes())

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is wrong with the file, or was concluded, in sentences; call `open` first."""
        if self._record is None:
            return ()
        leads = self._record.leads
        same = [other for other in leads if _same(other, leads[self._row])]
        label = show(leads[self._row].label)[1:-1]
        twice = f"{len(same)} leads of the file are named {label}: the first is played."
        return (*([twice] if len(same) > 1 else []), *self._record.notes)

    @property
    def began(self) -> datetime | None:
        """When the first sample that is played was taken, if the file says so; call `open` first."""
        began = None if self._record is None else self._record.began
        return None if began is None else began + timedelta(seconds=self._replay.start_s)

    def items(self) -> Iterator[Chunk | Event]:
        """The chunks and the changes of state; call `open` first.

        Yields
        ------
        Chunk
            NaN stays NaN.  ``reference_mv`` holds the record's other leads where it has more than
            one of the twelve; the row of the lead that is played is as played, turned if asked.

        Raises
        ------
        InputError
            The record became unreadable while it was played.
        """
        if self._record is None:
            raise RuntimeError("open() comes before items()")
        return self.player.play(self._read, self._record.rate_hz, self._record.samples)

    def stop(self) -> None:
        """Ask `items` to end; returns at once."""
        self.player.stop()

    def whole(self) -> Callable[[int, int], tuple[int, Samples]] | None:
        """A second reading of the record, ahead of what is played; None if it holds no other lead.

        Returns
        -------
        callable
            Takes ``start`` and ``stop`` on the played stream's own index; gives the index of the first
            sample and the leads ``(12, n)`` as `items` hands them out, as far as there are any.  Samples
            before the place where the playing began have negative indices.

        Raises
        ------
        InputError
            As `open` does.
        """
        if not self._reference or self._record is None:
            return None
        record, loop = open_recording(self._path, self._stated), self._replay.loop
        origin = round(self._replay.start_s * record.rate_hz)
        length = record.samples - origin

        def read(start: int, stop: int) -> tuple[int, Samples]:
            start, stop = max(start, 0 if loop else -origin), stop if loop else min(stop, length)
            pieces = [np.empty((len(LEADS), 0), np.float32)]
            at = start
            while at < stop:
                first = at - at % length if loop else 0
                end = min(stop, first + length)
                pieces.append(self._rows(record.read(origin + at - first, origin + end - first)))
                at = end
            return start, np.concatenate(pieces, axis=1)

        return read

    def _read(self, start: int, stop: int) -> tuple[Samples, Samples | None]:
        assert self._record is not None
        if self._begin is not None and stop <= self._begin.shape[1]:
            signals = self._begin[:, start:stop].copy()
        else:
            self._begin = None
            signals = self._record.read(start, stop)
        twelve = self._rows(signals)
        return signals[self._row], twelve if self._reference else None

    def _rows(self, signals: Samples) -> Samples:
        """The twelve leads of all signals; the one that is played is turned, where asked, in both."""
        signals[self._row] *= self._sign
        reference = np.full((len(LEADS), signals.shape[1]), np.nan, np.float32)
        reference[list(self._reference)] = signals[list(self._reference.values())]
        return reference


def _same(one: Lead, other: Lead) -> bool:
    """Whether two leads have one name."""
    return one.label.casefold() == other.label.casefold() or (one.name is not None and one.name == other.name)


def _identity(record: LeadRecording) -> str:
    if isinstance(record, Recording):
        return record.identity.words()
    return "; ".join(record.header.comments)[:400] if isinstance(record, Record) else ""


def _measured(record: LeadRecording, name: str, asked: str | None, placement: Placement) -> tuple[int, bool]:
    """The row of the lead to measure, and whether it is Lead I; raises InputError."""
    voltages = [i for i, lead in enumerate(record.leads) if lead.is_voltage]
    single = voltages[0] if len(voltages) == 1 and record.leads[voltages[0]].name is None else None
    row = record.row(asked or "I")
    stated = False
    if row is None and single is not None:
        # A single lead that the file names not: the user says which it is, or where it was taken.
        meant = canonical_lead(asked) if asked else None
        if meant is not None or (asked is None and placement is not Placement.UNSTATED):
            row, stated = single, meant == "I"
    if row is None:
        listed = [show(label)[1:-1] for label in record.names[:24]]
        why = f"{name} has no lead {show(asked or 'I')}, only {', '.join(listed)}"
        raise InputError(why, Field.LEAD, choices=listed)
    lead = record.leads[row].name
    return row, lead == "I" or (lead is None and (stated or placement is Placement.ARMS))


def _others(record: LeadRecording, row: int) -> list[str]:
    """The voltages beside a row, as the user may name them."""
    leads = [lead for i, lead in enumerate(record.leads) if i != row]
    return [show(lead.label)[1:-1] for lead in leads if lead.is_voltage][:24]


def _any_valid(record: LeadRecording, row: int) -> bool:
    """Whether a row has a sample behind the first `_LOOK`."""
    return any(
        bool(np.isfinite(record.read(start, start + _LOOK)[row]).any())
        for start in range(_LOOK, record.samples, _LOOK)
    )
