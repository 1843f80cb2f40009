# SPDX-License-Identifier: GPL-3.0-or-later
"""How the table of a data set is read, and what disturbs a record before it is scored."""

import csv
from pathlib import Path

import numpy as np
import pytest

from devices.wfdb_record import Record
from mecg.evaluate import Scored, read_table, score_all
from tests.run.known_network import scaled_identity

RECORD = Path(__file__).parents[2] / "recordings" / "ptb-xl" / "00010_hr"


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
