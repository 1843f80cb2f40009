# SPDX-License-Identifier: GPL-3.0-or-later
"""How the table of a data set is read, and what disturbs a record before it is scored."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mecg.app.models import model_bytes
from mecg.evaluation import evaluate as evaluation
from mecg.evaluation.dataset import read_table
from mecg.evaluation.evaluate import Scored, evaluate, score_all
from streamer.core.leads import LEADS, SEVEN
from streamer.core.network.network import Network
from streamer.formats.wfdb_reader import Record
from tests.streamer.known_network import scaled_identity

RECORD = Path(__file__).parents[3] / "recordings" / "ptb-xl" / "00010_hr"


@pytest.mark.parametrize("written", ["CD|MI", "CD,MI", "CD;MI", "CD MI"])
def test_a_record_belongs_to_each_superclass_of_its_own_column(written: str, tmp_path: Path) -> None:
    with (tmp_path / "ptbxl_database.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["patient_id", "strat_fold", "filename_lr", "super_class"])
        table.writerow(["1.0", "9", "a", written])
        table.writerow(["2.0", "9", "b", ""])
    first, second = read_table(tmp_path, [9], 100)
    assert first.superclasses == ("CD", "MI")
    assert second.superclasses == ()


def negated(
    leads_mv: np.ndarray, rate_hz: float, chances: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    assert rate_hz == 500
    return -leads_mv[0], leads_mv, rate_hz


def test_a_disturbed_record_is_scored_against_the_truth_that_the_change_gives(tmp_path: Path) -> None:
    with (tmp_path / "ptbxl_database.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["patient_id", "strat_fold", "filename_hr", "super_class"])
        table.writerow(["1", "9", "record", "NORM"])
    for suffix in (".hea", ".dat"):
        (tmp_path / f"record{suffix}").write_bytes(RECORD.with_suffix(suffix).read_bytes())
    text = (tmp_path / "record.hea").read_text().replace(RECORD.name, "record")
    (tmp_path / "record.hea").write_text(text)
    assert Record(tmp_path / "record").rate_hz == 500
    entries = read_table(tmp_path, [9], 500)
    (plain,) = score_all(entries, scaled_identity(), 1)
    (turned,) = score_all(entries, scaled_identity(), 1, negated)
    assert isinstance(plain, Scored)
    assert isinstance(turned, Scored)
    assert plain.ours.sums.pearson[0] > 0.7  # of the input band with its delay
    assert turned.ours.sums.pearson[0] == pytest.approx(-plain.ours.sums.pearson[0], abs=0.02)
    np.testing.assert_array_equal(turned.filter_only.sums.squared, plain.filter_only.sums.squared)


def test_the_report_has_every_score_that_was_promised(tmp_path: Path) -> None:
    names = ("00010_hr", "00155_hr", "00414_hr")
    with (tmp_path / "ptbxl_database.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["patient_id", "strat_fold", "filename_lr", "super_class"])
        table.writerows([i, 9, name, "CD|MI"] for i, name in enumerate(names))
    for name in names:
        for suffix in (".hea", ".dat"):
            (tmp_path / f"{name}{suffix}").write_bytes(RECORD.with_name(f"{name}{suffix}").read_bytes())
    scores = evaluate(tmp_path, [9], 100, 1, model_bytes(None))
    assert (scores["records"], scores["patients"], scores["skipped"]) == (3, 3, 0)
    assert scores["latency"] == "low"
    assert scores["latency_ms"] > 0
    pooled = {"rmse_mv", "mae_mv", "pearson_mean", "pearson_median", "rmse_mv_ci95", "pearson_mean_ci95"}
    for group in (scores["seven"], scores["eleven"], scores["v1_v6"], scores["filter_only"]["seven"]):
        assert set(group) == pooled
    assert set(scores["leads"]) == set(LEADS)
    assert set(scores["superclass"]) == {"CD", "MI"}
    levels = {"over_0_1_mv", "median_mv", "false_elevation", "false_depression"}
    for st in (scores["st"], scores["filter_only"]["st"]):
        assert set(st) == levels | {"beats"} | set(SEVEN)
        assert set(st["V1"]) == levels
    waves = {f"{w}_{what}" for w in "rs" for what in ("spread_ratio", "correlation", "bias_mv")}
    assert {lead: set(of) for lead, of in scores["amplitude"].items()} == dict.fromkeys(LEADS[6:], waves)
    assert set(scores["coverage"]) == {"0.5", "0.8", "0.9"}
    parts = {"qrs", "st_t", "CD", "MI"}
    assert set(scores["coverage"]["0.9"]) == {"all", *LEADS} | parts
    assert set(scores["interval_score"]) == {"ours", "constant_width"} | parts
    assert set(scores["to_end"]) == {"seven", "eleven", "v1_v6", "i_prime", "filter_only"}
    assert scores["left_out_s"] == 0.3
    json.dumps(scores)


def test_what_the_truth_is_in_a_records_last_300_ms_moves_no_score_but_that_to_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The zero-phase filter's own end bends it there."""
    network = Network(model_bytes(None))
    rate_hz, frame = network.spec.rate_hz, evaluation.clinical_frame_at_rate

    def bent(leads_mv: np.ndarray, *rest: Any) -> np.ndarray:
        truth = frame(leads_mv, *rest)
        left_out = truth[:, -round(0.3 * rate_hz) :]
        left_out += np.random.default_rng(1).normal(0, 1, left_out.shape).astype(np.float32)
        return truth

    work = evaluation._Work(RECORD, model_bytes(None))
    as_it_is = evaluation._score(work)
    monkeypatch.setattr(evaluation, "clinical_frame_at_rate", bent)
    changed = evaluation._score(work)
    assert isinstance(as_it_is, Scored)
    assert isinstance(changed, Scored)
    for a, b in ((as_it_is.ours, changed.ours), (as_it_is.filter_only, changed.filter_only)):
        assert (b.to_end.squared > a.to_end.squared).all()
        np.testing.assert_array_equal(b.sums.squared, a.sums.squared)
        np.testing.assert_array_equal(b.sums.pearson, a.sums.pearson)
    assert as_it_is.truth is not None
    assert changed.truth is not None
    np.testing.assert_array_equal(as_it_is.truth.st_mv, changed.truth.st_mv)
    assert as_it_is.ours.bands is not None
    assert changed.ours.bands is not None
    np.testing.assert_array_equal(as_it_is.ours.bands.inside["0.9"], changed.ours.bands.inside["0.9"])
    samples = as_it_is.ours.to_end.count - as_it_is.ours.sums.count
    assert (samples == round(0.3 * rate_hz)).all()
