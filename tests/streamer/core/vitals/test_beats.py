"""The R-peak detector on annotated and synthetic beats."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.replay.synthetic import Synthetic
from streamer.core.signal.clinical_frame import to_rate
from streamer.core.vitals.beats import LEARN_S, BeatDetector, beats_in
from streamer.formats.wfdb_annotation_reader import BEATS, read_annotations
from streamer.formats.wfdb_reader import Record

RECORD_100 = Path(__file__).parents[4] / "recordings" / "mitdb" / "100"


def matched(found_s: np.ndarray, truth_s: np.ndarray, within_s: float = 0.05) -> int:
    """How many true beats have a found one of their own."""
    used: set[int] = set()
    for t in truth_s:
        near = [i for i in np.flatnonzero(np.abs(found_s - t) <= within_s) if i not in used]
        used.update(near[:1])
    return len(used)


@pytest.fixture(scope="module")
def record_100(make) -> tuple[np.ndarray, np.ndarray]:
    """Lead MLII at 360 Hz, and the annotated beats in seconds."""
    record = Record(RECORD_100)
    samples, symbols = read_annotations(RECORD_100)
    beats = [s for s, symbol in zip(samples, symbols, strict=True) if symbol in BEATS]
    return record.read()[record.row("MLII")], np.array(beats) / 360


@pytest.mark.parametrize(("noise_db", "least"), [(None, 0.998), (6, 0.98)])
def test_beats_of_mit_bih_100_are_found_and_no_others(make, record_100, noise_db, least):
    from streamer.core.signal.filters import BandSplitter

    lead, truth_s = record_100
    x = lead.astype(np.float64)
    if noise_db is not None:
        rms = np.sqrt(np.var(x) / 10 ** (noise_db / 10))
        x = x + np.random.default_rng(0).normal(0, rms, len(x))
    bands = BandSplitter(make["filters"]())
    x = to_rate(x, 360, 250)
    bands.restart(x[0])
    found_s = np.array(BeatDetector(250).push(0, bands.split(x)[3])) / 250
    hits = matched(found_s, truth_s)
    assert hits / len(truth_s) >= least
    assert hits / len(found_s) >= least


@pytest.mark.parametrize("bpm", [20, 40, 60, 100, 160, 220, 300])
@pytest.mark.parametrize("polarity", [1, -1])
def test_every_rate_of_either_polarity_is_counted(bpm, polarity):
    source = Synthetic(f"?rate=250&bpm={bpm}")
    lead = source.lead_mv(0, 250 * 40) * polarity
    truth_s = np.array(source.beats(0, 250 * 40)) / 250
    found_s = np.array(BeatDetector(250).push(0, lead)) / 250
    # While it learns, and for the one before the end that has not fallen yet, nothing is promised.
    inside = truth_s[(truth_s > LEARN_S + 0.2) & (truth_s < 39.5)]
    assert matched(found_s, inside) == len(inside)
    assert matched(truth_s, found_s) == len(found_s)


def test_a_tall_t_wave_is_no_beat():
    """QRS of 1 mV, T of 1.2 mV."""
    t = np.arange(250 * 30) / 250
    phase = t % 0.9
    qrs = np.exp(-((phase - 0.2) ** 2) / (2 * 0.01**2))
    wave = 1.2 * np.exp(-((phase - 0.48) ** 2) / (2 * 0.045**2))
    found = np.array(BeatDetector(250).push(0, (qrs + wave).astype(np.float32))) / 250
    found = found[found > 3]
    assert np.allclose(found % 0.9, 0.2, atol=0.02)
    assert len(found) in (29, 30)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 4999), max_size=60), first=st.integers(0, 10**6))
def test_any_chunking_finds_the_same_beats(cuts, first):
    lead = Synthetic("?rate=250&bpm=75").lead_mv(0, 5000)
    whole = BeatDetector(250).push(first, lead)
    detector, found, at = BeatDetector(250), [], first
    for part in np.split(lead, sorted(set(cuts))):
        found += detector.push(at, part)
        at += len(part)
    assert found == whole
    assert len(whole) > 15


def test_after_a_gap_it_learns_anew_and_indices_go_on():
    source = Synthetic("?rate=250&bpm=75")
    detector = BeatDetector(250)
    detector.push(0, source.lead_mv(0, 2500))
    after = detector.push(10_000, source.lead_mv(10_000, 15_000))
    truth = [b for b in source.beats(10_000, 15_000) if 10_000 + 250 * (LEARN_S + 0.2) < b < 14_900]
    assert len(truth) > 15
    assert all(min(abs(b - a) for a in after) <= 5 for b in truth)


def test_silence_has_no_beats():
    assert BeatDetector(250).push(0, np.zeros(5000, np.float32)) == []


def test_short_gaps_cost_only_the_beats_in_them():
    source = Synthetic("?rate=250&bpm=75")
    lead = source.lead_mv(0, 250 * 60)
    rng = np.random.default_rng(5)
    lost = np.repeat(rng.random(len(lead) // 50) < 0.1, 50)
    found = np.array(BeatDetector(250).push(0, np.where(lost, np.float32(np.nan), lead))) / 250
    # A beat is safe where 0.15 s on both sides of it came.
    safe = [b / 250 for b in source.beats(0, len(lead)) if not lost[max(b - 38, 0) : b + 38].any()]
    safe = np.array([at for at in safe if LEARN_S + 0.2 < at < 59.5])
    assert matched(found, safe) == len(safe) > 40
    assert matched(source.beats(0, len(lead)) / 250, found, within_s=0.1) == len(found)


@pytest.mark.parametrize("noise_mv", [0.002, 0.01, 0.03])
def test_noise_does_not_become_beats_when_the_heart_stands_still(noise_mv):
    rng = np.random.default_rng(6)
    lead = Synthetic("?rate=250&bpm=75").lead_mv(0, 250 * 20)
    still = rng.normal(0, noise_mv, 250 * 60) * (1 + np.sin(np.arange(250 * 60) / 250))  # in bursts
    found = np.array(BeatDetector(250).push(0, np.append(lead, still).astype(np.float32))) / 250
    assert len(found) >= 22
    assert found.max() <= 20.5


@pytest.mark.parametrize("times", [3.0, 6.0, 10.0])
def test_beats_that_become_small_are_found_again_within_ten_seconds(times):
    """Electrodes that were moved; else the alarm for asystole would stand for good."""
    source = Synthetic("?rate=250&bpm=75")
    lead = source.lead_mv(0, 250 * 60)
    lead[: 250 * 20] *= times
    lead *= 0.6
    found = np.array(BeatDetector(250).push(0, lead)) / 250
    truth = np.array([b / 250 for b in source.beats(0, len(lead)) if 30 <= b / 250 < 59.5])
    assert matched(found, truth) == len(truth) > 30
    assert matched(source.beats(0, len(lead)) / 250, found) == len(found)


@pytest.mark.parametrize("height_mv", [2.0, 5.0, 20.0])
def test_a_touched_electrode_while_it_learns_silences_it_for_seconds_only(height_mv):
    """At the start, and after a gap, when electrodes are put on."""
    source = Synthetic("?rate=250&bpm=75")
    lead = source.lead_mv(0, 250 * 60)
    detector = BeatDetector(250)
    touched = lead.copy()
    touched[150:190] += height_mv
    found = np.array(detector.push(0, touched)) / 250
    again = np.array(detector.push(250 * 100, touched)) / 250 - 100
    truth = np.array([b / 250 for b in source.beats(0, len(lead)) if 10 <= b / 250 < 59.5])
    for beats in (found, again):
        assert matched(beats, truth) == len(truth) > 50


def test_p_waves_that_go_on_alone_are_no_beats():
    source = Synthetic("?rate=250&bpm=75")
    at_s = np.arange(250 * 60) / 250
    p_waves = 0.2 * np.exp(-0.5 * ((at_s % 0.8 - 0.4) / 0.025) ** 2)
    lead = np.append(source.lead_mv(0, 250 * 20), p_waves.astype(np.float32))
    found = np.array(BeatDetector(250).push(0, lead)) / 250
    assert len(found) >= 22
    assert found.max() <= 20.5


@pytest.mark.parametrize("bpm", [66.7, 120])
@pytest.mark.parametrize(("gap", "every"), [(73, 365), (60, 290), (100, 450)])
def test_no_beat_is_found_in_a_gap_or_at_its_end(bpm: float, gap: int, every: int) -> None:
    lead = Synthetic(f"?rate=250&bpm={bpm:g}").lead_mv(0, 15000)
    index = np.arange(len(lead))
    lead[index % every >= every - gap] = np.nan
    detector = BeatDetector(250.0)
    found = np.array([at for k in range(0, len(lead), 25) for at in detector.push(k, lead[k : k + 25])])
    assert len(found) > 20
    assert not np.isnan(lead[found]).any()
    assert not np.isnan(lead[found - 1]).any(), "the end of a straight line is no peak"


@settings(max_examples=60, deadline=None)
@given(bpm=st.integers(50, 150), seconds=st.floats(1.6, 9.0))
def test_a_whole_piece_has_beats_however_short_it_is(bpm: int, seconds: float) -> None:
    """A strip of 3.3 s, as places are measured one after the other, had none."""
    source = Synthetic(f"?rate=250&bpm={bpm}")
    n = round(seconds * 250)
    truth_s = np.array([b / 250 for b in source.beats(0, n) if 0.3 * 250 < b < n - 0.4 * 250])
    found_s = beats_in(source.lead_mv(0, n), 250.0) / 250
    assert matched(found_s, truth_s) == len(truth_s)
    assert len(found_s) <= len(source.beats(0, n))
