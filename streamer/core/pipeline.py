# SPDX-License-Identifier: MIT
"""The way of a sample, from the measured lead to the twelve: chunks in, frames out.

    chunk -> front end (rate, bands) -> ring -> (each hop) network -> overlap-add
          -> limb-lead laws -> frame

Pure and deterministic: no thread, clock or file.  Every grid (converter phase, hops, output) is a
function of the absolute sample index, and all recursive state is carried sample by sample, so the
frames' samples are the same to the last bit however the input was cut into chunks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamer.core.calibration.correction import PersonalNetwork, PersonalStepper
from streamer.core.errors import InputError, SignalError
from streamer.core.leads import PREDICTED
from streamer.core.network.hop_run import Hops, ModelRun
from streamer.core.network.latency import LatencyBudget, budget
from streamer.core.network.network import Network
from streamer.core.network.spec import LEVELS, ModelSpec
from streamer.core.signal.filters import BandSplitter
from streamer.core.signal.front_end import BandBlock, FrontEnd
from streamer.core.signal.lead_assembly import assemble
from streamer.core.signal.ring_buffer import WindowBuffer
from streamer.core.stream import Chunk, Frame, LeadPart, Stamps, StreamInfo
from streamer.core.timing.stamps import BEGUN, FILTERED, Stopwatch

_MEASURED = BandSplitter.ROWS.index("measured")

GAP_FRAMES_S = 10.0
"""So much missing signal comes out as frames of NaN.  Of more, the first half and the last half of this
do, and the index of the frames jumps between them: a gap of a year costs what one of ten seconds does."""


class Pipeline:
    """Turns the chunks of one stream into frames of twelve leads.

    Parameters
    ----------
    info : StreamInfo
        Its nominal rate sets the conversion.
    network : Network or PersonalNetwork
        The model, or with a person's correction; its metadata sets everything else.
    hop : int, optional
        Read the network window by window with this hop, in samples at its rate: longer ones cost
        less and wait longer.  For networks with a stated receptive field only.  Left out, it is the
        model's own hop, and its incremental form where it has one.  The result is the same within
        1e-4 mV.
    clock : callable, optional
        Monotonic seconds.  With it every frame says in `Frame.stamps` when each step was done; the
        samples are the same.

    Raises
    ------
    InputError
        Where the rate or the hop cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from streamer import Chunk, Pipeline, StreamInfo, load_model
    >>> pipeline = Pipeline(StreamInfo("my sensor", rate_hz=500.0), load_model("low"))
    >>> frames = pipeline.push(Chunk(0, np.zeros(500, np.float32)))
    >>> frames += pipeline.finish()
    >>> sum(frame.leads_mv.shape[1] for frame in frames)  # a second, at the model's rate
    250
    """

    def __init__(
        self,
        info: StreamInfo,
        network: Network | PersonalNetwork,
        *,
        hop: int | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        spec = network.spec
        self.info = info
        self.spec = spec
        self._hop = spec.hop if hop is None else hop
        self._window = spec.window if hop is None else spec.window_for(hop)
        self._lead_rows = np.array([PREDICTED.index(lead) for lead in spec.leads])

        self._watch = Stopwatch(clock)
        self._at, self._now = self._watch.at, self._watch.now
        self._front = FrontEnd(info.rate_hz, spec.filters, spec.rate_hz, self._watch.converted)
        self._ring = WindowBuffer(len(BandSplitter.ROWS), self._window)
        self._run = ModelRun(network, Hops(self._hop, self._window, incremental=hop is None), self._watch)

        self.latency: LatencyBudget = budget(spec, self._front.converter, self._hop)
        self._end = 0  # where the next window ends
        self._chunk: Chunk | None = None  # newest chunk, for the stamps
        self._finished = False

    @property
    def network(self) -> Network | PersonalNetwork:
        """What makes the leads, from the next chunk on."""
        return self._run.network

    @property
    def lost(self) -> int:
        """Samples that the source lost or marked invalid so far, at its rate."""
        return self._front.lost

    @property
    def drift(self) -> float:
        """How far Lead I of late lies from the person's reference, 1 being alike; nan without one."""
        stepper = self._run.main.stepper
        return stepper.drift if isinstance(stepper, PersonalStepper) else math.nan

    def use(self, network: Network | PersonalNetwork) -> None:
        """Go on with another part of the same model (`Network.part`), from the next chunk on: what it puts
        out then is what it would have put out had it run from the start.  Any thread may call.

        `spec` stays what it was, and uncertainties are put out so that its 90 % band holds for them too.

        Raises
        ------
        InputError
            If it is not one that can take the other's place.
        """
        if not network.spec.runs_like(self.spec):
            raise InputError(f"{network.spec.name} cannot take the place of {self.spec.name} in a stream")
        self._run.use(network)

    def show_parts(self, wanted: bool) -> None:
        """From the next chunk on, frames have `Frame.parts`, or no longer: what the lower bands alone make of
        the leads.  Any thread may call.  A model without parts, or of a person, has none to show.
        """
        self._run.show_parts(wanted)

    def push(self, chunk: Chunk) -> list[Frame]:
        """Take a chunk; return the frames that it completes, often none.

        Raises
        ------
        SignalError
            If the samples are no one-dimensional array of floats, if the index goes back (sources drop what
            is late or double), or after `finish`.
        """
        self._refuse_unusable(chunk)
        self._run.change(self._end, started=self._front.started)
        self._watch.begin()
        first = not self._front.started
        stretches = self._front.push(chunk)
        self._chunk = chunk
        if first:
            begin = self._front.begin
            self._ring.begin(begin)
            self._end = (begin // self._hop + 1) * self._hop
            self._run.begin(self._end)
        return [frame for stretch in stretches for frame in self._take(stretch)]

    def finish(self) -> list[Frame]:
        """End the stream: hold its last sample until every sample has come out.

        A pipeline serves one stream; of a second call nothing comes.
        """
        if not self._front.started or self._finished:
            return []
        self._finished = True
        self._watch.begin()
        frames = [frame for stretch in self._front.finish() for frame in self._take(stretch)]
        end = self._front.end
        frames += self._skip(end - self._ring.stop)
        hold = end + self.spec.look_ahead + self.spec.overlap
        hold += -hold % self._hop - end  # up to the hop that completes the last sample
        bands = self._front.hold(hold)
        if bands is None:
            frames += self._skip(hold)
        else:
            frames += self._write(bands, np.zeros(hold, np.bool_))
        return [_clip(frame, end) for frame in frames if frame.start < end]

    def _refuse_unusable(self, chunk: Chunk) -> None:
        if self._finished:
            raise SignalError("the stream is finished: make a new Pipeline for another one", "chunk")
        lead_mv = chunk.lead_mv
        if not isinstance(lead_mv, np.ndarray) or lead_mv.ndim != 1 or lead_mv.dtype.kind != "f":
            what = f"a {type(lead_mv).__name__}"
            if isinstance(lead_mv, np.ndarray):
                what = f"an array {lead_mv.shape} of {lead_mv.dtype}"
            raise SignalError(f"a chunk holds {what}: make it an array (n,) of float32, in mV", "lead_mv")

    def _take(self, stretch: BandBlock) -> list[Frame]:
        """Samples in bands, after a gap or not: cut windows."""
        self._at[FILTERED] = self._now()
        missing = self._skip(stretch.start - self._ring.stop)
        return missing + self._write(stretch.bands, stretch.settling)

    def _write(self, bands: NDArray[np.float32], settling: NDArray[np.bool_]) -> list[Frame]:
        frames: list[Frame] = []
        done = 0
        while done < bands.shape[1]:
            self._at[BEGUN] = self._now()
            step = min(self._end - self._ring.stop, bands.shape[1] - done)
            self._ring.write(bands[:, done : done + step], settling[done : done + step])
            done += step
            frames += self._hop_if_due()
        return frames

    def _skip(self, missing: int) -> list[Frame]:
        """Let ``missing`` samples pass as zeros; where nothing is pending any more, in one leap."""
        frames: list[Frame] = []
        pending = self.spec.look_ahead + 2 * (self.spec.overlap + self._hop)
        while missing > 0:
            self._at[BEGUN] = self._now()
            if pending <= 0 and missing > self._hop:
                leap = missing // self._hop * self._hop
                frames += self._missing_frames(leap)
                self._ring.skip(leap)
                self._end += leap
                missing -= leap
                continue
            step = min(self._end - self._ring.stop, missing)
            self._ring.skip(step)
            missing -= step
            pending -= step
            frames += self._hop_if_due()
        return frames

    def _hop_if_due(self) -> list[Frame]:
        """Where a window is complete: run the network and take what has become final."""
        if self._ring.stop < self._end:
            return []
        length = self._run.main.length
        start = self._end - self.spec.look_ahead - length
        there = bool(self._ring.valid(start, start + length).any())
        final, lower = self._run.hop(self._ring, self._end, there)
        self._end += self._hop
        skip = max(0, self._front.begin - start)  # the first hop may begin before the stream does
        if skip >= self._hop:
            return []
        frame = self._frame(start + skip, final[:, skip:])
        parts = tuple(self._part(spec, frame, out[:, skip:]) for spec, out in lower)
        return [replace(frame, parts=parts) if parts else frame]

    def _part(self, spec: ModelSpec, frame: Frame, out: NDArray[np.float32]) -> LeadPart:
        """What a part makes of the leads of a frame."""
        leads_mv, scale_mv, _ = assemble(frame.measured_mv, frame.valid, out, self._lead_rows)
        widen = _in_bands_of(self.spec, spec)
        bands = str(spec.about.get("bands", ""))
        return LeadPart(bands, leads_mv, scale_mv if widen is None else scale_mv * widen)

    def _frame(self, start: int, out: NDArray[np.float32]) -> Frame:
        stop = start + out.shape[1]
        valid = self._ring.valid(start, stop).copy()
        measured_mv = self._ring.rows(start, stop)[_MEASURED]
        leads_mv, scale, measured = assemble(measured_mv, valid, out, self._lead_rows)
        widen = _in_bands_of(self.spec, self._run.main.network.spec)
        if widen is not None:
            scale *= widen
        settling = self._ring.settling(start, stop).copy()
        device_s, arrival_s, stamps = self._times(start)
        return Frame(
            start=start,
            rate_hz=self.spec.rate_hz,
            leads_mv=leads_mv,
            measured_mv=measured,
            scale_mv=scale,
            valid=valid,
            settling=settling,
            device_s=device_s,
            arrival_s=arrival_s,
            stamps=stamps,
        )

    def _missing_frames(self, leap: int) -> list[Frame]:
        """Frames of NaN, a second each at the most, for the ``leap`` samples that come out next; of a long
        leap only its beginning and its end (`GAP_FRAMES_S`).
        """
        self._watch.skipped()
        first = self._end - self._hop - self.spec.look_ahead - self.spec.overlap
        size = math.ceil(self.spec.rate_hz)
        end = round(GAP_FRAMES_S / 2 * self.spec.rate_hz)
        ends = [(first, first + leap)]
        if leap > 2 * end:
            ends = [(first, first + end), (first + leap - end, first + leap)]
        frames = []
        for start, n in (
            (at, min(size, stop - at)) for begin, stop in ends for at in range(begin, stop, size)
        ):
            device_s, arrival_s, stamps = self._times(start)
            frames.append(
                Frame(
                    start=start,
                    rate_hz=self.spec.rate_hz,
                    leads_mv=np.full((12, n), np.nan, np.float32),
                    measured_mv=np.full(n, np.nan, np.float32),
                    scale_mv=np.full((12, n), np.nan, np.float32),
                    valid=np.zeros(n, np.bool_),
                    settling=np.zeros(n, np.bool_),
                    device_s=device_s,
                    arrival_s=arrival_s,
                    stamps=stamps,
                )
            )
        return frames

    def _times(self, start: int) -> tuple[float, float, Stamps | None]:
        """When output sample ``start`` was, when the chunk came that completed it, and the stamps."""
        chunk = self._chunk
        assert chunk is not None
        up, down = self._front.converter.ratio
        since_s = (start * down - chunk.start * up) / down / self.spec.rate_hz  # the difference is exact
        return chunk.device_s + since_s, chunk.arrival_s, self._watch.stamps(chunk.stop)


def _in_bands_of(spec: ModelSpec, other: ModelSpec) -> NDArray[np.float32] | None:
    """By what the scales ``(12, 1)`` of ``other`` are multiplied, so that the 90 % band that ``spec`` states
    holds for them; None if nothing is stated.
    """
    if spec.bands == other.bands or not spec.bands or not other.bands:
        return None
    theirs, ours = (np.array(some.bands[LEVELS[-1]], np.float32)[:, None] for some in (other, spec))
    return np.divide(theirs, ours, dtype=np.float32)


def _clip(frame: Frame, end: int) -> Frame:
    if frame.stop <= end:
        return frame
    n = end - frame.start
    return Frame(
        start=frame.start,
        rate_hz=frame.rate_hz,
        leads_mv=frame.leads_mv[:, :n],
        measured_mv=frame.measured_mv[:n],
        scale_mv=frame.scale_mv[:, :n],
        valid=frame.valid[:n],
        settling=frame.settling[:n],
        device_s=frame.device_s,
        arrival_s=frame.arrival_s,
        stamps=frame.stamps,
        parts=tuple(LeadPart(part.bands, part.leads_mv[:, :n], part.scale_mv[:, :n]) for part in frame.parts),
    )
