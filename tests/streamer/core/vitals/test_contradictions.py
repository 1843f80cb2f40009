"""What a signal says against its rate and its lead is said once; a sound one says nothing."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.replay.synthetic import Synthetic
from streamer.core.events import Notice, Topic
from streamer.core.leads import LEADS
from streamer.core.stream import Chunk, StreamInfo
from streamer.core.vitals.contradictions import MAINS_OFF, Contradictions, hum_hz


def said(lead_mv: np.ndarray, rate_hz: float, reference_mv: np.ndarray | None = None) -> list[Notice]:
    watch, told = Contradictions(StreamInfo("test:", rate_hz, live=True)), []
    for k in range(0, len(lead_mv), 50):
        rows = None if reference_mv is None else reference_mv[:, k : k + 50].astype(np.float32)
        told += watch.chunk(Chunk(k, lead_mv[k : k + 50].astype(np.float32), reference_mv=rows))
    assert all(notice.topic is Topic.READING for notice in told)
    return told


def beating(true_hz: float, seconds: float = 65.0, hum_mv: float = 0.0, mains_hz: float = 50.0) -> np.ndarray:
    """As an amplifier takes it at its true rate."""
    t = np.arange(round(seconds * true_hz)) / true_hz
    heart = Synthetic("?rate=1000&bpm=70").lead_mv(0, round(seconds * 1000)).astype(float)
    noise = np.random.default_rng(5).normal(0, 0.005, len(t))
    return (
        np.interp(t, np.arange(len(heart)) / 1000, heart) + hum_mv * np.sin(2 * np.pi * mains_hz * t) + noise
    )


@settings(max_examples=30, deadline=None)
@given(
    rate_hz=st.sampled_from([200.0, 250.0, 256.0, 500.0, 1000.0]),
    off=st.floats(0.015, 0.06),
    sign=st.sampled_from([-1, 1]),
    mains_hz=st.sampled_from([50.0, 60.0]),
    hum_mv=st.sampled_from([0.02, 0.2, 1.0]),
)
def test_hum_off_its_frequency_says_by_how_much_the_rate_is_wrong(
    rate_hz: float, off: float, sign: int, mains_hz: float, hum_mv: float
) -> None:
    true_hz = rate_hz / (1 + sign * off)
    (notice,) = said(beating(true_hz, hum_mv=hum_mv, mains_hz=mains_hz), rate_hz)
    told_hz = re.search(r"if ([\d.]+) samples", notice.text)
    assert told_hz is not None and float(told_hz[1]) == pytest.approx(true_hz, rel=1e-3)


@settings(max_examples=30, deadline=None)
@given(
    rate_hz=st.sampled_from([100.0, 130.0, 250.0, 500.0]),
    mains_hz=st.floats(49.8, 50.2) | st.floats(59.8, 60.2),
    hum_mv=st.sampled_from([0.0, 0.02, 1.0]),
)
def test_hum_where_it_should_be_and_none_say_nothing(rate_hz: float, mains_hz: float, hum_mv: float) -> None:
    assert said(beating(rate_hz, hum_mv=hum_mv, mains_hz=mains_hz), rate_hz) == []


BUMPS = {
    "an ordinary beat": (
        (0.17, 0.12, 20),
        (0.345, -0.1, 8),
        (0.37, 1.1, 11),
        (0.395, -0.25, 9),
        (0.6, 0.3, 40),
    ),
    "a narrow beat": ((0.3, -0.2, 4), (0.31, 1.5, 5), (0.32, -0.4, 4), (0.5, 0.2, 40)),
    "a broad beat": ((0.3, 1.0, 30), (0.36, -0.5, 30)),
    "a paced beat": ((0.28, 3.0, 1), (0.32, 1.0, 20)),
}
"""Of each beat: when, s; how high, mV; how wide, ms."""


def even_beats(beat: str, rate_hz: float, bpm: float, step_mv: float, seconds: float = 45.0) -> np.ndarray:
    """Beats that are alike and come at equal times, without noise, in whole steps."""
    t, every_s = np.arange(round(seconds * rate_hz)) / rate_hz, 60 / bpm
    lead_mv = np.zeros(len(t))
    for at_s, height_mv, width_ms in BUMPS[beat]:
        from_top_s = (t - at_s + every_s / 2) % every_s - every_s / 2
        lead_mv += height_mv * np.exp(-0.5 * (1000 * from_top_s / width_ms) ** 2)
    return np.round(lead_mv / step_mv) * step_mv if step_mv else lead_mv


clean = {
    "beat": st.sampled_from(list(BUMPS)),
    "rate_hz": st.sampled_from([150.0, 200.0, 250.0, 256.0, 360.0, 500.0, 512.0, 1000.0])
    | st.floats(145, 1000),
    "bpm": st.integers(30, 240).map(float) | st.floats(30, 240),
    "step_mv": st.sampled_from([0.0, 0.0001, 0.0008, 0.001, 0.0029, 0.005, 0.01, 0.02]),
}


@settings(max_examples=100, deadline=None)
@given(**clean)
def test_beats_that_come_evenly_are_no_hum(beat: str, rate_hz: float, bpm: float, step_mv: float) -> None:
    assert said(even_beats(beat, rate_hz, bpm, step_mv), rate_hz) == []


@settings(max_examples=50, deadline=None)
@given(
    off=st.floats(0.015, 0.06), sign=st.sampled_from([-1, 1]), mains_hz=st.sampled_from([50.0, 60.0]), **clean
)
def test_hum_off_its_frequency_is_found_among_beats_that_come_evenly(
    beat: str, rate_hz: float, bpm: float, step_mv: float, off: float, sign: int, mains_hz: float
) -> None:
    true_hz = rate_hz / (1 + sign * off)
    lead_mv = even_beats(beat, true_hz, bpm, step_mv)
    lead_mv += 1.0 * np.sin(2 * np.pi * mains_hz / true_hz * np.arange(len(lead_mv)))
    (notice,) = said(lead_mv, rate_hz)
    told_hz = re.search(r"if ([\d.]+) samples", notice.text)
    assert told_hz is not None and float(told_hz[1]) == pytest.approx(true_hz, rel=1e-3)


def test_a_line_is_found_between_the_places_of_the_spectrum() -> None:
    t = np.arange(5000) / 250
    for hz in (48.03, 50.0, 51.237, 61.49):
        assert hum_hz(np.sin(2 * np.pi * hz * t), 250) == pytest.approx(hz, abs=0.005)
    assert hum_hz(np.random.default_rng(0).normal(0, 1, 5000), 250) is None
    assert MAINS_OFF > 0.004


@pytest.mark.parametrize("wrong", [None, "II is III", "I turned", "electrode off"])
def test_limb_leads_that_do_not_belong_together_are_said_once(wrong: str | None) -> None:
    rng = np.random.default_rng(6)
    one, two = beating(250.0, 30), 1.4 * beating(250.0, 30) + rng.normal(0, 0.02, 7500)
    rows = np.full((12, len(one)), np.nan)
    for lead, values in (("I", one), ("II", two), ("III", two - one)):
        rows[LEADS.index(lead)] = values + 3.0 * LEADS.index(lead)  # an offset of its own breaks no law
    i, ii, iii = (LEADS.index(lead) for lead in ("I", "II", "III"))
    if wrong == "II is III":
        rows[[ii, iii]] = rows[[iii, ii]]
    elif wrong == "I turned":
        rows[i] *= -1
    elif wrong == "electrode off":
        rows[ii] = rng.normal(0, 0.01, len(one))
    assert len(said(rows[i], 250.0, rows)) == (wrong is not None)


@settings(max_examples=60, deadline=None)
@given(
    strap=st.lists(st.integers(40, 180), min_size=1, max_size=8),
    ratio=st.sampled_from([0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25]),
)
def test_a_heart_rate_that_the_strap_counts_otherwise_for_long_is_said_once(
    strap: list[int], ratio: float
) -> None:
    watch = Contradictions(StreamInfo("test:", 130.0, live=True))
    told = [len(watch.strap_counts(bpm, ratio * bpm)) for bpm in strap]
    off = abs(ratio - 1) > 0.08
    assert sum(told) == (off and len(strap) >= 3)
    assert watch.strap_counts(60, math.nan) == []


def test_a_recording_is_taken_as_it_is() -> None:
    watch = Contradictions(StreamInfo("test:", 250.0))
    lead_mv = beating(256.0, hum_mv=1.0).astype(np.float32)
    assert all(watch.chunk(Chunk(k, lead_mv[k : k + 50])) == [] for k in range(0, len(lead_mv), 50))
