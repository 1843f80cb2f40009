# SPDX-License-Identifier: GPL-3.0-or-later
"""What the signal path costs by itself, in one thread."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterator
from io import StringIO

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from benchmarks.measure import MODEL, RATE_HZ, Effort, Row, one_core, ratio
from devices.replay.synthetic import Synthetic
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.signal.filters import BandSplitter
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.core.vitals.vitals import Vitals
from streamer.session.description import SessionDescription
from streamer.session.json_lines import JsonLines

INFO = StreamInfo("benchmark", RATE_HZ)


def rows(effort: Effort) -> Iterator[Row]:
    """Every row of this part."""
    network = Network(MODEL.read_bytes())
    lead_mv = Synthetic(f"?rate={RATE_HZ:g}").lead_mv(0, int(RATE_HZ * 60))
    with one_core():
        yield bands(network)
        yield from hops(network, lead_mv, effort)
        yield stamping(network, lead_mv)
        yield from forms(network, lead_mv)
        yield allocations(network, lead_mv)
        yield long_gaps(network, lead_mv)


def bands(network: Network) -> Row:
    """Our bank against scipy's for the same cascades, by chunk length; the same bits."""
    filters = network.spec.filters
    cascades = (filters.input, filters.low, filters.mid)
    said, least = [], np.inf
    for n in (1, 18, 73):
        x = np.random.default_rng(0).normal(size=n)
        splitter = BandSplitter(filters)
        splitter.restart(x[0])
        states = _begun(splitter)

        def scipys(
            x: NDArray[np.float64] = x, states: list[NDArray[np.float64]] = states
        ) -> list[NDArray[np.float64]]:
            measured, states[0] = signal.sosfilt(cascades[0], x, zi=states[0])
            low, states[1] = signal.sosfilt(cascades[1], measured, zi=states[1])
            rest = measured - low
            mid, states[2] = signal.sosfilt(cascades[2], rest, zi=states[2])
            return [low, mid, rest - mid, measured]

        if not all(
            np.array_equal(row, other.astype(np.float32))
            for row, other in zip(splitter.split(x), scipys(), strict=True)
        ):
            raise AssertionError("the bands are not scipy's, to the bit")
        theirs, ours, times = ratio(scipys, lambda x=x, splitter=splitter: splitter.split(x))
        said.append(f"{n}: {times:.0f}x ({ours:.1f} against {theirs:.0f} µs)")
        least = min(least, times)
    return Row(
        "bands, chunks of 1 to 73 samples, against scipy.signal.sosfilt with state",
        ">= 25x, bit-identical",
        f"chunks of {'; '.join(said)}; bit-identical",
        least >= 25,
    )


def _begun(splitter: BandSplitter) -> list[NDArray[np.float64]]:
    return [getattr(splitter, f"_zi_{name}").copy() for name in ("input", "low", "mid")]


