"""What other recorders and sensors make of the same heart."""

import numpy as np
import pytest

from streamer.core.signal.filters import BandSplitter
from training.data import Batches, Records, network_input, targets
from training.filter_design import design
from training.recorders import Recorder, drawn

RATE_HZ = 250.0
FILTERS = design(RATE_HZ)
SEEDS = range(60)


def epoch(records: Records, share: float, **more: float) -> tuple[np.ndarray, np.ndarray]:
    truth = targets(records, FILTERS, RATE_HZ)
    how = {"gain_spread": 0.0, "gap_share": 0.0, "noise_share": 0.0} | more
    made = Batches(records, truth, FILTERS, RATE_HZ, 3, recorder_share=share, **how)
    (x, leads), *_ = made.epoch(np.random.default_rng(7))
    return x, leads


def test_a_recorder_begins_as_if_the_lead_had_always_been_as_it_begins() -> None:
    rng = np.random.default_rng(3)
    for seed in SEEDS:
        level = rng.normal(size=(12, 1)).astype(np.float32)
        recorded = drawn(np.random.default_rng(seed), RATE_HZ)(np.repeat(level, 500, axis=1))
        np.testing.assert_allclose(recorded, 0.0, atol=1e-5)  # it passes no constant


def test_a_recorder_loses_3_db_at_its_edges() -> None:
    for edge_hz, low_pass in ((0.67, None), (0.05, (2, 25.0))):
        t = np.arange(60 * 250) / RATE_HZ
        at_hz = edge_hz if low_pass is None else low_pass[1]
        tone = np.sin(2 * np.pi * at_hz * t).astype(np.float32)
        there = Recorder(RATE_HZ, (2, edge_hz), low_pass)(tone)[30 * 250 :]
        assert there.std() / tone.std() == pytest.approx(np.sqrt(0.5), rel=0.02)


def test_what_is_drawn_are_recorders_that_filter_all_leads_and_sensors_that_filter_one() -> None:
    many = [drawn(np.random.default_rng(seed), RATE_HZ) for seed in SEEDS]
    sensors = [recorder for recorder in many if not recorder.of_all]
    assert 0.15 < len(sensors) / len(many) < 0.5
    assert all(sensor.high_pass[1] <= 0.7 and sensor.low_pass is None for sensor in sensors)
    assert {recorder.low_pass is None for recorder in many if recorder.of_all} == {True, False}


def test_recording_the_bands_is_recording_the_lead_before_it_is_split() -> None:
    rng = np.random.default_rng(5)
    lead = (0.3 + np.cumsum(rng.normal(0, 0.02, 2500))).astype(np.float32)
    for seed in SEEDS:
        recorder = drawn(np.random.default_rng(seed), RATE_HZ)
        before = network_input(recorder(lead), FILTERS, RATE_HZ, RATE_HZ)
        after = recorder(network_input(lead, FILTERS, RATE_HZ, RATE_HZ))
        np.testing.assert_allclose(before, after, atol=2e-4)


def test_input_and_truth_are_of_the_same_recorder_and_a_sensor_leaves_the_truth_alone(
    records: Records,
) -> None:
    x, truth = epoch(records, 0.0)
    other, recorded = epoch(records, 1.0)
    measured = BandSplitter.ROWS.index("measured")
    rng = np.random.default_rng(7)
    rng.permutation(len(records.ecg_id))
    rng.uniform(size=3)
    rng.normal(size=(3, 3))
    rng.random(3), rng.random(3), rng.random(3)
    for i in range(3):
        recorder = drawn(rng, RATE_HZ)
        np.testing.assert_allclose(other[i, measured], recorder(x[i, measured]), atol=1e-6)
        expected = recorder(truth[i]) if recorder.of_all else truth[i]
        np.testing.assert_allclose(recorded[i], expected, atol=1e-6)


def test_what_is_said_passes_the_recorder_once_with_a_teacher_or_without(records: Records) -> None:
    truth = targets(records, FILTERS, RATE_HZ)
    for said_uv in (None, truth):
        made = Batches(
            records, truth, FILTERS, RATE_HZ, 3, 0.0, 0.0, 0.0, recorder_share=1.0, said_uv=said_uv
        )
        (_, leads, said), *_ = made.taught(np.random.default_rng(7))
        np.testing.assert_array_equal(leads, said)


def test_a_lost_sample_stays_silent_in_any_recorder(records: Records) -> None:
    lost = (epoch(records, 0.0, gap_share=1.0)[0] == 0).all(axis=1)
    assert lost.any()
    assert (epoch(records, 1.0, gap_share=1.0)[0] == 0).all(axis=1)[lost].all()
