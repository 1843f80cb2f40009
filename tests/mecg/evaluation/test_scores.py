"""The scores of `mecg evaluate`, on estimates whose error is known."""

from pathlib import Path

import numpy as np
import pytest

from mecg.evaluation.beat_scores import AFTER_J_S, amplitude_summary, find_beats, measure, st_summary
from mecg.evaluation.lead_scores import LeadSums, lead_sums, median_intervals, one_summary, paired, summary
from streamer.core.leads import LEADS, SEVEN
from streamer.formats.wfdb_reader import Record

RECORDINGS = Path(__file__).parents[3] / "recordings" / "ptb-xl"
RATE_HZ = 500.0


def twelve(name: str) -> np.ndarray:
    record = Record(RECORDINGS / name)
    return record.read()[[record.row(lead) for lead in LEADS]]


def test_a_perfect_estimate_has_no_error_and_full_correlation() -> None:
    truth = twelve("00010_hr")
    scores = summary([lead_sums(truth, truth)], ["a"], SEVEN)
    assert scores["rmse_mv"] == 0
    assert scores["mae_mv"] == 0
    assert scores["pearson_mean"] == pytest.approx(1)


def test_rmse_pools_squares_and_pearson_is_a_mean_over_records_and_leads() -> None:
    rng = np.random.default_rng(0)
    truth = [rng.normal(size=(12, n)).astype(np.float32) for n in (1000, 3000)]
    noise = [0.1, 0.5]
    estimate = [
        t + s * rng.normal(size=t.shape).astype(np.float32) for t, s in zip(truth, noise, strict=True)
    ]
    records = [lead_sums(e, t) for e, t in zip(estimate, truth, strict=True)]
    scores = summary(records, ["a", "b"], SEVEN)
    assert scores["rmse_mv"] == pytest.approx(np.sqrt((0.1**2 * 1000 + 0.5**2 * 3000) / 4000), rel=0.02)
    expected = np.mean([1 / np.sqrt(1 + s * s) for s in noise])
    assert scores["pearson_mean"] == pytest.approx(expected, abs=0.01)


def test_interval_is_over_patients_and_not_over_their_records() -> None:
    """Ten copies of each record say nothing new, so they must not narrow the interval."""
    rng = np.random.default_rng(1)
    truth = np.zeros((12, 500), np.float32)
    records = [lead_sums(np.full_like(truth, rng.uniform(0.1, 0.5)), truth) for _ in range(20)]
    once = summary(records, [str(i) for i in range(20)], SEVEN)["rmse_mv_ci95"]
    copied = summary(records * 10, [str(i) for i in range(20)] * 10, SEVEN)["rmse_mv_ci95"]
    assert once == pytest.approx(copied)
    assert once[0] < once[1]


def off_by(error_mv: float, samples: int = 500) -> LeadSums:
    truth = np.zeros((12, samples), np.float32)
    return lead_sums(np.full_like(truth, error_mv), truth)


def test_a_paired_interval_is_narrower_than_the_people_differ() -> None:
    """One method is always 10 % worse: that is certain, however different the records are."""
    sizes = np.random.default_rng(2).uniform(0.05, 0.5, 40)
    ours, theirs = [off_by(s) for s in sizes], [off_by(1.1 * s) for s in sizes]
    patients = [str(i) for i in range(40)]
    found = paired(ours, theirs, patients, SEVEN)
    assert found["rmse_over_ours_ci95"] == pytest.approx([1.1, 1.1], rel=1e-5)
    assert found["rmse_mv_less_ours_ci95"][0] > 0
    same = paired(ours, ours, patients, SEVEN)
    assert same["rmse_mv_less_ours_ci95"] == [0.0, 0.0]


def test_intervals_of_medians_hold_what_was_measured_and_shrink_with_the_patients() -> None:
    def of(patients: int) -> dict[str, list[float]]:
        theirs = rng.lognormal(-2, 0.3, 2 * patients)
        ours = theirs * rng.lognormal(-0.3, 0.3, 2 * patients)
        intervals = median_intervals(ours, theirs, 1.05, np.repeat(np.arange(patients), 2))
        (low, high), (least, most) = intervals["ratio_ci95"], intervals["worse_by_5pct_fraction_ci95"]
        assert low <= np.median(ours) / np.median(theirs) <= high
        assert least <= (ours > 1.05 * theirs).mean() <= most
        return intervals

    rng = np.random.default_rng(1)
    few, many = of(20), of(2000)
    assert all(np.ptp(many[name]) < 0.3 * np.ptp(few[name]) for name in few)


