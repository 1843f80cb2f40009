# SPDX-License-Identifier: MIT
"""One open inlet of LSL: what has come since the last look, and how the sender's clock lies beside ours."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from devices.lsl.description import About
from devices.lsl.repeats import Pulled

_COMPARE_S = 0.5
"""How often a new comparison of the clocks is asked for; liblsl makes one every 2 s."""

_BUFFER_S = 60
"""What liblsl keeps for us, should this program stall."""


class Link:
    """An open inlet; its stamps are the sender's own.

    Raises
    ------
    RuntimeError
        pylsl's TimeoutError or LostError, from all that is done with it.
    """

    def __init__(self, lsl: Any, found: Any) -> None:
        self._inlet = lsl.StreamInlet(found, max_buflen=_BUFFER_S, recover=False, as_numpy=True)
        self.lost = False
        self.about = About.of(self._inlet.info(2.0).as_xml())
        self._inlet.open_stream(2.0)
        self.correction_s: float = self._inlet.time_correction(2.0)  # takes 0.6 s the first time
        """LSL's time here less the sender's, by the newest comparison."""
        self._compared_s = time.monotonic()
        self._kept: Pulled | None = None

    def compare(self) -> bool:
        """See whether the clocks were compared again, now and then; returns at once."""
        if time.monotonic() < self._compared_s + _COMPARE_S:
            return False
        self._compared_s = time.monotonic()
        before, self.correction_s = self.correction_s, self._inlet.time_correction(0.0)
        return bool(self.correction_s != before)

    def comes_back(self, wait_s: float) -> bool:
        """Wait for anything to come; it is kept for `pull`."""
        self._kept = self.pull(wait_s)
        return self._kept is not None

    def keep(self, batch: Pulled) -> None:
        """Hand it out again by the next `pull`."""
        self._kept = batch

    def flush(self) -> None:
        """Throw away what waits to be pulled."""
        self._inlet.flush()

    def pull(self, wait_s: float) -> Pulled | None:
        """What has come: samples ``(n, channels)`` and stamps ``(n,)``; None if nothing did."""
        kept, self._kept = self._kept, None
        if kept is not None:
            return kept
        sample, stamp = self._inlet.pull_sample(wait_s)
        if sample is None:
            return None
        more, stamps = self._inlet.pull_chunk(0.0)
        if not len(stamps):
            return sample[None].astype(np.float64), np.array([stamp])
        return np.concatenate((sample[None], more)).astype(np.float64), np.concatenate(([stamp], stamps))
