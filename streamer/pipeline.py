# SPDX-License-Identifier: MIT
"""The way of a sample, from the measured lead to the twelve: chunks in, frames out.

    chunk -> [finite runs] -> rate conversion -> bands -> ring -> (each hop) window -> network
          -> overlap-add -> limb-lead laws -> frame

Pure and deterministic: no thread, clock or file.  Every grid (converter phase, hops, output) is a
function of the absolute sample index, and all recursive state is carried sample by sample, so the
frames' samples are the same to the last bit however the input was cut into chunks.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamer.filters import BandSplitter
from streamer.latency import LatencyBudget, budget
from streamer.leads import PREDICTED, scale_of_twelve, twelve_from_eight
from streamer.network import Network, Stepper
from streamer.rate import RateConverter, Run
from streamer.stitch import OverlapAdd
from streamer.stream import Chunk, Frame, Stamps, StreamInfo
from streamer.windows import WindowBuffer

KEEP_STATE_S = 2.0
"""A gap up to this long keeps the filters' state; after a longer one they start anew."""

SETTLE_S = 2.0
"""For so long after a (re)start samples are marked as settling."""

_MEASURED = BandSplitter.ROWS.index("measured")
_CONVERTED, _FILTERED, _BEGUN, _WINDOW, _INFERRED, _STITCHED = range(1, 7)  # fields of Stamps


