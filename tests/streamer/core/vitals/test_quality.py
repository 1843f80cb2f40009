"""Flags of the measured lead, on real recordings made worse by code."""

from pathlib import Path

import numpy as np
import pytest

from streamer.core.events import Event, Quality, QualityChanged
from streamer.core.signal.filters import BandSplitter, Filters
from streamer.core.signal.front_end import FrontEnd
from streamer.core.stream import Chunk, Frame, Placement, StreamInfo
from streamer.core.vitals.quality import FALL_S, RISE_S, Findings, LeadQuality
from streamer.core.vitals.vitals import Vitals
from streamer.formats.wfdb_reader import Record

RECORDINGS = Path(__file__).parents[4] / "recordings"
NORMAL, AF, BUNDLE, PACED = (f"ptb-xl/{n}_hr" for n in ("00312", "00337", "00338", "00498"))
INFARCTION = "ptb/s0010_re"


def lead_i(name: str, seconds: float = 10.0) -> tuple[np.ndarray, float]:
    record = Record(RECORDINGS / name)
    row = record.row("I")
    return record.read()[row, : round(seconds * record.rate_hz)].astype(np.float64), record.rate_hz


@pytest.fixture(scope="module")
def filters(make) -> Filters:
    return make["filters"]()


def judged(
    lead_mv: np.ndarray, rate_hz: float, filters: Filters, info: StreamInfo | None = None
) -> list[tuple[float, frozenset[Quality]]]:
    """When it changed, and what was wrong then."""
    events = told_of(lead_mv, rate_hz, filters, info)
    return [(event.at_s, event.wrong) for event in events if isinstance(event, QualityChanged)]


def told_of(
    lead_mv: np.ndarray, rate_hz: float, filters: Filters, info: StreamInfo | None = None
) -> list[Event]:
    front, vitals = FrontEnd(rate_hz, filters, 250.0), Vitals(250.0, info or StreamInfo("test:", rate_hz))
    chunk = Chunk(0, lead_mv.astype(np.float32))
    vitals.chunk(chunk)
    events = []
    for stretch in [*front.push(chunk), *front.finish()]:
        for at in range(0, len(stretch.settling), 50):
            part = slice(at, at + 50)
            measured = stretch.bands[BandSplitter.ROWS.index("measured"), part]
            none = np.full((12, len(measured)), np.nan, np.float32)
            whole = np.ones(len(measured), np.bool_)
            settling = stretch.settling[part]
            events += vitals.push(Frame(stretch.start + at, 250.0, none, measured, none, whole, settling))
    return events


def ever(changes: list[tuple[float, frozenset[Quality]]]) -> frozenset[Quality]:
    return frozenset().union(*(wrong for _, wrong in changes))


@pytest.mark.parametrize("name", [NORMAL, AF, BUNDLE, INFARCTION])
def test_good_recordings_are_good_and_turned_ones_reversed(filters, name):
    lead, rate_hz = lead_i(name)
    assert [wrong for _, wrong in judged(lead, rate_hz, filters)] == [frozenset()]
    turned = judged(-lead, rate_hz, filters)
    assert turned[-1][1] == {Quality.REVERSED, Quality.OUT_OF_RANGE}


@pytest.mark.parametrize("name", [NORMAL, AF, BUNDLE, INFARCTION])
@pytest.mark.parametrize("kind", ["muscle", "hum", "wander"])
def test_noise_as_strong_as_the_signal_is_told_and_ends(filters, name, kind):
    lead, rate_hz = lead_i(name, 10)
    lead = np.concatenate((lead, lead, lead))
    t = np.arange(len(lead)) / rate_hz
    level = {
        "muscle": np.random.default_rng(1).normal(size=len(lead)),
        "hum": np.sqrt(2) * np.sin(2 * np.pi * 50 * t),
        "wander": np.sqrt(8) * np.sin(2 * np.pi * 0.3 * t),
    }[kind]
    noisy = lead + (t > 6) * (t < 15) * level * lead.std()
    told = judged(noisy, rate_hz, filters)
    rises = [at for at, wrong in told if Quality.NOISY in wrong]
    assert 6 < rises[0] < 11
    assert told[-1][1] == frozenset()


