# SPDX-License-Identifier: MIT
"""A network that runs hop by hop: over whole windows, or by its incremental form; stitched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.core.calibration.correction import PersonalNetwork, PersonalStepper
from streamer.core.network.network import Network, Stepper
from streamer.core.network.spec import ModelSpec
from streamer.core.signal.filters import BandSplitter
from streamer.core.signal.overlap_add import OverlapAdd
from streamer.core.signal.ring_buffer import WindowBuffer
from streamer.core.timing.stamps import INFERRED, STITCHED, WINDOW, Stopwatch


@dataclass(frozen=True, slots=True)
class Hops:
    """How a pipeline cuts its stream, in samples at the model's rate."""

    hop: int
    window: int
    incremental: bool
    """Whether the incremental form may run: it has a hop of its own."""


class HopRun:
    """One network on the bands of one stream.

    Parameters
    ----------
    watch : Stopwatch
        Notes when each step is done.
    """

    def __init__(self, network: Network | PersonalNetwork, hops: Hops, watch: Stopwatch) -> None:
        spec = network.spec
        self.network = network
        self._hops = hops
        self._at, self._now = watch.at, watch.now
        self._look_ahead = spec.look_ahead
        self._channels = _rows_of([BandSplitter.ROWS.index(name) for name in spec.channels])
        self._stepper = network.stepper() if hops.incremental else None
        self._stepped = 0
        """Up to where the stepper has seen the stream."""
        self._stitch = OverlapAdd(_outputs(spec), hops.hop, spec.overlap)

    @property
    def length(self) -> int:
        """Of what a window adds to the stream."""
        return self._stitch.length

    @property
    def stepper(self) -> Stepper | PersonalStepper | None:
        """The incremental form, if it runs."""
        return self._stepper

    def begin(self, end: int) -> None:
        """The stream begins with the hop that ends at ``end``; before it there was silence."""
        self._stepped = end - self._hops.hop

    def join(self, end: int) -> None:
        """The stream runs already: see a window of it before the hop that ends at ``end``."""
        self._stepped = end - self._hops.window - self._hops.hop

    def hop(self, ring: WindowBuffer, end: int, there: bool) -> NDArray[np.float32]:
        """The next ``(rows, hop)`` that are final.

        Parameters
        ----------
        ring : WindowBuffer
            Holds the window that ends at ``end``.
        there : bool
            Whether any sample was there; the network does not run on none.
        """
        segment = None
        if there:
            segment = self._read_window(ring, end) if self._stepper is None else self._step(ring, end)
        else:
            self._at[WINDOW] = self._now()
        self._at[INFERRED] = self._now()
        final = self._stitch.add(segment)
        self._at[STITCHED] = self._now()
        return final

    def _read_window(self, ring: WindowBuffer, end: int) -> NDArray[np.float32]:
        """The newest columns of the window with all that they need of what follows them."""
        window = ring.rows(end - self._hops.window, end)[self._channels]
        newest = self._hops.window - self._look_ahead
        self._at[WINDOW] = self._now()
        return self.network.run(window)[:, newest - self._stitch.length : newest]

    def _step(self, ring: WindowBuffer, end: int) -> NDArray[np.float32]:
        """The same columns from the incremental form, which first sees what it has not seen yet."""
        assert self._stepper is not None
        hop = self._hops.hop
        if self._stepped < end - self._hops.window:  # a window ago is further than it remembers
            self._stepper.reset()
            self._stepped = end - self._hops.window
        while True:
            bands = ring.rows(self._stepped, self._stepped + hop)[self._channels]
            self._stepped += hop
            self._at[WINDOW] = self._now()
            out = self._stepper.push(bands)
            if self._stepped == end:
                return out


class ModelRun:
    """The network that makes a stream's leads and, while they are asked for, the parts below it.

    What is asked of it on the way holds from the next chunk on; any thread may ask.
    """

    def __init__(self, network: Network | PersonalNetwork, hops: Hops, watch: Stopwatch) -> None:
        self._hops, self._watch = hops, watch
        self._run = HopRun(network, hops, watch)
        self._parts: list[HopRun] = []
        self._next: Network | PersonalNetwork | None = None
        self._wants_parts = False

    @property
    def network(self) -> Network | PersonalNetwork:
        """What makes the leads, from the next chunk on."""
        return self._next or self._run.network

    @property
    def main(self) -> HopRun:
        """What makes the leads now."""
        return self._run

    def use(self, network: Network | PersonalNetwork) -> None:
        """Go on with another network that runs like the first."""
        self._next = network

    def show_parts(self, wanted: bool) -> None:
        """Run the parts below it too, or no longer."""
        self._wants_parts = wanted

    def change(self, end: int, *, started: bool) -> None:
        """Between two chunks, do what was asked; ``end`` is where the next hop ends."""
        if (network := self._next) is not None:
            self._next = None
            self._run, self._parts = self._joined(network, end, started=started), []
        network = self._run.network
        if not self._wants_parts or not isinstance(network, Network):
            self._parts = []
        elif not self._parts:
            below = network.lower_parts()
            self._parts = [self._joined(part, end, started=started) for part in below]

    def _joined(self, network: Network | PersonalNetwork, end: int, *, started: bool) -> HopRun:
        run = HopRun(network, self._hops, self._watch)
        if started:
            run.join(end)
        return run

    def begin(self, end: int) -> None:
        """The stream begins with the hop that ends at ``end``."""
        for run in (*self._parts, self._run):
            run.begin(end)

    def hop(
        self, ring: WindowBuffer, end: int, there: bool
    ) -> tuple[NDArray[np.float32], list[tuple[ModelSpec, NDArray[np.float32]]]]:
        """As `HopRun.hop`; and the same of each part, with its facts."""
        lower = [(part.network.spec, part.hop(ring, end, there)) for part in self._parts]
        return self._run.hop(ring, end, there), lower


def _outputs(spec: ModelSpec) -> int:
    return len(spec.leads) * (2 if spec.has_scale else 1)


def _rows_of(rows: list[int]) -> slice | list[int]:
    """Which rows to take; neighbours as a slice, which copies nothing."""
    neighbours = rows == list(range(rows[0], rows[0] + len(rows)))
    return slice(rows[0], rows[0] + len(rows)) if neighbours else rows
