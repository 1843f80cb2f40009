# SPDX-License-Identifier: GPL-3.0-or-later
"""A small network that can learn a person, made by code: one convolution, a last layer, both forms."""

import base64

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from streamer.core.calibration.fit import Prior
from streamer.core.leads import PREDICTED, SEVEN
from streamer.core.network.spec import METADATA_KEY, PRIOR_KEY, STEP_KEY
from tests.streamer.core.conftest import spec

FEATURES, STRIDE, AHEAD = 6, 4, 6
BANDS = {"0.5": (0.7,) * 12, "0.8": (1.6,) * 12, "0.9": (2.3,) * 12}
PERSONAL_BANDS = {"0.5": (0.6,) * 12, "0.8": (1.4,) * 12, "0.9": (2.0,) * 12}


def prior(**changes) -> Prior:
    """All persons alike in nothing: every direction as likely, little shrinkage."""
    n = len(SEVEN)
    facts = {
        "factor": np.eye(FEATURES),
        "precision": np.full(n, 1e-6),
        "visit": 0.5,
        "gain": np.ones(n),
        "noise_mv": np.full(n, 0.05),
        "reach": 100.0,
        "lead_covariance": np.eye(n),
        "scale": np.zeros((n, 3)),
        "error_covariance": np.eye(n),
        "exchange": 1e3,
        "bands": PERSONAL_BANDS,
    }
    return Prior(**(facts | changes))


def person_model(known: Prior | None = None, *, version: str = "1", features: bool = True) -> bytes:
    """The dense form, with the incremental one in its metadata; sees 8 samples."""
    facts = spec(
        name="tiny",
        version=version,
        window=64,
        hop=STRIDE,
        look_ahead=AHEAD,
        overlap=0,
        grid=STRIDE,
        receptive_field=2 * STRIDE,
        has_scale=True,
    )
    rng = np.random.default_rng(5)
    weights = {
        "stem": rng.normal(size=(FEATURES, 3, 2 * STRIDE)) / 3,
        "head": rng.normal(size=(len(PREDICTED) * STRIDE, FEATURES, 1)) / 9,
    }
    common = [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()]
    common += [
        _whole("split", [1, len(PREDICTED), STRIDE, -1]),
        _whole("flat", [1, len(PREDICTED), -1]),
        numpy_helper.from_array(np.float32(0), "zero"),
        numpy_helper.from_array(np.float32(0.1), "tenth"),
    ]
    layers = [
        helper.make_node("Conv", ["longer", "stem"], ["features"], strides=[STRIDE]),
        helper.make_node("Conv", ["features", "head"], ["steps"]),
        helper.make_node("Reshape", ["steps", "split"], ["apart"]),
        helper.make_node("Transpose", ["apart"], ["turned"], perm=[0, 1, 3, 2]),
        helper.make_node("Reshape", ["turned", "flat"], ["late"]),
    ]
    scale = [
        helper.make_node("Mul", ["leads", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "tenth"], ["scale"]),
    ]
    dense = _model(
        [
            helper.make_node("Pad", ["bands", "before"], ["longer"]),
            *layers,
            helper.make_node("Slice", ["late", "ahead", "end", "axis"], ["newer"]),
            helper.make_node("Pad", ["newer", "after"], ["leads"]),
            *scale,
        ],
        [
            *common,
            _whole("before", [0, 0, STRIDE, 0, 0, 0]),
            _whole("after", [0, 0, 0, 0, 0, AHEAD]),
            _whole("ahead", [AHEAD]),
            _whole("end", [2**31]),
            _whole("axis", [2]),
        ],
        {"bands": [1, 3, "time"]},
        {"leads": [1, 8, "time"], "scale": [1, 8, "time"]}
        | ({"features": [1, FEATURES, "steps"]} if features else {}),
    )
    step = _model(
        [
            helper.make_node("Reshape", ["state", "as_bands"], ["past"]),
            helper.make_node("Concat", ["past", "bands"], ["longer"], axis=2),
            *layers,
            helper.make_node("Identity", ["late"], ["leads"]),
            *scale,
            helper.make_node("Reshape", ["bands", "as_state"], ["next_state"]),
        ],
        [*common, _whole("as_bands", [1, 3, STRIDE]), _whole("as_state", [1, 3 * STRIDE])],
        {"bands": [1, 3, STRIDE], "state": [1, 3 * STRIDE]},
        {"leads": [1, 8, STRIDE], "scale": [1, 8, STRIDE], "next_state": [1, 3 * STRIDE]}
        | ({"features": [1, FEATURES, 1]} if features else {}),
    )
    facts_of = {
        METADATA_KEY: facts.to_json(),
        STEP_KEY: base64.b64encode(step.SerializeToString()).decode(),
    }
    if known is not None:
        facts_of[PRIOR_KEY] = known.to_json()
    helper.set_model_props(dense, facts_of)
    return bytes(dense.SerializeToString())


def _whole(name: str, values: list[int]) -> TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def _model(nodes, weights, inputs, outputs) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model
