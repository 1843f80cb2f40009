# SPDX-License-Identifier: MIT
"""``lsl:`` - one ECG channel of a Lab Streaming Layer stream, live.

What LSL promises and what it does not, and what follows from it here (measured with liblsl 1.18):

- Stamps are the sender's own, and are taken as they are: gaps are found on them.  Dejittering would
  hide a gap (2.3 s of loss shown as 23 ms); ``proc_clocksync`` hides one of a single sample, since it
  takes each new comparison of the clocks at once, between any two samples, and under load they differ
  by a millisecond.  So the same comparison, ``time_correction()``, is followed slowly here, and only
  maps the grid of samples to this machine's clock.
- ``pull_chunk(timeout)`` waits its timeout out.  So one sample is waited for, and what else is
  there is taken without waiting.
- liblsl's own recovery compares neither rate nor labels with what was before, takes 3 s and more,
  and knows source ids only.  So streams are opened without it, and found again here.
- There is no authentication, and a sender listens on every interface.  Anyone on the network
  can send a stream of any name: text from it is shortened and made printable, numbers are checked.
"""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.live.clock import ComparedClock
from devices.live.feed import Feed, Timeouts
from devices.live.timeline import RATE_TOLERANCE as STATED_TOLERANCE
from devices.live.timeline import Timeline
from devices.lsl.description import About, choose, listed, mv_by_size, refuse_rate, show, shows_beats
from devices.lsl.library import LslClock, load_pylsl
from devices.lsl.link import Link
from devices.lsl.reading import Reading
from devices.lsl.repeats import Pulled, Repeats
from devices.lsl.search import description_of, predicate_of, search_for, source_of
from devices.lsl.sender_events import SenderEvents
from devices.lsl.stamps import (
    RATE_TOLERANCE,
    RateFit,
    fit_rate,
    grid_rate_of,
    in_their_order,
    no_later_than_the_next,
    rate_of,
    stamps_are_exact,
)
from devices.replay.pacing import AS_RECORDED, Replay
from streamer.core.errors import Field, InputError
from streamer.core.events import Dropped, Event, Notice, State, Topic
from streamer.core.stream import Chunk, Placement, StreamInfo

RESOLVE_S = 5.0
"""How long `LslStream.open` looks for a stream, ..."""

SECOND_S = 1.0
"""... and how much longer for a second one that could be meant: not all answer the first question."""

_POLL_S = 0.05
"""How often the answers are looked at."""

GONE_S = 5.0
"""Silence that makes us look for the sender again: a cable pulled gives no other sign."""

LOOK_S = 2.0
"""How much of a stream is looked at before its first sample is handed on."""

RATE_LOOK_S = 3.0
"""The same where a rate must be found in the stamps."""

RATE_LOOK_MOST_S = 10.0
"""Where stamps are so few and so uneven that the rate is not sure by then, it is nearly so."""

_LOOK_AGAIN_S = 0.5

LOOK_TIMEOUT_S = 14.0
"""How long to wait for something to look at."""

_JITTER_S = 0.1
"""At least so much unevenness is allowed for where stamps are uneven at all: a busy sender stalls."""

_BUNCHED_TOLERANCE = 0.2
"""How far off a rate may seem where samples come in bunches, stamped as they come."""

_SEVERAL = 3
"""So many steps between different stamps say what the rate is within that."""

_BACK_S = 0.5
"""A step back by less is unevenness too; by more, the sender's clock was set."""

_MOST_S = 1e11
"""Three thousand years: no clock says so, and microseconds no longer fit into a float."""

_SAME_CLOCK_S = 0.02
"""A sender that came back, and whose clock is off by no more from what it was, still has that clock:
its stamps go on, to the sample."""

_CATCH_UP_S = 0.5
"""A sender that stalled is given so long to send what has heaped up, before the rest counts as lost."""

_REST_S = 0.005
"""So long the rest of a packet with one stamp is waited for: alone, its parts would lie at one place."""

_TELL_S = 1.0
"""Samples that came twice are reported at most this often."""

