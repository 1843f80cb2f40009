"""How persons differ: what is learned makes one record serve another."""

import numpy as np
import pytest

from streamer.core.calibration.fit import Reference, posterior
from streamer.core.leads import SEVEN

torch = pytest.importorskip("torch")

from training.fitted.personal import PAIRS_EACH, first_and_later, learn, pairs_of, prior_from

FEATURES, STRIDE, STEPS = 5, 2, 1200


def persons(count: int, seed: int) -> tuple[list[Reference], np.ndarray]:
    """Two records each; heads vary in two directions of five, and a little from visit to visit."""
    rng = np.random.default_rng(seed)
    references, patients = [], []
    for patient in range(count):
        own = np.zeros((len(SEVEN), STRIDE, FEATURES))
        own[..., :2] = rng.normal(0, 0.5, (len(SEVEN), STRIDE, 2))
        for _ in range(2):
            x = rng.normal(size=(FEATURES, STEPS)).astype(np.float32)
            head = own + np.array([0.1, 0.1, 0.2, 0.2, 0.2]) * rng.normal(size=own.shape)
            y = np.einsum("lsf,fn->lsn", head, x) + rng.normal(0, 0.2, (len(SEVEN), STRIDE, STEPS))
            references.append(Reference(x, y.astype(np.float32), 250.0))
            patients.append(patient)
    return references, np.array(patients)


def test_what_does_not_come_again_is_not_learned():
    """Directions in which only visits differ are shrunk, those of persons are kept."""
    references, patients = persons(120, 0)
    learned, usual = learn(references, pairs_of(patients))
    known = prior_from(learned, references, usual)
    head = posterior(known, references[0].moments())
    fresh, who = persons(20, 1)
    plain = [np.linalg.lstsq(r.features.T, r.error_mv.reshape(-1, STEPS).T)[0] for r in fresh]
    ours, simple = [], []
    for a, b in first_and_later(who):
        ours.append(fresh[b].moments().left_mv2(posterior(known, fresh[a].moments())).mean())
        by_lead = plain[a].reshape(FEATURES, len(SEVEN), STRIDE).transpose(1, 0, 2)
        simple.append(fresh[b].moments().left_mv2(by_lead).mean())
    assert np.mean(ours) < 0.97 * np.mean(simple)
    assert head.shape == (len(SEVEN), FEATURES, STRIDE)


def test_pairs_are_of_one_patient_and_none_counts_for_much_more():
    patients = np.array([1] * 9 + [2, 2, 3])
    pairs = pairs_of(patients)
    assert all(patients[a] == patients[b] and a != b for a, b in pairs)
    assert np.bincount(patients[pairs[:, 0]]).tolist() == [0, PAIRS_EACH, 2]
    assert first_and_later(np.array([5, 6, 5, 5])).tolist() == [[0, 2], [0, 3]]
