"""A person's correction: what it must do, and what it must never do."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.calibration.correction import DRIFT_LIMIT, Calibration, DriftWatch, Origin, PersonalNetwork
from streamer.core.calibration.fit import (
    SEQUENCE_SHARE,
    Moments,
    Prior,
    Reference,
    fit,
    posterior,
    prior_of,
    reference_of,
    reference_towards,
    without_flat,
)
from streamer.core.calibration.sequential_reference import aligned, sequence_reference
from streamer.core.errors import Field, InputError
from streamer.core.leads import LEADS, PREDICTED, SEVEN
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, StreamInfo
from streamer.formats.wfdb_reader import Record
from streamer.model_files import load_model
from tests.streamer.core.person_model import AHEAD, FEATURES, STRIDE, person_model, prior

RATE_HZ = 250.0
ORIGIN = Origin("tiny", "1", "somebody", "2026-11-23")


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(person_model(prior()))


def lead(seconds: float = 10.0, seed: int = 0, bpm: float = 72.0, noise_mv: float = 0.02) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = t % (60 / bpm)
    beats = np.exp(-((phase - 0.3) ** 2) / 0.0002) + 0.3 * np.exp(-((phase - 0.55) ** 2) / 0.004)
    return (beats + 0.05 * np.sin(2 * np.pi * 0.3 * t) + rng.normal(0, noise_mv, len(t))).astype(np.float32)


def known_head(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, (len(SEVEN), STRIDE, FEATURES)).astype(np.float32)


def made(head: np.ndarray, **changes) -> Calibration:
    facts = {
        "origin": ORIGIN,
        "head": head,
        "metric": np.eye(FEATURES, dtype=np.float32),
        "reach": 1e6,
        "usual": 1.0,
        "scale": np.full(len(SEVEN), 0.5, np.float32),
        "bands": {},
        "left": np.ones(len(SEVEN), np.float32),
    }
    return Calibration(**(facts | changes))


def truth_of(network: Network, head: np.ndarray, lead_mv: np.ndarray) -> np.ndarray:
    """What the seven leads of a person with this head are ``(7, n)``."""
    return streamed(PersonalNetwork(network, made(head)), lead_mv)[0][[LEADS.index(x) for x in SEVEN]]


def streamed(network, lead_mv: np.ndarray, hop: int | None = None, cuts=()) -> tuple[np.ndarray, np.ndarray]:
    pipeline = Pipeline(StreamInfo("test", RATE_HZ), network, hop=hop)
    edges = [0, *sorted({c % (len(lead_mv) + 1) for c in cuts}), len(lead_mv)]
    frames = [f for a, b in pairwise(edges) if b > a for f in pipeline.push(Chunk(a, lead_mv[a:b]))]
    frames += pipeline.finish()
    return tuple(np.concatenate([getattr(f, k) for f in frames], axis=1) for k in ("leads_mv", "scale_mv"))


def test_a_person_who_is_a_known_linear_map_is_recovered(network):
    x, head = lead(), known_head()
    reference = reference_towards(network, x, RATE_HZ, truth_of(network, head, x))
    found = fit(network, prior(), reference, ORIGIN)
    other = lead(seed=3, bpm=80)
    wanted, ours, generic = (
        streamed(m, other)[0]
        for m in (PersonalNetwork(network, made(head)), PersonalNetwork(network, found), network)
    )
    rows = [LEADS.index(x) for x in SEVEN]
    left = np.sqrt(((ours - wanted)[rows] ** 2).mean() / ((generic - wanted)[rows] ** 2).mean())
    assert left < 0.05
    assert not found.notes


def test_no_calibration_is_the_generic_model_bit_for_bit(network):
    """Nothing learned: a head of zeros, its own scale, no bands of its own."""
    nothing = made(np.zeros((7, STRIDE, FEATURES), np.float32), scale=np.ones(7, np.float32))
    for a, b in zip(
        streamed(network, lead()), streamed(PersonalNetwork(network, nothing), lead()), strict=True
    ):
        assert a.tobytes() == b.tobytes()


@given(st.floats(1e-9, 1e3))
@settings(max_examples=25, deadline=None)
def test_the_less_there_is_the_nearer_to_generic(precision):
    """The posterior shrinks as data lack or grow noisy, and never beyond the plain fit."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(FEATURES, 400))
    y = np.einsum("lsf,fn->lsn", known_head(), x) + rng.normal(0, 0.1, (7, STRIDE, 400))
    moments = Reference(x.astype(np.float32), y.astype(np.float32), RATE_HZ).moments()
    known = prior(precision=np.full(7, precision))
    sizes = [
        np.linalg.norm(posterior(known, moments, np.full(7, excess))) for excess in (1.0, 10.0, 1e4, 1e9)
    ]
    assert all(a >= b for a, b in pairwise(sizes))
    assert sizes[-1] < 1e-2 * max(sizes[0], 1e-6) or precision < 1e-6
    none = replace(moments, steps=np.zeros(7))
    assert not posterior(known, none).any()


