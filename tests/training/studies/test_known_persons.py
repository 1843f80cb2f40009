"""What a network gains by knowing persons does not depend on how hard their records are."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from streamer.core.errors import InputError
from streamer.core.leads import LEADS, PREDICTED
from streamer.formats.wfdb_reader import Record
from tests.streamer.known_network import scaled_identity
from training.data import Records
from training.studies import known_persons
from training.studies.known_persons import NUMBERS, Beats, Ridge, beats_of, over_ridge, study

RECORDINGS = Path(__file__).parents[3] / "recordings" / "ptb-xl"
SAMPLES = 40


def people(rng: np.random.Generator, n: int, noise_mv: float, error_mv: float) -> Beats:
    """The seven leads are linear in Lead I but for noise, and the network is off by its own."""
    patients = np.arange(n) // 2
    hidden = rng.normal(size=(n, NUMBERS))
    one = hidden @ np.random.default_rng(1).normal(size=(NUMBERS, SAMPLES))
    clean = hidden @ np.random.default_rng(2).normal(size=(NUMBERS, 7 * SAMPLES))
    truth = clean + rng.normal(0, noise_mv, clean.shape)
    return Beats(patients, one, truth, truth + rng.normal(0, error_mv, clean.shape))


@pytest.mark.parametrize("noise_mv", [0.05, 0.2])
def test_the_ratio_is_the_networks_error_over_what_lead_i_does_not_say_linearly(noise_mv: float) -> None:
    rng = np.random.default_rng(0)
    ridge = Ridge.fit(people(rng, 4000, noise_mv, 0))
    found, resampled = over_ridge(people(rng, 600, noise_mv, 0.1), ridge, rng)
    assert found["network_mv"] == pytest.approx(0.1, rel=0.02)
    assert found["ridge_mv"] == pytest.approx(noise_mv, rel=0.02)
    low, high = found["over_ridge_ci95"]
    assert low < found["over_ridge"] < high
    assert np.median(resampled) == pytest.approx(found["over_ridge"], rel=0.01)


def test_records_of_one_person_are_resampled_together() -> None:
    """The same records twice, of the same persons, make no interval narrower."""
    rng = np.random.default_rng(0)
    ridge = Ridge.fit(people(rng, 1000, 0.1, 0))
    once = people(rng, 60, 0.1, 0.1)
    once = Beats(once.patients, once.one, once.truth, once.truth + 0.1 * rng.exponential(size=(60, 1)))
    twice = Beats(*(np.concatenate((x, x)) for x in (once.patients, once.one, once.truth, once.estimate)))
    of_once, of_twice = (over_ridge(x, ridge, np.random.default_rng(5))[0] for x in (once, twice))
    assert of_twice["over_ridge_ci95"] == pytest.approx(of_once["over_ridge_ci95"])


def test_beats_are_those_of_the_live_path_and_the_truth_on_the_same_samples(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def load(*_: object) -> Records:
        records = [Record(RECORDINGS / name) for name in ("00010_hr", "00155_hr")]
        leads = [r.read()[[r.row(lead) for lead in PREDICTED]][:, ::5] for r in records]
        flat = np.zeros_like(leads[0])
        return Records(np.arange(3), np.arange(3), (1e3 * np.stack((*leads, flat))).astype(np.int16))

    monkeypatch.setattr(known_persons, "load", load)
    network = known_persons.Network(scaled_identity())
    beats = beats_of(network, tmp_path, (1,), 1, tmp_path)
    assert list(beats.patients) == [0, 1]  # a flat record shows no beat
    seven = beats.truth.reshape(2, 7, -1)
    assert beats.one.shape == (2, seven.shape[2])
    assert np.abs(beats.one).max(axis=1) == pytest.approx(np.abs(beats.one[:, 40:90]).max(axis=1))
    made = beats.estimate.reshape(2, 7, -1)
    rows = [LEADS.index(lead) for lead in PREDICTED[1:]]
    assert len(rows) == made.shape[1]
    for one, lead in zip(beats.one, made[:, 0], strict=True):  # Lead I as the bands' filters leave it
        alike = [np.corrcoef(one[10:-10], np.roll(lead, by)[10:-10])[0, 1] for by in range(-10, 11)]
        assert max(alike) > 0.95
        assert abs(int(np.argmax(alike)) - 10) <= 4


@pytest.mark.parametrize(
    ("folds", "unknown", "words"),
    [(None, 8, "does not say"), ([5, 8], 8, "name a fold"), ([1, 2], 8, "one beyond")],
)
def test_a_model_that_cannot_be_asked_is_refused_in_one_line(
    folds: list[int] | None, unknown: int, words: str, tmp_path: Path
) -> None:
    about = {} if folds is None else {"folds": folds}
    with pytest.raises(InputError, match=words):
        study(scaled_identity(about=about), tmp_path, unknown, 1, tmp_path)