_SLICE_S = 0.2
"""No call waits longer than this for a sample, so that `LslStream.stop` is heard."""


class LslStream:
    """One ECG channel of an LSL stream; follows `streamer.session.source.Source`.

    Parameters
    ----------
    query : str
        What follows ``lsl:``, as `predicate_of` takes it; empty is the only ECG stream there is.
    lead : str, optional
        Another channel than Lead I, by its label.
    invert : bool
        Turn its polarity.
    placement : Placement
        Where the electrodes sit.
    replay : Replay
        A live stream is not replayed: anything but `AS_RECORDED` is refused.
    unit_mv : float, optional
        How many mV a step is, whatever the stream states.
    rate_hz : float, optional
        The sampling rate of a stream that states none.
    patience : Timeouts, optional
        How long to wait for what.
    clock : callable
        Monotonic seconds.  Both are for tests.

    Raises
    ------
    InputError
        Another `replay`.
    """

    def __init__(
        self,
        query: str = "",
        *,
        lead: str | None = None,
        invert: bool = False,
        placement: Placement = Placement.UNSTATED,
        replay: Replay = AS_RECORDED,
        unit_mv: float | None = None,
        rate_hz: float | None = None,
        patience: Timeouts | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        replay.refuse("lsl:")
        self._query = query
        self._predicate = predicate_of(query)
        self._lead = lead
        self._unit_mv = unit_mv
        self._stated_hz = rate_hz
        self._inverted = invert
        self._placement = placement
        self._clock = clock
        self._feed = Feed(patience or Timeouts(silent_s=GONE_S), clock)
        self._lsl: Any = None
        self._link: Link | None = None
        self._timeline: Timeline | None = None
        self._lsl_less_host_s = 0.0
        self._zero_s = 0.0  # added to a sender's stamps: they go on where another clock took over
        self._sender = ComparedClock(0.0)
        self._reading: Reading | None = None
        self._last_s = math.nan
        self._newest: NDArray[np.float64] = np.empty((0, 0))  # what a unit is found by
        self._shared = False  # samples share a stamp a packet
        self._repeats = Repeats()
        self._told_repeats, self._told_repeats_s = 0, -math.inf

    def announce_to(self, hear: Callable[[Event], None]) -> None:
        """Report each step to ``hear`` as it is made, until `items` is iterated."""
        self._feed.listener = hear

    def open(self) -> StreamInfo:
        """Find the stream, choose its channel, and see what its numbers and stamps mean.

        Takes a second; three more where the rate or the unit is not stated, for a look at samples.

        Raises
        ------
        InputError
            No such stream or several, no such channel, a rate or a unit that cannot be used or
            found out, or no liblsl on this platform.
        """
        self._lsl = load_pylsl()
        self._step(f"looking for an {self._wanted}")
        found, about = self._find()
        self._step(f"found {about}; connecting")
        choice = choose(about, self._lead, self._placement, self._unit_mv)
        try:
            link = Link(self._lsl, found)
        except RuntimeError as error:
            raise InputError(
                f"{about} was found but cannot be read ({str(error).rstrip('.')}); are ports 16572 and "
                "up, TCP and UDP, open in its sender's firewall?"
            ) from None
        notes = list(choice.notes)
        rate_hz, mv = self._rate_stated(about), choice.mv
        if not rate_hz or math.isnan(mv):
            missing = " and ".join(["rate"] * (not rate_hz) + ["unit"] * math.isnan(mv))
            self._step(f"connected; it states no {missing}: looking at some seconds of it")
            _, stamps = self._look(link, rate_hz, choice.column if math.isnan(mv) else None)
            if not rate_hz:
                rate_hz = self._rate_from(about, stamps)
                notes.append(f"The stream states no rate; its stamps fit {rate_hz:g} Hz.")
            if math.isnan(mv):
                mv, note = mv_by_size(self._newest[:, choice.column], str(about))
                notes.append(note)
        if self._inverted:
            notes.append(f"The polarity of {show(choice.label)[1:-1]} is turned, as asked.")
        self._link = link
        self._reading = Reading(
            choice,
            mv,
            rate_hz,
            inverted=self._inverted,
            unit_is_sure=self._unit_mv is not None,
            rate_was_found=not self._rate_stated(about),
        )
        self._lsl_less_host_s = LslClock(self._lsl.local_clock).offset_s
        self._zero_s = link.correction_s
        self._sender = ComparedClock(self._offset_of(link))
        return StreamInfo(
            source=f"lsl:{self._query}",
            rate_hz=rate_hz,
            lead=choice.label,
            is_lead_i=choice.is_lead_i,
            inverted=self._inverted,
            placement=self._placement,
            device=about.device or about.name,
            live=True,
            passed_on=about.passed_on,
            notes=tuple(notes),
        )

    def items(self) -> Iterator[Chunk | Event]:
        """The chunks, and what happens to the stream; call `open` first."""
        if self._link is None:
            raise RuntimeError("open() comes before items()")
        threading.Thread(target=self._run, name="LSL receiver", daemon=True).start()
        return self._feed.items()

    def stop(self) -> None:
        """Ask `items` to end; returns at once."""
        self._feed.stop()

    # ---- before the first sample

    @property
    def _wanted(self) -> str:
        return f"LSL stream {show(self._query)}" if self._query else "LSL stream with an ECG"

    def _step(self, text: str) -> None:
        self._feed.say(Notice(Topic.CONNECTING, text))

    def _find(self) -> tuple[Any, About]:
        search = search_for(self._lsl, self._predicate)
        until_s = time.monotonic() + RESOLVE_S
        while not search.results() and time.monotonic() < until_s:
            time.sleep(_POLL_S)
        if search.results():
            time.sleep(SECOND_S)
        described = ((one, description_of(self._lsl, one, 2.0)) for one in search.results())
        known = [(one, about) for one, about in described if about is not None]
        if not self._predicate:
            known = [(one, about) for one, about in known if about.has_ecg]
        if not known:
            raise InputError(
                f"there is no {self._wanted}; start its sender, or see what there is with: mecg devices"
            )
        if len(known) > 1:
            abouts = [about for _, about in known]
            ways = " or ".join(show(source_of(about, abouts))[1:-1] for about in abouts[:8])
            raise InputError(f"{len(known)} LSL streams could be meant; name one: {ways}")
        return known[0]

    def _look(self, link: Link, rate_hz: float, beats_in: int | None) -> Pulled:
        """Take some seconds of a stream, by its stamps; they are not handed on.

        They are enough once the rate is sure, if none is stated, and beats are in the newest of a column
        whose unit is not: before the electrodes are on, its size means nothing.
        """
        batches: list[Pulled] = []
        due_s = RATE_LOOK_S
        until_s = time.monotonic() + LOOK_TIMEOUT_S
        try:
            while time.monotonic() < until_s:
                batch = link.pull(_SLICE_S)
                batch = None if batch is None else self._first_time(batch)
                if batch is not None:
                    batches.append(batch)
                    span_s = batch[1][-1] - batches[0][1][0]
                    if span_s < due_s:
                        continue
                    stamps = np.concatenate([b[1] for b in batches])
                    rows = np.concatenate([b[0] for b in batches])
                    fit = RateFit(rate_hz, sure=True) if rate_hz else fit_rate(stamps)
                    new = stamps > stamps[-1] - RATE_LOOK_S if beats_in is not None else slice(None)
                    beats = beats_in is None or (fit and shows_beats(rows[new, beats_in], fit.rate_hz))
                    if span_s >= RATE_LOOK_MOST_S and not beats:
                        raise InputError(
                            f"{link.about} states no unit, and no beats came in {span_s:.0f} s; "
                            "attach the electrodes, or state the unit",
                            Field.UNIT,
                        )
                    if beats and ((fit and fit.sure) or span_s >= RATE_LOOK_MOST_S):
                        self._newest = rows[new]
                        return rows, stamps
                    due_s = span_s + _LOOK_AGAIN_S
        except RuntimeError as error:
            raise InputError(f"{link.about} was lost while it was looked at ({error}); try again") from None
        raise InputError(
            f"{link.about} states no rate or no unit, and {LOOK_TIMEOUT_S:g} s brought too few samples to "
            "find it; start its measurement, or have it state both"
        )

    def _rate_stated(self, about: About) -> float:
        """By the stream, or by the user if it states none; 0 if neither does."""
        if self._stated_hz is None:
            return about.rate_hz
        if about.rate_hz:
            raise InputError(
                f"{about} states its rate itself, {about.rate_hz:g} Hz", Field.RATE, leave_out=True
            )
        refuse_rate(about, self._stated_hz)
        return self._stated_hz

    def _rate_from(self, about: About, stamps: NDArray[np.float64]) -> float:
        fit = fit_rate(stamps)
        if fit is None:
            raise InputError(
                f"{about} states no rate, and its stamps fit none within {RATE_TOLERANCE:.0%}", Field.RATE
            )
        refuse_rate(about, fit.rate_hz)
        return fit.rate_hz

    # ---- the receiving thread

    def _run(self) -> None:
        link, self._link = self._link, None
        feed = self._feed
        try:
            assert link is not None
            feed.enter(State.WAITING, f"connected to {link.about}")
            while link is not None and not feed.stopping.is_set():
                why = self._receive(link)
                if why is not None:
                    link = self._again(link, why)
            feed.end("stopped")
        except InputError as error:
            feed.end(error.line, error)
        except Exception as error:  # noqa: BLE001 - handed to the consumer
            feed.end(f"failed: {error}", error)

    def _receive(self, link: Link) -> str | None:
        """Hand on what comes; returns why nothing more will, or None after a stop."""
        feed = self._feed
        looked: list[NDArray[np.float64]] = []
        said = SenderEvents(self._lsl, link.about.source_id)
        while not feed.stopping.is_set():
            for event in said.new():
                feed.say(event)
            try:
                if link.compare():
                    self._sender.compare(self._offset_of(link))
                batch = link.pull(_SLICE_S)
            except RuntimeError:  # pylsl's LostError
                link.lost = True
                for event in said.new():  # its last words
                    feed.say(event)
                return "the sender is gone"
            batch = None if batch is None else self._first_time(batch)
            if batch is not None:
                if self._timeline is None:
                    looked.append(batch[1])
                    self._timeline = self._timeline_for(np.concatenate(looked))
                    if self._timeline is not None:
                        link.flush()  # what has waited meanwhile would only be late
                else:
                    batch = self._with_what_follows(link, batch, self._timeline)
                    feed.put(self._placed(self._timeline, *batch))
            why = feed.watch()
            if why is not None:
                return why
        return None

    def _with_what_follows(self, link: Link, batch: Pulled, timeline: Timeline) -> Pulled:
        """After a break, is it a gap, or did the sender stall?  Then the rest comes at once."""
        batches, last_s, broke = [batch], self._last_s - self._zero_s, False
        until_s = time.monotonic() + _CATCH_UP_S
        while self._shared and time.monotonic() < until_s:  # the rest of the packet, if it was cut
            more = self._pull_quietly(link, _REST_S, of_s=float(batches[-1][1][-1]))
            if more is None:
                break
            batches.append(more)
        batches = [(np.concatenate([b[0] for b in batches]), np.concatenate([b[1] for b in batches]))]
        while time.monotonic() < until_s:
            stamps = batches[-1][1]
            if not np.all(np.abs(stamps) <= _MOST_S):
                break
            if self._shared:  # a packet's stamp is that of its last sample
                stamps = no_later_than_the_next(stamps, timeline.rate_hz)
            steps = np.diff(stamps, prepend=last_s)
            breaks = steps > 1.5 / timeline.rate_hz + timeline.jitter_s
            broke = broke or bool(breaks.any())
            if not broke or not (breaks[-1] or 0 <= steps[-1] < 0.5 / timeline.rate_hz):
                break
            last_s = float(stamps[-1])
            more = self._pull_quietly(link, _JITTER_S)
            if more is None:
                break
            batches.append(more)
        return np.concatenate([b[0] for b in batches]), np.concatenate([b[1] for b in batches])

    def _pull_quietly(self, link: Link, wait_s: float, of_s: float | None = None) -> Pulled | None:
        """What else comes, of one stamp if that is given; a loss of the link is reported by the next pull."""
        try:
            more = link.pull(wait_s)
        except RuntimeError:
            return None
        if more is not None and of_s is not None and more[1][0] != of_s:
            link.keep(more)
            return None
        return None if more is None else self._first_time(more)

    def _first_time(self, batch: Pulled) -> Pulled | None:
        """Without what came before; None if nothing is left."""
        rows, stamps = self._repeats.without(*batch)
        new = self._repeats.count - self._told_repeats
        now_s = self._clock()
        if new and now_s - self._told_repeats_s >= _TELL_S:
            self._told_repeats, self._told_repeats_s = self._repeats.count, now_s
            self._feed.say(
                Dropped(new, f"{new} samples came twice, with the same stamps; the copies were dropped")
            )
        return (rows, stamps) if len(stamps) else None

    def _timeline_for(self, stamps: NDArray[np.float64]) -> Timeline | None:
        """Once there are enough of them, see what kind of stamps these are."""
        if stamps[-1] - stamps[0] < LOOK_S:
            return None
        reading = self._reading
        assert reading is not None
        self._shared = bool(np.mean(np.diff(stamps) == 0) >= 0.4)
        # Of three packets two may have been cut: they say little of a rate.
        several = np.count_nonzero(np.diff(stamps)) >= _SEVERAL
        on_grid_hz, on_average_hz = grid_rate_of(stamps), rate_of(stamps) if several else None
        for rate_hz, tolerance in ((on_grid_hz, STATED_TOLERANCE), (on_average_hz, _BUNCHED_TOLERANCE)):
            if rate_hz is not None and abs(rate_hz / reading.rate_hz - 1) > tolerance:
                raise reading.other_rate(rate_hz)
        if stamps_are_exact(stamps, reading.rate_hz):
            return Timeline(reading.rate_hz, clock=self._sender)
        self._say_uneven()
        return Timeline(reading.rate_hz, _JITTER_S, self._sender)

    def _offset_of(self, link: Link) -> float:
        """The host's time less the sender's, its zero as we have it."""
        return link.correction_s - self._zero_s - self._lsl_less_host_s

    def _say_uneven(self) -> None:
        text = f"the stamps are uneven: losses shorter than {_JITTER_S:g} s cannot be told from jitter"
        self._feed.say(Notice(Topic.CLOCK, text))

    def _placed(
        self, timeline: Timeline, rows: NDArray[np.float64], stamps: NDArray[np.float64]
    ) -> list[Chunk | Event]:
        """What one pull becomes: chunks, and events where something is amiss."""
        assert self._reading is not None
        arrival_s = self._clock()
        stamps = stamps + self._zero_s
        stated = np.abs(stamps) <= _MOST_S  # NaN is not
        placed: list[Chunk | Event] = []
        if not stated.all():
            count = int((~stated).sum())
            placed.append(
                Dropped(count, f"{count} samples had an impossible stamp and were dropped", host_s=arrival_s)
            )
            rows, stamps = rows[stated], stamps[stated]
            if not len(stamps):
                return placed
        if not timeline.jitter_s:
            rows, stamps = in_their_order(rows, stamps, self._last_s, timeline.rate_hz)
        steps = np.diff(stamps, prepend=self._last_s) * timeline.rate_hz
        self._last_s = float(stamps[-1])
        if not timeline.jitter_s and np.any((steps < 0.5) & (steps > -_BACK_S * timeline.rate_hz)):
            # Stamps that still step back were taken by a clock that others disturb.
            timeline.jitter_s = _JITTER_S
            self._say_uneven()
        if timeline.jitter_s and not np.any(steps <= -_BACK_S * timeline.rate_hz):  # the first step is NaN
            before_s = stamps[0] - steps[0] / timeline.rate_hz
            stamps = no_later_than_the_next(stamps, timeline.rate_hz)
            steps = np.diff(stamps, prepend=before_s) * timeline.rate_hz
        placed += self._reading.watch_unit(rows, arrival_s)
        lead_mv = self._reading.lead_mv(rows)
        reference_mv = self._reading.reference_mv(rows, lead_mv)
        slack = 0.5 + timeline.jitter_s * timeline.rate_hz
        # After a break one sample is placed alone: in its place among packets lies the gap's size.
        breaks = np.flatnonzero(np.abs(steps - 1) > slack)
        cuts = sorted(
            {0, *breaks.tolist(), *(breaks + 1).tolist(), len(stamps)} & set(range(len(stamps) + 1))
        )
        for start, stop in pairwise(cuts):
            # By the last sample's stamp, so that only the step over a gap says how much is missing: over
            # what a stall of reading has heaped up, the rate is not known to the sample.
            piece, last = lead_mv[start:stop], stop - start - 1
            for item in timeline.place(piece, float(stamps[stop - 1]), arrival_s, last):
                if isinstance(item, Chunk) and reference_mv is not None:
                    item = dataclasses.replace(item, reference_mv=reference_mv[:, start:stop])
                placed.append(item)
        return placed + self._reading.watch_rate(timeline, arrival_s)

    @staticmethod
    def _spoke(link: Link) -> bool:
        """Whether a silent link brought something after all."""
        try:
            return link.comes_back(_POLL_S)
        except RuntimeError:  # now it is lost, and said so
            link.lost = True
            return False

    def _again(self, old: Link, why: str) -> Link | None:
        """Find the sender again; None after a stop.

        Raises
        ------
        InputError
            What came back is another stream.
        """
        feed, was = self._feed, old.about
        feed.enter(State.RECONNECTING, f"{why}; looking for it again")
        if self._timeline is not None:
            self._timeline.reconnected()
        search = search_for(self._lsl, self._predicate)
        attempt, alone_since_s = 0, math.inf
        while not feed.stopping.is_set():
            if old.lost:
                feed.stopping.wait(_POLL_S)
            elif self._spoke(old):
                return old
            found = [one for one in search.results() if one.name() == was.name]
            same = [one for one in found if was.source_id and one.source_id() == was.source_id]
            found = same or found
            if len(found) > 1:
                feed.enter(State.RECONNECTING, f"{len(found)} senders answer; stop all but one")
            if len(found) != 1:
                alone_since_s = math.inf
                continue
            # The same source_id is enough; the name alone may be another's, who is first to answer.
            alone_since_s = min(alone_since_s, time.monotonic())
            if not same and time.monotonic() < alone_since_s + SECOND_S:
                continue
            feed.stopping.wait(feed.patience.before_attempt(attempt) if attempt else 0.0)
            attempt += 1
            try:
                link = Link(self._lsl, found[0])
            except RuntimeError as error:
                why = str(error).rstrip(".")
                feed.enter(State.RECONNECTING, f"the sender answers but cannot be read ({why})")
                continue
            if link.about.shape != was.shape:
                raise InputError(_difference(was, link.about))
            again = f"connected again to {link.about}"
            if link.about.source_id != was.source_id:
                again += ", another source_id than before: see that it is the same person"
            change_s = self._offset_of(link) - self._sender.offset_s
            if abs(change_s) > _SAME_CLOCK_S:
                self._zero_s += change_s
            self._sender.compare(self._offset_of(link))
            feed.enter(State.WAITING, again)
            return link
        return None


def _difference(was: About, now: About) -> str:
    """Why a sender that came back is another stream."""
    if was.rate_hz != now.rate_hz:
        what = f"at {now.rate_hz:g} Hz instead of {was.rate_hz:g} Hz"
    else:
        before, after = (listed([c.label for c in about.channels]) for about in (was, now))
        what = f"with the channels {after} instead of {before}" if before != after else "with other units"
    return f"the sender came back {what}: this is a new stream; open it again"
