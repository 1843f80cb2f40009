# SPDX-License-Identifier: GPL-3.0-or-later
"""How errors go together: what persons differ in is found, and what draws are worth is told truly."""

import csv
from pathlib import Path

import numpy as np
import onnx
import pytest

pytest.importorskip("torch")

from mecg.evaluation.dataset import Entry
from streamer.core.errors import InputError
from streamer.core.leads import PREDICTED, SEVEN
from streamer.core.network.alternatives import Plausible
from streamer.core.network.network import Network
from streamer.core.network.spec import METADATA_KEY
from tests.streamer.core.conftest import identity_model, spec
from training.data import made_of
from training.fitted.plausible import EVERY, FACTORS, TEMPERS, Moments, fit, learn, write
from training.fitted.plausible_scores import (
    Known,
    energy_score,
    estimate,
    independent,
    persons,
    records_of,
    score,
    table,
)

RATE_HZ, N = 250.0, 1125


def made(count: int, seed: int = 0, spread: float = 1.0) -> tuple[list[Known], np.ndarray]:
    """Records of persons whose leads mix in two ways, more or less, with a beat a second."""
    fixed = np.random.default_rng(99).normal(0, 0.3, (2, len(SEVEN), len(PREDICTED)))
    rng = np.random.default_rng(seed)
    t = (np.arange(N) % 250) / RATE_HZ
    at_s, wide_s = np.linspace(0.5, 0.8, 9), np.linspace(0.012, 0.05, 9)
    # And a level, so that nowhere persons are as good as the same.
    waves = np.vstack([np.exp(-(((t - at_s[:, None]) / wide_s[:, None]) ** 2)), np.ones(N)])
    found = []
    for i in range(count):
        leads = rng.normal(0, 0.4, (len(PREDICTED), len(waves))) @ waves
        leads[0] = waves[0] + 0.2 * waves[-2]
        each = np.einsum("klp,pn->kln", fixed, leads)
        scale = np.full_like(leads, 1e-6)
        scale[1:] = np.sqrt((each**2).sum(axis=0)) + 1e-6
        truth = leads.copy()
        truth[1:] += spread * np.einsum("k,kln->ln", rng.normal(size=2), each)
        found.append(Known(i, *(x.astype(np.float32) for x in (leads, scale, truth))))
    return found, fixed


def test_the_ways_in_which_persons_differ_are_found():
    records, fixed = made(300)
    factors = learn([Moments.of(known) for known in records], factors=4).astype(np.float64)
    true, ours = fixed.reshape(2, -1), factors.reshape(4, -1)
    inside = ours[:2].T @ np.linalg.lstsq(ours[:2].T, true.T, rcond=None)[0]
    assert np.linalg.norm(inside.T - true) < 0.35 * np.linalg.norm(true)
    size = np.linalg.norm(ours, axis=1)
    assert size[2] < 0.35 * size[1]
    again = learn([Moments.of(known) for known in records], factors=4)
    assert (again == factors).all()


def test_the_energy_score_is_best_for_the_distribution_that_truth_is_drawn_from():
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(2, 6))

    def mean_score(spread: float, joint: bool) -> float:
        """Over many truths; the same spread in each number, together or each by itself."""
        chances = np.random.default_rng(1)
        scores = []
        for _ in range(400):
            truth = chances.normal(size=2) @ mix
            if joint:
                drawn = spread * chances.normal(size=(40, 2)) @ mix
            else:
                drawn = spread * chances.normal(size=(40, 6)) * np.sqrt((mix**2).sum(axis=0))
            scores.append(energy_score(drawn, truth))
        return float(np.mean(scores))

    best = mean_score(1.0, joint=True)
    assert best < min(
        mean_score(0.4, True), mean_score(2.0, True), mean_score(1.0, False), mean_score(0.0, True)
    )


def test_an_energy_score_of_one_draw_is_its_error_and_of_the_truth_nothing():
    truth = np.arange(6.0).reshape(2, 3)
    assert energy_score(truth[None] + 0.5, truth) == pytest.approx(0.5)
    assert energy_score(np.stack([truth] * 4), truth) == pytest.approx(0, abs=1e-6)