def test_a_reference_that_is_noise_alone_leaves_the_model_generic(network):
    """Errors that have nothing to do with Lead I teach nothing, and that is said."""
    x = lead()
    generic = streamed(network, x)[0][[LEADS.index(lead) for lead in SEVEN]]
    noise = np.random.default_rng(2).normal(0, 0.3, generic.shape).astype(np.float32)
    found = fit(network, prior(), reference_towards(network, x, RATE_HZ, generic + noise), ORIGIN)
    corrected = streamed(PersonalNetwork(network, found), lead(seed=9))[0]
    plain = streamed(network, lead(seed=9))[0]
    assert np.sqrt(((corrected - plain) ** 2).mean()) < 0.03
    assert any("generic" in note for note in found.notes)


@given(cuts=st.lists(st.integers(0, 2500), max_size=30))
@settings(max_examples=10, deadline=None)
def test_any_chunking_gives_the_same_bits_with_a_calibration(network, cuts):
    personal = PersonalNetwork(network, made(known_head(), reach=0.5))
    for a, b in zip(streamed(personal, lead()), streamed(personal, lead(), cuts=cuts), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("reach", [1e6, 0.5])
def test_incremental_windowed_and_dense_agree_with_a_calibration(network, reach):
    personal = PersonalNetwork(network, made(known_head(), reach=reach))
    x = lead()
    x[700:760] = np.nan
    live = streamed(personal, x)
    for hop in (STRIDE, 40, 1000):
        for a, b in zip(live, streamed(personal, x, hop=hop), strict=True):
            assert np.nanmax(np.abs(a - b)) <= 1e-4
            assert (np.isnan(a) == np.isnan(b)).all()


def test_a_calibration_sees_no_further_ahead(network):
    """What comes after the look-ahead cannot change a sample."""
    personal = PersonalNetwork(network, made(known_head()))
    x, at = lead(), 1200
    later = x.copy()
    later[at:] += 1.0
    a, b = streamed(personal, x)[0], streamed(personal, later)[0]
    assert a[:, : at - AHEAD - STRIDE].tobytes() == b[:, : at - AHEAD - STRIDE].tobytes()
    assert (
        Pipeline(StreamInfo("t", RATE_HZ), personal).latency
        == Pipeline(StreamInfo("t", RATE_HZ), network).latency
    )


def test_limb_laws_hold_with_a_calibration_and_lead_i_is_left_alone(network):
    leads = streamed(PersonalNetwork(network, made(known_head())), lead())[0].astype(np.float64)
    one, two, three, avr, avl, avf = leads[:6]
    assert np.abs(three - (two - one)).max() <= 1e-6
    assert np.abs(avr + (one + two) / 2).max() <= 1e-6
    assert np.abs(avl - (one - two / 2)).max() <= 1e-6
    assert np.abs(avf - (two - one / 2)).max() <= 1e-6
    assert leads[0].tobytes() == streamed(network, lead())[0][0].astype(np.float64).tobytes()


def test_a_correction_goes_no_further_than_the_reference_went(network):
    """Lead I ten times as large: the correction stays as large as at its reach."""
    x = lead()
    near = PersonalNetwork(network, made(known_head(), reach=1.0))
    plain, corrected = streamed(network, 10 * x)[0], streamed(near, 10 * x)[0]
    largest = np.linalg.norm(known_head().reshape(-1, FEATURES), ord=2)
    assert np.abs(corrected - plain)[[LEADS.index(lead) for lead in SEVEN]].max() <= largest * 1.001


def test_scale_and_bands_are_the_persons(network):
    personal = PersonalNetwork(network, made(known_head(), bands=prior().bands))
    generic, ours = streamed(network, lead())[1], streamed(personal, lead())[1]
    rows = [LEADS.index(lead) for lead in SEVEN]
    assert np.allclose(ours[rows], 0.5 * generic[rows])
    assert np.allclose(ours[0], generic[0])
    assert personal.spec.bands == prior().bands
    assert network.spec.bands != personal.spec.bands


def test_where_the_network_errs_by_more_than_it_says_its_band_is_wider(network):
    x, head = lead(), known_head()
    truth = truth_of(network, head, x)
    scale = np.zeros((7, 3))
    scale[:, 2] = 0.5
    wide = []
    for told in (1.0, 0.5):
        reference = reference_towards(network, x, RATE_HZ, truth)
        generic_mv = np.sqrt(reference.moments().left_mv2(np.zeros((7, FEATURES, STRIDE))))
        stated_mv = (told * generic_mv).astype(np.float32)
        found = fit(network, prior(scale=scale), replace(reference, stated_mv=stated_mv), ORIGIN)
        wide.append(found.scale)
    assert np.allclose(wide[0], 1)
    assert np.allclose(wide[1], np.sqrt(2))


def test_fitting_again_gives_the_same_bits(network):
    x = lead()
    eight = np.stack([x, *(x * g for g in np.linspace(-1, 1, 7))]).astype(np.float32)
    a, b = (fit(network, prior(), reference_of(network, eight, RATE_HZ), ORIGIN) for _ in range(2))
    assert a.head.tobytes() == b.head.tobytes()


def test_a_lead_that_was_not_measured_follows_from_those_that_were(network):
    x, head = lead(), known_head()
    head[2] = head[1]  # V2 as V1
    truth = truth_of(network, head, x)
    truth[2] = np.nan
    together = np.eye(7)
    together[1, 2] = together[2, 1] = 1 - 1e-9
    found = fit(
        network, prior(lead_covariance=together), reference_towards(network, x, RATE_HZ, truth), ORIGIN
    )
    assert np.abs(found.head[2] - found.head[1]).max() < 1e-3
    assert any("V2" in note and "not measured" in note for note in found.notes)


def test_too_short_a_reference_is_refused(network):
    x = lead(2.2)
    with pytest.raises(InputError, match="record 10 s"):
        fit(network, prior(), reference_of(network, np.tile(x, (8, 1)), RATE_HZ), ORIGIN)


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(1, 7), max_size=6), st.floats(-5, 5))
def test_a_flat_lead_is_one_that_was_not_measured(network, off, offset_mv):
    """Learned from, it would have its flatness predicted ever after."""
    eight = np.tile(lead(), (8, 1)) * np.arange(1, 9, dtype=np.float32)[:, None]
    flat, missing = eight.copy(), eight.copy()
    flat[list(off)], missing[list(off)] = offset_mv, np.nan
    flat_head, head = (
        fit(network, prior(), reference_of(network, without_flat(eight), RATE_HZ), ORIGIN)
        for eight in (flat, missing)
    )
    np.testing.assert_array_equal(flat_head.head, head.head)
    assert flat_head.notes == head.notes
    assert all(any(SEVEN[i - 1] in note for note in head.notes) for i in off)


