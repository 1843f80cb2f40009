"""liblsl's place is taken by senders that never wait: an hour passes in seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np


class FakeLsl:
    """What `LslStream` needs of pylsl: a sender of 500 Hz, in packets of 8, that loses and dies."""

    proc_clocksync = 1
    RATE = 500.0

    def __init__(self, seconds: float) -> None:
        self.now_s = 1000.0
        self.last_s = self.now_s + seconds
        self.sent = 0
        self.rng = np.random.default_rng(7)
        self.at_end: Callable[[], None] = lambda: None

    def clock(self) -> float:
        return self.now_s

    def local_clock(self) -> float:
        return time.monotonic()  # as the host's

    def ContinuousResolver(self, **how: object) -> FakeLsl:  # noqa: N802 - pylsl's
        return self

    def results(self) -> list[FakeLsl]:
        self.now_s += 0.1
        return [self]

    def name(self) -> str:
        return "fake"

    def source_id(self) -> str:
        return "fake"

    def info(self, wait_s: float) -> FakeLsl:
        return self

    def as_xml(self) -> str:
        return (
            "<info><name>fake</name><type>ECG</type><channel_count>1</channel_count><source_id>fake</source_id>"
            f"<channel_format>float32</channel_format><nominal_srate>{self.RATE}</nominal_srate><desc><channels>"
            "<channel><label>I</label><unit>mV</unit></channel></channels></desc></info>"
        )

    def StreamInlet(self, found: FakeLsl, **how: object) -> FakeInlet:  # noqa: N802 - pylsl's
        return FakeInlet(self)


class FakeInlet:
    """Brings 8 samples to a pull; 3 % of packets are lost; the sender dies each 20 s or so."""

    SLOW = 60e-6

    def __init__(self, lsl: FakeLsl) -> None:
        self.lsl = lsl
        self.k = self.now_k()

    def now_k(self) -> int:
        return math.ceil((self.lsl.now_s - 1000) * self.lsl.RATE)

    def info(self, wait_s: float) -> FakeLsl:
        return self.lsl

    def open_stream(self, wait_s: float) -> None:
        self.k = self.now_k()

    def time_correction(self, wait_s: float) -> float:
        self.lsl.now_s += 0.6
        return 0.0

    def flush(self) -> None:
        pass

    def pull_sample(self, wait_s: float) -> tuple[np.ndarray, float] | tuple[None, None]:
        lsl = self.lsl
        if lsl.now_s > lsl.last_s:
            return None, None
        if lsl.rng.random() < 8 / lsl.RATE / 20:
            raise RuntimeError("the stream has been lost.")
        while lsl.rng.random() < 0.03:
            self.k += 8
        self.stamp_s = 1000 + self.k / lsl.RATE * (1 + self.SLOW)
        lsl.now_s = max(lsl.now_s, self.stamp_s + 8 / lsl.RATE + lsl.rng.uniform(0, 0.002))
        return np.array([self.k % 10_000], np.float32), self.stamp_s

    def pull_chunk(self, wait_s: float) -> tuple[np.ndarray, np.ndarray]:
        steps = np.arange(1, 8)
        rows = ((self.k + steps) % 10_000)[:, None].astype(np.float32)
        stamps = self.stamp_s + steps / self.lsl.RATE
        self.lsl.sent += 8
        self.k += 8
        return rows, stamps


class Wavering(FakeInlet):
    """Loses each 211th sample, is read late at times, and its clock is compared under load.

    liblsl's own clocksync, where it is asked for, takes each new comparison at once, between any two
    samples: here where one is missing, which is the worst.
    """

    EVERY = 211
    STALLS_S = (3.0, 12.0, 25.0, 45.0, 70.0)
    WAVER_S = 0.0013

    def __init__(self, lsl: FakeLsl, flags: int) -> None:
        super().__init__(lsl)
        self.synced = bool(flags & lsl.proc_clocksync)
        self.stalls = [1000 + s for s in self.STALLS_S]
        self.waiting = (np.empty(0, int), np.empty(0))

    def correction_s(self, k: np.ndarray) -> np.ndarray:
        return self.WAVER_S / 2 * (-1.0) ** (k // self.EVERY)

    def time_correction(self, wait_s: float) -> float:
        return float(self.correction_s(np.array(self.k)))

    def pull_sample(self, wait_s: float) -> tuple[np.ndarray, float] | tuple[None, None]:
        lsl = self.lsl
        if lsl.now_s > lsl.last_s:
            return None, None
        n = 8
        if self.stalls and lsl.now_s > self.stalls[0]:
            self.stalls.pop(0)
            n = 850
        k = np.arange(self.k, self.k + n)
        self.k += n
        lsl.now_s = max(lsl.now_s, 1000 + self.k / lsl.RATE + lsl.rng.uniform(0, 0.002))
        k = k[k % self.EVERY != 0]
        stamps = 1000 + k / lsl.RATE + (self.correction_s(k) if self.synced else 0.0)
        lsl.sent += len(k)
        self.waiting = (k[1:], stamps[1:])
        return np.array([k[0] % 10_000], np.float32), float(stamps[0])

    def pull_chunk(self, wait_s: float) -> tuple[np.ndarray, np.ndarray]:
        k, stamps = self.waiting
        return (k % 10_000)[:, None].astype(np.float32), stamps


class Script(FakeInlet):
    """Two good seconds, then what a test has written."""

    batches: Sequence[tuple[list[float], list[float]]] = ()

    def __init__(self, lsl: FakeLsl) -> None:
        super().__init__(lsl)
        self.good = [([0.5] * 50, (1000 + (k * 50 + np.arange(50)) / 500).tolist()) for k in range(20)]
        self.left = list(self.good) + list(self.batches)
        lsl.now_s = 1002.0

    def pull_sample(self, wait_s: float) -> tuple[np.ndarray, float] | tuple[None, None]:
        self.lsl.now_s += 0.1
        if not self.left:
            self.lsl.at_end()
            return None, None
        self.batch = self.left.pop(0)
        return np.array(self.batch[0][:1], np.float32), self.batch[1][0]

    def pull_chunk(self, wait_s: float) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self.batch[0][1:], np.float32)[:, None], np.array(self.batch[1][1:], float)


class Timely(Script):
    """Batches come when their last stamp says."""

    def __init__(self, lsl: FakeLsl) -> None:
        super().__init__(lsl)
        self.left = list(self.batches)
        lsl.now_s = 1000.0

    def time_correction(self, wait_s: float) -> float:
        return 0.0

    def pull_sample(self, wait_s: float) -> tuple[np.ndarray, float] | tuple[None, None]:
        if not self.left:
            return super().pull_sample(wait_s)
        batch = self.left[0]
        self.lsl.now_s = max(self.lsl.now_s, batch[1][-1] + 0.002) - 0.1
        return super().pull_sample(wait_s)
