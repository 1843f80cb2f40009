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

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from devices.live.feed import Feed, Timeouts
from devices.lsl.description import About, choose, listed, mv_by_size, refuse_rate, show
from devices.lsl.library import LslClock, load_pylsl
from devices.lsl.link import Link
from devices.lsl.look import look, rate_from
from devices.lsl.placing import JITTER_S, Placing, are_possible
from devices.lsl.reading import Reading
from devices.lsl.repeats import Pulled, Repeats
from devices.lsl.search import Lost, find, predicate_of, search_for, wanted
from devices.lsl.sender_events import SenderEvents
from devices.replay.pacing import AS_RECORDED, Replay
from streamer.core.errors import Field, InputError
from streamer.core.events import Dropped, Event, Notice, State, Topic
from streamer.core.stream import Chunk, Placement, StreamInfo

_POLL_S = 0.05
"""How often the answers are looked at."""

GONE_S = 5.0
"""Silence that makes us look for the sender again: a cable pulled gives no other sign."""

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
        self._placing: Placing | None = None
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
        self._step(f"looking for an {wanted(self._query)}")
        found, about = find(self._lsl, self._query)
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
            newest, stamps = look(
                lambda: self._pulled(link), about, rate_hz, choice.column if math.isnan(mv) else None
            )
            if not rate_hz:
                rate_hz = rate_from(about, stamps)
                notes.append(f"The stream states no rate; its stamps fit {rate_hz:g} Hz.")
            if math.isnan(mv):
                mv, note = mv_by_size(newest[:, choice.column], str(about))
                notes.append(note)
        if self._inverted:
            notes.append(f"The polarity of {show(choice.label)[1:-1]} is turned, as asked.")
        self._link = link
        reading = Reading(
            choice,
            mv,
            rate_hz,
            inverted=self._inverted,
            unit_is_sure=self._unit_mv is not None,
            rate_was_found=not self._rate_stated(about),
        )
        lsl_less_host_s = LslClock(self._lsl.local_clock).offset_s
        self._placing = Placing(reading, link.correction_s, lsl_less_host_s, self._feed.say)
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

    def _step(self, text: str) -> None:
        self._feed.say(Notice(Topic.CONNECTING, text))

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
        feed, placing = self._feed, self._placing
        assert placing is not None
        said = SenderEvents(self._lsl, link.about.source_id)
        while not feed.stopping.is_set():
            for event in said.new():
                feed.say(event)
            try:
                if link.compare():
                    placing.compare(link.correction_s)
                batch = self._pulled(link)
            except RuntimeError:  # pylsl's LostError
                link.lost = True
                for event in said.new():  # its last words
                    feed.say(event)
                return "the sender is gone"
            if batch is not None and placing.has_begun:
                feed.put(placing.place(*self._with_what_follows(link, batch, placing), self._clock()))
            elif batch is not None and placing.look(batch[1]):
                link.flush()  # what has waited meanwhile would only be late
            why = feed.watch()
            if why is not None:
                return why
        return None

    def _with_what_follows(self, link: Link, batch: Pulled, placing: Placing) -> Pulled:
        """After a break, is it a gap, or did the sender stall?  Then the rest comes at once."""
        batches, last_s, broke = [batch], placing.last_stamp_s, False
        until_s = time.monotonic() + _CATCH_UP_S
        while placing.packets_share_stamps and time.monotonic() < until_s:
            more = self._pull_quietly(link, _REST_S, of_s=float(batches[-1][1][-1]))
            if more is None:
                break
            batches.append(more)  # the rest of a packet that was cut
        batches = [_joined(batches)]
        while time.monotonic() < until_s:
            stamps = batches[-1][1]
            if not are_possible(stamps).all():
                break
            breaks, heaped_up = placing.breaks_in(stamps, last_s)
            broke = broke or breaks
            if not broke or not heaped_up:
                break
            last_s = float(stamps[-1])
            more = self._pull_quietly(link, JITTER_S)
            if more is None:
                break
            batches.append(more)
        return _joined(batches)

    def _pulled(self, link: Link) -> Pulled | None:
        """What comes within a slice of time, without what came before; raises as `Link` does."""
        batch = link.pull(_SLICE_S)
        return None if batch is None else self._first_time(batch)

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
        feed, was, placing = self._feed, old.about, self._placing
        assert placing is not None
        feed.enter(State.RECONNECTING, f"{why}; looking for it again")
        placing.lost()
        search, lost, attempt = search_for(self._lsl, self._predicate), Lost(was), 0
        while not feed.stopping.is_set():
            if old.lost:
                feed.stopping.wait(_POLL_S)
            elif self._spoke(old):
                return old
            found = lost.among(search.results())
            if len(found) > 1:
                feed.enter(State.RECONNECTING, f"{len(found)} senders answer; stop all but one")
            if len(found) != 1:
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
            placing.taken_up(link.correction_s)
            feed.enter(State.WAITING, again)
            return link
        return None


def _joined(batches: Sequence[Pulled]) -> Pulled:
    return np.concatenate([rows for rows, _ in batches]), np.concatenate([stamps for _, stamps in batches])


def _difference(was: About, now: About) -> str:
    """Why a sender that came back is another stream."""
    if was.rate_hz != now.rate_hz:
        what = f"at {now.rate_hz:g} Hz instead of {was.rate_hz:g} Hz"
    else:
        before, after = (listed([c.label for c in about.channels]) for about in (was, now))
        what = f"with the channels {after} instead of {before}" if before != after else "with other units"
    return f"the sender came back {what}: this is a new stream; open it again"
