# SPDX-License-Identifier: GPL-3.0-or-later
"""What one run of a network costs: multiply-adds by its graph, CPU time by ONNX Runtime."""

from __future__ import annotations

import base64
import statistics
import time
from collections.abc import Callable, Mapping
from math import prod

import numpy as np
import onnx

from streamer.core.network.network import Network
from streamer.core.network.spec import STEP_KEY, ModelSpec

ROUNDS = 40


def multiply_adds(model: onnx.ModelProto) -> int:
    """Of all convolutions and matrix products of a graph whose input shapes are fixed.

    Raises
    ------
    ValueError
        Where a shape cannot be inferred.
    """
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
            continue
        first, second, out = (shapes.get(name, []) for name in (*node.input[:2], node.output[0]))
        if not (first and second and out and all((*first, *second, *out))):
            raise ValueError(f"the shapes of {node.op_type} {node.name} are not known")
        if node.op_type == "Conv":
            total += prod(out) * prod(second[1:])  # each output sums over a kernel
        elif node.op_type == "ConvTranspose":
            total += prod(first) * prod(second[1:])  # each input spreads over one
        else:
            total += prod(out) * first[-1]
    return total


def of_window(model: bytes, spec: ModelSpec, window: int) -> int:
    """Multiply-adds of one window of ``window`` samples."""
    proto = onnx.load_from_string(model)
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    for dim, size in zip(dims, (1, len(spec.channels), window), strict=True):
        dim.Clear()
        dim.dim_value = size
    del proto.graph.value_info[:]
    for output in proto.graph.output:
        output.type.tensor_type.shape.dim[2].Clear()
    return multiply_adds(proto)


def of_step(model: bytes) -> int | None:
    """Multiply-adds of one hop of the incremental form; None where there is none."""
    proto = onnx.load_from_string(model)
    kept = {entry.key: entry.value for entry in proto.metadata_props}
    if STEP_KEY not in kept:
        return None
    return multiply_adds(onnx.load_from_string(base64.b64decode(kept[STEP_KEY])))


def equal_window(spec: ModelSpec, seconds: float) -> int:
    """The window of a network that takes any length, nearest to so many seconds."""
    return max(2, round(seconds * spec.rate_hz / spec.grid)) * spec.grid


def a_window(network: Network, window: int) -> Callable[[], object]:
    """One run of a window of noise."""
    rng = np.random.default_rng(0)
    bands = rng.normal(0, 0.3, (len(network.spec.channels), window)).astype(np.float32)
    return lambda: network.run(bands)


def a_hop(network: Network) -> Callable[[], object] | None:
    """One run of the incremental form; None where there is none."""
    stepper = network.stepper()
    if stepper is None:
        return None
    rng = np.random.default_rng(0)
    bands = rng.normal(0, 0.3, (len(network.spec.channels), network.spec.hop)).astype(np.float32)
    return lambda: stepper.push(bands)


def milliseconds(runs: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """CPU time of each, the median over rounds in which each has its turn.

    Quick ones run many times a turn, so that the clock's own cost does not count.
    """
    taken: dict[str, list[float]] = {name: [] for name in runs}
    repeats = {name: max(1, int(2e-3 / max(_once_s(run, 3), 1e-6))) for name, run in runs.items()}
    for _ in range(rounds):
        for name, run in runs.items():
            taken[name].append(_once_s(run, repeats[name]))
    return {name: statistics.median(times) * 1e3 for name, times in taken.items()}


def _once_s(run: Callable[[], object], repeats: int) -> float:
    began_s = time.thread_time()
    for _ in range(repeats):
        run()
    return (time.thread_time() - began_s) / repeats
