"""What a calibration is fitted on, and what that is worth."""

from dataclasses import replace

import numpy as np
import pytest

from streamer.core.calibration.fit import Reference
from streamer.core.network.network import Network
from tests.streamer.core.person_model import AHEAD, FEATURES, STRIDE, person_model, prior

pytest.importorskip("torch")

from training.fitted.personal import error_covariance, exchange_limit
from training.studies.visits import (
    LATE_S,
    ceiling,
    drifts,
    mean_beat,
    moved,
    over_visits,
    part_of,
    strangers,
    summary,
)

RATE_HZ, STEPS = 250.0, 620


def visit(rng: np.random.Generator, head: np.ndarray) -> Reference:
    x = rng.normal(size=(FEATURES, STEPS)).astype(np.float32)
    error = np.einsum("lsf,fn->lsn", head, x) + rng.normal(0, 0.05, (7, STRIDE, STEPS))
    return Reference(x, error.astype(np.float32), RATE_HZ, np.zeros_like(error, np.float32))


def test_what_lies_nearer_in_time_serves_better():
    """A person who moves between visits: the same record beats another visit, and itself beats both."""
    rng = np.random.default_rng(0)
    references = []
    for _ in range(6):
        own = rng.normal(0, 0.3, (7, STRIDE, FEATURES))
        references += [visit(rng, own + rng.normal(0, 0.15, own.shape)) for _ in range(2)]
    pairs = np.arange(12).reshape(6, 2)
    ways = summary(ceiling(Network(person_model(prior())), references, pairs))
    left = [ways[name]["over_generic"] for name in (
        "generic", "earlier visit", "same record, 5 s before", "the scored stretch itself"
    )]  # fmt: skip
    assert left[0] == 1
    assert left == sorted(left, reverse=True)
    assert left[1] > 1.5 * left[2]
    assert ways["same record, 5 s before"]["worse_by_5pct_fraction"] == 0


def test_of_persons_who_move_between_visits_several_serve_better_than_the_latest():
    rng = np.random.default_rng(1)
    references, patients = [], []
    for person, visits in enumerate([2, 3, 5, 5, 6] * 2):
        own = rng.normal(0, 0.3, (7, STRIDE, FEATURES))
        references += [visit(rng, own + rng.normal(0, 0.25, own.shape)) for _ in range(visits)]
        patients += [person] * visits
    found = over_visits(Network(person_model(prior())), references, np.array(patients))
    assert set(found) == {"1", "2", "3 or more"}
    assert set(found["1"]) == {"generic", "earliest", "latest"}
    assert found["1"]["latest"] == found["1"]["earliest"]
    assert [found[n]["latest"]["records"] for n in found] == [10, 8, 6 + 6 + 2 * 3 - 4]
    many = found["3 or more"]
    assert many["all"]["mean_over_mean"] < many["latest two"]["mean_over_mean"] < 1
    assert many["latest two"]["mean_over_mean"] < many["latest"]["mean_over_mean"]
    assert many["generic"]["over_generic"] == many["generic"]["mean_over_mean"] == 1


def test_what_is_learned_from_and_what_is_scored_have_no_sample_in_common():
    reference = visit(np.random.default_rng(0), np.zeros((7, STRIDE, FEATURES)))
    early, late = (part_of(reference, *s, AHEAD) for s in ((0.0, 5.0), (LATE_S, 1e3)))
    first, second = (np.isfinite(part.error_mv).any(axis=(0, 1)) for part in (early, late))
    assert not (first & second).any()
    assert np.flatnonzero(second)[0] - np.flatnonzero(first)[-1] >= 0.19 * RATE_HZ / STRIDE


def test_a_heart_that_beats_as_before_has_not_moved():
    t = np.arange(2500) / RATE_HZ
    beats = np.exp(-(((t % 0.8) - 0.4) ** 2) / 0.0002).astype(np.float32)
    truth = np.stack([np.outer(gains, beats) for gains in (np.ones(8), np.ones(8), np.full(8, 2.0))])
    beat = mean_beat(truth[0], RATE_HZ)
    assert beat is not None
    assert beat.max() == pytest.approx(1, abs=0.05)
    assert mean_beat(np.zeros((8, 2500), np.float32), RATE_HZ) is None
    network = Network(person_model(prior()))
    reference = visit(np.random.default_rng(0), np.zeros((7, STRIDE, FEATURES)))  # whose generic leads are 0
    same, other = moved(network, [reference] * 3, truth.astype(np.float32), np.array([[0, 1], [0, 2]]))
    assert same[0] == pytest.approx(0, abs=1e-6)
    assert other[0] == pytest.approx(other[1] / 2, rel=0.05)


def test_a_drift_is_told_of_whoever_lies_further_out_and_of_nobody_who_lies_as_before():
    """Three persons of two visits each; the second lies three times as far from zero as the others."""
    rng = np.random.default_rng(2)
    references = []
    for far in (1, 3, 1):
        for _ in range(2):
            one = visit(rng, np.zeros((7, STRIDE, FEATURES)))
            references.append(replace(one, features=far * one.features))
    patients, pairs = np.array([1, 1, 2, 2, 3, 3]), np.array([[0, 1], [2, 3], [4, 5]])
    network = Network(person_model(prior()))
    told = drifts(network, references, patients, pairs)
    assert told["same_person_over_limit_fraction"] == 0
    assert told["same_person_median"] == pytest.approx(1, abs=0.1)
    assert told["another_person_over_limit_fraction"] == pytest.approx(1 / 3)  # the first, given the second

    replaced = [references[0], references[2], *references[2:]]
    assert drifts(network, replaced, patients, pairs)["same_person_over_limit_fraction"] == pytest.approx(
        1 / 3
    )


def test_strangers_are_counted_apart_from_later_visits_of_the_same_person():
    rng = np.random.default_rng(3)
    references, patients = [], []
    for person in range(12):
        own = rng.normal(0, 0.3, (7, STRIDE, FEATURES))
        references += [visit(rng, own + rng.normal(0, 0.1, own.shape)) for _ in range(3)]
        patients += [person] * 3
    found = strangers(Network(person_model(prior())), references, np.array(patients))
    assert [found[count]["records"] for count in ("one", "more")] == [12, 12]
    for row in found.values():
        assert row["same_person_fraction"] == 0
        assert row["another_person_fraction"] > 0.9


def test_a_limit_lets_so_many_true_records_pass():
    rng = np.random.default_rng(1)
    references = [visit(rng, rng.normal(0, 0.3, (7, STRIDE, FEATURES))) for _ in range(100)]
    covariance = error_covariance(references)
    assert np.trace(covariance) == pytest.approx(1, abs=1e-3)
    assert np.allclose(
        covariance, error_covariance([replace(r, error_mv=9 * r.error_mv) for r in references])
    )
    known = prior(error_covariance=covariance, exchange=exchange_limit(references, covariance))
    assert sum(bool(reference.exchanged(known)) for reference in references) <= 2
