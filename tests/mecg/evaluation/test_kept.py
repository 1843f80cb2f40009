# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores that are kept: a run that was ended goes on, shards are one run, written leads are scored."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mecg.__main__ import main
from mecg.evaluation import evaluate as evaluation
from mecg.evaluation.dataset import read_table
from mecg.evaluation.evaluate import Result, about_of, results_of, scores_of
from mecg.evaluation.kept import Kept, merged
from mecg.evaluation.rows import COLUMNS
from streamer.core.errors import InputError
from tests.streamer.known_network import scaled_identity

RECORDINGS = Path(__file__).parents[3] / "recordings" / "ptb-xl"
NAMES = ("00010_hr", "00155_hr", "00414_hr")
COPIES = 2


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six records of three persons in two folds, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("dataset")
    with (folder / "ptbxl_database.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["patient_id", "strat_fold", "filename_hr", "super_class"])
        for copy in range(COPIES):
            (folder / f"{copy}").mkdir()
            for i, name in enumerate(NAMES):
                for suffix in (".hea", ".dat"):
                    shutil.copy(RECORDINGS / f"{name}{suffix}", folder / f"{copy}")
                table.writerow([i, 8 + copy, f"{copy}/{name}", ("CD", "MI|CD", "")[i]])
        table.writerow([9, 9, "1/missing", ""])
    return folder


@pytest.fixture(scope="module")
def results(dataset: Path) -> list[Result]:
    return list(results_of(read_table(dataset, (8, 9), 500), scaled_identity(scale=True), 1))


def command(dataset: Path, model: Path, *more: str) -> list[str]:
    which = ["--folds", "8,9", "--rate", "500", "--model", str(model)]
    return ["evaluate", str(dataset), *which, *more]


def about(*folds: int) -> evaluation.About:
    return about_of(folds, 500, scaled_identity(scale=True), None, None)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_shards_however_they_are_cut_and_ordered_give_the_figures_of_one_run_to_the_last_bit(
    data: st.DataObject, results: list[Result], tmp_path: Path
) -> None:
    shares = data.draw(st.lists(st.integers(0, 3), min_size=len(results), max_size=len(results)))
    paths = []
    for share in data.draw(st.permutations(range(4))):
        path = tmp_path / f"{share}.csv.scores"
        with Kept(path, about(8, 9), more=False) as kept:
            for result, whose in data.draw(st.permutations(list(zip(results, shares, strict=True)))):
                if whose == share:
                    kept.add(result)
        paths.append(path)
    assert scores_of(*merged(paths)) == scores_of(about(8, 9), results)


def test_what_is_kept_comes_back_bit_for_bit(results: list[Result], tmp_path: Path) -> None:
    with Kept(tmp_path / "a", about(8, 9), more=False) as kept:
        for result in results:
            kept.add(result)
    _, back = merged([tmp_path / "a"])
    for ours, theirs in zip(results, back, strict=True):
        assert (ours.entry.key, ours.entry.patient) == (theirs.entry.key, theirs.entry.patient)
        for a, b in zip(leaves(ours.what), leaves(theirs.what), strict=True):
            np.testing.assert_array_equal(a, b)


def leaves(what: Any) -> Iterator[Any]:
    """All arrays and words of nested data classes."""
    if hasattr(what, "__dataclass_fields__"):
        for name in what.__dataclass_fields__:
            yield from leaves(getattr(what, name))
    elif isinstance(what, dict):
        for key in sorted(what):
            yield from leaves(what[key])
    else:
        yield what


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1))
def test_a_run_that_was_killed_at_any_byte_goes_on_and_loses_no_whole_record(
    cut: float, results: list[Result], tmp_path: Path
) -> None:
    path = tmp_path / "a"
    with Kept(path, about(8, 9), more=False) as kept:
        ends = []
        for result in results:
            kept.add(result)
            ends.append(path.stat().st_size)
    head = path.read_bytes().index(b"\n") + 1
    size = head + round(cut * (ends[-1] - head))
    with path.open("r+b") as file:
        file.truncate(size)
    with Kept(path, about(8, 9), more=True) as kept:
        assert len(kept.results) == sum(end <= size for end in ends)
        for result in results:
            if result.entry.key not in kept.results:
                kept.add(result)
    assert scores_of(*merged([path])) == scores_of(about(8, 9), results)


def test_what_was_scored_in_another_way_or_twice_is_not_merged(results: list[Result], tmp_path: Path) -> None:
    other = about_of((8, 9), 500, scaled_identity(), None, None)
    for name, how in (("a", about(8)), ("b", about(9)), ("c", other)):
        with Kept(tmp_path / name, how, more=False) as kept:
            kept.add(results[0])
    for names in ("ab", "ac"):
        with pytest.raises(InputError):
            merged([tmp_path / name for name in names])
    with pytest.raises(InputError):
        Kept(tmp_path / "a", other, more=True)
    (tmp_path / "d").write_bytes(b"no scores")
    with pytest.raises(InputError):
        merged([tmp_path / "d"])


