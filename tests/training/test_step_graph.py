# SPDX-License-Identifier: GPL-3.0-or-later
"""The incremental form written down by hand is the network, to float32's rounding."""

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from training.network import MEcgNet, ModuleShape, NetworkShape
from training.step_graph import fits, step_graph

shapes = st.builds(
    lambda stride, channels, dilations, split, more, scale: NetworkShape(
        (ModuleShape(stride, channels, tuple(dilations), (0, 1, 2), split),), stride + more, 8, scale
    ),
    stride=st.integers(3, 8),  # the measured lead's delay is in the newest hop
    channels=st.integers(1, 20),
    dilations=st.lists(st.sampled_from([1, 2, 3, 8]), min_size=1, max_size=4),
    split=st.booleans(),
    more=st.integers(0, 12),
    scale=st.booleans(),
)


@settings(max_examples=12, deadline=None)
@given(shape=shapes, seed=st.integers(0, 1000))
def test_hop_by_hop_it_is_the_network(shape: NetworkShape, seed: int) -> None:
    torch.manual_seed(seed)
    network = MEcgNet(shape).eval()
    hop, hops = shape.modules[0].stride, 60
    assert fits(network, hop)
    session = ort.InferenceSession(step_graph(network, hop).SerializeToString())
    state = np.zeros(session.get_inputs()[1].shape, np.float32)
    bands = np.random.default_rng(seed).normal(0, 0.3, (1, 3, hop * hops)).astype(np.float32)
    names = ["leads", "scale"] if shape.scale else ["leads"]
    outs, features = [], []
    for i in range(hops):
        given_in = {"bands": bands[:, :, i * hop : (i + 1) * hop], "state": state}
        *out, feature, state = session.run([*names, "features", "next_state"], given_in)
        outs.append(np.concatenate(out, axis=1))
        features.append(feature)
    with torch.no_grad():
        dense = network(torch.from_numpy(bands)).numpy()
        module, padded = network.bands[0], torch.nn.functional.pad(torch.from_numpy(bands), (hop, 0))
        seen = module.blocks(module.stem(padded)).numpy()  # what the last layer is given
    late = shape.look_ahead
    assert np.abs(np.concatenate(outs, axis=2)[:, :, late:] - dense[:, :, :-late]).max() < 1e-5
    assert np.abs(np.concatenate(features, axis=2) - seen).max() < 1e-5


def test_silence_leaves_a_state_of_zeros() -> None:
    shape = NetworkShape((ModuleShape(4, 6, (1, 2), (0, 1, 2), False),), 14, 8, True)
    torch.manual_seed(1)
    session = ort.InferenceSession(step_graph(MEcgNet(shape).eval(), 4).SerializeToString())
    state = np.zeros(session.get_inputs()[1].shape, np.float32)
    for _ in range(5):
        (state,) = session.run(["next_state"], {"bands": np.zeros((1, 3, 4), np.float32), "state": state})
    assert not state.any()


@pytest.mark.parametrize("modules", [(4, 8), (8,)])
def test_other_shapes_are_not_taken_on(modules: tuple[int, ...]) -> None:
    parts = tuple(ModuleShape(stride, 4, (1,), (0, 1, 2)) for stride in modules)
    assert not fits(MEcgNet(NetworkShape(parts, 16)), 4)
