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


ladders = st.builds(
    lambda channels, dilations, more, scale: NetworkShape(
        tuple(
            ModuleShape(4, n, tuple(d * (2 if i == 0 else 1) for d in dilations), (i,), split=False)
            for i, n in enumerate(channels)
        ),
        4 + more,
        8,
        scale,
        ladder=True,
    ),
    channels=st.lists(st.integers(1, 20), min_size=2, max_size=3),
    dilations=st.lists(st.sampled_from([1, 2, 3, 8]), min_size=1, max_size=4),
    more=st.integers(0, 12),
    scale=st.booleans(),
)


def hop_by_hop(network: MEcgNet, bands: np.ndarray, kept: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """What the graph puts out ``(1, rows, n)``, and the features ``(1, channels, n / hop)``."""
    hop = network.shape.modules[0].stride
    assert fits(network, hop)
    session = ort.InferenceSession(step_graph(network, hop, kept).SerializeToString())
    state = np.zeros(session.get_inputs()[1].shape, np.float32)
    names = ["leads", "scale"] if network.shape.scale else ["leads"]
    outs, features = [], []
    for i in range(0, bands.shape[2], hop):
        given_in = {"bands": bands[:, :, i : i + hop], "state": state}
        *out, feature, state = session.run([*names, "features", "next_state"], given_in)
        outs.append(np.concatenate(out, axis=1))
        features.append(feature)
    return np.concatenate(outs, axis=2), np.concatenate(features, axis=2)


@settings(max_examples=12, deadline=None)
@given(shape=st.one_of(shapes, ladders), seed=st.integers(0, 1000))
def test_hop_by_hop_it_is_the_network(shape: NetworkShape, seed: int) -> None:
    torch.manual_seed(seed)
    network = MEcgNet(shape).eval()
    n = 60 * shape.modules[0].stride
    bands = np.random.default_rng(seed).normal(0, 0.3, (1, 3, n)).astype(np.float32)
    out, features = hop_by_hop(network, bands)
    with torch.no_grad():
        dense, seen = (part.numpy() for part in network.forward_with_features(torch.from_numpy(bands)))
    late = shape.look_ahead
    assert np.abs(out[:, :, late:] - dense[:, :, :-late]).max() < 1e-5
    assert np.abs(features - seen).max() < 1e-5


@settings(max_examples=12, deadline=None)
@given(shape=ladders, seed=st.integers(0, 1000), gain=st.sampled_from([0.01, 0.3, 20.0]))
def test_what_slow_modules_make_is_the_same_to_the_bit_with_and_without_the_fast_ones(
    shape: NetworkShape, seed: int, gain: float
) -> None:
    torch.manual_seed(seed)
    network = MEcgNet(shape).eval()
    bands = np.random.default_rng(seed).normal(0, gain, (1, 3, 240)).astype(np.float32)
    _, whole = hop_by_hop(network, bands)
    for kept in range(1, len(shape.modules)):
        out, alone = hop_by_hop(network, bands, kept)
        np.testing.assert_array_equal(whole[:, : alone.shape[1]], alone)
        with torch.no_grad():
            dense = network.part(kept)(torch.from_numpy(bands)).numpy()
        late = shape.look_ahead
        assert np.abs(out[:, :, late:] - dense[:, :, :-late]).max() < 1e-5 * max(1.0, gain)


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
