"""What is done to a record before it is scored is what the table says."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tqdm", reason="the extra `train` is not installed")

from mecg.evaluation.dataset import read_table
from tests.streamer.known_network import scaled_identity
from training.recorders import Recorder
from training.studies.robustness import PLAIN, RATE_HZ, Disturbed, conditions, markdown, rows_of, subsets

RECORDINGS = Path(__file__).parents[3] / "recordings" / "ptb-xl"
NAMES = ("00010_hr", "00155_hr", "00414_hr")


@pytest.fixture
def leads_mv() -> np.ndarray:
    t = np.arange(1000) / 100
    return np.stack([g * np.sin(2 * np.pi * 1.3 * t) for g in np.linspace(1, 0.1, 12)]).astype(np.float32)


def given(change: Disturbed, leads_mv: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray, float]:
    return change(leads_mv, 100.0, np.random.default_rng(seed))


def test_a_record_as_it_is_is_only_brought_to_500_hz(leads_mv: np.ndarray) -> None:
    lead, truth, rate_hz = given(PLAIN, leads_mv)
    assert rate_hz == RATE_HZ
    assert truth.shape == (12, 5000)
    np.testing.assert_array_equal(lead, truth[0])
    np.testing.assert_allclose(truth[:, ::5], leads_mv, atol=0.02)


@pytest.mark.parametrize("kind", ["wander", "muscle", "50 Hz", "60 Hz"])
def test_noise_has_its_level_and_spares_the_truth(kind: str, leads_mv: np.ndarray) -> None:
    plain = given(PLAIN, leads_mv)[0]
    lead, truth, _ = given(Disturbed(kind=kind, level_db=6.0), leads_mv)
    np.testing.assert_array_equal(truth[0], plain)
    assert plain.std() / (lead - plain).std() == pytest.approx(10 ** (6 / 20), rel=0.02)
    if kind.endswith("Hz"):
        spectrum = np.abs(np.fft.rfft(lead - plain))
        assert np.fft.rfftfreq(5000, 1 / RATE_HZ)[spectrum.argmax()] == pytest.approx(
            float(kind[:2]), abs=0.2
        )


def test_a_gain_is_the_persons_a_sign_the_leads_and_a_gap_the_sources(leads_mv: np.ndarray) -> None:
    plain = given(PLAIN, leads_mv)[1]
    lead, truth, _ = given(Disturbed(gain=0.8), leads_mv)
    np.testing.assert_allclose(truth, 0.8 * plain, rtol=1e-6)
    np.testing.assert_array_equal(lead, truth[0])
    lead, truth, _ = given(Disturbed(sign=-1), leads_mv)
    np.testing.assert_array_equal(lead, -truth[0])
    lead, truth, _ = given(Disturbed(gaps_s=(1.0,)), leads_mv)
    assert np.isnan(lead).sum() == RATE_HZ
    assert np.isfinite(truth).all()
    assert given(Disturbed(clock=1.01), leads_mv)[2] == 505.0


def test_a_recorder_filters_all_leads_and_a_sensor_lead_i_alone(leads_mv: np.ndarray) -> None:
    plain = given(PLAIN, leads_mv)[1]
    recorder = Recorder(RATE_HZ, (2, 0.67))
    lead, truth, _ = given(Disturbed(recorder=recorder), leads_mv)
    np.testing.assert_array_equal(truth, recorder(plain))
    np.testing.assert_array_equal(lead, truth[0])
    sensor = replace(recorder, of_all=False)
    lead, truth, _ = given(Disturbed(recorder=sensor), leads_mv)
    np.testing.assert_array_equal(truth, plain)
    np.testing.assert_array_equal(lead, recorder(plain)[0])


def test_a_record_is_sampled_as_asked(leads_mv: np.ndarray) -> None:
    lead, truth, rate_hz = given(Disturbed(sampled_hz=128.0), leads_mv)
    assert (rate_hz, truth.shape) == (128.0, (12, 1280))
    t = np.arange(1280) / 128
    np.testing.assert_allclose(lead[128:-128], np.sin(2 * np.pi * 1.3 * t)[128:-128], atol=0.01)


def test_every_condition_is_named_once_and_differs_from_the_record_as_it_is() -> None:
    tried = conditions()
    assert len(set(tried.values()) | {PLAIN}) == len(tried) + 1
    for db in (0, 6, 12, 18):
        assert any(name.endswith(f", {db} dB") for name in tried)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for name in NAMES:
        for suffix in (".hea", ".dat"):
            (tmp_path / f"{name}{suffix}").write_bytes((RECORDINGS / f"{name}{suffix}").read_bytes())
    with (tmp_path / "ptbxl_database.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["patient_id", "strat_fold", "filename_lr", "super_class", "rhythm", "scp_codes"])
        rhythms, codes = ("AFIB|PACE", "SR", ""), ("{'CLBBB': 100.0}", "{'NORM': 80.0}", "{}")
        table.writerows([i, 9, name, "CD", rhythms[i], codes[i]] for i, name in enumerate(NAMES))
    return tmp_path


def test_subsets_follow_the_tables_own_codes(dataset: Path) -> None:
    found = {name: [entry.patient for entry in of] for name, of in subsets(dataset, [9]).items()}
    assert found == {"atrial fibrillation": ["0"], "paced": ["0"], "bundle branch block": ["0"]}
    table = dataset / "ptbxl_database.csv"
    table.write_text(table.read_text().replace("CLBBB", "NORM"))
    wide = subsets(dataset, [9])["conduction disturbance, QRS of 120 ms or more"]
    assert len(wide) <= len(NAMES)


def test_the_table_sets_each_condition_beside_the_same_records_as_they_are(dataset: Path) -> None:
    entries = read_table(dataset, [9], 100)
    changes = {"gap": Disturbed(gaps_s=(1.0,)), "turned": Disturbed(sign=-1), "larger": Disturbed(gain=1.2)}
    rows = rows_of(scaled_identity(), entries, changes, 1)
    plain, gap, turned, larger = json.loads(json.dumps(rows))
    assert plain["over_plain_ci95"] == [1.0, 1.0]
    assert turned["over_plain_ci95"][0] > 1
    assert gap["st"]["beats"] < plain["st"]["beats"]
    # The network is linear, so a larger person has the same error, relative to the person.
    assert larger["seven"]["rmse_mv"] == pytest.approx(plain["seven"]["rmse_mv"], rel=1e-4)
    result = {"model": "m", "folds": [9], "every": 1, "records": 3, "rows": rows, "polarity": {}}
    table = [line for line in markdown(result).splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert len(table) == 2 + 4