def test_a_reference_with_a_flat_lead_i_says_so(network):
    eight = np.tile(lead(), (8, 1))
    eight[0] = 0.25
    with pytest.raises(InputError, match="flat"):
        without_flat(eight)


def test_a_reference_without_lead_i_is_refused(network):
    eight = np.tile(lead(), (8, 1))
    eight[0] = np.nan
    with pytest.raises(InputError, match="no Lead I"):
        reference_of(network, eight, RATE_HZ)


def test_another_model_is_refused(network):
    other = made(known_head(), origin=Origin("tiny", "2", "somebody", "2026-11-23"))
    with pytest.raises(InputError, match="calibrate again"):
        PersonalNetwork(network, other)


@pytest.mark.parametrize("bands", ["low", "mid"])
def test_a_part_of_the_model_is_refused_by_that_name(bands):
    """To calibrate again would not help."""
    whole = load_model()
    spec = whole.spec
    other = made(known_head(), origin=Origin(spec.name, spec.version, "somebody", "2026-11-23"))
    with pytest.raises(InputError, match="whole model") as caught:
        PersonalNetwork(whole.part(bands), other)
    assert caught.value.field is Field.BANDS and caught.value.leave_out


def test_a_model_that_knows_nothing_of_persons_says_so():
    with pytest.raises(InputError, match="knows nothing of persons"):
        prior_of(Network(person_model()))
    with pytest.raises(InputError, match="puts out no features"):
        reference_of(Network(person_model(features=False)), np.tile(lead(), (8, 1)), RATE_HZ)


