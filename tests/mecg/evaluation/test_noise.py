"""Noise for a measured lead."""

import numpy as np
import pytest

from mecg.evaluation.noise import Noise, disturbed

RATE_HZ = 500.0
LEAD = np.sin(np.arange(20000) / 40).astype(np.float32)


def added(noise: Noise, level_db: float, seed: int = 0) -> np.ndarray:
    return disturbed(LEAD, RATE_HZ, noise, level_db, np.random.default_rng(seed)) - LEAD


@pytest.mark.parametrize("noise", Noise)
@pytest.mark.parametrize("level_db", [20, 0, -6])
def test_noise_has_the_level_that_was_asked_for_and_is_the_same_again(noise, level_db):
    assert added(noise, level_db).std() == pytest.approx(LEAD.std() * 10 ** (-level_db / 20), rel=1e-3)
    assert np.array_equal(added(noise, level_db), added(noise, level_db))
    assert not np.array_equal(added(noise, level_db), added(noise, level_db, seed=1))


def test_wander_is_slow_and_muscle_noise_comes_in_bursts():
    def slow_share(x):
        power = np.abs(np.fft.rfft(x * np.hanning(len(x)))) ** 2
        return power[np.fft.rfftfreq(len(x), 1 / RATE_HZ) < 1].sum() / power.sum()

    def levels(x):
        return x.reshape(-1, 200).std(axis=1)

    assert slow_share(added(Noise.WANDER, 0)) > 0.99
    assert slow_share(added(Noise.MUSCLE, 0)) < 0.05
    white, muscle = (levels(added(noise, 0)) for noise in (Noise.WHITE, Noise.MUSCLE))
    assert white.max() < 1.3 * white.min()
    assert muscle.max() > 5 * muscle.min()


def test_what_is_missing_stays_missing():
    lead = LEAD.copy()
    lead[100:200] = np.nan
    assert np.isnan(disturbed(lead, RATE_HZ, Noise.WHITE, 10, np.random.default_rng(0))).sum() == 100
