# SPDX-License-Identifier: GPL-3.0-or-later
"""The network with 8-bit weights, tried: what it saves, and what it costs."""

from __future__ import annotations

import base64
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks.measure import MODEL, Effort, Row, one_core, ratio
from devices.replay.synthetic import Synthetic
from streamer.core.network.network import Network
from streamer.core.network.spec import STEP_KEY
from streamer.core.signal.filters import BandSplitter


def rows(effort: Effort) -> Iterator[Row]:
    """Every row of this part."""
    try:
        import onnx
        from onnxruntime import quantization
    except ImportError:
        yield Row("quantised inference", "", "not measured: pip install onnx")
        return
    model = MODEL.read_bytes()
    network = Network(model)
    windows = _windows(network)
    parsed = onnx.load_from_string(model)
    step = next((p.value for p in parsed.metadata_props if p.key == STEP_KEY), None)
    forms = {"windowed": model} | ({"incremental": base64.b64decode(step)} if step else {})
    logging.getLogger().setLevel(logging.ERROR)  # the quantiser advises on every run
    for name, data in forms.items():
        said = []
        with tempfile.TemporaryDirectory() as folder, one_core():
            plain = Path(folder) / "plain.onnx"
            plain.write_bytes(data)
            feeds = _feeds(data, windows)
            for kind in ("dynamic", "static"):
                out = Path(folder) / f"{kind}.onnx"
                if kind == "dynamic":
                    quantization.quantize_dynamic(plain, out, weight_type=quantization.QuantType.QInt8)
                else:
                    quantization.quantize_static(
                        plain, out, _Reader(feeds[:40]), quant_format=quantization.QuantFormat.QDQ
                    )
                said.append(f"{kind} {_against(data, out.read_bytes(), feeds)}")
        yield Row(f"int8, {name} network, against float32", "", "; ".join(said))


class _Reader:
    """Hands the quantiser windows to see the ranges in."""

    def __init__(self, feeds: list[dict[str, NDArray[np.float32]]]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """One window, or None at the end."""
        return next(self._feeds, None)


def _windows(network: Network) -> list[NDArray[np.float32]]:
    spec = network.spec
    rate = spec.rate_hz
    lead_mv = Synthetic(f"?rate={rate:g}").lead_mv(0, int(60 * rate)).astype(np.float64)
    lead_mv += np.random.default_rng(0).normal(0, 0.01, len(lead_mv))
    bands = BandSplitter(spec.filters).split(lead_mv)
    rows = [BandSplitter.ROWS.index(name) for name in spec.channels]
    starts = range(1000, bands.shape[1] - spec.window, 131)
    return [np.ascontiguousarray(bands[rows, s : s + spec.window][None]) for s in starts]


def _feeds(model: bytes, windows: list[NDArray[np.float32]]) -> list[dict[str, NDArray[np.float32]]]:
    session = _session(model)
    shapes: dict[str, Any] = {node.name: node.shape for node in session.get_inputs()}
    if "state" not in shapes:
        return [{"bands": window} for window in windows]
    hop = shapes["bands"][2]
    outputs = [node.name for node in session.get_outputs()]
    feeds, state = [], np.zeros(shapes["state"], np.float32)
    for start in range(0, windows[0].shape[2] - hop, hop):
        feeds.append({"bands": np.ascontiguousarray(windows[0][:, :, start : start + hop]), "state": state})
        state = session.run(outputs, feeds[-1])[outputs.index("next_state")]
    return feeds


def _session(model: bytes) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _against(model: bytes, other: bytes, feeds: list[dict[str, NDArray[np.float32]]]) -> str:
    plain, quantised = _session(model), _session(other)
    apart, size = [], []
    for feed in feeds:
        a, b = plain.run(["leads"], feed)[0], quantised.run(["leads"], feed)[0]
        apart.append(float(np.mean((a - b) ** 2)))
        size.append(float(np.mean(a**2)))
    feed = feeds[-1]
    theirs, ours, times = ratio(lambda: plain.run(["leads"], feed), lambda: quantised.run(["leads"], feed), 5)
    off = np.sqrt(np.mean(apart) / np.mean(size))
    return (
        f"{times:.2f}x as fast ({ours:.0f} against {theirs:.0f} µs), "
        f"{len(other) / len(model):.2f}x the file, "
        f"{1e3 * np.sqrt(np.mean(apart)):.0f} µV RMS off ({off:.0%} of the leads' RMS)"
    )
