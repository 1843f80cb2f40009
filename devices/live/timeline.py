# SPDX-License-Identifier: MIT
"""From packets to chunks: absolute sample indices and gaps, found from the device's own stamps.

The device's stamps say how many samples lie between two packets, the count says how many came; the
rest was lost.  Arrivals are far too jittery for that, but they keep the stamps honest: a packet
cannot come before it was sampled, nor can the device's clock be set back a year by a delay.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from devices.live.arrival_rate import ArrivalRate
from devices.live.clock import ArrivalClock, HostClock
from streamer.core.events import Dropped, Event, Notice, SamplesLost, Topic
from streamer.core.stream import Chunk, Samples

RATE_TOLERANCE = 0.05
"""A device runs this far off its nominal rate at most (Polar: 2 %, 5 % in the cold); further off it
is another rate, and after a gap it is told from a gap by its regularity."""

_SURE_SAMPLES = 0.5
"""Half a sample is where a gap of one begins; the uncertainty of the rate comes on top."""

_RATE_WINDOW_S = 60.0
"""The rate is fitted to about so much of the past."""

_RATE_CERTAINTY_S = 0.12
"""After t seconds of evidence the rate is trusted to this over t: 1 % after 12 s; ..."""

_RATE_BEST = 0.002
"""... never closer, for it moves with the temperature."""

_SMOOTHING = 0.25
"""Share of a stamp's jitter that the grid follows at once."""

_EARLY_S = (1.0, 0.25)
"""A packet with a gap before it that came so much before its own stamp (while the clock's fit has
not settled nearly, and later), and has waited so much less than the one before it, shows that the
stamp has jumped; less can be an earlier packet's delay, or a backlog's."""

_SOON_PACKETS = 8
"""After so many packets the clock's fit is good enough for the lesser of the two: the least of so many delays
is small."""

_UNDONE_S = 10.0
"""So long a jump back is remembered: one ahead by as much undoes it, and is no gap (polar-ble-sdk, 387)."""

_LATE_S = 10.0
"""A packet after a gap that came so long after its own stamp, and has waited so much more than the one
before it, shows the same: links delay by seconds.  What was held for longer comes with all that was held."""

_BRIDGE_S = 1.0
"""Where the stamps jumped and no more than this is missing by the arrival clock, nothing is: it is
within the jitter of arrivals."""

_OTHER_RATE_PACKETS = 8
"""So many equal steps between stamps, at no nominal one, are another rate."""

_REORDER_S = 3.0
"""A packet may come so long after a gap has been found, and still be the one that was missed."""

_REMEMBERED = 16
"""So many packets and gaps are remembered, to know what came twice or late."""


@dataclass(slots=True)
class Counts:
    """What became of the packets of one stream."""

    packets: int = 0
    """Packets that became chunks."""
    samples: int = 0
    """Their samples."""
    lost: int = 0
    """Samples that are missing between them."""
    duplicate: int = 0
    """Packets dropped since they had come before."""
    late: int = 0
    """Packets dropped since later ones had come before; their samples are in ``lost``."""
    jumps: int = 0
    """Jumps of the device's clock."""


