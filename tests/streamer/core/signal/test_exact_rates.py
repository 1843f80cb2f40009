# SPDX-License-Identifier: GPL-3.0-or-later
"""Fractional rates are exact for ever: an output lies where its index says, after years as at the start."""

from fractions import Fraction
from itertools import pairwise
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.signal.rate import RateConverter, rational
from streamer.core.stream import Chunk, StreamInfo

TEN_YEARS_S = 3660 * 86400
DECIMALS = st.integers(0, 9).flatmap(
    lambda d: st.integers(95 * 10**d, 5000 * 10**d).map(lambda n: (n, 10**d))
)


@settings(max_examples=200, deadline=None)
@given(rate=DECIMALS)
def test_a_rate_is_the_fraction_that_its_text_says(rate):
    exact = Fraction(*rate)
    assert rational(float(exact)) == exact


@settings(max_examples=40, deadline=None)
@given(rate=DECIMALS, seconds=st.integers(0, TEN_YEARS_S))
def test_the_first_output_after_ten_years_is_the_exact_one(rate, seconds):
    exact = Fraction(*rate)
    converter = RateConverter(float(exact), 250.0)
    start = ceil(seconds * exact)
    n = round(2 * float(exact))
    runs = converter.push(start, np.zeros(n)) + converter.finish()
    assert runs[0].start == ceil(start * 250 / exact)
    assert runs[-1].stop == ceil((start + n) * 250 / exact)


@pytest.mark.parametrize("rate_hz", [141.42, 141.4214, 129.9873, 360.00001, 499.123456789])
@pytest.mark.parametrize("years", [0, 1, 10])
def test_a_tone_stands_in_its_place_after_years(rate_hz, years):
    exact = Fraction(str(rate_hz))
    start = ceil(years * 366 * 86400 * exact)
    n = round(4 * rate_hz)
    # The instants are exact, and counted from a whole second near to them.
    zero_s = years * 366 * 86400
    t_s = np.array([float((start + i) / exact - zero_s) for i in range(n)])
    converter = RateConverter(rate_hz, 250.0)
    runs = converter.push(start, np.sin(2 * np.pi * 10 * t_s)) + converter.finish()
    out = np.concatenate([run.x for run in runs])
    at_s = (runs[0].start + np.arange(len(out)) - zero_s * 250) / 250
    assert np.abs(out - np.sin(2 * np.pi * 10 * at_s))[50:-50].max() < 0.015


@settings(max_examples=20, deadline=None)
@given(
    rate_hz=st.sampled_from([141.4214, 129.9873, 499.123456789]),
    cuts=st.lists(st.integers(1, 900), max_size=30),
)
def test_between_tabled_phases_any_chunking_gives_the_same_bits(rate_hz, cuts):
    x = np.random.default_rng(0).normal(size=900)
    edges = [0, *sorted(set(cuts)), 900]

    def out(edges: list[int]) -> bytes:
        converter = RateConverter(rate_hz, 250.0)
        runs = [run for a, b in pairwise(edges) for run in converter.push(a, x[a:b])] + converter.finish()
        return np.concatenate([run.x for run in runs]).tobytes()

    assert out(edges) == out([0, 900])


def test_between_tabled_phases_the_kernel_is_the_exact_one_but_at_its_ends(monkeypatch):
    x = np.random.default_rng(0).normal(size=2000)
    found = []
    for most in (25_000, 10):
        monkeypatch.setattr("streamer.core.signal.rate.EXACT_PHASES", most)
        converter = RateConverter(129.91, 250.0)
        runs = converter.push(0, x) + converter.finish()
        found.append(np.concatenate([run.x for run in runs]))
    off = np.abs(found[0] - found[1])
    assert np.quantile(off, 0.99) < 1e-6
    assert off.max() < 3e-3, "the kernel ends in a step, which lies within one phase of its place"
    assert off.any()


@pytest.mark.parametrize("rate_hz", [141.42, 141.4214, 257.3])
def test_stamps_of_frames_are_exact_after_ten_years(networks: dict[str, Network], rate_hz):
    pipeline = Pipeline(StreamInfo("test:", rate_hz), networks["identity"])
    start = ceil(TEN_YEARS_S * Fraction(str(rate_hz)))
    frames = pipeline.push(Chunk(start, np.zeros(2000, np.float32), 5.0, 9.0)) + pipeline.finish()
    for frame in frames:
        exact = 5 + Fraction(frame.start) / 250 - start / Fraction(str(rate_hz))
        assert abs(frame.device_s - float(exact)) < 1e-9
