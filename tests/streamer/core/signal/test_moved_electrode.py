"""Where the lead goes on at another level, the filters start there, and ring for nobody."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.replay.synthetic import Synthetic
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.signal.sample_bounds import JUMP_MV
from streamer.core.stream import Chunk, StreamInfo


@pytest.fixture(scope="module")
def network(networks: dict[str, Network]) -> Network:
    return networks["identity"]


def measured(network: Network, rate_hz: float, lead: np.ndarray, cuts: list[int]) -> np.ndarray:
    pipeline = Pipeline(StreamInfo("test:", rate_hz), network)
    edges = sorted({0, len(lead), *(cut for cut in cuts if cut < len(lead))})
    frames = [frame for a, b in pairwise(edges) for frame in pipeline.push(Chunk(a, lead[a:b]))]
    frames += pipeline.finish()
    return np.concatenate([np.vstack((frame.measured_mv, frame.settling)) for frame in frames], axis=1)


@settings(max_examples=25, deadline=None)
@given(
    rate_hz=st.sampled_from([130.0, 250.0, 500.0, 1000.0]),
    level_mv=st.floats(JUMP_MV + 5, 900.0),
    held_s=st.floats(0.05, 4.0),
    cuts=st.lists(st.integers(1, 10_000), max_size=8),
)
def test_a_moved_electrode_rings_nowhere_and_is_marked_as_settling(networks, rate_hz, level_mv, held_s, cuts):
    lead = Synthetic(f"?rate={rate_hz:g}&bpm=75").lead_mv(0, round(10 * rate_hz))
    there, back = round(4 * rate_hz), round((4 + held_s) * rate_hz)
    most_mv = float(np.ptp(lead))
    lead[there:back] += np.float32(level_mv)
    whole = measured(networks["identity"], rate_hz, lead, [])
    assert np.nanmax(np.abs(whole[0])) <= 2 * most_mv
    assert whole[1, round((4.05 + held_s) * 250) : round((5.9 + held_s) * 250)].all()
    np.testing.assert_array_equal(measured(networks["identity"], rate_hz, lead, cuts), whole)


@pytest.mark.parametrize("step_mv", [0.5, 5.0, JUMP_MV - 5])
def test_what_an_ecg_can_reach_moves_nothing(network, step_mv):
    lead = Synthetic("?rate=250&bpm=75").lead_mv(0, 2500)
    lead[1250:] += np.float32(step_mv)
    assert not measured(network, 250.0, lead, [])[1, 600:].any()