class Pipeline:
    """Turns the chunks of one stream into frames of twelve leads.

    Parameters
    ----------
    info : StreamInfo
        Its nominal rate sets the conversion.
    network : Network
        The model; its metadata sets everything else.
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
    """

    def __init__(
        self,
        info: StreamInfo,
        network: Network,
        *,
        hop: int | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        spec = network.spec
        self.info = info
        self.spec = spec
        self._network = network
        self._hop = spec.hop if hop is None else hop
        self._window = spec.window if hop is None else spec.window_for(hop)
        self._channels = [BandSplitter.ROWS.index(name) for name in spec.channels]
        self._lead_rows = [PREDICTED.index(lead) for lead in spec.leads]

        self._converter = RateConverter(info.rate_hz, spec.rate_hz)
        self._bands = BandSplitter(spec.filters)
        self._ring = WindowBuffer(len(BandSplitter.ROWS), self._window)
        outputs = len(spec.leads) * (2 if spec.has_scale else 1)
        self._stitch = OverlapAdd(outputs, self._hop, spec.overlap)
        self._stepper = network.stepper() if hop is None else None
        self._stepped = 0  # the stepper has seen everything before
        self._clock = clock
        self._at = [math.nan] * 7  # the stamps so far, from `taken` to `stitched`

        self.latency: LatencyBudget = budget(spec, self._converter, self._hop)
        self.lost = 0
        """Samples that the source lost or marked invalid so far, at its rate."""
        self._expected: int | None = None  # index of the next input sample
        self._begin = 0  # first output sample
        self._end = 0  # where the next window ends
        self._settle = 0  # samples still to be marked as settling
        self._last_mv: float | None = None  # newest converted sample; None before the first
        self._chunk: Chunk | None = None  # newest chunk, for the stamps

    def push(self, chunk: Chunk) -> list[Frame]:
        """Take a chunk; return the frames that it completes.

        Raises
        ------
        ValueError
            Where the index goes back: sources drop what is late or double.
        """
        if self._expected is None:
            self._start(chunk.start)
        elif chunk.start < self._expected:
            raise ValueError(f"chunk starts at {chunk.start}, but {self._expected} was expected")
        else:
            self.lost += chunk.start - self._expected
        self._expected = chunk.stop
        self._chunk = chunk
        self._begin_stamps()
        frames: list[Frame] = []
        for start, x in _finite_runs(chunk):
            for run in self._converter.push(start, x):
                frames += self._take(run)
        self.lost += int(np.count_nonzero(~np.isfinite(chunk.lead_mv)))
        return frames

    def finish(self) -> list[Frame]:
        """End the stream: hold its last sample until every sample has come out."""
        if self._expected is None:
            return []
        self._begin_stamps()
        frames: list[Frame] = []
        for run in self._converter.finish():
            frames += self._take(run)
        end = self._converter.count(self._expected)
        frames += self._skip(end - self._ring.stop)
        hold = end + self.spec.look_ahead + self.spec.overlap
        hold += -hold % self._hop - end  # up to the hop that completes the last sample
        if self._last_mv is not None and self._ring.valid(end - 1, end).all():
            bands = self._bands.split(np.full(hold, self._last_mv))
            frames += self._write(bands, np.zeros(hold, np.bool_))
        else:
            frames += self._skip(hold)
        return [_clip(frame, end) for frame in frames if frame.start < end]

    def _start(self, index: int) -> None:
        self._begin = self._converter.count(index)
        self._ring.begin(self._begin)
        self._end = (self._begin // self._hop + 1) * self._hop
        self._stepped = self._end - self._hop

    def _take(self, run: Run) -> list[Frame]:
        """Samples at the model's rate, after a gap or not: filter them and cut windows."""
        if self._clock is not None:
            self._at[_CONVERTED] = self._at[_FILTERED] = self._clock()
        gap = run.start - self._ring.stop
        frames = self._skip(gap)
        if self._last_mv is None or gap > KEEP_STATE_S * self.spec.rate_hz:
            self._bands.restart(run.x[0])
            self._settle = round(SETTLE_S * self.spec.rate_hz)
        self._last_mv = run.x[-1]
        settling = np.arange(len(run.x)) < self._settle
        self._settle = max(0, self._settle - len(run.x))
        bands = self._bands.split(run.x)
        if self._clock is not None:
            self._at[_FILTERED] = self._clock()
        return frames + self._write(bands, settling)

    def _write(self, bands: NDArray[np.float32], settling: NDArray[np.bool_]) -> list[Frame]:
        frames: list[Frame] = []
        done = 0
        while done < bands.shape[1]:
            if self._clock is not None:
                self._at[_BEGUN] = self._clock()
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
            if self._clock is not None:
                self._at[_BEGUN] = self._clock()
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
        start = self._end - self.spec.look_ahead - self._stitch.length
        segment = None
        if self._clock is not None:
            self._at[_WINDOW] = self._clock()
        if self._ring.valid(start, start + self._stitch.length).any():
            segment = self._read_window() if self._stepper is None else self._step(self._stepper)
        if self._clock is not None:
            self._at[_INFERRED] = self._clock()
        final = self._stitch.add(segment)
        if self._clock is not None:
            self._at[_STITCHED] = self._clock()
        self._end += self._hop
        skip = max(0, self._begin - start)  # the first hop may begin before the stream does
        return [self._frame(start + skip, final[:, skip:])] if skip < self._hop else []

    def _read_window(self) -> NDArray[np.float32]:
        """The newest columns of the window with all that they need of what follows them."""
        window = self._ring.rows(self._end - self._window, self._end)[self._channels]
        newest = self._window - self.spec.look_ahead
        if self._clock is not None:
            self._at[_WINDOW] = self._clock()
        return self._network.run(window)[:, newest - self._stitch.length : newest]

    def _step(self, stepper: Stepper) -> NDArray[np.float32]:
        """The same columns from the incremental form, which first sees what it has not seen yet."""
        if self._stepped < self._end - self._window:  # a window ago is further than it remembers
            stepper.reset()
            self._stepped = self._end - self._window
        while True:
            hop = self._ring.rows(self._stepped, self._stepped + self._hop)[self._channels]
            if self._clock is not None and self._stepped + self._hop == self._end:
                self._at[_WINDOW] = self._clock()
            out = stepper.push(hop)
            self._stepped += self._hop
            if self._stepped == self._end:
                return out

    def _frame(self, start: int, out: NDArray[np.float32]) -> Frame:
        stop = start + out.shape[1]
        valid = self._ring.valid(start, stop).copy()
        measured = np.where(valid, self._ring.rows(start, stop)[_MEASURED], np.float32(np.nan))
        out = np.where(valid, out, np.float32(np.nan))
        predicted = len(self.spec.leads)
        eight = np.empty((len(PREDICTED), len(measured)), np.float32)
        eight[0] = measured  # a network that leaves Lead I alone
        eight[self._lead_rows] = out[:predicted]
        scale = np.full((12, len(measured)), np.nan, np.float32)
        if self.spec.has_scale:
            eight_scale = np.zeros_like(eight)
            eight_scale[self._lead_rows] = out[predicted:]
            scale = scale_of_twelve(eight_scale)
        leads_mv = twelve_from_eight(eight)
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
        """Frames of NaN, a second each at the most, for the ``leap`` samples that come out next."""
        if self._clock is not None:
            self._at[_BEGUN:] = [self._clock()] * 4
        first = self._end - self._hop - self.spec.look_ahead - self.spec.overlap
        size = math.ceil(self.spec.rate_hz)
        frames = []
        for start in range(first, first + leap, size):
            n = min(size, first + leap - start)
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

    def _begin_stamps(self) -> None:
        if self._clock is not None:
            self._at = [self._clock()] * len(self._at)

    def _times(self, start: int) -> tuple[float, float, Stamps | None]:
        """When output sample ``start`` was, when the chunk came that completed it, and the stamps."""
        chunk = self._chunk
        assert chunk is not None
        since_s = start / self.spec.rate_hz - chunk.start / self.info.rate_hz
        stamps = None if self._clock is None else Stamps(*self._at, self._clock(), chunk.stop)
        return chunk.device_s + since_s, chunk.arrival_s, stamps


def _finite_runs(chunk: Chunk) -> list[tuple[int, NDArray[np.float64]]]:
    """The stretches of a chunk without NaN or infinity, with their absolute start."""
    x = chunk.lead_mv.astype(np.float64)
    finite = np.isfinite(x)
    if finite.all():
        return [(chunk.start, x)]
    edges = np.flatnonzero(np.diff(finite, prepend=False, append=False))
    return [(chunk.start + int(a), x[a:b]) for a, b in zip(edges[::2], edges[1::2], strict=True)]


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
    )
