"""The table of models: what a network costs, and how it is compared."""

import base64
import csv
import json
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

pytest.importorskip("tqdm", reason="the extra `train` is not installed")

from mecg.app.models import model_bytes
from streamer.core.network.network import Network
from streamer.core.network.spec import STEP_KEY
from tests.streamer.known_network import scaled_identity
from training.studies import cost
from training.studies.compare import Model, compare, markdown

RECORDINGS = Path(__file__).parents[3] / "recordings" / "ptb-xl"
NAMES = ("00010_hr", "00155_hr", "00414_hr")


def graph_of(node: onnx.NodeProto, shape: list[int], weights: list[int]) -> onnx.ModelProto:
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.zeros(weights, np.float32), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("op", "shape", "weights", "attributes", "expected"),
    [
        ("Conv", [1, 3, 100], [8, 3, 5], {"pads": [2, 2]}, 100 * 8 * 3 * 5),
        ("Conv", [1, 6, 100], [6, 1, 5], {"group": 6, "strides": [2]}, 48 * 6 * 5),
        ("ConvTranspose", [1, 8, 50], [8, 3, 4], {"strides": [2]}, 50 * 8 * 3 * 4),
        ("MatMul", [1, 7, 8], [8, 9], {}, 7 * 8 * 9),
    ],
)
def test_multiply_adds_are_counted_as_one_would_by_hand(
    op: str, shape: list[int], weights: list[int], attributes: dict[str, object], expected: int
) -> None:
    node = helper.make_node(op, ["x", "w"], ["y"], **attributes)
    assert cost.multiply_adds(graph_of(node, shape, weights)) == expected


def test_a_window_that_is_twice_as_long_costs_twice_as_much_and_a_hop_a_fraction() -> None:
    model = model_bytes(None)
    spec = Network(model).spec
    once, twice = (cost.of_window(model, spec, n) for n in (spec.window, 2 * spec.window))
    assert twice == pytest.approx(2 * once, rel=0.02)
    hop = cost.of_step(model)
    assert hop is not None
    # One product a block for all three modules of a ladder: what no module hears is multiplied by zero.
    assert once * spec.hop / spec.window <= hop <= 1.4 * once * spec.hop / spec.window
    kept = {p.key: p.value for p in onnx.load_from_string(model).metadata_props}
    assert base64.b64decode(kept[STEP_KEY])


def test_the_slower_one_is_found_to_be_slower() -> None:
    def burn(steps: int) -> None:
        for _ in range(steps):
            pass

    took = cost.milliseconds({"long": lambda: burn(200_000), "short": lambda: burn(20_000)}, rounds=9)
    assert 5 < took["long"] / took["short"] < 20
    began = time.thread_time()
    burn(200_000)
    assert took["long"] == pytest.approx((time.thread_time() - began) * 1e3, rel=1.0)


def test_a_model_is_as_good_as_its_copy_and_the_table_says_so(tmp_path: Path) -> None:
    for name in NAMES:
        for suffix in (".hea", ".dat"):
            (tmp_path / f"{name}{suffix}").write_bytes((RECORDINGS / f"{name}{suffix}").read_bytes())
    with (tmp_path / "ptbxl_database.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["patient_id", "strat_fold", "filename_lr", "super_class"])
        table.writerows([i, 9, name, "NORM"] for i, name in enumerate(NAMES))
    about = {"weights": 24, "converged": False, "cpu_minutes": 1.5, "passes": 0.25}
    first = scaled_identity()
    files = (first, first, scaled_identity(name="other", overlap=8, receptive_field=None, about=about))
    models = [Model(Path(f"{i}.onnx"), data, Network(data)) for i, data in enumerate(files)]
    result = json.loads(json.dumps(compare(models, tmp_path, [9], 1, 1)))
    ours, copy, other = result["models"]
    assert copy["seven"]["rmse_over_ours_ci95"] == [1.0, 1.0]
    assert copy["seven"]["rmse_mv"] == ours["seven"]["rmse_mv"]
    assert copy["seven_to_end"]["rmse_over_ours_ci95"] == [1.0, 1.0]
    assert ours["seven_to_end"]["rmse_mv"] != ours["seven"]["rmse_mv"]
    assert other["seven"]["rmse_mv"] == pytest.approx(ours["seven"]["rmse_mv"], abs=1e-3)
    assert ours["multiply_adds"] == 200 * 8 * 3
    assert set(ours["leads"]) == set(copy["leads"])
    text = markdown(result)
    assert "other (not converged: 1.5 CPU min, 0.25 passes)" in text
    tables = [part.splitlines() for part in text.split("\n\n")[1:]]
    assert len(tables) == 6
    for table in tables:
        assert len({line.count("|") for line in table}) == 1
        assert len(table) == 2 + len(models)
