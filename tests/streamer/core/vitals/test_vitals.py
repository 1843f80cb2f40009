"""Beats, rate and alarms behind the real path."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import signal

from devices.replay.synthetic import Synthetic
from streamer.core.events import (
    Alarm,
    AlarmKind,
    Beat,
    Contact,
    Event,
    Quality,
    QualityChanged,
    Seam,
    State,
    StateChanged,
)
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, StreamInfo
from streamer.core.vitals.vitals import ACROSS_GAP, HYSTERESIS_BPM, Limits, Vitals
from tests.streamer.core.vitals.watched import RATE_HZ, UNSHRUNK, alarms, beats, watch


def beating(bpm: float, seconds: float, rate_hz: float = RATE_HZ) -> np.ndarray:
    return Synthetic(f"?rate={rate_hz:g}&bpm={bpm:g}").lead_mv(0, round(seconds * rate_hz))


def quiet(seconds: float, noise_mv: float = 0.005) -> np.ndarray:
    return np.random.default_rng(4).normal(0, noise_mv, round(seconds * RATE_HZ)).astype(np.float32)


@pytest.fixture(scope="module")
def network(networks: dict[str, Network]) -> Network:
    return networks["identity"]


@pytest.fixture(scope="module")
def told_of(network: Network) -> Callable[..., list[Event]]:
    return lambda lead, **more: watch(network, [Chunk(0, lead.astype(np.float32))], **more)


@pytest.mark.parametrize("bpm", [15, 20, 30, 45, 60, 72, 100, 150, 220, 300])
def test_rates_from_15_to_300_are_told_within_5_percent(told_of, bpm):
    told = told_of(np.tile(beating(bpm, 60), 1) if bpm >= 20 else slow(bpm, 60))
    values = [beat.bpm for beat in beats(told) if math.isfinite(beat.bpm)]
    assert len(values) >= min(bpm, 20) / 2
    assert np.abs(np.array(values) - bpm).max() <= max(0.05 * bpm, 5)
    assert not alarms(told, AlarmKind.ASYSTOLE)


def slow(bpm: float, seconds: float) -> np.ndarray:
    """Slower than the synthetic source goes: beats as at 60, with pauses between."""
    pause, beat = round(60 / bpm * RATE_HZ), beating(60, 1)
    lead = np.zeros(round(seconds * RATE_HZ), np.float32)
    for start in range(0, len(lead) - len(beat), pause):
        lead[start : start + len(beat)] = beat - beat[0]
    return lead + quiet(seconds, 0.002)


def test_a_step_from_80_to_120_is_shown_within_8_seconds(told_of):
    told = told_of(np.concatenate((beating(80, 30), beating(120, 20))))
    shown = [beat.at_s for beat in beats(told) if beat.bpm >= 0.95 * 120]
    assert shown[0] - 30 + 0.4 <= 8  # it is told 0.4 s after the beat at the latest
    assert [beat.bpm for beat in beats(told)][-1] == pytest.approx(120, abs=2)


@pytest.mark.parametrize("rate_hz", [130, 250, 360, 500, 1000])
def test_a_beat_is_stamped_with_its_r_peak(network, rate_hz):
    source = Synthetic(f"?rate={rate_hz}&bpm=75")
    lead = source.lead_mv(0, 30 * rate_hz)
    told = watch(network, [Chunk(0, lead)], StreamInfo("test:", rate_hz))
    truth_s = source.beats(0, 30 * rate_hz) / rate_hz
    found_s = np.array([beat.at_s for beat in beats(told)])
    assert len(found_s) >= 34
    apart_s = np.abs(found_s[:, None] - truth_s).min(axis=1)
    assert apart_s.max() <= 0.008
    assert np.median(apart_s) <= 0.0045


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, 250 * 25), max_size=40, unique=True))
def test_any_chunking_tells_the_same(networks, cuts):
    lead = np.concatenate((beating(75, 12), quiet(6), -beating(130, 7)))
    lost = slice(1000, 1900)
    whole = _told_in_chunks(networks["identity"], lead, lost, [])
    assert {type(event) for event in whole} == {Beat, Alarm, QualityChanged}
    assert _told_in_chunks(networks["identity"], lead, lost, cuts) == whole


def _told_in_chunks(network: Network, lead: np.ndarray, lost: slice, cuts: list[int]) -> list[Event]:
    edges = sorted({0, lost.start, lost.stop, len(lead), *cuts})
    chunks = [Chunk(a, lead[a:b]) for a, b in pairwise(edges) if not lost.start <= a < lost.stop]
    told: list[Event] = [dataclasses.replace(event, host_s=0.0) for event in watch(network, chunks)]
    # NaN is not NaN; 0 is 0.
    return [
        dataclasses.replace(event, bpm=0.0) if isinstance(event, Beat) and math.isnan(event.bpm) else event
        for event in told
    ]


@pytest.mark.parametrize("noise_mv", [0.001, 0.002, 0.02, 0.05])
def test_asystole_is_told_after_4_seconds_in_noise_too_and_ends_with_the_next_beat(told_of, noise_mv):
    lead = np.concatenate((beating(75, 20), quiet(30, noise_mv), beating(75, 20)))
    told = told_of(lead)
    rise, end = alarms(told, AlarmKind.ASYSTOLE)
    last = max(beat.at_s for beat in beats(told) if beat.at_s < 21)
    assert 4.0 <= rise.at_s - last <= 4.6
    assert (rise.rises, end.rises) == (True, False)
    assert 50 < end.at_s < 55
    after = [beat.bpm for beat in beats(told) if beat.at_s > 25]
    assert math.isnan(after[0]), "what it was before says nothing of now"
    assert after[-1] == pytest.approx(75, abs=2)


def test_rate_alarms_rise_beyond_the_limits_and_end_inside_them(told_of):
    parts = [beating(80, 20), beating(130, 20), beating(80, 20), beating(40, 20), beating(80, 20)]
    told = told_of(np.concatenate(parts))
    assert [(event.alarm, event.rises) for event in alarms(told)] == [
        (AlarmKind.HIGH_RATE, True),
        (AlarmKind.HIGH_RATE, False),
        (AlarmKind.LOW_RATE, True),
        (AlarmKind.LOW_RATE, False),
    ]
    wide = told_of(np.concatenate(parts), limits=Limits(30, 150))
    assert alarms(wide) == []


def test_a_rate_about_its_limit_does_not_flicker(told_of):
    rng = np.random.default_rng(2)
    beat = beating(120, 0.5)
    lead = np.concatenate([np.pad(beat, (0, int(n)), "edge") for n in rng.integers(-3, 4, 150).clip(0)])
    rates = np.array([beat.bpm for beat in beats(told_of(lead))])
    rates = rates[np.isfinite(rates)]
    assert np.ptp(rates) < 2 * HYSTERESIS_BPM
    limit = float(np.median(rates))
    assert np.count_nonzero(np.diff(rates > limit)) > 5
    assert len(alarms(told_of(lead, limits=Limits(50, limit)))) <= 2


def test_short_losses_leave_the_rate_right_and_a_long_one_makes_it_unknown(network):
    lead = beating(75, 60)
    rng = np.random.default_rng(3)
    chunks = [Chunk(i, lead[i : i + 25]) for i in range(0, len(lead), 25) if rng.random() > 0.05]
    chunks = [chunk for chunk in chunks if not 7500 <= chunk.start < 8250]
    told = watch(network, chunks)
    found = beats(told)
    values = np.array([beat.bpm for beat in found])
    assert np.nanmax(np.abs(values - 75)) <= 5
    after = [beat.bpm for beat in found if beat.at_s > 33]
    assert math.isnan(after[0])
    assert after[-1] == pytest.approx(75, abs=2)
    assert [(event.alarm, event.rises, event.why) for event in alarms(told)] == [
        (AlarmKind.SIGNAL_LOST, True, "nothing came for 2 s"),
        (AlarmKind.SIGNAL_LOST, False, ""),
    ]


@pytest.mark.parametrize(
    ("packet", "every"),
    [
        *[(8, 5), (16, 7), (30, 5), (73, 11)],
        *[pytest.param(*pair, marks=pytest.mark.long) for pair in [(16, 5), (30, 7), (73, 5), (73, 7)]],
    ],
)
@pytest.mark.parametrize("bpm", [50, 66.7, 90, 120])
def test_a_regular_loss_leaves_the_rate_right(network, bpm, packet, every):
    """One packet in so many never comes: intervals across it count, those that hide a beat do not."""
    lead = beating(bpm, 60)
    starts = range(0, len(lead), packet)
    chunks = [Chunk(i, lead[i : i + packet]) for k, i in enumerate(starts) if k % every != every - 1]
    values = np.array([beat.bpm for beat in beats(watch(network, chunks)) if beat.at_s > 20])
    assert len(values) > 20
    assert np.nanmedian(values) == pytest.approx(bpm, rel=0.03)
    assert np.mean(np.abs(values - bpm) < 0.06 * bpm) > 0.9


def test_a_source_without_data_or_contact_is_an_alarm_and_no_asystole(network):
    def state(state: State) -> Event:
        return StateChanged(state, "")

    def contact(there: bool) -> Event:
        return Contact(there, "")

    lead = np.concatenate((beating(75, 10), quiet(10), beating(75, 10)))
    off, on = round(10 * RATE_HZ), round(20 * RATE_HZ)
    told = watch(
        network,
        [
            Chunk(0, lead[:off]),
            contact(False),
            Chunk(off, lead[off:on]),
            contact(True),
            Chunk(on, lead[on:]),
            state(State.STALE),
            state(State.RECONNECTING),
            state(State.LIVE),
        ],
    )
    assert [(event.alarm, event.rises, event.why) for event in alarms(told)] == [
        (AlarmKind.SIGNAL_LOST, True, "an electrode is off"),
        (AlarmKind.SIGNAL_LOST, False, ""),
        (AlarmKind.SIGNAL_LOST, True, "stale"),
    ], "what ends it is a sample, and none has come"
    wrong = [event.wrong for event in told if isinstance(event, QualityChanged)]
    assert {Quality.NO_CONTACT, Quality.OUT_OF_RANGE} <= wrong[1]
    assert Quality.NO_CONTACT not in wrong[-1]


def quality_of(told: Sequence[Event]) -> str:
    return [event for event in told if isinstance(event, QualityChanged)][-1].text


@pytest.mark.parametrize("per_mv", [1000.0, 100.0])
@pytest.mark.parametrize("bpm", [50, 80, 130])
def test_beats_of_many_mv_say_that_the_unit_must_be_wrong(network, bpm, per_mv):
    lead = beating(bpm, 15) * np.float32(per_mv)
    told = watch(network, [Chunk(i, lead[i : i + 25]) for i in range(0, len(lead), 25)])
    assert "the unit must be wrong" in quality_of(told)


@pytest.mark.parametrize("step_mv", [1e-3, -1e-2, 0.25])
@pytest.mark.parametrize("wraps", [100, 256, 1000])
def test_a_sample_counter_is_no_ecg_and_has_no_heart_rate(network, wraps, step_mv):
    lead = (np.arange(20 * 250) % wraps * step_mv).astype(np.float32)
    told = watch(network, [Chunk(i, lead[i : i + 25]) for i in range(0, len(lead), 25)])
    assert "it is no ECG" in quality_of(told)
    assert all(math.isnan(beat.bpm) for beat in beats(told) if beat.at_s > 6)


@pytest.mark.parametrize("height", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("bpm", [50, 130])
def test_an_ecg_of_any_height_is_one(network, height, bpm):
    lead = beating(bpm, 15) * np.float32(height)
    told = watch(network, [Chunk(i, lead[i : i + 25]) for i in range(0, len(lead), 25)])
    assert quality_of(told) == "quality: good"


SILENT = [State.STALE, State.RECONNECTING, State.WAITING, State.CONNECTING]


@settings(max_examples=25, deadline=None)
@given(
    said=st.lists(st.sampled_from(SILENT), min_size=1, max_size=5),
    after=st.lists(st.sampled_from([State.LIVE, State.WAITING, State.PAUSED]), max_size=2),
    gap_s=st.one_of(st.floats(0.1, 10.0), st.just(60.0), st.just(3600.0)),
    ends=st.booleans(),
)
def test_signal_lost_ends_with_a_valid_sample_and_with_nothing_else(networks, said, after, gap_s, ends):
    lead = beating(75, 20).astype(np.float32)
    off = round(10 * RATE_HZ)
    on = off + max(1, round(gap_s * RATE_HZ))
    words = [StateChanged(state, "") for state in (*said, *after)]
    items: list[Chunk | Event] = [StateChanged(State.WAITING, ""), Chunk(0, lead[:off]), *words]
    if ends:
        live = StreamInfo("test:", RATE_HZ, live=True)
        told = watch(networks["identity"], [*items, StateChanged(State.ENDED, "")], live)
        assert [event.rises for event in alarms(told)] == [True], "neither is the end of a stream an end"
        return
    back = [Chunk(on + k, lead[off + k : off + k + 25]) for k in range(0, off, 25)]
    before = len(watch_alarms(networks["identity"], items))
    told = watch_alarms(networks["identity"], [*items, StateChanged(State.LIVE, ""), *back])
    assert before == 1
    assert [(event.alarm, event.rises) for event in told] == [
        (AlarmKind.SIGNAL_LOST, True),
        (AlarmKind.SIGNAL_LOST, False),
    ], "it flickers not, and nothing new is raised"
    assert on / RATE_HZ <= told[1].at_s <= on / RATE_HZ + 0.3


def watch_alarms(network: Network, items: Sequence[Chunk | Event]) -> list[Alarm]:
    """The alarms until now: the stream has not ended."""
    pipeline, vitals = Pipeline(StreamInfo("test:", RATE_HZ), network), Vitals(RATE_HZ)
    told: list[Event] = []
    for item in items:
        if isinstance(item, Chunk):
            vitals.chunk(item)
            told += [event for frame in pipeline.push(item) for event in vitals.push(frame)]
        else:
            told += vitals.hear(item)
    return alarms(told)


def test_before_the_first_sample_nothing_is_lost(network):
    assert not watch_alarms(network, [StateChanged(state, "") for state in SILENT])


@pytest.mark.parametrize("bpm", [40, 75, 130])
@pytest.mark.parametrize("level_mv", [0.0, 0.37, 5.0, -5.0])
@pytest.mark.parametrize(
    "off_s", [8.0, 8.43, *[pytest.param(off_s, marks=pytest.mark.long) for off_s in (8.21, 8.64)]]
)
def test_a_dead_or_railed_lead_is_an_electrode_and_no_asystole(told_of, bpm, level_mv, off_s):
    dead = np.full(round(15 * RATE_HZ), level_mv, np.float32)
    lead = np.concatenate((beating(bpm, off_s), dead, quiet(1.0), beating(bpm, 15)))
    about = alarms(told_of(lead), AlarmKind.ELECTRODE, AlarmKind.ASYSTOLE)
    assert [(event.alarm, event.rises) for event in about] == [
        (AlarmKind.ELECTRODE, True),
        (AlarmKind.ELECTRODE, False),
    ]
    assert about[0].at_s - off_s <= 8.0, "the filters ring for a while behind a rail"
    assert off_s + 15 <= about[1].at_s <= off_s + 19


@settings(max_examples=30, deadline=None, phases=UNSHRUNK)
@given(
    bpm=st.integers(20, 130),
    level_mv=st.one_of(st.floats(5.0, 900.0), st.sampled_from([19.9, 20.1, 200.0, 400.0])),
    below=st.booleans(),
    off_s=st.floats(8.0, 14.0),
    dead_s=st.floats(8.0, 20.0),
)
def test_a_rail_however_far_is_an_electrode_and_leaves_no_asystole_behind(
    networks, bpm, level_mv, below, off_s, dead_s
):
    """The jump back must not hide the beats that follow it."""
    rail = np.full(round(dead_s * RATE_HZ), -level_mv if below else level_mv, np.float32)
    before, after = (beating(bpm, seconds) + quiet(seconds, 0.002) for seconds in (off_s, 15))
    lead = np.concatenate((before, rail, after)).astype(np.float32)
    told = watch(networks["identity"], [Chunk(0, lead)])
    about = alarms(told, AlarmKind.ELECTRODE, AlarmKind.ASYSTOLE)
    assert [(event.alarm, event.rises) for event in about] == [
        (AlarmKind.ELECTRODE, True),
        (AlarmKind.ELECTRODE, False),
    ]
    on_s = len(lead) / RATE_HZ - 15
    back = [beat.at_s for beat in beats(told) if beat.at_s > on_s]
    assert back and back[0] - on_s <= 4.0 + 60 / bpm


def test_an_asystole_goes_on_behind_a_gap_until_a_beat(network):
    lead = np.concatenate((beating(75, 10), quiet(30), beating(75, 10))).astype(np.float32)
    chunks = [Chunk(k, lead[k : k + 25]) for k in range(0, len(lead), 25) if not 5000 <= k < 6000]
    said = [event for event in watch(network, chunks) if isinstance(event, Alarm)]
    rise, end = alarms(said, AlarmKind.ASYSTOLE)
    assert rise.rises and not end.rises and 40 < end.at_s < 43


@pytest.mark.parametrize("noise_mv", [0.3, 1.0])
@pytest.mark.parametrize("begins_s", [10.0, 10.3, 10.77, 11.1])
def test_noise_raises_a_technical_alarm_and_none_of_the_rate(told_of, noise_mv, begins_s):
    lead = beating(75, 60)
    noisy = slice(round(begins_s * RATE_HZ), round((begins_s + 20) * RATE_HZ))
    lead[noisy] += quiet(20, noise_mv)
    said = alarms(told_of(lead))
    assert [(event.alarm, event.rises) for event in said] == [
        (AlarmKind.CANNOT_ANALYSE, True),
        (AlarmKind.CANNOT_ANALYSE, False),
    ]
    assert begins_s < said[0].at_s < begins_s + 5
    assert begins_s + 20 < said[1].at_s < begins_s + 28


def shaped(kind: str, seconds: float, seed: int) -> np.ndarray:
    """Noise of 1 mV RMS."""
    n = round(seconds * RATE_HZ)
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, n)
    if kind == "hum":
        x = np.sin(2 * np.pi * 50 * np.arange(n) / RATE_HZ + rng.uniform(0, 6))
    if kind == "muscle":
        x = signal.sosfilt(signal.butter(2, [20, 100], "bandpass", fs=RATE_HZ, output="sos"), x)
    return x / x.std()


@example(kind="white", noise_mv=2.07, bpm=55, begins_s=10.22, lasts_s=5.0, seed=0)
@example(kind="white", noise_mv=2.81, bpm=84, begins_s=9.377527252212047, lasts_s=12.095864101158245, seed=67)
@settings(max_examples=30, deadline=None, phases=UNSHRUNK)
@given(
    kind=st.sampled_from(["white", "muscle", "hum"]),
    noise_mv=st.floats(0.3, 3.0),
    bpm=st.integers(55, 110),
    begins_s=st.floats(8.0, 12.0),
    lasts_s=st.floats(5.0, 25.0),
    seed=st.integers(0, 99),
)
def test_noise_of_any_kind_and_size_raises_no_alarm_of_the_heart(
    networks, kind, noise_mv, bpm, begins_s, lasts_s, seed
):
    """Neither as it begins, nor behind it, when the beats that follow are small beside it."""
    lead = beating(bpm, begins_s + lasts_s + 15).astype(np.float64)
    start = round(begins_s * RATE_HZ)
    noise = noise_mv * shaped(kind, lasts_s, seed)
    lead[start : start + len(noise)] += noise
    told = watch(networks["identity"], [Chunk(0, lead.astype(np.float32))])
    assert [(event.alarm, event.rises) for event in alarms(told)] == [
        (AlarmKind.CANNOT_ANALYSE, True),
        (AlarmKind.CANNOT_ANALYSE, False),
    ]
    rates = [beat.bpm for beat in beats(told)]
    assert rates[-1] == pytest.approx(bpm, rel=0.05)


@pytest.mark.parametrize("at_s", [10.0, 10.1, 10.3, 10.5, 10.7])
def test_across_the_seam_of_a_loop_there_is_no_interval(network, at_s):
    """Both ends meet at any phase of a beat."""
    cut = round(at_s * RATE_HZ)
    lead = beating(60, at_s)[:cut].astype(np.float32)
    items: list[Chunk | Event] = []
    for lap in range(4):
        if lap:
            items.append(Seam(at_s=lap * cut / RATE_HZ))
        items += [Chunk(lap * cut + k, lead[k : k + 5]) for k in range(0, cut, 5)]
    found = beats(watch(network, items))
    rates = [beat.bpm for beat in found if math.isfinite(beat.bpm)]
    assert np.abs(np.array(rates) - 60).max() <= 2
    assert np.abs(np.array([beat.rr_s for beat in found if math.isfinite(beat.rr_s)]) - 1).max() <= 0.04
    assert sum(math.isnan(beat.rr_s) for beat in found) <= 1 + 2 * 3  # the first, and about each seam


def with_gaps(networks: dict[str, Network], bpm: float, gaps: Sequence[tuple[float, float]]) -> list[Beat]:
    lead = beating(bpm, 30).astype(np.float32)
    for at_s, lasts_s in gaps:
        lead[round(at_s * RATE_HZ) : round((at_s + lasts_s) * RATE_HZ)] = np.nan
    return beats(watch(networks["identity"], [Chunk(0, lead)]))


def known(values: Iterable[float]) -> np.ndarray:
    return np.array([value for value in values if math.isfinite(value)])


@settings(max_examples=25, deadline=None, phases=UNSHRUNK)
@example(bpm=60.0, gaps=[(17.57, 1.014)])  # the beat before it is found behind it
@given(
    bpm=st.sampled_from([45.0, 60.0, 75.0, 110.0]),
    gaps=st.lists(st.tuples(st.floats(2.0, 28.0), st.floats(0.02, 4.0)), max_size=6),
)
def test_whatever_is_lost_no_interval_lacks_a_beat(networks, bpm, gaps):
    found = with_gaps(networks, bpm, gaps)
    assert np.all(known(beat.rr_s for beat in found) * bpm / 60 <= 1 + ACROSS_GAP)
    assert np.all(known(beat.bpm for beat in found) >= 0.95 * bpm)
    if not gaps:
        assert len(known(beat.rr_s for beat in found)) == len(found) - 1


@settings(max_examples=25, deadline=None, phases=UNSHRUNK)
@example(bpm=75.0, at_s=2.0, lasts_s=0.319)  # its end looks like a beat
@given(
    bpm=st.sampled_from([45.0, 60.0, 75.0, 110.0]), at_s=st.floats(8.0, 26.0), lasts_s=st.floats(0.02, 1.9)
)
def test_the_edge_of_a_gap_makes_no_interval(networks, bpm, at_s, lasts_s):
    found = with_gaps(networks, bpm, [(at_s, lasts_s)])
    assert np.all(np.abs(known(beat.rr_s for beat in found) * bpm / 60 - 1) <= ACROSS_GAP)
    assert np.all(np.abs(known(beat.bpm for beat in found) / bpm - 1) <= 0.05)
