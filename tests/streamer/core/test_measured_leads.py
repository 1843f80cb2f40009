# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.core.leads import LEADS, PREDICTED
from streamer.core.measured_leads import BLOCK_S, ClinicalTruth, InputBandTruth, agreement, with_limb_leads
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.signal.clinical_frame import clinical_frame
from streamer.core.stream import Chunk, StreamInfo


@pytest.fixture(scope="module")
def identity(networks: dict[str, Network]) -> Network:
    return networks["identity"]


RNG = np.random.default_rng(4)


def twelve(n: int, rate_hz: float) -> np.ndarray:
    """Noise, wander and beats, no lead like another."""
    t = np.arange(n) / rate_hz
    beats = np.exp(-(((t % 0.8 - 0.3) / 0.02) ** 2))
    leads = np.outer(np.linspace(-1, 1.5, 12), beats) + 0.3 * np.sin(t * 1.3)[None]
    return (leads + np.random.default_rng(1).normal(0, 0.02, (12, n))).astype(np.float32)


def chunks(lead_mv: np.ndarray, reference_mv: np.ndarray | None, cuts: list[int]) -> list[Chunk]:
    edges = [0, *cuts, len(lead_mv)]
    return [
        Chunk(a, lead_mv[a:b], reference_mv=None if reference_mv is None else reference_mv[:, a:b])
        for a, b in pairwise(edges)
        if b > a
    ]


@pytest.mark.parametrize("rate_hz", [130.0, 250.0, 500.0])
def test_the_truth_of_an_identity_network_is_its_estimate(identity: Network, rate_hz: float) -> None:
    """Twelve leads that are all Lead I: what the network puts out is what the truth says."""
    info = StreamInfo("", rate_hz)
    pipeline = Pipeline(info, identity)
    truth = InputBandTruth(rate_hz, identity.spec.filters, identity.spec.rate_hz)
    lead_mv = twelve(round(6 * rate_hz), rate_hz)[11]
    compared = 0
    for chunk in chunks(lead_mv, np.tile(lead_mv, (12, 1)), [17, 200, 333, 500]):
        truth.push(chunk)
        for frame in pipeline.push(chunk):
            said = truth.at(frame.start, frame.stop)
            for lead in PREDICTED:
                k = LEADS.index(lead)
                assert np.abs(said[k] - frame.leads_mv[k]).max() <= 1e-6
            assert np.array_equal(said[0], frame.measured_mv)
            compared += frame.stop - frame.start
    assert compared > 5 * identity.spec.rate_hz


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, 1999), max_size=12, unique=True).map(sorted))
@example(cuts=[700, 701])  # a chunk that lacks one lead alone
def test_the_truth_does_not_depend_on_the_chunks(identity: Network, cuts: list[int]) -> None:
    leads_mv = twelve(2000, 500.0)
    leads_mv[3, 700:800] = np.nan
    leads_mv[5] = np.nan
    said = []
    for some in ([], cuts):
        truth = InputBandTruth(500.0, identity.spec.filters, 250.0)
        for chunk in chunks(leads_mv[0], leads_mv, some):
            truth.push(chunk)
        said.append(truth.at(0, 990))
    assert np.array_equal(said[0], said[1], equal_nan=True)
    assert np.isnan(said[0][3, 352:398]).all() and np.isfinite(said[0][3, 410:]).all()
    assert np.isfinite(said[0][5]).all(), "aVF follows from I and II"


def test_what_was_never_told_or_is_long_past_is_nan(identity: Network) -> None:
    truth = InputBandTruth(250.0, identity.spec.filters, 250.0)
    assert np.isnan(truth.at(0, 100)).all()
    truth.push(Chunk(0, np.zeros(10, np.float32)))
    assert np.isnan(truth.at(0, 100)).all()
    leads_mv = twelve(5000, 250.0)
    leads_mv[6:] = np.nan
    for chunk in chunks(leads_mv[0], leads_mv, list(range(50, 5000, 50))):
        truth.push(chunk)
    assert np.isnan(truth.at(0, 2500)).all()
    assert np.isfinite(truth.at(2500, 5000)[:6]).all() and np.isnan(truth.at(2500, 5000)[6:]).all()


