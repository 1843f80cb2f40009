"""`mecg evaluate --personal`: calibrated on the earliest record of a patient, scored on the later ones."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from mecg.__main__ import main
from streamer.leads import LEADS
from tests.streamer.person_model import person_model, prior

RECORDINGS = Path(__file__).parents[2] / "recordings" / "ptb-xl"
RECORDS = [
    # ecg_id, patient, recording_date: the second patient's later number is the earlier record
    ("00010", "1", "1990-01-01"),
    ("00155", "1", "1990-01-02"),
    ("00189", "2", "1992-01-01"),
    ("00195", "2", "1991-01-01"),
    ("00312", "3", "1991-01-01"),
]


def dataset(folder: Path, *, dated: bool) -> Path:
    with (folder / "ptbxl_database.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(
            ["ecg_id", "patient_id", "strat_fold", "filename_lr", "filename_hr", "super_class"]
            + (["recording_date"] if dated else [])
        )
        for number, patient, date in RECORDS:
            for end in (".hea", ".dat"):
                shutil.copy(RECORDINGS / f"{number}_hr{end}", folder)
            writer.writerow([int(number), patient, 9, "", f"{number}_hr", "NORM"] + ([date] if dated else []))
    return folder


@pytest.fixture(scope="module")
def scores(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("ptbxl")
    model, report = folder / "tiny.onnx", folder / "report.json"
    model.write_bytes(person_model(prior()))
    args = ["evaluate", str(dataset(folder, dated=True)), "--personal", "--rate", "500"]
    assert main([*args, "--model", str(model), "--report", str(report)]) == 0
    return json.loads(report.read_text())


def test_the_report_has_its_keys(scores):
    ways = {"generic", "personal", "sequence", "mean_beat"}
    assert scores["pairs"] == 2
    assert scores["patients"] == 2
    assert set(scores["median_rmse_mv"]) == set(scores["pearson_mean"]) == ways
    assert 0 <= scores["worse_by_5pct_fraction"] <= 1
    assert set(scores["spread_ratio"]) == set(LEADS[6:])
    assert set(scores["st"]) == ways
    assert set(scores["references"]) == {
        "10 s", "5 s", "3 s", "10 dB noise", "two leads swapped", "sequence"
    }  # fmt: skip
    assert all(0 <= row["coverage"] <= 1 for level in scores["noise"].values() for row in level.values())


def test_the_earliest_record_is_told_by_its_date_or_else_by_its_number(scores, tmp_path, capsys):
    assert scores["calibrated_on"] == "the earliest record by recording_date"
    model = tmp_path / "tiny.onnx"
    model.write_bytes(person_model(prior()))
    folder = dataset(tmp_path, dated=False)
    assert main(["evaluate", str(folder), "--personal", "--rate", "500", "--model", str(model)]) == 0
    assert "by ecg_id" in capsys.readouterr().out


def test_a_model_that_knows_nothing_of_persons_is_refused(tmp_path, capsys):
    model = tmp_path / "tiny.onnx"
    model.write_bytes(person_model())
    args = ["evaluate", str(dataset(tmp_path, dated=False)), "--personal", "--rate", "500"]
    assert main([*args, "--model", str(model)]) == 2
    assert "knows nothing of persons" in capsys.readouterr().err
