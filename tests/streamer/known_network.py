# SPDX-License-Identifier: GPL-3.0-or-later
"""A network whose output is known in closed form."""

from __future__ import annotations

import json

import numpy as np
import onnx
from onnx import TensorProto, helper

from streamer.core.network.spec import LEVELS, METADATA_KEY, ModelSpec
from training.filter_design import design

GAINS = (1.0, 1.5, -0.4, 0.3, 0.8, 1.1, 1.2, 0.9)
"""The network's leads are the input band times these, in the order of `PREDICTED`."""


FACTORS = tuple(1.5 + k / 10 for k in range(12))
"""Of the 90 % band that the network states where it has a scale: a fifth of the lead, and 0.03 mV."""


def scaled_identity(*, scale: bool = False, **changes: object) -> bytes:
    """An ONNX file: each predicted lead is low + mid + high, times its gain."""
    facts = json.loads(
        ModelSpec(
            name="scaled identity",
            version="1",
            rate_hz=250,
            window=200,
            hop=10,
            look_ahead=10,
            overlap=2,
            grid=1,
            receptive_field=11,
            channels=("low", "mid", "high"),
            leads=("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"),
            has_scale=scale,
            bands=dict.fromkeys(LEVELS, FACTORS) if scale else {},
            filters=design(250.0),
        ).to_json()
    )
    weights = np.repeat(np.array(GAINS, np.float32)[:, None, None], 3, axis=1)
    nodes = [
        helper.make_node("Conv", ["bands", "w"], ["leads"]),
        helper.make_node("Abs", ["leads"], ["heights"]),
        helper.make_node("Mul", ["heights", "share"], ["part"]),
        helper.make_node("Add", ["part", "least"], ["scale"]),
    ]
    outputs = ["leads", "scale"] if scale else ["leads"]
    constants = {"w": weights, "share": np.float32([0.2]), "least": np.float32([0.03])}
    graph = helper.make_graph(
        nodes if scale else nodes[:1],
        "g",
        [helper.make_tensor_value_info("bands", TensorProto.FLOAT, [1, 3, "t"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8, "t"]) for name in outputs],
        [
            onnx.numpy_helper.from_array(value, name)
            for name, value in constants.items()
            if scale or name == "w"
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {METADATA_KEY: json.dumps(facts | changes)})
    return bytes(model.SerializeToString())