def test_a_signal_cut_off_at_a_rail_is_told(filters):
    lead, rate_hz = lead_i(NORMAL)
    for share in (0.3, 0.5):
        cut = np.clip(lead, -10, share * lead.max())
        assert Quality.SATURATED in ever(judged(cut, rate_hz, filters))


def test_rounded_tops_of_a_coarse_converter_are_no_rail(filters):
    for name in (NORMAL, AF, INFARCTION):
        lead, rate_hz = lead_i(name)
        for step in (0.005, 0.01, 0.02):
            assert Quality.SATURATED not in ever(judged(np.rint(lead / step) * step, rate_hz, filters))


def test_a_dead_line_is_flat_within_5_seconds_and_a_slow_heart_is_not(filters):
    lead, rate_hz = lead_i(NORMAL)
    dead = np.concatenate((lead, np.full(5000, lead[-1]), lead))
    told = judged(dead, rate_hz, filters)
    flat = [at for at, wrong in told if Quality.FLAT in wrong]
    assert 13 <= flat[0] <= 15
    assert told[-1][1] == frozenset()
    beat = lead[1000:1400] - np.linspace(lead[1000], lead[1399], 400)
    slow = np.tile(np.pad(beat, (0, 1100)), 8)  # 20 bpm
    slow += np.random.default_rng(1).normal(0, 0.003, len(slow))
    assert Quality.FLAT not in ever(judged(slow, rate_hz, filters))


def test_pacing_spikes_put_the_model_out_of_its_range(filters):
    lead, rate_hz = lead_i(PACED)
    told = [event for event in told_of(lead, rate_hz, filters) if "pacing" in event.text]
    assert isinstance(told[0], QualityChanged)
    assert Quality.OUT_OF_RANGE in told[0].wrong


@pytest.mark.parametrize("seed", range(3))
def test_muscle_noise_is_no_pacemaker(filters, seed):
    """From the first second on."""
    lead, rate_hz = lead_i(AF)
    noise = np.random.default_rng(seed).normal(0, 0.25 * lead.std(), len(lead))
    assert not any("pacing" in event.text for event in told_of(lead + noise, rate_hz, filters))


def test_pacing_is_not_judged_where_the_rate_cannot_show_it(filters):
    lead, rate_hz = lead_i(PACED)
    slow = lead[: len(lead) // 5 * 5].reshape(-1, 5).mean(axis=1)
    assert not any("pacing" in event.text for event in told_of(slow, rate_hz / 5, filters))


def test_what_is_not_lead_i_is_out_of_range_from_the_start_and_never_reversed(filters):
    lead, rate_hz = lead_i(NORMAL)
    info = StreamInfo("test:", rate_hz, is_lead_i=False, placement=Placement.CHEST)
    told = judged(-lead, rate_hz, filters, info)
    assert told[0][0] <= 1.0
    assert all(wrong == {Quality.OUT_OF_RANGE} for _, wrong in told)


@pytest.mark.parametrize("seed", range(4))
def test_no_flag_flickers(filters, seed):
    """Noise of random strength, drawn for each quarter of a second, about the limit."""
    lead, rate_hz = lead_i(AF)
    lead = np.tile(lead, 4)
    rng = np.random.default_rng(seed)
    strength = np.repeat(rng.uniform(0, 1.2, len(lead) // 125 + 1), 125)[: len(lead)]
    told = judged(lead + strength * lead.std() * rng.normal(size=len(lead)), rate_hz, filters)
    for flag in Quality:
        changes = [told[0][0]] if told and flag in told[0][1] else []
        was = flag in told[0][1]
        for at, wrong in told[1:]:
            if (flag in wrong) != was:
                changes.append(at)
                was = not was
        assert np.all(np.diff(changes) >= min(RISE_S, FALL_S))


def test_words_say_what_is_wrong():
    wrong = frozenset({Quality.OUT_OF_RANGE, Quality.REVERSED})
    text = Findings(wrong, ("polarity turned, or arms exchanged",)).text
    assert "reversed, out of range" in text
    assert "arms" in text
    assert Findings(frozenset(), ()).text.endswith("good")


def test_without_raw_samples_only_what_they_tell_stays_unsaid():
    quality = LeadQuality(250.0)
    flat = np.zeros(2500, np.float32)
    assert {findings.wrong for _, findings in quality.push(0, flat, np.zeros(2500, np.bool_))} == {
        frozenset()
    }
