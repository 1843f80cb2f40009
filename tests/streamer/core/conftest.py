"""Small networks made by code, so that the path can be tested for what it does around a network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from scipy import signal

from streamer.core.leads import PREDICTED
from streamer.core.network.network import Network
from streamer.core.network.spec import METADATA_KEY, ModelSpec
from streamer.core.signal.filters import Filters


def filters(rate_hz: float = 250.0) -> Filters:
    """The contract's filters, designed by scipy."""
    high = signal.butter(1, 0.5, "highpass", fs=rate_hz, output="sos")
    return Filters(
        input=np.vstack((high, signal.butter(4, 40, fs=rate_hz, output="sos"))),
        low=signal.butter(2, 5, fs=rate_hz, output="sos"),
        mid=signal.butter(2, 15, fs=rate_hz, output="sos"),
        clinical=np.vstack((high, signal.butter(2, 40, fs=rate_hz, output="sos"))),
    )


def spec(**changes: Any) -> ModelSpec:
    """A model's facts; a short window, so that tests are quick."""
    facts: dict[str, Any] = {
        "name": "test",
        "version": "1",
        "rate_hz": 250.0,
        "window": 64,
        "hop": 4,
        "look_ahead": 10,
        "overlap": 3,
        "grid": 1,
        "receptive_field": None,
        "channels": ("low", "mid", "high"),
        "leads": PREDICTED,
        "has_scale": False,
        "filters": filters(changes.get("rate_hz", 250.0)),
    }
    if changes.get("has_scale"):
        facts["bands"] = {"0.5": (0.7,) * 12, "0.8": (1.6,) * 12, "0.9": (2.3,) * 12}
    return ModelSpec(**(facts | changes))


def _model(nodes: list[Any], weights: list[Any], stated: ModelSpec, metadata: bool = True) -> bytes:
    shape_in = [1, len(stated.channels), "time"]
    outputs = ["leads", "scale"] if stated.has_scale else ["leads"]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("bands", TensorProto.FLOAT, shape_in)],
        [
            helper.make_tensor_value_info(o, TensorProto.FLOAT, [1, len(stated.leads), "time"])
            for o in outputs
        ],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if metadata:
        helper.set_model_props(model, {METADATA_KEY: stated.to_json()})
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def identity_model(stated: ModelSpec, metadata: bool = True) -> bytes:
    """Each lead is low + mid + high; the scale, where stated, is 0.1 mV."""
    ones = numpy_helper.from_array(np.ones((len(stated.leads), len(stated.channels), 1), np.float32), "w")
    nodes = [helper.make_node("Conv", ["bands", "w"], ["leads"])]
    weights = [ones]
    if stated.has_scale:
        weights += [
            numpy_helper.from_array(np.zeros((len(stated.leads), len(stated.channels), 1), np.float32), "z"),
            numpy_helper.from_array(np.full(len(stated.leads), 0.1, np.float32), "b"),
        ]
        nodes.append(helper.make_node("Conv", ["bands", "z", "b"], ["scale"]))
    return _model(nodes, weights, stated, metadata)


def mixing_model(stated: ModelSpec, back: int = 20) -> bytes:
    """Each lead is a random mix of all bands from ``back`` samples before to ``look_ahead`` after."""
    taps = np.random.default_rng(7).normal(
        size=(len(stated.leads), len(stated.channels), back + 1 + stated.look_ahead)
    )
    weights = [numpy_helper.from_array((taps / 8).astype(np.float32), "w")]
    node = helper.make_node("Conv", ["bands", "w"], ["leads"], pads=[back, stated.look_ahead])
    return _model([node], weights, stated)


def whole_window_model(stated: ModelSpec) -> bytes:
    """Every output depends on the whole window: each lead less the window's mean."""
    weights = [
        numpy_helper.from_array(np.ones((len(stated.leads), len(stated.channels), 1), np.float32), "w")
    ]
    nodes = [
        helper.make_node("Conv", ["bands", "w"], ["sum"]),
        helper.make_node("ReduceMean", ["sum"], ["mean"], axes=[2], keepdims=1),
        helper.make_node("Sub", ["sum", "mean"], ["leads"]),
    ]
    return _model(nodes, weights, stated)


@pytest.fixture(scope="session")
def networks(shipped: Network) -> dict[str, Network]:
    """One of each kind: low-latency, classic overlap-add, incremental, at another rate."""
    low = spec()
    finite = spec(receptive_field=31, window=64)
    return {
        "identity": Network(identity_model(low)),
        "mixing": Network(mixing_model(finite)),
        "whole window": Network(whole_window_model(low)),
        "classic": Network(identity_model(spec(window=64, hop=16, look_ahead=0, overlap=48))),
        "no overlap": Network(mixing_model(spec(overlap=0, hop=8, receptive_field=31))),
        "measured in, at 100 Hz": Network(
            identity_model(spec(rate_hz=100.0, channels=("measured",), leads=PREDICTED[1:], hop=2))
        ),
        "shipped": shipped,
        "with scale": Network(identity_model(spec(has_scale=True))),
    }


@pytest.fixture(scope="session")
def make() -> dict[str, Callable[..., Any]]:
    """The makers, for tests that need a model of their own."""
    return {"spec": spec, "identity": identity_model, "mixing": mixing_model, "filters": filters}


@pytest.fixture(scope="session")
def shipped() -> Network:
    """The default model, as it ships."""
    path = Path(__file__).parents[3] / "streamer" / "models" / "mecgnet-low.onnx"
    return Network(path.read_bytes())
