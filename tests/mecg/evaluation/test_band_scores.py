"""The scores of the uncertainty, on errors whose distribution is known."""

import numpy as np
import pytest

from mecg.evaluation.band_scores import REGIONS, band_summary, count, regions
from mecg.evaluation.beat_scores import Beats

N = 40_000
BANDS = {"0.5": (np.log(2.0),) * 12, "0.8": (np.log(5.0),) * 12, "0.9": (np.log(10.0),) * 12}
"""Of a Laplace distribution, as multiples of its scale."""
EVERYWHERE = np.array([[True] * N, [False] * N, [False] * N])


def laplace(scale_mv: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).laplace(0, scale_mv, (12, N)).astype(np.float32)


def test_true_scales_cover_what_they_promise() -> None:
    scale = np.tile(np.linspace(0.02, 0.3, N), (12, 1)).astype(np.float32)
    counts = count(laplace(scale), scale, np.zeros((12, N), np.float32), BANDS, EVERYWHERE)
    coverage = band_summary([counts], [("NORM",)])["coverage"]
    for level, shares in coverage.items():
        assert shares["all"] == pytest.approx(float(level), abs=0.005)
        assert shares["NORM"] == shares["all"]
        assert shares["V3"] == pytest.approx(float(level), abs=0.015)


def test_scales_that_know_when_beat_the_best_constant_band() -> None:
    scale = np.where(np.arange(N) % 100 < 10, 0.3, 0.02) * np.ones((12, 1))
    scale = scale.astype(np.float32)
    truth = np.zeros((12, N), np.float32)
    score = band_summary([count(laplace(scale), scale, truth, BANDS, EVERYWHERE)], [()])["interval_score"]
    assert score["ours"] < 0.8 * score["constant_width"]


def test_a_constant_scale_scores_as_the_constant_band() -> None:
    scale = np.full((12, N), 0.1, np.float32)
    truth = np.zeros((12, N), np.float32)
    score = band_summary([count(laplace(scale), scale, truth, BANDS, EVERYWHERE)], [()])["interval_score"]
    assert score["ours"] == pytest.approx(score["constant_width"], rel=0.02)


def test_regions_are_apart_and_lie_where_the_beats_say() -> None:
    beats = Beats(np.array([1000, 1200, 1290]), onset=-10, offset=12)
    mask = dict(zip(REGIONS, regions(beats, 2000, 1195, 250.0), strict=True))
    assert mask["all"].sum() == 2000 - 1195
    assert not (mask["qrs"] & mask["st_t"]).any()
    assert mask["qrs"][1195:1213].all()
    assert mask["st_t"][1213:1280].all()
    assert mask["qrs"][1280:1303].all()
    assert not mask["st_t"][:1195].any()


def test_the_interval_score_of_a_part_is_that_of_the_part_alone() -> None:
    """Half of the record is wide and half is narrow: told apart, and the mean of both is the whole."""
    scale = np.where(np.arange(N) < N // 2, 0.3, 0.02) * np.ones((12, 1)).astype(np.float32)
    scale = scale.astype(np.float32)
    where = np.array(
        [[True] * N, [True] * (N // 2) + [False] * (N // 2), [False] * (N // 2) + [True] * (N // 2)]
    )
    counts = count(laplace(scale), scale, np.zeros((12, N), np.float32), BANDS, where)
    score = band_summary([counts], [("NORM", "MI")])["interval_score"]
    assert score["qrs"]["ours"] > 10 * score["st_t"]["ours"]
    for way in ("ours", "constant_width"):
        assert (score["qrs"][way] + score["st_t"][way]) / 2 == pytest.approx(score[way])
        assert score["MI"][way] == pytest.approx(score[way])
    assert score["st_t"]["ours"] < score["st_t"]["constant_width"]
