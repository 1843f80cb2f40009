# SPDX-License-Identifier: GPL-3.0-or-later
"""A run over many records: what is done, what is left out, what is said and written of each."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mecg.__main__ import main
from mecg.archive.report import COLUMNS
from tests.mecg.archive.many import archive, bytes_in, children_of, known_model, records_in

NAMES = tuple(f"{i % 2}/r{i}" for i in range(6))


def command(tmp_path: Path, *more: str) -> list[str]:
    model = tmp_path / "model.onnx"
    if not model.exists():
        known_model(tmp_path)
    return ["reconstruct", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--model", str(model), *more]


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert len({row["record"] for row in found}) == len(found)
    return {Path(row["record"]).name: row for row in found}


def test_a_second_run_does_what_the_first_did_not_and_changes_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive(tmp_path / "in", *NAMES)
    assert main(command(tmp_path, "--limit", "2")) == 0
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.hea")}
    assert len(before) == 2
    capsys.readouterr()
    assert main(command(tmp_path, "--skip-existing")) == 0
    assert records_in(tmp_path / "out") == set(NAMES)
    assert {p: p.stat().st_mtime_ns for p in before} == before
    capsys.readouterr()
    assert main(command(tmp_path, "--skip-existing")) == 0
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_record_without_its_header_is_done_again(tmp_path: Path) -> None:
    archive(tmp_path / "in", "x")
    assert main(command(tmp_path)) == 0
    whole = bytes_in(tmp_path / "out")
    (tmp_path / "out" / "x.hea").unlink()  # as if killed between the two
    assert main(command(tmp_path, "--skip-existing")) == 0
    assert bytes_in(tmp_path / "out") == whole


def test_the_exit_code_says_whether_all_some_or_none_went_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive(tmp_path / "in", *NAMES)
    (tmp_path / "in" / "1" / "r1.dat").write_bytes(b"cut")
    assert main(command(tmp_path)) == 1
    failed = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mecg:")]
    assert len(failed) == 1 and failed[0].count("1/r1") == 1  # the record, once, whatever the reason says
    assert records_in(tmp_path / "out") == set(NAMES) - {"1/r1"}
    assert main(command(tmp_path)) == 2  # all are there, or bad
    there = [line for line in capsys.readouterr().err.splitlines() if " exists: " in line]
    assert len(there) == 5 and all("--skip-existing" in line and "--force" in line for line in there)
    assert main(command(tmp_path, "--skip-existing", "--force")) == 2
    assert main(command(tmp_path, "--shard", "41/40")) == 2


def test_the_report_has_a_row_for_each_record_over_all_runs(tmp_path: Path) -> None:
    archive(tmp_path / "in", *NAMES)
    bad = tmp_path / "in" / "1" / "r1.dat"
    good = bad.read_bytes()
    bad.write_bytes(b"cut")
    report = tmp_path / "report.csv"
    assert main(command(tmp_path, "--limit", "1")) == 0
    assert main(command(tmp_path, "--skip-existing", "--report", str(report))) == 1
    first = rows(report)
    assert {name: row["status"] for name, row in first.items()} == {
        "r0": "there", "r1": "failed", "r2": "done", "r3": "done", "r4": "done", "r5": "done"
    }  # fmt: skip
    assert first["r1"]["note"] and not first["r2"]["note"]
    assert (first["r2"]["samples"], first["r2"]["duration_s"], first["r2"]["rate_hz"]) == (
        "5000", "10.000", "500"
    )  # fmt: skip
    assert first["r2"]["quality"] == "good" and 40 < float(first["r2"]["heart_rate_bpm"]) < 120
    bad.write_bytes(good)
    with report.open("a") as file:
        file.write("torn")  # a run was killed while it wrote
    assert main(command(tmp_path, "--skip-existing", "--report", str(report))) == 0
    second = rows(report)
    assert second == first | {"r1": second["r1"]} and second["r1"]["status"] == "done"
    assert main(command(tmp_path, "--force", "--report", str(tmp_path / "report.txt"))) == 2
    assert main(command(tmp_path, "--report", str(report))) == 2  # it is there


def test_the_report_as_parquet_says_the_same(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    archive(tmp_path / "in", *NAMES)
    report = tmp_path / "report.parquet"
    assert main(command(tmp_path, "--limit", "2", "--report", str(report))) == 0
    assert main(command(tmp_path, "--skip-existing", "--report", str(report))) == 0
    table = parquet.read_table(report)
    assert table.column_names == list(COLUMNS) and table.num_rows == len(NAMES)
    assert set(table.column("status").to_pylist()) == {"done"}
    assert table.column("samples").to_pylist() == [5000] * len(NAMES)
    assert [path.name for path in tmp_path.iterdir() if "report" in path.name] == ["report.parquet"]


def test_without_pyarrow_a_report_in_parquet_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    archive(tmp_path / "in", "x")
    words = command(tmp_path, "--report", str(tmp_path / "r.parquet"))
    probe = (
        f"import sys; sys.modules['pyarrow'] = None; from mecg.__main__ import main; sys.exit(main({words}))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "mecg-streamer[parquet]" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_full_disk_ends_the_run_and_says_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive(tmp_path / "in", *NAMES)
    synced = iter([0, 0, 0, 1])

    def full(fd: int) -> None:
        if next(synced):
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        assert main(command(tmp_path)) == 1
    err = capsys.readouterr().err
    assert "2 records not tried" in err and "--skip-existing" in err
    assert len(records_in(tmp_path / "out")) == 3 and not list(tmp_path.rglob("*.part"))
    assert main(command(tmp_path, "--skip-existing")) == 0
    assert records_in(tmp_path / "out") == set(NAMES)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for a process's children")
def test_a_process_that_is_killed_costs_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    archive(tmp_path / "in", *(f"r{i:02}" for i in range(40)))
    words = command(tmp_path, "--jobs", "2")
    with subprocess.Popen([sys.executable, "-m", "mecg", *words], stderr=subprocess.PIPE, text=True) as run:
        deadline_s = time.monotonic() + 120
        while len(records_in(tmp_path / "out")) < 6 and time.monotonic() < deadline_s:
            time.sleep(0.02)
        victims = [child for child in children_of(run.pid) if _serves(child)]
        os.kill(victims[0], signal.SIGKILL)
        _, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    assert len(records_in(tmp_path / "out")) == 40
    assert not list(tmp_path.rglob("*.part"))


def _serves(process: int) -> bool:
    return "spawn_main" in Path(f"/proc/{process}/cmdline").read_text()


def test_a_record_that_kills_who_does_it_is_tried_twice_and_named(tmp_path: Path) -> None:
    archive(tmp_path / "in", *NAMES)
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "try:\n"
        "    from mecg.archive import record\n"
        "    real = record.FileReplay\n"
        "    def replay(path, **rest):\n"
        "        if path.name == 'r3':\n"
        "            os.kill(os.getpid(), 9)\n"
        "        return real(path, **rest)\n"
        "    record.FileReplay = replay\n"
        "except ImportError:\n"
        "    pass\n"
    )
    root = Path(__file__).parents[3]
    run = subprocess.run(
        [sys.executable, "-m", "mecg", *command(tmp_path, "--jobs", "2", "--report", f"{tmp_path}/r.csv")],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(root)))},
    )
    assert run.returncode == 1, run.stderr
    named = [line for line in run.stderr.splitlines() if line.startswith("mecg:")]
    assert len(named) == 1 and "r3" in named[0]
    assert records_in(tmp_path / "out") == set(NAMES) - {"1/r3"}
    row = rows(tmp_path / "r.csv")["r3"]
    assert (row["status"], row["tries"]) == ("failed", "2")


def test_the_unfinished_files_of_a_run_that_was_killed_are_removed_and_no_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive(tmp_path / "in", "x")
    out = tmp_path / "out"
    out.mkdir()
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    left = out / f".y.{gone.stdout.strip()}.part"
    living = out / f".z.{os.getpid()}.part"
    for path in (left, living):
        path.write_bytes(b"half")
        os.utime(path, (time.time() - 5, time.time() - 5))
    assert main(command(tmp_path)) == 0
    assert "1 unfinished file" in capsys.readouterr().err
    assert living.exists() and not left.exists()
