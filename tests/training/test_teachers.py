# SPDX-License-Identifier: GPL-3.0-or-later
"""Who teaches a network, and of whom."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

pytest.importorskip("torch", reason="the extra `train` is not installed")

from streamer.core.errors import InputError
from streamer.core.leads import PREDICTED
from training import config as configuration
from training import teachers
from training.data import Batches, Records, network_input, targets
from training.filter_design import design
from training.teachers import said_of, speakers

RATE_HZ = 250.0
FILTERS = design(RATE_HZ)
LADDER = Path(teachers.__file__).parent / "configs" / "ladder.toml"


class Told:
    """A model that says of every lead that it is Lead I, so many times as large."""

    def __init__(self, look_ahead: int, gain: float = 0.5, **changes: Any) -> None:
        facts = {
            "name": "told",
            "rate_hz": RATE_HZ,
            "filters": FILTERS,
            "look_ahead": look_ahead,
            "grid": 4,
            "receptive_field": 8,
            "leads": PREDICTED,
            "channels": ("low", "mid", "high"),
            "about": {},
        }
        self.spec = SimpleNamespace(**(facts | changes))
        self.gain = gain
        self.lengths: set[int] = set()

    def run(self, bands: NDArray[np.float32]) -> NDArray[np.float32]:
        self.lengths.add(bands.shape[1])
        return np.repeat(self.gain * bands.sum(axis=0, keepdims=True), 16, axis=0)


def test_what_models_say_of_a_record_is_their_mean_of_the_undisturbed_one(records: Records) -> None:
    truth = targets(records, FILTERS, RATE_HZ)
    n = truth.shape[-1]
    models = [Told(14), Told(200, 1.0)]
    said = said_of(models, records, truth, FILTERS, RATE_HZ)
    assert said.shape == truth.shape
    assert [model.lengths for model in models] == [{n + 16}, {n + 200}]
    measured = network_input(records.leads_uv[2, 0].astype(np.float32) / 1e3, FILTERS, RATE_HZ)[3]
    np.testing.assert_allclose(said[2, 5], 0.75 * 1e3 * measured, atol=1)
    gained = Batches(
        records,
        truth,
        FILTERS,
        RATE_HZ,
        3,
        0.5,
        0.0,
        1.0,
        said_uv=(2 * truth.astype(np.int32)).astype(np.int16),
    )
    for _, true, known in gained.taught(np.random.default_rng(7)):
        np.testing.assert_allclose(known, 2 * true, atol=1e-5)
    untold = Batches(records, truth, FILTERS, RATE_HZ, 3, 0.0, 0.0, 0.0)
    for _, true, known in untold.taught(np.random.default_rng(7)):
        assert known is true


@given(window=st.integers(8, 600), share=st.floats(0.02, 1.0))
@settings(max_examples=25, deadline=None)
def test_what_sees_whole_windows_says_each_sample_of_a_record_once(window: int, share: float) -> None:
    """Of a model that changes nothing, overlap-add gives what it was given, whatever windows and hops."""
    hop = max(1, round(window * share))
    rng = np.random.default_rng(window)
    leads = rng.normal(0, 300, (1, 8, 400)).astype(np.int16)
    one = Records(np.array([1]), np.array([1]), leads)
    whole = {"receptive_field": None, "window": window, "hop": hop, "overlap": window - hop}
    model = Told(0, 1.0, channels=("measured",), **whole)
    said = said_of([model], one, targets(one, FILTERS, RATE_HZ), FILTERS, RATE_HZ)
    measured = network_input(leads[0, 0].astype(np.float32) / 1e3, FILTERS, RATE_HZ)[3]
    np.testing.assert_allclose(said[0], np.broadcast_to(1e3 * measured, said[0].shape), atol=1)
    assert model.lengths == {window}


def test_a_cross_fitted_teacher_speaks_only_of_folds_that_it_did_not_learn_from(
    records: Records, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The mean of those who do not know a fold."""
    parts = {1: [0, 1], 2: [2], 3: [3, 4, 5]}

    def of_folds(data: Path, folds: list[int], cache: Path) -> Records:
        which = [number for fold in folds for number in parts[fold]]
        return Records(records.ecg_id[which], records.patient_id[which], records.leads_uv[which])

    monkeypatch.setattr(teachers, "load", of_folds)
    models: list[Any] = [
        Told(14, 1.0, about={"folds": [1, 2]}),
        Told(14, 2.0, about={"folds": [2, 3]}),
        Told(14, 4.0, about={"folds": [1]}),
    ]
    facts = configuration.facts(LADDER, ["folds=[1,2,3]", "cross_fitted=true"])
    truth = targets(records, FILTERS, RATE_HZ)
    said = teachers.said_by(models, configuration.configured(facts), tmp_path, tmp_path, truth, FILTERS)
    gains = np.repeat([2.0, 4.0, 2.5], [2, 1, 3])
    for eight, lead_uv, gain in zip(said, records.leads_uv[:, 0], gains, strict=True):
        measured = network_input(lead_uv.astype(np.float32) / 1e3, FILTERS, RATE_HZ)[3]
        np.testing.assert_allclose(eight[3], gain * 1e3 * measured, atol=1)
    facts = configuration.facts(LADDER, ["folds=[1,2,3]"])
    all_speak = teachers.said_by(models, configuration.configured(facts), tmp_path, tmp_path, truth, FILTERS)
    measured = network_input(records.leads_uv[2, 0].astype(np.float32) / 1e3, FILTERS, RATE_HZ)[3]
    np.testing.assert_allclose(all_speak[2, 3], 7 / 3 * 1e3 * measured, atol=1)


@pytest.mark.parametrize(
    ("folds", "words"),
    [([1, 2], "every teacher has learnt from fold 1"), (None, "does not say which folds")],
)
def test_where_no_teacher_may_speak_it_is_said(folds: list[int] | None, words: str) -> None:
    model: Any = Told(14, about={} if folds is None else {"folds": folds})
    with pytest.raises(InputError, match=words):
        speakers([model], 1)


@pytest.mark.parametrize(
    "change",
    [
        {"leads": PREDICTED[1:]},
        {"rate_hz": 500.0},
        {"filters": design(RATE_HZ, (3.0, 12.0))},
    ],
    ids=["no Lead I", "another rate", "other bands"],
)
def test_a_model_that_hears_otherwise_does_not_teach(change: dict[str, Any], records: Records) -> None:
    with pytest.raises(InputError, match="told cannot teach"):
        said_of([Told(14, **change)], records, targets(records, FILTERS, RATE_HZ), FILTERS, RATE_HZ)