def test_true_draws_rank_the_truth_evenly_and_spread_as_persons_do():
    records, fixed = made(160, seed=3)
    true = Plausible(fixed.astype(np.float32), 1.0)
    ways = {"estimate": estimate, "independent": independent, "plausible": persons(true)}
    found = table({name: score(records, way, RATE_HZ) for name, way in ways.items()})
    plausible, single = found["plausible"], found["independent"]
    assert plausible["ranks"]["mean"]["outermost"] == pytest.approx(0.1, abs=0.04)
    assert plausible["ranks"]["mean"]["chi2_per_df"] < 2 < single["ranks"]["mean"]["chi2_per_df"]
    ratios = [x for wave in plausible["spread_ratio"].values() for x in wave.values()]
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)
    for kind in ("record", "beat", "waves"):
        assert plausible[f"{kind}_over_estimate"]["ci95"][1] < 0.8
        assert plausible[f"{kind}_mv"] < single[f"{kind}_mv"]
    assert found["estimate"]["record_over_estimate"]["ratio"] == 1


def test_a_model_keeps_everything_else(tmp_path: Path):
    path = tmp_path / "model.onnx"
    stated = spec(has_scale=True, receptive_field=8, overlap=0)
    path.write_bytes(identity_model(stated))
    before = onnx.load(path)
    _, fixed = made(1)
    plausible = Plausible(fixed.astype(np.float16).astype(np.float32), 1.2)
    write(path, plausible)
    network = Network(path.read_bytes())
    again = Plausible.from_json(network.spec.plausible)
    assert (again.factors == plausible.factors).all() and again.temper == plausible.temper
    after = onnx.load(path)
    assert after.graph == before.graph
    assert {p.key for p in after.metadata_props} == {METADATA_KEY}
    assert network.spec.bands == stated.bands and [*tmp_path.iterdir()] == [path]


def packed(cache: Path, fold: int, count: int) -> None:
    """Records of 10 s at 100 Hz as `training.data` keeps them: a beat a second, leads as they come."""
    rng = np.random.default_rng(fold)
    t = (np.arange(1000) % 100) / 100
    waves = np.stack([np.exp(-(((t - at) / wide) ** 2)) for at, wide in ((0.4, 0.02), (0.7, 0.06))])
    sizes = rng.normal(0, 0.3, (count, len(PREDICTED), 2))
    sizes[:, 0] = (1.0, 0.2)
    uv = np.rint(1e3 * sizes @ waves).astype(np.int16)
    rows = [
        {"ecg_id": str(i), "patient_id": str(i), "strat_fold": str(fold), "filename_lr": "none"}
        for i in range(count)
    ]
    np.savez(
        cache / f"fold{fold:02d}.npz",
        made_of=made_of([Entry(Path("none"), str(i), (), i, key="none") for i in range(count)]),
        ecg_id=np.arange(count),
        patient_id=np.arange(count),
        leads_uv=uv,
    )
    table = cache / "ptbxl_database.csv"
    new = not table.exists()
    with table.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, rows[0])
        if new:
            writer.writeheader()
        writer.writerows(rows)


def test_it_is_fitted_on_the_model_s_own_folds_and_the_one_that_chooses(tmp_path: Path):
    stated = spec(has_scale=True, receptive_field=8, overlap=0, about={"folds": [2]})
    for fold in (2, 8):  # and no other: the table lists none
        packed(tmp_path, fold, 10 * EVERY)
    plausible = fit(Network(identity_model(stated)), tmp_path, tmp_path)
    assert plausible.factors.shape == (FACTORS, len(SEVEN), len(PREDICTED))
    assert plausible.temper in TEMPERS
    again = Plausible.from_json(plausible.to_json())
    assert (again.factors == plausible.factors).all()


def test_a_model_without_a_scale_is_refused(tmp_path: Path):
    network = Network(identity_model(spec(receptive_field=8, overlap=0)))
    with pytest.raises(InputError, match="states no scale"):
        next(records_of(network, tmp_path, [1], 1, tmp_path))