def test_shards_on_the_command_line_are_one_run(
    dataset: Path, banded_model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = command(dataset, banded_model_file)
    for k in "12":
        assert main([*run, "--shard", f"{k}/2", "--records", str(tmp_path / f"{k}.csv")]) == 0
    assert main([*run, "--records", str(tmp_path / "one.csv")]) == 0
    capsys.readouterr()
    assert main([*run, "--json"]) == 0
    one = json.loads(capsys.readouterr().out)
    shards = [str(tmp_path / f"{k}.csv") for k in "12"]
    assert main(["evaluate", "--merge", *shards, "--records", str(tmp_path / "both.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == one
    assert (tmp_path / "both.csv").read_text() == (tmp_path / "one.csv").read_text()
    with (tmp_path / "one.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS) and len(rows) == COPIES * len(NAMES) + 1
    squared = sum(float(row["rmse_mv"] or 0) ** 2 * float(row["samples"] or 0) for row in rows)
    pooled = (squared / sum(float(row["samples"] or 0) for row in rows)) ** 0.5
    assert pooled == pytest.approx(one["seven"]["rmse_mv"], rel=1e-4)
    assert [row["record"] for row in rows if row["status"] == "skipped" and row["note"]] == ["1/missing"]


def test_ctrl_c_keeps_what_was_scored_and_a_second_run_scores_the_rest_only(
    dataset: Path,
    banded_model_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    records = tmp_path / "r.csv"
    run = command(dataset, banded_model_file, "--records", str(records))
    real = evaluation._score
    seen: list[str] = []

    def score(work: Any) -> Any:
        if len(seen) == 2:
            seen.append("ended")
            raise KeyboardInterrupt
        seen.append(work.key)
        return real(work)

    monkeypatch.setattr(evaluation, "_score", score)
    assert main(run) == 130
    with records.open(newline="") as file:
        assert [row["record"] for row in csv.DictReader(file)] == sorted(seen[:2])
    assert main(run) == 2  # it is there
    assert main([*run, "--skip-existing"]) == 0
    assert len(seen) == len(set(seen)) == COPIES * len(NAMES) + 2
    capsys.readouterr()
    assert main([*run, "--skip-existing", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["records"] == COPIES * len(NAMES) and again["skipped"] == 1


def test_written_leads_score_as_the_path_that_wrote_them(
    dataset: Path, banded_model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """But for the way to the file's rate and back, and its steps of 1 µV."""
    run = command(dataset, banded_model_file, "--json")
    twelve = str(tmp_path / "twelve")
    which = ["--folds", "8,9", "--rate", "500", "--model", str(banded_model_file)]
    assert main(["reconstruct", str(dataset), "--out", twelve, *which]) == 1  # one is missing
    capsys.readouterr()
    assert main(run) == 0
    path = json.loads(capsys.readouterr().out)
    assert main([*run, "--written", twelve]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["records"] == path["records"] and set(written["skipped_why"]) == {"missing"}
    for group in ("seven", "eleven", "v1_v6"):
        assert written[group]["rmse_mv"] == pytest.approx(path[group]["rmse_mv"], abs=0.002)
        assert written[group]["pearson_mean"] == pytest.approx(path[group]["pearson_mean"], abs=0.005)
    assert set(written["coverage"]) == {"0.9"}
    assert written["coverage"]["0.9"]["all"] == pytest.approx(path["coverage"]["0.9"]["all"], abs=0.02)
    assert written["filter_only"] == path["filter_only"]


@pytest.mark.parametrize(
    "more",
    [["--skip-existing"], ["--records", "r.txt"], ["--personal", "--shard", "1/2"], ["--merge", "a.csv"]],
)
def test_what_does_not_go_together_is_refused(more: list[str], dataset: Path) -> None:
    assert main(["evaluate", str(dataset), *more]) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has another way to end a process")
@pytest.mark.parametrize("how", ["once", "always"])
def test_a_scoring_process_that_dies_costs_its_record_at_most(
    how: str, dataset: Path, banded_model_file: Path, tmp_path: Path
) -> None:
    again = "mark.exists() or " if how == "once" else ""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, pathlib\n"
        "try:\n"
        "    from mecg.evaluation import evaluate\n"
        "    real = evaluate.Record\n"
        f"    mark = pathlib.Path({str(tmp_path / 'died')!r})\n"
        "    def record(path):\n"
        f"        if not ({again}path.parts[-2:] != ('1', '00155_hr')):\n"
        "            mark.touch()\n"
        "            os.kill(os.getpid(), 9)\n"
        "        return real(path)\n"
        "    evaluate.Record = record\n"
        "except ImportError:\n"
        "    pass\n"
    )
    root = RECORDINGS.parents[1]
    words = command(dataset, banded_model_file, "--jobs", "2", "--json", "--records", str(tmp_path / "r.csv"))
    run = subprocess.run(
        [sys.executable, "-m", "mecg", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(root)))},
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "died").exists()
    lost = {"1/00155_hr"} if how == "always" else set()
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == COPIES * len(NAMES) + 1
    skipped = {row["record"] for row in rows if row["status"] == "skipped" and row["note"]}
    assert skipped == {"1/missing"} | lost
    assert json.loads(run.stdout)["records"] == COPIES * len(NAMES) - len(lost)