def test_all_records_of_one_patient_leave_no_doubt_about_the_draw() -> None:
    ours, theirs = np.array([1.0, 2.0, 4.0]), np.array([2.0, 2.0, 2.0])
    assert median_intervals(ours, theirs, 1.05, [7, 7, 7]) == {
        "ratio_ci95": [1.0, 1.0],
        "worse_by_5pct_fraction_ci95": [pytest.approx(1 / 3), pytest.approx(1 / 3)],
    }


def test_records_in_which_the_corrected_lead_is_worse_than_the_measured_one_are_counted() -> None:
    ours = [off_by(0.02), off_by(0.08), off_by(0.02), off_by(0.02)]
    measured = [off_by(0.05)] * 4
    found = one_summary(ours, measured)
    assert found["farther_than_input"] == 0.25
    assert found["input_rmse_mv"] == pytest.approx(0.05)
    assert found["rmse_mv"] == pytest.approx(np.sqrt((3 * 0.02**2 + 0.08**2) / 4))


def test_a_flat_lead_has_no_correlation_and_does_not_spoil_the_mean() -> None:
    truth = twelve("00010_hr").copy()
    truth[6] = 0
    scores = summary([lead_sums(truth + np.float32(0.01), truth)], ["a"], SEVEN)
    assert scores["pearson_mean"] == pytest.approx(1, abs=1e-6)
    assert scores["rmse_mv"] == pytest.approx(0.01, rel=1e-3)


def test_missing_samples_are_left_out() -> None:
    truth = twelve("00010_hr")
    holed = truth.copy()
    holed[:, 100:200] = np.nan
    sums = lead_sums(holed, truth)
    assert (sums.count == truth.shape[1] - 100).all()
    assert (sums.squared == 0).all()


@pytest.mark.parametrize("name", ["00010_hr", "00312_hr", "00414_hr"])
def test_an_st_that_was_lifted_is_found_to_be_off_by_just_that(name: str) -> None:
    truth = twelve(name)
    beats = find_beats(truth, RATE_HZ, 0)
    assert beats is not None
    assert len(beats.r) >= 7
    assert -0.1 <= beats.onset / RATE_HZ < 0 < beats.offset / RATE_HZ <= 0.12
    lifted = truth.copy()
    at = beats.r + beats.offset + round(AFTER_J_S * RATE_HZ)
    for r in at:
        lifted[LEADS.index("V2"), r - 10 : r + 11] += 0.15
    scores = st_summary([measure(truth, beats, RATE_HZ)], [measure(lifted, beats, RATE_HZ)])
    assert scores["V2"]["over_0_1_mv"] == 1.0
    assert scores["V2"]["median_mv"] == pytest.approx(0.15, abs=1e-6)
    assert scores["V3"]["over_0_1_mv"] == 0.0
    assert scores["over_0_1_mv"] == pytest.approx(1 / 7)


def test_shrunken_precordial_leads_show_as_a_small_spread_and_a_full_correlation() -> None:
    """What regression to the mean looks like."""
    names = ["00010_hr", "00312_hr", "00414_hr", "00155_hr", "00189_hr"]
    truth, shrunk = [], []
    for name in names:
        leads = twelve(name)
        beats = find_beats(leads, RATE_HZ, 0)
        assert beats is not None
        truth.append(measure(leads, beats, RATE_HZ))
        shrunk.append(measure(leads * np.float32(0.4), beats, RATE_HZ))
    for of_lead in amplitude_summary(truth, shrunk).values():
        assert of_lead["r_spread_ratio"] == pytest.approx(0.4, abs=1e-5)
        assert of_lead["s_correlation"] == pytest.approx(1, abs=1e-5)


def test_a_record_without_beats_is_left_out_of_the_beat_scores() -> None:
    assert find_beats(np.zeros((12, 5000), np.float32), RATE_HZ, 0) is None
