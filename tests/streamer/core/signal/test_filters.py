"""The compiled filters against scipy, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from streamer.core.signal.filters import BandSplitter, forward_backward, sosfilt, steady_state


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, n)


@settings(max_examples=60, deadline=None)
@given(
    order=st.integers(1, 8),
    edge_hz=st.floats(0.3, 110),
    kind=st.sampled_from(["lowpass", "highpass"]),
    cuts=st.lists(st.integers(1, 399), max_size=30),
    seed=st.integers(0, 99),
)
def test_sosfilt_is_scipys_to_the_last_bit_for_any_chunking(order, edge_hz, kind, cuts, seed):
    sos = signal.butter(order, edge_hz, kind, fs=250, output="sos")
    x, start = noise(400, seed), noise(2 * len(sos), seed + 1).reshape(-1, 2)
    theirs, their_state = signal.sosfilt(sos, x, zi=start)
    state = start.copy()
    parts = np.split(x, sorted(set(cuts)))
    ours = np.concatenate([sosfilt(sos, part, state) for part in parts])
    assert ours.tobytes() == theirs.tobytes()
    assert state.tobytes() == their_state.tobytes()


@pytest.mark.parametrize("order", range(1, 9))
@pytest.mark.parametrize("kind", ["lowpass", "highpass"])
def test_steady_state_is_scipys(order, kind):
    sos = signal.butter(order, 20, kind, fs=250, output="sos")
    assert np.allclose(steady_state(sos), signal.sosfilt_zi(sos), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["input", "low", "mid", "clinical"])
@pytest.mark.parametrize("samples", [40, 250, 2500])
def test_forward_backward_is_scipys_sosfiltfilt(make, name, samples):
    sos = getattr(make["filters"](), name)
    x = noise(samples) + 0.5
    assert np.abs(forward_backward(sos, x) - signal.sosfiltfilt(sos, x)).max() < 1e-12


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), scale=st.floats(1e-3, 5), offset=st.floats(-5, 5))
def test_bands_add_up_to_the_input_band(make, seed, scale, offset):
    bands = BandSplitter(make["filters"]())
    x = noise(1000, seed) * scale + offset
    bands.restart(x[0])
    low, mid, high, measured = bands.split(x).astype(np.float64)
    assert np.abs(low + mid + high - measured).max() <= max(1e-6, 3e-7 * np.abs(x).max())


def test_each_band_is_what_scipy_makes_of_it(make):
    filters = make["filters"]()
    x = noise(3000)
    bands = BandSplitter(filters)
    bands.restart(0.0)
    low, mid, high, measured = bands.split(x)
    whole = signal.sosfilt(filters.input, x)
    slow = signal.sosfilt(filters.low, whole)
    middle = signal.sosfilt(filters.mid, whole - slow)
    for ours, theirs in ((measured, whole), (low, slow), (mid, middle), (high, whole - slow - middle)):
        assert (ours == theirs.astype(np.float32)).all()


def test_an_offset_makes_no_step_at_the_start(make):
    bands = BandSplitter(make["filters"]())
    bands.restart(7.0)
    assert np.abs(bands.split(np.full(500, 7.0))).max() < 1e-9


def test_bands_hold_the_frequencies_that_their_names_say(make):
    power = {}
    for tone_hz in (2.0, 9.0, 25.0):
        bands = BandSplitter(make["filters"]())
        out = bands.split(np.sin(2 * np.pi * tone_hz * np.arange(5000) / 250))[:3, 1000:]
        power[tone_hz] = BandSplitter.ROWS[int(np.argmax(out.std(axis=1)))]
    assert power == {2.0: "low", 9.0: "mid", 25.0: "high"}
