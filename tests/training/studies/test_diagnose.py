"""The classifier that asks what is left for a diagnosis."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from mecg.evaluation.dataset import SUPERCLASSES
from streamer.core.network.network import Network
from tests.streamer.known_network import GAINS, scaled_identity
from training.data import Records
from training.studies import diagnose


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    scores = np.array([0.1, 0.4, 0.4, 0.8, 0.9], np.float32)
    labels = np.array([0, 0, 1, 0, 1], np.float32)
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[labels == 1] for b in scores[labels == 0]]
    assert diagnose.auroc(scores, labels) == pytest.approx(np.mean(pairs))
    assert diagnose.auroc(labels, labels) == 1.0
    assert np.isnan(diagnose.auroc(scores, np.ones(5)))


def labelled(n: int, seed: int) -> diagnose.Labelled:
    """Each class is a tone of its own in lead V1; Lead I holds half of the classes only."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, len(SUPERCLASSES))) < 0.5).astype(np.float32)
    t = np.arange(256) / 125
    tones = np.sin(2 * np.pi * np.array([2, 5, 9, 14, 20])[:, None] * t)
    leads = rng.normal(0, 0.2, (n, 12, 256))
    leads[:, 6] += labels @ tones
    leads[:, 0] += labels[:, :2] @ tones[:2]
    return diagnose.Labelled(np.arange(n), leads.astype(np.float32), labels)


def test_a_classifier_finds_what_its_leads_hold_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(diagnose, "EPOCHS", 6)
    monkeypatch.setattr(diagnose, "BATCH", 32)
    monkeypatch.setattr(diagnose, "RESAMPLES", 50)
    train, test = labelled(256, 0), labelled(80, 1)
    monkeypatch.setattr(diagnose, "labelled", lambda data, folds, cache, every: (None, train))
    both = [diagnose.kept_or_learned(tmp_path / "kept.pt", tmp_path, tmp_path, 1) for _ in range(2)]
    twelve, one = both[0]["twelve"], both[0]["one"]
    again = diagnose.answers(both[1]["twelve"], test.leads_mv)
    np.testing.assert_array_equal(again, diagnose.answers(twelve, test.leads_mv))
    all_leads = diagnose.areas(diagnose.answers(twelve, test.leads_mv), test)
    lead_one = diagnose.areas(diagnose.answers(one, test.leads_mv[:, [0]]), test)
    first, last = SUPERCLASSES[0], SUPERCLASSES[-1]
    assert all_leads["macro"] > 0.9
    assert lead_one[first] > 0.9
    assert 0.3 < lead_one[last] < 0.7  # Lead I holds nothing of it
    low, high = all_leads["macro_ci95"]
    assert low <= all_leads["macro"] <= high


def test_made_leads_are_laid_on_the_same_grid_as_the_real_ones() -> None:
    t = np.arange(1000) / 100
    beat = np.exp(-(((t % 0.8) - 0.4) ** 2) / 0.001)
    leads = np.array(GAINS)[:, None] * beat[None]
    records = Records(np.arange(1), np.arange(1), (1000 * leads[None]).astype(np.int16))
    real = diagnose.real_twelve(records)
    made = diagnose.made_twelve(records, Network(scaled_identity()))
    assert real.shape == made.shape
    # The network adds the bands up, so only the filters' delay and baseline are between them.
    for row in (0, 1, 6, 11):
        assert np.corrcoef(real[0, row], made[0, row])[0, 1] > 0.6
