"""The converter against scipy's design, and its promises of its own."""

import numpy as np
import pytest
from scipy import signal

from streamer.core.signal.rate import BAND_HZ, PASS_HZ, REJECTION_DB, RateConverter, half_length_s, kernel

RATES = [100.0, 128.0, 129.91, 130.0, 200.0, 256.0, 360.0, 500.0, 512.0, 1000.0]


def converted(x: np.ndarray, rate_hz: float, target_hz: float = 250.0, chunk: int = 10**9) -> np.ndarray:
    converter = RateConverter(rate_hz, target_hz)
    runs = [run for i in range(0, len(x), chunk) for run in converter.push(i, x[i : i + chunk])]
    return np.concatenate([run.x for run in runs + converter.finish()])


@pytest.mark.parametrize("rate_hz", RATES)
def test_kernel_is_the_window_design_that_scipy_makes(rate_hz):
    """On a fine grid: firwin with a Kaiser window of the same length, shape and cut-off."""
    half_s = half_length_s(rate_hz, 250.0)
    taps = 2001
    t = np.linspace(-half_s, half_s, taps)
    fine_hz = 1 / (t[1] - t[0])
    cutoff_hz = (PASS_HZ + min(rate_hz, 250.0) - BAND_HZ) / 2
    beta = signal.kaiser_beta(REJECTION_DB)
    design = signal.firwin(taps, cutoff_hz, window=("kaiser", beta), fs=fine_hz, scale=False)
    ours = kernel(t, rate_hz, 250.0) * 2 * cutoff_hz / fine_hz
    assert np.abs(ours[1:-1] - design[1:-1]).max() < 1e-6 * np.abs(design).max()


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("offset_mv", [1.0, -300.0])
def test_an_offset_passes_without_ripple(rate_hz, offset_mv):
    out = converted(np.full(1000, offset_mv), rate_hz)
    assert np.abs(out / offset_mv - 1).max() < 1e-12


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("tone_hz", [1.0, 10.0, 25.0])
def test_a_tone_of_the_ecg_comes_out_in_place_and_in_size(rate_hz, tone_hz):
    """No delay in the index: sample k is the tone at k / 250 s, within 1.5 %."""
    x = np.sin(2 * np.pi * tone_hz * np.arange(int(4 * rate_hz)) / rate_hz)
    out = converted(x, rate_hz)
    truth = np.sin(2 * np.pi * tone_hz * np.arange(len(out)) / 250.0)
    assert np.abs(out - truth)[50:-50].max() < 0.015


@pytest.mark.parametrize("rate_hz", RATES)
def test_there_and_back_is_as_long_or_a_part_of_a_step_longer(rate_hz):
    """Never shorter, so that a file can have as many samples as its input."""
    x = np.sin(np.arange(int(10 * rate_hz)) / 50)
    there = converted(x, rate_hz)
    back = converted(there, 250.0, rate_hz)
    assert 0 <= len(back) - len(x) <= max(1, rate_hz / 250)


def test_equal_rates_change_nothing():
    x = np.random.default_rng(0).normal(size=500)
    converter = RateConverter(250.0, 250.0)
    assert converter.delay_s == 0
    assert (converted(x, 250.0) == x).all()


@pytest.mark.parametrize(
    ("rate_hz", "most_ms"), [(100.0, 51.0), (130.0, 24.0), (360.0, 8.0), (500.0, 6.0), (1000.0, 8.0)]
)
def test_delay_is_as_the_latency_budget_was_planned(rate_hz, most_ms):
    assert RateConverter(rate_hz, 250.0).delay_s * 1e3 <= most_ms