@pytest.mark.parametrize("rate_hz", [128.0, 250.0, 500.0])
def test_the_clinical_frame_made_in_blocks_is_the_whole_one(identity: Network, rate_hz: float) -> None:
    leads_mv = twelve(round((2.4 * BLOCK_S) * rate_hz), rate_hz)
    filters, n = identity.spec.filters, leads_mv.shape[1]
    whole = clinical_frame(leads_mv, rate_hz, filters, 250.0)

    def read(start: int, stop: int) -> tuple[int, np.ndarray]:
        start = max(start, 0)
        return start, leads_mv[:, start : min(stop, n)]

    truth = ClinicalTruth(read, rate_hz, filters, 250.0)
    said = np.concatenate(
        [truth.at(start, start + 37) for start in range(0, whole.shape[1] // 37 * 37, 37)], axis=1
    )
    assert np.abs(said - whole[:, : said.shape[1]]).max() < 1e-5
    assert np.isnan(truth.at(whole.shape[1] + 5, whole.shape[1] + 50)).all()


def test_a_lead_that_the_file_lacks_is_nan_and_so_are_its_missing_samples(identity: Network) -> None:
    leads_mv = twelve(5000, 250.0)
    leads_mv[8] = np.nan
    leads_mv[9, 1000:1500] = np.nan
    truth = ClinicalTruth(
        lambda a, b: (max(a, 0), leads_mv[:, max(a, 0) : b]), 250.0, identity.spec.filters, 250.0
    )
    said = truth.at(0, 5000)
    assert np.isnan(said[8]).all()
    assert np.array_equal(np.isnan(said[9]), np.isnan(leads_mv[9]))


def test_limb_leads_follow_from_two() -> None:
    leads_mv = RNG.normal(size=(12, 50)).astype(np.float32)
    only = leads_mv.copy()
    only[2:6] = np.nan
    recorded = np.isfinite(only).any(axis=1, keepdims=True)
    whole = with_limb_leads(only, recorded)
    assert np.allclose(whole[2], whole[1] - whole[0], atol=1e-6)
    assert np.allclose(whole[3] + whole[4] + whole[5], 0, atol=1e-6)
    assert np.array_equal(whole[6:], leads_mv[6:])
    assert with_limb_leads(leads_mv, np.ones((12, 1), bool)) is leads_mv
    only[1] = np.nan
    assert with_limb_leads(only, recorded) is only


def test_agreement() -> None:
    truth = RNG.normal(size=(12, 400)).astype(np.float32)
    estimate = truth.copy()
    estimate[1] += 0.5
    estimate[2] = -truth[2]
    estimate[3] = 0.0
    truth[4] = np.nan
    truth[5, ::2] = np.nan
    half = np.full((12, 400), 0.4, np.float32)
    half[6] = np.nan
    found = agreement(estimate, truth, half)
    assert found.rmse_mv[0] == 0.0 and found.correlation[0] == pytest.approx(1.0) and found.coverage[0] == 1.0
    assert found.rmse_mv[1] == pytest.approx(0.5, abs=1e-6) and found.correlation[1] == pytest.approx(1.0)
    assert found.coverage[1] == 0.0
    assert found.correlation[2] == pytest.approx(-1.0)
    assert np.isnan(found.correlation[3]) and np.isfinite(found.rmse_mv[3])
    assert np.isnan(found.rmse_mv[4]) and np.isnan(found.coverage[4])
    assert found.rmse_mv[5] == 0.0
    assert np.isnan(found.coverage[6]) and found.rmse_mv[6] == 0.0
