# SPDX-License-Identifier: MIT
"""``wfdb:`` - one lead of a WFDB record, played as if it came live."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from devices.replay.pacing import AS_RECORDED, Playback, Replay
from streamer.core.errors import Field, InputError
from streamer.core.events import Event
from streamer.core.leads import LEADS
from streamer.core.signal.rate import SOURCE_HZ
from streamer.core.stream import Chunk, Placement, Samples, StreamInfo
from streamer.formats.wfdb_files import show
from streamer.formats.wfdb_reader import Record


class WfdbReplay:
    """Replays a WFDB record; follows `streamer.session.source.Source`.

    Parameters
    ----------
    path : str or Path
        ``.hea``, ``.dat``, or the record's name without either.
    lead : str, optional
        Any lead of the record: a spelling of one of the twelve, else its label in any case.
        Lead I if not given.
    invert : bool
        Turn the polarity of that lead.
    placement : Placement
        What the user says of the electrodes; travels in the stream's description.
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
        replay: Replay = AS_RECORDED,
        chunk_samples: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._path = path
        self._lead = lead
        self._sign = np.float32(-1 if invert else 1)
        self._placement = placement
        self._replay = replay
        self.player = Playback(replay, chunk_samples, clock, sleep)
        """Pauses it and sets its speed."""
        self._record: Record | None = None
        self._row = 0
        self._reference: dict[int, int] = {}

    def open(self) -> StreamInfo:
        """Read the header, choose the lead, and see that there is something to play.

        Raises
        ------
        InputError
            No such record or lead, a rate that the core does not take, a lead that is no voltage
            or holds no valid sample, a start behind the end, and all that
            `streamer.formats.wfdb_reader.Record` refuses.
        """
        record = Record(self._path)
        name, rate_hz = show(record.header.name), record.rate_hz
        if not SOURCE_HZ[0] <= rate_hz <= SOURCE_HZ[1]:
            raise InputError(
                f"{name} runs at {rate_hz:g} Hz, out of the {SOURCE_HZ[0]:g} to {SOURCE_HZ[1]:g} Hz range; "
                "resample it, or name another record"
            )
        row = record.row(self._lead or "I")
        if row is None:
            listed = [show(label)[1:-1] for label in record.names[:24]]
            why = f"{name} has no lead {show(self._lead or 'I')}, only {', '.join(listed)}"
            raise InputError(why, Field.LEAD, choices=listed)
        signal = record.signals[row]
        label = show(signal.name)[1:-1]
        if signal.steps_per_mv is None:
            why = f"lead {label} of {name} is in {show(signal.units)}, no voltage"
            raise InputError(why, Field.LEAD, choices=_others(record, row))
        if not _any_valid(record, row):
            raise InputError(
                f"lead {label} of {name} holds no valid sample", Field.LEAD, choices=_others(record, row)
            )
        length = self._replay.length(rate_hz, record.samples)
        leads = [s.lead if s.steps_per_mv is not None else None for s in record.signals]
        reference = {LEADS.index(lead): i for i, lead in reversed(list(enumerate(leads))) if lead is not None}
        self._record, self._row = record, row
        self._reference = reference if len(reference) > 1 else {}

        notes = [f"Playing lead {label} of {name}: {record.samples / rate_hz:.1f} s at {rate_hz:g} Hz."]
        if signal.lead != "I":
            notes.append(f"The input is {label}, not Lead I: every reconstructed lead is marked so.")
        if self._sign < 0:
            notes.append(f"The polarity of {label} is turned, as asked.")
        if self._reference:
            notes.append(f"The record holds {len(self._reference)} of the twelve leads, for comparison.")
        notes += self._replay.notes()
        return StreamInfo(
            source=f"wfdb:{self._path}",
            rate_hz=rate_hz,
            lead=signal.name,
            is_lead_i=signal.lead == "I" and self._placement is not Placement.CHEST,
            inverted=bool(self._sign < 0),
            placement=self._placement,
            samples=None if self._replay.loop else length,
            notes=tuple(notes),
        )

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
        record, loop = Record(self._path), self._replay.loop
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
        signals = self._record.read(start, stop)
        twelve = self._rows(signals)
        return signals[self._row], twelve if self._reference else None

    def _rows(self, signals: Samples) -> Samples:
        """The twelve leads of all signals; the one that is played is turned, where asked, in both."""
        signals[self._row] *= self._sign
        reference = np.full((len(LEADS), signals.shape[1]), np.nan, np.float32)
        reference[list(self._reference)] = signals[list(self._reference.values())]
        return reference


def _others(record: Record, row: int) -> list[str]:
    """The voltages beside a row, as the user may name them."""
    signals = [signal for i, signal in enumerate(record.signals) if i != row]
    return [show(signal.name)[1:-1] for signal in signals if signal.steps_per_mv is not None][:24]


def _any_valid(record: Record, row: int) -> bool:
    step = 1 << 16
    return any(
        bool(np.isfinite(record.read(start, start + step)[row]).any())
        for start in range(0, record.samples, step)
    )
