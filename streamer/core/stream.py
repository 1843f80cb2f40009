# SPDX-License-Identifier: MIT
"""What flows: chunks of the measured lead in, frames of twelve leads out.

What happens beside them is in `streamer.core.events`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.leads import canonical_lead

Samples = NDArray[np.float32]


class Placement(Enum):
    """Where the electrodes of the measured lead sit, as far as anybody has said."""

    UNSTATED = "unstated"
    ARMS = "arms"
    """On both arms, wrists or shoulders: Lead I."""
    CHEST = "chest"
    """A strap or patch on the chest: not Lead I, and every reconstructed lead is marked so."""


class SourceKind(Enum):
    """What stands behind a stream; the value is what the user reads.  A replay is not a patient."""

    LIVE = "live"
    REPLAY = "REPLAY"
    """A recording is played, and its leads are made again."""
    RECORDED = "RECORDED"
    """The twelve leads are those that were recorded."""
    SYNTHETIC = "SYNTHETIC"
    """Nobody's heart: a program makes it, live or not."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What is known of a stream before its first sample; travels to every sink.

    Examples
    --------
    >>> from streamer import Placement, StreamInfo
    >>> StreamInfo("my sensor", rate_hz=250.0, placement=Placement.ARMS, live=True).is_lead_i
    True
    """

    source: str
    """The SOURCE string that opens it again, such as ``wfdb:recordings/ptb/s0010_re``."""
    rate_hz: float
    """Nominal rate.  A fitted clock changes stamps, never this."""
    lead: str = "I"
    """The label of the lead that is fed to the model, as the source names it."""
    is_lead_i: bool = True
    """False marks every reconstructed lead "input is not Lead I"."""
    inverted: bool = False
    """The user asked for the polarity to be turned."""
    placement: Placement = Placement.UNSTATED
    device: str = ""
    """Manufacturer, model and serial number, as far as known."""
    samples: int | None = None
    """How many samples will come, where that is known (a file)."""
    live: bool = False
    """True if a sample cannot be asked for again (BLE, LSL)."""
    notes: tuple[str, ...] = field(default=())
    """Sentences for the user: what was chosen, what to mind."""
    synthetic: bool = False
    """No heart is behind it, whether it comes live or not."""
    passed_on: SourceKind | None = None
    """Of a live stream whose sender says that it passes on what is not live; None if it does not say."""
    as_recorded: bool = False
    """The twelve leads come from the recording as well; nothing is reconstructed again."""
    speed: float = 1.0
    """Of a replay, as it begins; 1 is real time."""
    start_s: float = 0.0
    """Of a replay: the place of sample 0 in the recording, seconds."""
    began: str = ""
    """Of a replay: when the recording began, as it states that (ISO 8601); empty if it does not."""

    identity: str = ""
    """Whose recording it is, as a file says it; empty unless the user asks to keep that."""

    @property
    def shown_lead(self) -> str:
        """The lead as the user reads it where it is not Lead I: what electrodes on the chest give is not,
        whatever it is called.
        """
        on_chest = self.placement is Placement.CHEST and canonical_lead(self.lead) == "I"
        return "I on the chest" if on_chest and not self.is_lead_i else self.lead

    @property
    def kind(self) -> SourceKind:
        """What stands behind it: the one place that decides it."""
        if self.synthetic:
            return SourceKind.SYNTHETIC
        if self.passed_on is not None:
            return self.passed_on
        if self.live:
            return SourceKind.LIVE
        return SourceKind.RECORDED if self.as_recorded else SourceKind.REPLAY


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive samples of the measured lead, as one packet or read brought them.

    Examples
    --------
    >>> import numpy as np
    >>> from streamer import Chunk
    >>> first = Chunk(0, np.array([0.02, 0.03, 0.01], np.float32))
    >>> after_a_gap_of_two = Chunk(first.stop + 2, np.array([0.05], np.float32))
    >>> after_a_gap_of_two.start, after_a_gap_of_two.stop
    (5, 6)
    """

    start: int
    """Index of the first sample since the stream began, counting lost ones: a gap is a jump."""
    lead_mv: Samples
    """``(n,)`` float32 mV; NaN is a sample that the source itself marks invalid."""
    device_s: float = math.nan
    """Instant of the first sample on the source's clock, in the host's monotonic seconds."""
    arrival_s: float = math.nan
    """When the chunk reached this program, monotonic seconds."""
    reference_mv: Samples | None = None
    """``(12, n)`` mV in the order of `streamer.core.leads.LEADS`: the other leads that the source
    happens to hold (NaN rows where it does not), for showing truth beside the estimate."""

    @property
    def stop(self) -> int:
        """Index after the last sample."""
        return self.start + len(self.lead_mv)


class Stamps(NamedTuple):
    """When each step towards a frame was done, on the clock that the pipeline was given, seconds.

    In this order none comes before the one above it.
    """

    taken: float
    """The core began with the chunk that completed the frame, ..."""
    converted: float
    """... had it at the model's rate, ..."""
    filtered: float
    """... and in bands."""
    begun: float
    """This hop's turn came: a long chunk completes many."""
    window: float
    """What the network needs lay ready."""
    inferred: float
    """The network was done."""
    stitched: float
    """The hop was final."""
    made: float
    """The frame was there."""
    newest: int
    """Not an instant: index after the newest source sample that had come by then."""


@dataclass(frozen=True, slots=True, eq=False)
class LeadPart:
    """The leads of a frame as far as some of the model's bands give them."""

    bands: str
    """The fastest band that was heard (`streamer.core.network.parts.BANDS`)."""
    leads_mv: Samples
    """``(12, n)``, as `Frame.leads_mv`; Lead I was measured."""
    scale_mv: Samples
    """``(12, n)``, as `Frame.scale_mv`: how far these leads alone lie from the truth."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Consecutive samples of the reconstructed twelve leads, at the model's rate.

    Sample ``i`` is the ECG at the instant ``(start + i) / rate_hz`` after sample 0 of the source:
    the algorithmic latency is already taken out of the index; it only says when frames come.
    """

    start: int
    rate_hz: float
    leads_mv: Samples
    """``(12, n)`` in the order of `streamer.core.leads.LEADS`; NaN where not ``valid``."""
    measured_mv: Samples
    """``(n,)``: "I, as measured", in the input band; NaN where not ``valid``."""
    scale_mv: Samples
    """``(12, n)`` uncertainty; NaN where not ``valid`` or where the model states none."""
    valid: NDArray[np.bool_]
    """``(n,)``: False if the source lost the sample."""
    settling: NDArray[np.bool_]
    """``(n,)``: True for 2 s after a (re)start of the filters."""
    device_s: float = math.nan
    """Instant of the first sample, as `Chunk.device_s`."""
    arrival_s: float = math.nan
    """`Chunk.arrival_s` of the chunk that completed this frame."""
    stamps: Stamps | None = None
    """Where the time went, if the pipeline has a clock."""
    parts: tuple[LeadPart, ...] = ()
    """What the model's lower bands alone make of the leads, the lowest first, if `Pipeline.show_parts` asked
    for it: what a band gives is the difference to the one before it."""

    @property
    def stop(self) -> int:
        """Index after the last sample."""
        return self.start + len(self.valid)
