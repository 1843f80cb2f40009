"""A model states its facts, and what does not fit is told in one line."""

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.errors import InputError
from streamer.core.leads import SEVEN
from streamer.core.network.network import Network
from streamer.core.network.spec import METADATA_KEY, STEP_KEY, ModelSpec


def test_facts_survive_the_file(make):
    stated = make["spec"](about={"commit": "abc"})
    again = ModelSpec.from_json(stated.to_json())
    assert again.to_json() == stated.to_json()
    assert (again.filters.input == stated.filters.input).all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"window": 10}, "window is shorter than the part used"),
        ({"hop": 3, "grid": 2, "window": 64}, "hop is not a multiple of grid"),
        ({"look_ahead": -1}, "look_ahead or overlap is negative"),
        ({"receptive_field": 64}, "window is shorter than receptive_field"),
        ({"rate_hz": 5}, "rate_hz is not 95 to 1000"),
        ({"window": 64.0}, "window is not a whole number"),
        ({"channels": ["low", "gamma"]}, "channels are not out of"),
        ({"leads": ["I", "II"]}, "leads lack some of"),
        ({"leads": [*SEVEN, "V1"]}, "leads are not out of"),
        ({"filters": {"input": [[1, 0, 0, 1, -2.1, 1.2]]}}, "filter input is not stable"),
        ({"filters": {"low": [[1, 0, 0]]}}, "filter low is not (sections, 6) numbers"),
        ({"format": 99}, "format 99"),
        ({"unit": "uV"}, "'uV', not mV"),
        ({"has_scale": 1}, "has_scale is not true or false"),
        ({"has_scale": True}, "bands and has_scale do not go together"),
        ({"has_scale": True, "bands": {"0.9": [2.3] * 11}}, "band 0.9 is not 12 factors"),
        ({"has_scale": True, "bands": {"0.9": [2.3] * 12}}, "bands are not those of"),
    ],
)
def test_a_fact_that_cannot_be_is_refused_in_one_line(make, change, told):
    facts = json.loads(make["spec"]().to_json())
    for key, value in change.items():
        facts[key] = facts[key] | value if isinstance(value, dict) else value
    with pytest.raises(InputError, match=r"^[^\n]*export it again$") as caught:
        ModelSpec.from_json(json.dumps(facts))
    assert told in str(caught.value)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_metadata_raises_anything_but_an_input_error(make, data):
    facts = json.loads(make["spec"]().to_json())
    key = data.draw(st.sampled_from(sorted(facts)))
    junk = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    )
    if data.draw(st.booleans()):
        del facts[key]
    else:
        facts[key] = data.draw(junk)
    try:
        ModelSpec.from_json(json.dumps(facts))
    except InputError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07" * 50])
def test_a_file_that_is_no_model_is_refused(content):
    with pytest.raises(InputError, match=r"^the model is not an ONNX file[^\n]*$"):
        Network(content)


def test_a_model_without_metadata_is_refused(make):
    with pytest.raises(InputError, match="lacks the metadata 'mecg'"):
        Network(make["identity"](make["spec"](), metadata=False))


def test_a_model_of_other_shapes_than_stated_is_refused(make: dict[str, Callable[..., Any]]):
    lies = make["spec"](leads=SEVEN).to_json()
    model = onnx.load_from_string(make["identity"](make["spec"]()))
    onnx.helper.set_model_props(model, {METADATA_KEY: lies})
    with pytest.raises(InputError, match=r"puts out float32 \(8, 64\), but states float32 \(7, 64\)"):
        Network(model.SerializeToString())


def test_a_model_with_other_inputs_is_refused(make):
    model = onnx.load_from_string(make["identity"](make["spec"]()))
    model.graph.input[0].name = model.graph.node[0].input[0] = "ecg"
    with pytest.raises(InputError, match=r"inputs \['ecg'\]"):
        Network(model.SerializeToString())


def test_a_model_that_keeps_its_weights_in_another_file_reads_no_file(make, tmp_path, monkeypatch):
    """External data could name any path; a model comes whole or not at all."""
    monkeypatch.chdir(tmp_path)
    model = onnx.load_from_string(make["identity"](make["spec"]()))
    weights = model.graph.initializer[0]
    (tmp_path / "secret.bin").write_bytes(weights.raw_data)
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "secret.bin"), ("offset", "0"), ("length", "96")):
        weights.external_data.add(key=key, value=value)
    with pytest.raises(InputError):
        Network(model.SerializeToString())


def test_the_shipped_model_is_what_it_says(shipped: Network):
    spec = shipped.spec
    assert spec.about["weights"] <= 50_000
    assert set(spec.about["folds"]) <= set(range(1, 8))
    assert spec.rate_hz == 250.0
    silence = shipped.run(np.zeros((len(spec.channels), spec.window), np.float32))
    assert (silence[: len(spec.leads)] == 0).all()


@pytest.mark.parametrize("damage", ["not base64!", "AAAA", ""])
def test_a_damaged_incremental_form_is_refused(make, damage):
    model = onnx.load_from_string(make["identity"](make["spec"](overlap=0, receptive_field=8)))
    onnx.helper.set_model_props(
        model, {METADATA_KEY: make["spec"](overlap=0, receptive_field=8).to_json(), STEP_KEY: damage}
    )
    with pytest.raises(InputError, match=r"^[^\n]*$"):
        Network(model.SerializeToString()).stepper()


def test_an_incremental_form_of_other_shapes_is_refused(make):
    """The windowed model in its place: no state."""
    stated = make["spec"](overlap=0, receptive_field=8)
    model = onnx.load_from_string(make["identity"](stated))
    step = base64.b64encode(make["identity"](stated)).decode()
    onnx.helper.set_model_props(model, {METADATA_KEY: stated.to_json(), STEP_KEY: step})
    with pytest.raises(InputError, match="incremental form does not fit"):
        Network(model.SerializeToString()).stepper()
