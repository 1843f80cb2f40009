# SPDX-License-Identifier: GPL-3.0-or-later
"""Times the signal path and prints the table of docs/performance.md: ``python -m benchmarks.path``.

All in one process and one run, medians of many repeats, so that the ratios mean something on a
noisy machine.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from devices.synthetic import Synthetic
from streamer.filters import BandSplitter, steady_state
from streamer.network import Network
from streamer.pipeline import Pipeline
from streamer.stream import Chunk, StreamInfo

RATE_HZ = 500.0
SECONDS = 60


def median_us(run: Callable[[], object], repeats: int = 500) -> float:
    """Median duration of a call, microseconds."""
    run()
    took = []
    for _ in range(repeats):
        began = time.perf_counter_ns()
        run()
        took.append(time.perf_counter_ns() - began)
    return float(np.median(took)) / 1e3


def bands(network: Network) -> Iterator[tuple[str, str]]:
    """Our bank against scipy's for the same three cascades, by chunk length."""
    filters = network.spec.filters
    splitter = BandSplitter(filters)
    cascades = (filters.input, filters.low, filters.mid)
    for n in (1, 18, 73, 250):
        x = np.random.default_rng(0).normal(size=n)
        states = [steady_state(sos) for sos in cascades]

        def scipys(x: NDArray[np.float64] = x, states: list[NDArray[np.float64]] = states) -> None:
            for sos, zi in zip(cascades, states, strict=True):
                signal.sosfilt(sos, x, zi=zi)

        ours, theirs = median_us(lambda x=x: splitter.split(x)), median_us(scipys)
        yield f"bands, chunk of {n}", f"{ours:.1f} us (scipy {theirs:.0f} us, {theirs / ours:.0f}x)"


def hops(network: Network, lead_mv: NDArray[np.float32]) -> Iterator[tuple[str, str]]:
    """What one hop of a live stream costs, and how much of it is the network."""
    spec = network.spec
    window = np.random.default_rng(0).normal(0, 0.3, (len(spec.channels), spec.window)).astype(np.float32)
    inference = median_us(lambda: network.run(window))
    pipeline = Pipeline(StreamInfo("benchmark", RATE_HZ), network)
    step = round(spec.hop / spec.rate_hz * RATE_HZ)
    took = []
    for start in range(0, len(lead_mv) - step, step):
        chunk = Chunk(start, lead_mv[start : start + step])
        began = time.perf_counter_ns()
        pipeline.push(chunk)
        took.append((time.perf_counter_ns() - began) / 1e3)
    p50, p99 = np.percentile(took[100:], [50, 99])
    load = p50 / 1e6 * spec.rate_hz / spec.hop
    yield "network, one window", f"{inference:.0f} us ({spec.window} samples)"
    yield "a hop in all", f"p50 {p50:.0f} us, p99 {p99:.0f} us"
    yield "a hop but the network", f"p50 {p50 - inference:.0f} us"
    yield "a live stream, of one core", f"{load:.1%}"


def whole_records(network: Network, lead_mv: NDArray[np.float32]) -> Iterator[tuple[str, str]]:
    """How much faster than real time a recording goes through, by the live hop and by a long one."""
    for name, hop in (("live windows", None), ("dense", network.spec.grid * 1000)):
        pipeline = Pipeline(StreamInfo("benchmark", RATE_HZ), network, hop=hop)
        began = time.perf_counter()
        pipeline.push(Chunk(0, lead_mv))
        pipeline.finish()
        took_s = time.perf_counter() - began
        yield f"a recording, {name}", f"{len(lead_mv) / RATE_HZ / took_s:,.0f}x real time"


def main() -> None:
    """Print the table."""
    network = Network((files("streamer") / "models" / "mecgnet-low.onnx").read_bytes())
    lead_mv = Synthetic(f"?rate={RATE_HZ:g}").lead_mv(0, int(RATE_HZ * SECONDS))
    spec = network.spec
    print(f"{spec.name} {spec.version}, {RATE_HZ:g} Hz source, one thread, {platform.machine()}\n")
    print("| what | measured |\n|---|---|")
    for part in (bands(network), hops(network, lead_mv), whole_records(network, lead_mv)):
        for name, figure in part:
            print(f"| {name} | {figure} |")


if __name__ == "__main__":
    main()