class Timeline:
    """Puts the packets of one stream on one grid of samples; nothing here reads a clock.

    Parameters
    ----------
    rate_hz : float
        Nominal.  The true one is fitted, and changes stamps and the size of gaps, never samples.
    jitter_s : float
        How far stamps may lie off a regular grid: 0 where the device stamps to the nanosecond, its
        tick where it counts milliseconds, tens of ms where a computer stamped what it received.
    clock : HostClock, optional
        What brings stamps to the host's clock; left out, they are fitted through the arrivals.

    Attributes
    ----------
    counts : Counts
        What became of every packet.
    clock : HostClock
        As given; its device's time is free of jumps.
    jitter_s : float
        As given; may be set to more, where stamps turn out to be worse than they were.
    """

    def __init__(self, rate_hz: float, jitter_s: float = 0.0, clock: HostClock | None = None) -> None:
        self.counts = Counts()
        self.clock: HostClock = ArrivalClock() if clock is None else clock
        self._nominal_s = 1 / rate_hz
        self.jitter_s = jitter_s
        self._period_s = self._nominal_s
        self._fit_s = self._fit_samples = self._evidence_s = 0.0
        self._next = 0
        self._at, self._at_s = 0, math.nan
        """The grid: a sample's index and its instant on the device's clock, jumps taken out; ..."""
        self._stamp_s = math.nan
        """... the stamp that it was set by, with its jitter, ..."""
        self._shift_s = 0.0
        """... and what takes the jumps out."""
        self._arrival_s = math.nan
        self._n = 1
        self._packets: deque[tuple[float, bytes]] = deque(maxlen=_REMEMBERED)
        self._gaps: deque[tuple[int, int, float]] = deque(maxlen=_REMEMBERED)
        self._jumped_s = 0.0
        self._jumped_at_s = -math.inf
        self._periods: deque[float] = deque(maxlen=_OTHER_RATE_PACKETS)
        self._arrivals = ArrivalRate()
        self._began_again = False

    @property
    def rate_hz(self) -> float:
        """The fitted rate: samples to a second of the device's clock."""
        return 1 / self._period_s

    @property
    def rate_is_known(self) -> bool:
        """Whether the fitted rate is as sure as it gets."""
        return self._uncertainty() <= _RATE_BEST

    @property
    def other_rate_hz(self) -> float | None:
        """The rate at which the device really sends, if that is clearly not the nominal one, by its stamps;
        or, if arrivals contradict the stamps, the rate at which samples come.
        """
        by_stamps = self._other_rate_by_stamps()
        passing = None if by_stamps is not None else self._arrivals.seconds_to_a_second
        return by_stamps if passing is None else self.rate_hz / passing

    def _other_rate_by_stamps(self) -> float | None:
        if len(self._periods) < _OTHER_RATE_PACKETS:
            return None
        low, high = min(self._periods), max(self._periods)
        mean = sum(self._periods) / len(self._periods)
        spread = mean * RATE_TOLERANCE / 2 + 2 * self.jitter_s / self._n
        if mean <= 0 or high - low > spread or spread > 0.2 * mean:
            return None
        return 1 / mean if abs(mean / self._nominal_s - 1) > 1.2 * RATE_TOLERANCE else None

    def reconnected(self) -> None:
        """Say that the link was gone: gaps from here on are no sign of another rate, nor of whole packets."""
        self._began_again = True
        self._periods.clear()
        self._arrivals.restart()

    def place(
        self, lead_mv: Samples, stamp_s: float, arrival_s: float, anchor: int = 0
    ) -> list[Chunk | Event]:
        """Put a packet on the grid.

        Parameters
        ----------
        lead_mv : array (n,)
            At least one sample.
        stamp_s : float
            The device's stamp, s on its own clock; finite.
        arrival_s : float
            When the packet came, the host's monotonic s.
        anchor : int
            Which sample the stamp is of: 0 the first, ``n - 1`` the last.

        Returns
        -------
        list
            The chunk, after events where samples were lost or the device's clock jumped; an event
            alone where the packet was dropped.
        """
        n = len(lead_mv)
        packet = (stamp_s, lead_mv.tobytes())
        if packet in self._packets:
            self.counts.duplicate += 1
            return [Dropped(1, "a packet came twice; the second was dropped", host_s=arrival_s)]
        stamp_s += self._shift_s
        said: list[Chunk | Event] = []
        missing = 0
        if not self.counts.packets:
            self._at, self._at_s = anchor, stamp_s
        else:
            span = self._next + anchor - self._at
            off = (stamp_s - self._at_s) / self._period_s - span
            step_s = stamp_s - self._stamp_s
            self._periods.append(step_s / span)
            if abs(off) <= _SURE_SAMPLES + self._uncertainty() * span + self.jitter_s / self._period_s:
                self._fit(step_s, span)
            elif off < 0 and self._fills_a_gap(round(off), n, arrival_s):
                self.counts.late += 1
                return [Dropped(1, "a packet came too late and was dropped", host_s=arrival_s)]
            elif (
                off > 0
                and not self._undoes_a_jump(off * self._period_s, arrival_s)
                and self._is_timely(stamp_s + (n - 1 - anchor) * self._period_s, arrival_s)
            ):
                missing = self._gap(off, n, span)
            else:
                missing = self._missing_by_arrival(n, arrival_s)
                jump_s = (off - missing) * self._period_s
                stamp_s -= jump_s
                said.append(self._jump(jump_s, arrival_s))
                if missing:
                    self.clock.restart()
        if missing:
            self.counts.lost += missing
            self._gaps.append((self._next, self._next + missing, arrival_s))
            text = f"{missing} samples lost ({missing * self._period_s:.2f} s)"
            said.append(SamplesLost(missing, text, host_s=arrival_s))
            self._next += missing
        # The grid follows the stamps; where they jitter, their mean.
        at = self._next + anchor
        expected_s = self._at_s + (at - self._at) * self._period_s
        self._at_s = expected_s + (_SMOOTHING if self.jitter_s else 1.0) * (stamp_s - expected_s)
        self._at, self._stamp_s, self._arrival_s, self._n = at, stamp_s, arrival_s, n
        self._packets.append(packet)
        self._began_again = False
        self.clock.observe(self._at_s + (n - 1 - anchor) * self._period_s, arrival_s)
        first_s = self.clock.host_s(self._at_s - anchor * self._period_s)
        said.append(Chunk(self._next, lead_mv, first_s, arrival_s))
        self._arrivals.observe(self._at_s + (n - 1 - anchor) * self._period_s, arrival_s)
        self._next += n
        self.counts.packets += 1
        self.counts.samples += n
        return said

    def _jump(self, jump_s: float, arrival_s: float) -> Notice:
        """Take a jump of the device's clock out of all stamps from here on."""
        self._shift_s -= jump_s
        self.counts.jumps += 1
        recent_s = self._jumped_s if arrival_s - self._jumped_at_s <= _UNDONE_S else 0.0
        self._jumped_s, self._jumped_at_s = recent_s + jump_s, arrival_s
        self._periods.clear()
        return Notice(Topic.CLOCK, f"the device's clock jumped by {jump_s:+.3f} s", host_s=arrival_s)

    def _uncertainty(self) -> float:
        """How far off the fitted rate can be, as a share."""
        return min(max(_RATE_CERTAINTY_S / max(self._evidence_s, 1e-9), _RATE_BEST), RATE_TOLERANCE)

    def _gap(self, off: float, n: int, span: int) -> int:
        """How many samples are missing; whole packets where the rate is not sure to the sample, unless the
        measurement began again, at any sample.
        """
        whole = 0 if self._began_again else round(off / n) * n
        uncertainty = self._uncertainty()
        jitter = min(self.jitter_s / self._period_s, 1.0)  # a tick; of wilder stamps it would say nothing
        unsure = uncertainty * (whole + span) + jitter
        if whole and uncertainty > _RATE_BEST and abs(off - whole) <= unsure:
            return whole
        return max(1, round(off))

    def _fit(self, step_s: float, span: int) -> None:
        """Learn the period from two packets without a gap between them."""
        keep = max(0.0, 1 - step_s / _RATE_WINDOW_S)
        self._fit_s = keep * self._fit_s + step_s
        self._fit_samples = keep * self._fit_samples + span
        self._evidence_s = min(self._evidence_s + span * self._nominal_s, _RATE_WINDOW_S)
        if self._evidence_s > 50 * self.jitter_s:
            period_s = self._fit_s / self._fit_samples
            # Beyond twice the tolerance it is not this stream's rate, whatever the stamps say.
            low, high = (self._nominal_s * (1 + 2 * sign * RATE_TOLERANCE) for sign in (-1, 1))
            self._period_s = min(max(period_s, low), high)

    def _fills_a_gap(self, off: int, n: int, arrival_s: float) -> bool:
        """Whether a packet that lies back is one that was missed a moment ago."""
        start, stop = self._next + off, self._next + off + n
        return any(
            low - 1 <= start and stop <= high + 1 and arrival_s - found_s <= _REORDER_S
            for low, high, found_s in self._gaps
        )

    def _undoes_a_jump(self, leap_s: float, arrival_s: float) -> bool:
        """Whether stamps leap ahead by what they have just jumped back: some were repeated, none is lost."""
        if self._jumped_s >= 0 or arrival_s - self._jumped_at_s > _UNDONE_S:
            return False
        unsure_s = 2 * self._uncertainty() * leap_s
        return abs(leap_s + self._jumped_s) <= 2 * self._period_s + unsure_s + self.jitter_s

    def _is_timely(self, last_s: float, arrival_s: float) -> bool:
        """Whether a packet's arrival goes with its stamp, so that what is before it is a gap."""
        delay_s = arrival_s - self.clock.host_s(last_s)
        before_s = self._arrival_s - (self._at_s + (self._next - 1 - self._at) * self._period_s)
        gained_s = before_s - (arrival_s - last_s)  # more or less than a backlog can
        sure = self.clock.settled or self.counts.packets >= _SOON_PACKETS
        early_s = _EARLY_S[int(sure)]
        late = delay_s > _LATE_S and gained_s < -_LATE_S
        early = delay_s < -early_s and gained_s > early_s
        return not late and not early

    def _missing_by_arrival(self, n: int, arrival_s: float) -> int:
        """How many samples the arrival clock misses, for want of a better one."""
        missing_s = arrival_s - self._arrival_s - n * self._period_s
        return round(missing_s / self._period_s) if missing_s > _BRIDGE_S else 0