def test_a_prior_reads_back_as_it_was_written_and_a_broken_one_is_refused():
    text = prior().to_json()
    assert Prior.from_json(text).to_json() == text
    for broken in (
        "",
        "{}",
        text.replace('"format": 2', '"format": 7'),
        text.replace("factor", "factory"),
        "[1]",
    ):
        with pytest.raises(InputError):
            Prior.from_json(broken)


def test_moments_know_what_a_head_leaves():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(FEATURES, 200)).astype(np.float32)
    y = rng.normal(size=(7, STRIDE, 200)).astype(np.float32)
    y[3, :, :50] = np.nan
    moments: Moments = Reference(x, y, RATE_HZ).moments()
    head = known_head()
    left = np.nanmean((y - np.einsum("lsf,fn->lsn", head, x)) ** 2, axis=(1, 2))
    assert np.allclose(moments.left_mv2(head.transpose(0, 2, 1).astype(np.float64)), left, rtol=1e-4)
    assert moments.seconds[3] == 150 * STRIDE / RATE_HZ


def test_drift_is_told_when_lead_i_changes_and_not_while_it_stays(network):
    x = lead(40)
    eight = np.tile(x[: round(10 * RATE_HZ)], (8, 1))
    personal = PersonalNetwork(network, fit(network, prior(), reference_of(network, eight, RATE_HZ), ORIGIN))

    def events(lead_mv: np.ndarray) -> list[str]:
        pipeline, watch, told = Pipeline(StreamInfo("t", RATE_HZ), personal), DriftWatch(), []
        for a in range(0, len(lead_mv), 25):
            for frame in pipeline.push(Chunk(a, lead_mv[a : a + 25])):
                told += watch.push(pipeline.drift, frame.stop / frame.rate_hz)
        return [event.text for event in told]

    assert not events(lead(40, seed=5, bpm=66))
    changed = np.concatenate((x[:2500], 3 * np.sqrt(DRIFT_LIMIT) * x[2500:7500], x[:10000], x))
    told = events(changed)
    assert len(told) == 2
    assert "recalibrate" in told[0]


def test_a_strip_becomes_the_truth_under_every_beat_and_nowhere_else(network):
    """Each strip from another stretch, at another rhythm; the leads that were not held stay unknown."""
    gains = {"II": 0.8, "V5": 1.2}
    strips = {name: (gain * lead(seed=20, bpm=64), RATE_HZ) for name, gain in gains.items()}
    reference, notes = sequence_reference(network, lead(), strips, RATE_HZ)
    assert not notes
    zero = np.zeros((7, 2500), np.float32)
    generic = -reference_towards(network, lead(), RATE_HZ, zero).error_mv
    truth = (reference.error_mv + generic).transpose(0, 2, 1).reshape(7, -1)
    for i, name in enumerate(SEVEN):
        known = np.isfinite(truth[i])
        if name in gains:
            assert 0.5 < known.mean() < 0.95
            assert np.nanmax(truth[i]) == pytest.approx(gains[name] * 0.95, rel=0.15)
        else:
            assert not known.any()