def run_hops(
    network: Network, lead_mv: NDArray[np.float32], *, windowed: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Milliseconds of every hop: all but the network, and the network; chunks of a hop each."""
    spec = network.spec
    pipeline = Pipeline(INFO, network, hop=spec.hop if windowed else None, clock=time.perf_counter)
    step = round(spec.hop / spec.rate_hz * RATE_HZ)
    frames: list[Frame] = []
    for start in range(0, len(lead_mv) - step, step):
        frames += pipeline.push(Chunk(start, lead_mv[start : start + step]))
    at = np.array([frame.stamps[:8] for frame in frames[100:] if frame.stamps is not None])
    spent = np.diff(at, axis=1) * 1e3
    inference = spent[:, 4]
    return spent.sum(axis=1) - inference, inference


def hops(network: Network, lead_mv: NDArray[np.float32], effort: Effort) -> Iterator[Row]:
    """Everything per hop but inference, and inference, incremental and windowed."""
    runs = [run_hops(network, lead_mv) for _ in range(max(effort.repeats, 1))]
    p50, p99 = (float(np.median([np.quantile(rest, q) for rest, _ in runs])) for q in (0.5, 0.99))
    yield Row(
        "everything per hop but inference (convert, bands, window, stitch, leads), one core",
        "p50 <= 0.1 ms, p99 <= 0.5 ms",
        f"p50 {p50:.3f} ms, p99 {p99:.3f} ms",
        p50 <= 0.1 and p99 <= 0.5,
    )
    step = float(np.median([np.median(inference) for _, inference in runs]))
    window = float(np.median(run_hops(network, lead_mv, windowed=True)[1]))
    has = network.stepper() is not None
    yield Row(
        "inference per hop: incremental against windowed",
        "",
        f"{step * 1e3:.0f} against {window * 1e3:.0f} µs: {window / step:.1f}x"
        if has
        else f"windowed {window * 1e3:.0f} µs; this model has no incremental form",
    )


def stamping(network: Network, lead_mv: NDArray[np.float32]) -> Row:
    """What the stamps add to a hop: two paths take the same chunks, each the first every other time."""
    spec = network.spec
    step = round(spec.hop / spec.rate_hz * RATE_HZ)
    plain, stamped = Pipeline(INFO, network), Pipeline(INFO, network, clock=time.monotonic)
    added: tuple[list[int], list[int]] = ([], [])
    base = []
    for k, start in enumerate(range(0, len(lead_mv) - step, step)):
        chunk = Chunk(start, lead_mv[start : start + step])
        took = {}
        for pipeline in (plain, stamped) if k % 2 else (stamped, plain):
            began = time.perf_counter_ns()
            pipeline.push(chunk)
            took[pipeline] = time.perf_counter_ns() - began
        added[k % 2].append(took[stamped] - took[plain])
        base.append(took[plain])
    # Who comes second finds warm caches, so each order counts by itself.
    us, whole = float(np.mean([np.median(each) for each in added])) / 1e3, float(np.median(base)) / 1e3
    return Row(
        "stamping, of a hop in all",
        "<= 1 %",
        f"{us:.2f} µs of {whole:.0f}: {us / whole:.2%}",
        us <= 0.01 * whole,
    )


def forms(network: Network, lead_mv: NDArray[np.float32]) -> Iterator[Row]:
    """A whole recording, by long windows as `mecg reconstruct` does it, by live windows, by steps."""
    spec = network.spec
    results = {}
    times = {}
    for name, hop in (
        ("dense", spec.grid * (1000 // spec.grid)),
        ("windowed", spec.hop),
        ("incremental", None),
    ):
        took = []
        for _ in range(3):
            pipeline = Pipeline(INFO, network, hop=hop)
            began = time.perf_counter()
            frames = pipeline.push(Chunk(0, lead_mv)) + pipeline.finish()
            took.append(time.perf_counter() - began)
        results[name] = np.concatenate([frame.leads_mv for frame in frames], axis=1)
        times[name] = len(lead_mv) / RATE_HZ / float(np.median(took))
    apart = float(np.abs(results["dense"] - results["incremental"]).max())
    yield Row(
        "the path of `mecg reconstruct`, one core, within 1e-4 mV of live",
        ">= 300x real time",
        f"dense {times['dense']:,.0f}x; windowed {times['windowed']:.0f}x, incremental "
        f"{times['incremental']:.0f}x; {apart:.1g} mV apart",
        times["dense"] >= 300 and apart <= 1e-4,
    )


def allocations(network: Network, lead_mv: NDArray[np.float32]) -> Row:
    """What the core holds on to after thousands of hops."""
    spec = network.spec
    step = round(spec.hop / spec.rate_hz * RATE_HZ)
    pipeline = Pipeline(INFO, network, clock=time.monotonic)
    starts = list(range(0, len(lead_mv) - step, step))
    for start in starts[:500]:
        pipeline.push(Chunk(start, lead_mv[start : start + step]))
    tracemalloc.start()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    most = 0
    for start in starts[500:2500]:
        tracemalloc.reset_peak()
        here = tracemalloc.get_traced_memory()[0]
        pipeline.push(Chunk(start, lead_mv[start : start + step]))
        most = max(most, tracemalloc.get_traced_memory()[1] - here)
    gc.collect()
    grown = (tracemalloc.get_traced_memory()[0] - before) / len(starts[500:2500])
    tracemalloc.stop()
    return Row(
        "allocation per hop in the core, over 2,000 hops",
        "no growth",
        f"{grown:+.2f} bytes kept per hop; {most / 1024:.0f} kB at most while one is made",
        grown < 16,  # one object kept per hop would be more
    )


def long_gaps(network: Network, lead_mv: NDArray[np.float32]) -> Row:
    """From the first chunk behind a gap to the first valid frame, with vitals and JSON; and the memory."""
    said, most_ms, most_mb = [], 0.0, 0.0
    after_a_short_one_ms = 0.0
    for name, gap_s in (("3 s", 3), ("8 h", 8 * 3600), ("24 h", 86400), ("1 year", 366 * 86400)):
        took_ms, peak_mb = _through_gap(network, lead_mv, gap_s)
        if gap_s == 3:
            after_a_short_one_ms = took_ms
        said.append(f"gap of {name}: {took_ms:.0f} ms, {peak_mb:.1f} MB")
        most_ms, most_mb = max(most_ms, took_ms), max(most_mb, peak_mb)
    return Row(
        "first valid frame after a gap, with vitals and JSON lines",
        "<= 100 ms more than after 3 s, <= 20 MB",
        "; ".join(said),
        most_ms <= after_a_short_one_ms + 100 and most_mb <= 20,
    )


def _through_gap(network: Network, lead_mv: NDArray[np.float32], gap_s: float) -> tuple[float, float]:
    """Milliseconds, the least of five, and the most that was allocated, MB."""
    took_ms, peak_mb = [], 0.0
    for trace in (False,) * 5 + (True,):
        pipeline, vitals = Pipeline(INFO, network), Vitals(network.spec.rate_hz, INFO)
        out = JsonLines(StringIO(), lambda: 0)
        out.open(SessionDescription.of(INFO, network.spec, pipeline.latency))
        if trace:
            tracemalloc.start()
        valid = False
        for start, first in ((0, 0), (5000 + round(gap_s * RATE_HZ), 5000)):
            began = time.perf_counter()
            for i in range(0, 5000, 10):
                chunk = Chunk(start + i, lead_mv[first + i : first + i + 10])
                vitals.chunk(chunk)
                for frame in pipeline.push(chunk):
                    out.frame(frame)
                    vitals.push(frame)
                    valid = bool(start) and bool(frame.valid.any()) and frame.start > start / 2
                if valid:
                    break
        if trace:
            peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
            tracemalloc.stop()
        else:
            took_ms.append((time.perf_counter() - began) * 1e3)
    return min(took_ms), peak_mb
