# SPDX-License-Identifier: GPL-3.0-or-later
"""One stream as the window follows it: what came, how it stands, and what of it is looked at; no Qt."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from gui.signal.frozen_view import FrozenView
from gui.signal.history import History
from gui.signal.inbox import Inbox, Measured, Raw
from gui.signal.playout import PlayoutBuffer
from streamer.core.events import Alarm, Beat, Drift, Event, SpeedChanged, State, StateChanged
from streamer.core.signal.runs import true_runs
from streamer.core.stream import Frame, StreamInfo
from streamer.session.source_words import state_words

_LEAD_IN_SLACK_S = 0.05
"""Of what comes at once the end is taken for packets, so that there is an edge if a replay is held."""

_QUIET_S = 2.0
"""After so long without a sample the header says so."""


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """How a stream stands at an instant, for the header."""

    state: State
    words: str
    """The same for the user: what is not live is not called so."""
    time: str
    """Of day, of the newest column, or its place in a replay."""
    age_s: float | None
    """Of the newest sample; None before the first."""
    quiet: bool
    """For too long no sample came."""
    settling: bool
    untrusted: bool
    recalibrate: bool
    """Lead I no longer looks like the person's reference."""
    algorithmic_ms: float
    display_delay_ms: float | None
    lost: int
    lost_s: float
    dropped: int
    """Items that the window was too slow for."""


class FollowedStream:
    """Takes what an inbox holds and keeps what the window shows of it.

    Parameters
    ----------
    inbox : Inbox
        Filled by the run-time.
    algorithmic_ms : float
        The stream's algorithmic latency.
    lead_in_s : float
        The first so many seconds come at once, which says nothing about how its packets come.
    """

    def __init__(self, inbox: Inbox, info: StreamInfo, algorithmic_ms: float, lead_in_s: float = 0.0) -> None:
        self.inbox = inbox
        self.info = info
        self.history = History(inbox.description)
        self.playout: PlayoutBuffer | None = None
        """None before the first packet."""
        self.frozen: FrozenView | None = None
        """What is looked at while the picture is held still."""
        self.news = " · ".join(info.notes)
        """The newest sentence about the stream."""
        self._algorithmic_ms = algorithmic_ms
        self._paced_from_s = lead_in_s - algorithmic_ms / 1e3 - _LEAD_IN_SLACK_S
        self._newest: tuple[float, Frame] | None = None
        self._state = State.WAITING
        self._speed = info.speed
        self._recalibrate = False

    @property
    def band(self) -> str:
        """The input band in words; empty if it is not known."""
        return "" if self.inbox.description is None else self.inbox.description.filters

    @property
    def has_samples(self) -> bool:
        """Whether a frame has come."""
        return self._newest is not None

    def take(
        self,
        on_frame: Callable[[float, Frame], None],
        on_event: Callable[[Event, tuple[float, float] | None], None],
    ) -> None:
        """Take all that came.

        Parameters
        ----------
        on_frame : callable
            Called with the instant at which a frame came (monotonic seconds) and the frame.
        on_event : callable
            Called with an event and from when until when it changes the picture, if it does.
        """
        ended = self.inbox.closed  # asked first: nothing comes after it
        for at_s, item in self.inbox.take():
            if isinstance(item, Frame):
                self._add(at_s, item)
                on_frame(at_s, item)
            elif isinstance(item, Measured):
                self.history.truth(item.start, item.leads_mv)
            elif isinstance(item, Raw):
                self.history.diagnostic_trace(item.start, item.rate_hz, item.lead_mv)
            else:
                on_event(item, self._hear(item))
        if ended:
            self._state = State.ENDED

    def _add(self, at_s: float, frame: Frame) -> None:
        self.history.frame(frame)
        if frame.stop > self._paced_from_s * frame.rate_hz:
            if self.playout is None or (self._newest and self._newest[1].rate_hz != frame.rate_hz):
                self.playout = PlayoutBuffer(frame.rate_hz)
            for first, stop in true_runs(frame.valid):  # what was lost did not come late
                self.playout.arrived(at_s, frame.start + first, frame.start + stop)
        if self._newest is None and self._state is State.WAITING:
            self._state = State.LIVE
        self._newest = at_s, frame

    def _hear(self, event: Event) -> tuple[float, float] | None:
        match event:
            case StateChanged():
                self._state = event.state
            case SpeedChanged():
                self._speed = event.speed
            case Drift():
                self._recalibrate = event.rises
        # What an alarm said as it rose would soon be an old number: the banner has the one of now.
        if not isinstance(event, Beat) and not (isinstance(event, Alarm) and event.rises):
            self.news = event.text
        return self.history.event(event)

    # ---- what is looked at

    def edge_s(self, now_s: float) -> float | None:
        """The stream's time at the live picture's newest column; None before the first valid sample."""
        edge_s = math.nan if self.playout is None else self.playout.edge_s(now_s)
        return edge_s if math.isfinite(edge_s) else None

    def time_words(self, now_s: float) -> str:
        """The time of day of the live picture's newest column, or its place in a replay."""
        edge_s = self.edge_s(now_s)
        return "" if edge_s is None else self.history.time.words(edge_s)

    def seen(self) -> tuple[History, float]:
        """What the picture is made of, and the instant at its newest end, seconds of the stream."""
        if self.frozen is not None:
            return self.frozen.history, self.frozen.edge_s
        return self.history, self.history.stop_s

    def freeze(self, now_s: float) -> None:
        """Hold the picture still, if there is one and it is not held yet."""
        edge_s = self.edge_s(now_s)
        if edge_s is not None and self.frozen is None:
            self.frozen = FrozenView(self.history, edge_s, now_s)

    def note(self, event: Event) -> None:
        """Keep an event of the window's own, such as a marker, in all that is looked at."""
        self.history.event(event)
        if self.frozen is not None:
            self.frozen.history.event(event)

    # ---- how it stands

    def status(self, now_s: float) -> StreamStatus:
        """How it stands at an instant, monotonic seconds."""
        traces, newest = self.history.traces, self._newest
        age_s = None if newest is None else _age_s(*newest, now_s)
        untrusted = self.history.untrusted
        return StreamStatus(
            state=self._state,
            words=state_words(self._state, self.info, self._speed),
            time=self.time_words(now_s),
            age_s=age_s,
            quiet=(age_s or 0.0) > _QUIET_S and self._state not in (State.ENDED, State.PAUSED),
            settling=newest is not None and bool(newest[1].settling.any()),
            recalibrate=self._recalibrate,
            untrusted=bool(untrusted) and math.isinf(untrusted[-1][1]),
            algorithmic_ms=self._algorithmic_ms,
            display_delay_ms=None if self.playout is None else 1e3 * self.playout.display_delay_s,
            lost=0 if traces is None else traces.lost,
            lost_s=0.0 if traces is None else traces.lost / traces.rate_hz,
            dropped=self.inbox.dropped,
        )


def _age_s(at_s: float, frame: Frame, now_s: float) -> float:
    """How long ago the newest sample was taken, or came if it is not known when it was taken."""
    taken_s = frame.device_s + (frame.leads_mv.shape[1] - 1) / frame.rate_hz
    since_s = next(when for when in (taken_s, frame.arrival_s, at_s) if math.isfinite(when))
    return max(0.0, now_s - since_s)