def test_what_was_lost_of_lead_i_or_of_a_strip_is_nobodys_beat(network):
    """An amplifier's offset on, so that a loss taken for zero would be the steepest beat of all."""
    held, one = lead(seed=20, bpm=64) + 3, lead() + 3
    strips = {"V2": (held, RATE_HZ)}
    whole, _ = sequence_reference(network, one, strips, RATE_HZ)
    lossy = held.copy()
    lossy[700:900] = np.nan
    reference, notes = sequence_reference(network, one, {"V2": (lossy, RATE_HZ)}, RATE_HZ)
    assert not notes
    both = np.isfinite(whole.error_mv[2]) & np.isfinite(reference.error_mv[2])
    assert both.sum() > 0.95 * np.isfinite(whole.error_mv[2]).sum()
    assert np.abs(whole.error_mv[2] - reference.error_mv[2])[both].max() < 0.1

    lossy = one.copy()
    lossy[1200:1400] = np.nan
    reference, _ = sequence_reference(network, lossy, strips, RATE_HZ)
    steps = slice(-(-(1200 + AHEAD) // STRIDE), (1400 + AHEAD) // STRIDE)
    assert np.isnan(reference.error_mv[:, :, steps]).all()
    assert np.isfinite(reference.error_mv[2]).any()


@pytest.mark.parametrize("shift", [-12, 0, 9])
def test_a_mean_beat_is_laid_where_the_estimate_has_it(shift):
    """The estimate is half as large and noisy; the beat of the strip was found elsewhere in it."""
    t = np.arange(206) / RATE_HZ
    beat = np.exp(-((t - 0.31) ** 2) / 0.0002) - 0.5 * np.exp(-((t - 0.34) ** 2) / 0.0002)
    guess = 0.5 * beat + np.random.default_rng(0).normal(0, 0.03, len(t))
    laid = aligned(np.roll(beat, shift), guess, np.abs(np.gradient(guess)), RATE_HZ)
    assert np.abs(laid - beat[15 : 15 + len(laid)]).max() < 0.3  # within a sample


def test_a_lead_whose_estimate_is_wrong_is_laid_where_the_other_leads_have_their_qrs():
    """The estimate has an R where the lead has an S, 40 ms later; QRS lasts as long in all leads."""
    t = np.arange(206) / RATE_HZ

    def wave(at_s: float) -> np.ndarray:
        return np.exp(-((t - at_s) ** 2) / 0.0002)

    beat, guess = -wave(0.34), wave(0.30)
    steep = np.sqrt(np.mean([np.gradient(wave(at_s)) ** 2 for at_s in (0.32, 0.34, 0.36)], axis=0))
    laid = aligned(beat, guess, steep, RATE_HZ)
    off = [np.abs(laid - beat[15 + by : 15 + by + len(laid)]).max() for by in range(-15, 16)]
    assert abs(int(np.argmin(off)) - 15) <= 1  # sample


def test_leads_that_were_not_measured_together_are_trusted_less(network):
    head = known_head()
    reference = reference_towards(network, lead(), RATE_HZ, truth_of(network, head, lead()))
    known = prior_of(network)
    together = fit(network, known, reference, ORIGIN)
    after = fit(network, known, reference, replace(ORIGIN, kind="sequence"))
    assert np.allclose(after.head, SEQUENCE_SHARE * together.head, atol=1e-6)
    assert (after.left >= together.left).all()
    assert (after.rmse_mv[1] >= together.rmse_mv[1]).all()


def test_a_strip_without_beats_is_left_out_and_told(network):
    strips = {"II": (lead(), RATE_HZ), "V2": (np.zeros(2500, np.float32), RATE_HZ)}
    _, notes = sequence_reference(network, lead(), strips, RATE_HZ)
    assert len(notes) == 1
    assert notes[0].startswith("V2")


def test_the_shipped_model_learns_a_person_and_stays_one_function(shipped):
    record = Record(Path(__file__).parents[4] / "recordings" / "ptb-xl" / "00010_hr")
    eight = record.read()[[record.row(lead) for lead in PREDICTED]]
    spec = shipped.spec
    reference = reference_of(shipped, eight, record.rate_hz)
    found = fit(shipped, prior_of(shipped), reference, Origin(spec.name, spec.version, "00010_hr", ""))
    assert np.mean(found.rmse_mv[1] / found.rmse_mv[0]) < 0.8
    personal, x = PersonalNetwork(shipped, found), lead()
    live = streamed(personal, x)
    for a, b in zip(live, streamed(personal, x, hop=spec.grid * 100), strict=True):
        assert np.abs(a - b).max() <= 1e-4
