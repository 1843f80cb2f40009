"""A wrong unit is found by the height of the beats, at any rate and rhythm; a right one is left alone."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.replay.synthetic import Synthetic
from streamer.core.vitals.unit_watch import UnitWatch
from streamer.formats.wfdb_reader import Record

RECORDINGS = Path(__file__).parents[4] / "recordings"

rates = st.sampled_from([100, 125, 128, 130, 250, 256, 500, 512, 1000])
rhythms = st.integers(40, 200)
sizes = st.sampled_from([1, 7, 16, 25, 73, 250])


def beating(rate_hz: int, bpm: int, seconds: float) -> np.ndarray:
    return Synthetic(f"?rate={rate_hz}&bpm={bpm}").lead_mv(0, round(seconds * rate_hz)).astype(float)


def found(x: np.ndarray, rate_hz: float, size: int = 25) -> list[tuple[float, float]]:
    """When a unit was called wrong, s, and the factor; corrected from there on."""
    watch, told, factor = UnitWatch(rate_hz), [], 1.0
    for start in range(0, len(x), size):
        wrong = watch.push(x[start : start + size] * factor)
        if wrong is not None:
            factor *= wrong.factor
            told.append((start / rate_hz, wrong.factor))
            assert wrong.text.isprintable()
    return told


@settings(max_examples=40, deadline=None)
@given(
    rate_hz=rates,
    bpm=rhythms,
    size=sizes,
    off=st.sampled_from([1e-6, 1e-3, 1e3, 1e6]),
    height=st.floats(0.4, 3.0),
    noise_mv=st.sampled_from([0.0, 0.005, 0.03]),
    offset_mv=st.sampled_from([0.0, -300.0, 180.0]),
    sign=st.sampled_from([-1.0, 1.0]),
)
def test_a_factor_of_a_thousand_is_found_once_within_10_s(
    rate_hz: int,
    bpm: int,
    size: int,
    off: float,
    height: float,
    noise_mv: float,
    offset_mv: float,
    sign: float,
) -> None:
    x = sign * height * beating(rate_hz, bpm, 25) + offset_mv
    x += np.random.default_rng(1).normal(0, noise_mv, len(x))
    ((at_s, factor),) = found(x * off, rate_hz, size)
    assert factor == pytest.approx(1 / off) and at_s < 10


@settings(max_examples=40, deadline=None)
@given(rate_hz=rates, bpm=rhythms, size=sizes, off=st.sampled_from([1e-3, 1e3]), at_s=st.floats(5, 12))
def test_a_unit_that_changes_in_mid_stream_is_found_and_so_is_the_way_back(
    rate_hz: int, bpm: int, size: int, off: float, at_s: float
) -> None:
    x = beating(rate_hz, bpm, 50)
    index = np.arange(len(x)) / rate_hz
    told = found(np.where((index >= at_s) & (index < at_s + 18), off * x, x), rate_hz, size)
    assert [factor for _, factor in told] == [pytest.approx(1 / off), pytest.approx(off)]
    assert at_s < told[0][0] < at_s + 12 and at_s + 18 < told[1][0] < at_s + 30


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["white", "hum", "wander", "steps", "bursts", "nothing"]),
    rate_hz=rates,
    log_mv=st.floats(-6, 4),
    seed=st.integers(0, 1000),
)
def test_what_does_not_beat_is_in_no_wrong_unit_however_large(
    kind: str, rate_hz: int, log_mv: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    t = np.arange(30 * rate_hz) / rate_hz
    noise = rng.normal(0, 1, len(t))
    x = {
        "white": noise,
        "hum": np.sin(2 * np.pi * 49.9 * t) + 0.1 * noise,
        "wander": np.cumsum(noise),
        "steps": np.repeat(rng.normal(0, 5, len(t) // rate_hz + 1), rate_hz)[: len(t)] + 0.2 * noise,
        "bursts": noise * (rng.random(len(t) // rate_hz + 1) > 0.7).repeat(rate_hz)[: len(t)],
        "nothing": 0 * t,
    }[kind]
    assert found(x * 10**log_mv, rate_hz) == []


@settings(max_examples=40, deadline=None)
@given(
    rate_hz=rates, bpm=rhythms, height=st.floats(0.02, 8.0), noise_mv=st.sampled_from([0.0, 0.01, 0.1, 1.0])
)
def test_a_right_unit_is_left_alone(rate_hz: int, bpm: int, height: float, noise_mv: float) -> None:
    x = height * beating(rate_hz, bpm, 25)
    assert found(x + np.random.default_rng(2).normal(0, noise_mv, len(x)), rate_hz) == []


def test_crosstalk_of_a_few_microvolts_over_a_real_amplifier_s_noise_stays_that() -> None:
    """An electrode that is off may still show a heart; its noise says that the unit is right."""
    x = 0.006 * beating(250, 70, 30)
    assert found(x + np.random.default_rng(3).normal(0, 0.0005, len(x)), 250) == []


@pytest.mark.parametrize("record", ["ptb/s0010_re", "mitdb/100"])
@pytest.mark.parametrize("off", [1.0, 1e-3, 1e3])
def test_real_recordings(record: str, off: float) -> None:
    read = Record(RECORDINGS / record)
    lead_mv = np.asarray(read.read(0, min(read.samples, round(38 * read.rate_hz)))[0], float)
    told = found(off * lead_mv, read.rate_hz)
    assert [factor for _, factor in told] == ([] if off == 1 else [pytest.approx(1 / off)])
