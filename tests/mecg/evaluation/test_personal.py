"""`mecg evaluate --personal`: each record calibrated on those of the patient before it."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mecg.__main__ import main
from mecg.evaluation.beat_scores import BeatValues
from mecg.evaluation.dataset import Entry, read_table
from mecg.evaluation.personal import _patients, _st, _Work, evaluate_personal
from mecg.evaluation.personal_text import lines
from streamer.core.errors import InputError
from streamer.core.leads import LEADS
from tests.streamer.core.person_model import person_model, prior

RECORDINGS = Path(__file__).parents[3] / "recordings" / "ptb-xl"
RECORDS = [
    # ecg_id, patient, recording_date: the second patient's later number is the earlier record
    ("00010", "1", "1990-01-01"),
    ("00155", "1", "1990-01-02"),
    ("00189", "2", "1992-01-01"),
    ("00195", "2", "1991-01-01"),
    ("00312", "3", "1991-01-01"),
]


def dataset(folder: Path, *, dated: bool) -> Path:
    for number, *_ in RECORDS:
        for end in (".hea", ".dat"):
            shutil.copy(RECORDINGS / f"{number}_hr{end}", folder)
    rows = [
        {
            "ecg_id": int(number),
            "patient_id": patient,
            "strat_fold": 9,
            "filename_lr": "",
            "filename_hr": f"{number}_hr",
            "super_class": "NORM",
            "rhythm": "AFIB" if number == "00155" else "SR",
        }
        | ({"recording_date": date} if dated else {})
        for number, patient, date in RECORDS
    ]
    return write_table(folder, rows)


def write_table(folder: Path, rows: list[dict]) -> Path:
    with (folder / "ptbxl_database.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def table(**columns: list) -> list[dict]:
    """Of three records of one patient, none of which is there."""
    known = {
        "patient_id": ["1.0"] * 3,
        "strat_fold": [9] * 3,
        "filename_hr": ["a", "b", "c"],
        "super_class": ["NORM"] * 3,
    }
    return [
        dict(zip(known | columns, row, strict=True)) for row in zip(*(known | columns).values(), strict=True)
    ]


def order(folder: Path, **columns: list) -> tuple[list[str], str]:
    """Of that patient's records, and by what."""
    (patient,), by = _patients(folder, read_table(write_table(folder, table(**columns)), [9], 500))
    return [entry.path.name for entry in patient], by


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
    assert set(scores["bands"]) == {"generic", "personal", "sequence"}
    assert all(bands["width_mv"] > 0 for bands in scores["bands"].values())
    for st in scores["st"].values():
        for called in ("elevation", "depression"):
            assert 0 <= st[f"false_{called}"] <= 1
            assert st[f"found_{called}"] is None or 0 <= st[f"found_{called}"] <= 1
    assert set(scores["references"]) == {
        "10 s", "5 s", "3 s", "10 dB noise", "two leads swapped", "sequence"
    }  # fmt: skip
    for row in (*scores["noise"].values(), *scores["rhythms"].values()):
        for of in (row["generic"], row["personal"]):
            assert 0 <= of["coverage"] <= 1
            assert 0 < of["width_mv"] <= of["interval_score_mv"]
    kinds = {"white noise": (20, 10, 0), "baseline wander": (10, 0), "muscle noise": (10, 0)}
    assert set(scores["noise"]) == {f"{kind}, {db} dB" for kind, levels in kinds.items() for db in levels}


def test_a_rhythm_has_a_row_where_enough_later_records_have_it(monkeypatch, tmp_path, capsys):
    """One later record is in atrial fibrillation, which its reference was not."""
    monkeypatch.setattr("mecg.evaluation.personal.FEWEST_PAIRS", 1)
    report, model = tmp_path / "report.json", tmp_path / "tiny.onnx"
    model.write_bytes(person_model(prior()))
    args = ["evaluate", str(dataset(tmp_path, dated=True)), "--personal", "--rate", "500"]
    assert main([*args, "--model", str(model), "--report", str(report)]) == 0
    rhythms = json.loads(report.read_text())["rhythms"]
    assert set(rhythms) == {"atrial fibrillation", "a rhythm that the reference had not"}
    assert all(row["pairs"] == 1 for row in rhythms.values())
    said = capsys.readouterr().out
    assert "90 % band, atrial fibrillation (1 records): generic holds" in said
    assert "elevation called falsely" in said


def test_st_that_is_called_everywhere_finds_all_and_is_false_wherever_there_is_none():
    true_mv = np.zeros((10, 12))
    true_mv[:3] = 0.2
    truth, high, flat = (
        BeatValues(st_mv, np.zeros(12), np.zeros(12))
        for st_mv in (true_mv, np.full((10, 12), 0.15), np.zeros((10, 12)))
    )
    called, never = _st([truth], [high]), _st([truth], [flat])
    assert (called["found_elevation"], called["false_elevation"]) == (1, 1)
    assert (never["found_elevation"], never["false_elevation"]) == (0, 0)
    assert called["found_depression"] is None  # there is none to find


@pytest.mark.parametrize(
    ("columns", "names", "by"),
    [
        ({"ecg_id": ["17.0", "3.0", "9.0"]}, "bca", "ecg_id"),
        ({"ecg_id": [1, 2, 3], "recording_date": ["1993", "1992", "1991"]}, "cba", "recording_date"),
        ({"recording_date": ["1993", "1992", "1991"]}, "cba", "recording_date"),
        ({"ecg_id": [2, 1, 3], "recording_date": ["1993", "", "1991"]}, "bac", "ecg_id"),
    ],
)
def test_records_are_in_the_order_of_their_dates_or_else_of_their_numbers(tmp_path, columns, names, by):
    """A missing date came before all others, and its record became the reference."""
    assert order(tmp_path, **columns) == (list(names), by)


def test_a_table_that_tells_no_order_is_refused_in_one_line(tmp_path, capsys):
    for columns in ({}, {"recording_date": ["1993", "", "1991"]}, {"ecg_id": ["one", "2", "3"]}):
        write_table(tmp_path, table(**columns))
        assert main(["evaluate", str(tmp_path), "--personal", "--rate", "500"]) == 2
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1
        assert "ptbxl_database.csv" in said[0]


def test_which_record_is_earlier_is_told_by_its_date_or_else_by_its_number(scores, tmp_path, capsys):
    assert scores["calibrated_on"] == "the latest record before each by recording_date"
    model = tmp_path / "tiny.onnx"
    model.write_bytes(person_model(prior()))
    folder = dataset(tmp_path, dated=False)
    assert main(["evaluate", str(folder), "--personal", "--rate", "500", "--model", str(model)]) == 0
    assert "by ecg_id" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        (1, ["", "a", "b", "c", "d"]),
        (2, ["", "", "ab", "bc", "cd"]),
        (3, ["", "", "", "abc", "abcd"]),
    ],
)
def test_a_record_is_calibrated_on_the_latest_before_it_and_from_three_on_on_all(references, expected):
    patient = tuple(Entry(Path(name), "1", ()) for name in "abcde")
    chosen = _Work(patient, b"", references).learned_from()
    assert ["".join(entry.path.name for entry in some) for some in chosen] == expected


def test_with_several_references_only_records_with_so_many_before_them_are_scored(tmp_path):
    folder = tmp_path / "three"
    folder.mkdir()
    dataset(folder, dated=True)
    rows = list(csv.DictReader((folder / "ptbxl_database.csv").read_text().splitlines()))
    for row in rows:
        row["patient_id"] = "1"
    write_table(folder, rows)
    model = person_model(prior())
    one, two = (evaluate_personal(folder, [9], 500, 1, model, references=n) for n in (1, 2))
    assert (one["pairs"], two["pairs"]) == (len(rows) - 1, len(rows) - 2)
    assert two["calibrated_on"] == "the latest two records before each by recording_date"
    assert set(two["references"]) == {"all of them", "the latest alone"}
    assert set(two["median_rmse_mv"]) == {"generic", "personal", "mean_beat"}
    assert set(two["bands"]) == {"generic", "personal"}
    assert lines(two)
    for wrong in (0, 4):
        with pytest.raises(InputError, match="1 to 3"):
            evaluate_personal(folder, [9], 500, 1, model, references=wrong)
    with pytest.raises(InputError, match="has 4 records"):
        evaluate_personal(dataset(tmp_path, dated=True), [9], 500, 1, model, references=3)


def test_a_model_that_knows_nothing_of_persons_is_refused(tmp_path, capsys):
    model = tmp_path / "tiny.onnx"
    model.write_bytes(person_model())
    args = ["evaluate", str(dataset(tmp_path, dated=False)), "--personal", "--rate", "500"]
    assert main([*args, "--model", str(model)]) == 2
    assert "knows nothing of persons" in capsys.readouterr().err
