# SPDX-License-Identifier: GPL-3.0-or-later
"""A run on a Dask cluster of processes: the same bytes as here, whatever happens to workers and scheduler."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from mecg.__main__ import main
from tests.mecg.archive.local_cluster import (
    ALWAYS_KILLS,
    FULL,
    KILLS_AFTER_IT,
    KILLS_FIRST_TWO,
    KILLS_ONCE,
    ROOT,
    STOPS_ONCE,
    Cluster,
    local_cluster,
)
from tests.mecg.archive.many import archive, bytes_in, known_model, records_in

pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals of Linux")

NAMES = tuple(f"{i % 2}/r{i:02}" for i in range(30))
FIRST_DEATH = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
"""Dask says itself, at once, what a worker that died held."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records, a model, and in ``local`` what a run without a scheduler makes of them."""
    home = tmp_path_factory.mktemp("home")
    archive(home / "in", *NAMES)
    known_model(home)
    assert main(words(home, home / "local")) == 0
    return home


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with local_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def words(home: Path, out: Path, *more: str) -> list[str]:
    return ["reconstruct", str(home / "in"), "--out", str(out), "--model", str(home / "model.onnx"), *more]


def begun(home: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mecg", *words(home, out, *more)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def on(cluster: Cluster, home: Path, out: Path, *more: str) -> tuple[int, list[str]]:
    """Exit code, and the lines that were said."""
    with begun(home, out, "--scheduler", cluster.address, *more) as run:
        _, err = run.communicate(timeout=250)
    assert "Traceback" not in err and "distributed" not in err, err
    return run.returncode, [line for line in err.splitlines() if "/s, " not in line]


def complaints(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("mecg:")]


def wait_for(what: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 120
    while not what():
        assert time.monotonic() < until_s
        time.sleep(0.05)


def whole_so_far(out: Path, home: Path) -> bool:
    """All that stands under its own name is as it should be, a header's signals too."""
    right = bytes_in(home / "local")
    there = {name: data for name, data in bytes_in(out).items() if not name.endswith(".part")}
    headers = [name for name in there if name.endswith(".hea")]
    return all(right[name] == data for name, data in there.items()) and all(
        f"{name[:-4]}.dat" in there for name in headers
    )


@pytest.mark.parametrize("killed", [KILLS_ONCE, KILLS_AFTER_IT], ids=["before", "after"])
def test_a_worker_that_is_killed_costs_nothing_and_its_record_is_tried_once_more(
    killed: str, cluster: Cluster, home: Path, tmp_path: Path
) -> None:
    cluster.at("r05", killed)
    code, lines = on(cluster, home, tmp_path / "out", "--report", str(tmp_path / "r.csv"))
    assert code == 0, lines
    assert bytes_in(tmp_path / "out") == bytes_in(home / "local")
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = {Path(row["record"]).name: row for row in csv.DictReader(file)}
    assert len(rows) == len(NAMES) and {row["status"] for row in rows.values()} == {"done"}
    assert rows["r05"]["tries"] == "2"


def test_if_all_workers_die_at_once_the_next_ones_do_what_they_had(
    cluster: Cluster, home: Path, tmp_path: Path
) -> None:
    for name in NAMES:  # whichever are the first
        cluster.at(name[2:], KILLS_FIRST_TWO)
    code, lines = on(cluster, home, tmp_path / "out")
    for name in NAMES:
        (cluster.happens / name[2:]).unlink()
    (cluster.happens / "deaths").unlink()
    assert code == 0, lines
    assert bytes_in(tmp_path / "out") == bytes_in(home / "local")


def test_a_record_that_kills_every_worker_is_named_and_no_other(
    cluster: Cluster, home: Path, tmp_path: Path
) -> None:
    """Those that a worker held beside it died with it as often, and are done."""
    cluster.at("r07", ALWAYS_KILLS)
    code, lines = on(cluster, home, tmp_path / "out")
    (cluster.happens / "r07").unlink()
    assert code == 1
    (line,) = complaints(lines)
    assert "r07" in line
    assert records_in(tmp_path / "out") == set(NAMES) - {"1/r07"}
    assert whole_so_far(tmp_path / "out", home)


@pytest.mark.parametrize("there", [True, False], ids=["workers there", "workers yet to come"])
def test_the_run_goes_on_beside_a_worker_that_stands_still(
    there: bool, cluster: Cluster, home: Path, tmp_path: Path
) -> None:
    cluster.at("r03", STOPS_ONCE)  # a worker that stands still keeps what it has: three at most
    coming = nullcontext() if there else cluster.workers_killed(back_after_s=4.0)
    with coming, begun(home, tmp_path / "out", "--scheduler", cluster.address) as run:
        try:
            wait_for(lambda: len(records_in(tmp_path / "out")) >= len(NAMES) - 4)
        finally:
            for worker in cluster.workers():
                worker.send_signal(signal.SIGCONT)
        run.communicate(timeout=250)
    assert run.returncode == 0
    assert bytes_in(tmp_path / "out") == bytes_in(home / "local")


def test_a_full_disk_ends_the_run_in_a_line_and_the_next_one_completes_it(
    cluster: Cluster, home: Path, tmp_path: Path
) -> None:
    for name in NAMES[20:]:
        cluster.at(name[2:], FULL)
    code, lines = on(cluster, home, tmp_path / "out")
    for name in NAMES[20:]:
        (cluster.happens / name[2:]).unlink()
    assert code == 1
    assert "not tried" in lines[-1] and "--skip-existing" in lines[-1]
    assert whole_so_far(tmp_path / "out", home)
    assert on(cluster, home, tmp_path / "out", "--skip-existing")[0] == 0
    assert bytes_in(tmp_path / "out") == bytes_in(home / "local")


def test_workers_keep_nothing_of_a_run_whose_client_was_killed(
    cluster: Cluster, home: Path, tmp_path: Path
) -> None:
    cluster.at("r20", STOPS_ONCE)
    with begun(home, tmp_path / "out", "--scheduler", cluster.address) as run:
        wait_for(lambda: not (cluster.happens / "r20").exists())
        held = "found = client.run(lambda: len(__import__('mecg.archive.cluster').archive.cluster._networks))"
        run.kill()
        run.communicate()
    for worker in cluster.workers():
        worker.send_signal(signal.SIGCONT)
    tasks = "found = client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))"
    wait_for(lambda: cluster.asked(tasks) == 0)
    wait_for(lambda: set(dict(cluster.asked(held)).values()) == {0})  # type: ignore[call-overload]
    assert on(cluster, home, tmp_path / "out", "--skip-existing")[0] == 0
    assert bytes_in(tmp_path / "out") == bytes_in(home / "local")


def test_if_the_scheduler_goes_away_the_run_ends_in_a_line_and_goes_on_without_it(
    home: Path, tmp_path: Path
) -> None:
    with local_cluster(tmp_path / "cluster") as cluster:
        # Whichever record of the second folder is begun first: by then some of the first are reported, and of
        # the second only those that the workers have can still be done.
        for name in NAMES[1::2]:
            cluster.at(name[2:], f"os.kill({cluster.process}, 9)")
        code, lines = on(cluster, home, tmp_path / "out")
    assert code == 1
    (line,) = complaints(lines)
    assert cluster.address in line and "--skip-existing" in line
    assert whole_so_far(tmp_path / "out", home)
    assert len(records_in(tmp_path / "out")) < len(NAMES)
    assert main(words(home, tmp_path / "out", "--skip-existing")) == 0
    left = [name for name in bytes_in(tmp_path / "out") if name.endswith(".part")]
    assert {n: b for n, b in bytes_in(tmp_path / "out").items() if n not in left} == bytes_in(home / "local")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "none://127.0.0.1:9", "tcp://"])
def test_no_scheduler_is_one_line(address: str, home: Path, tmp_path: Path) -> None:
    before = "from mecg.archive import cluster\ncluster.CONNECT_S = 0.5\n"
    code, lines = after(before, *words(home, tmp_path / "out", "--scheduler", address))
    assert code == 2
    assert len(lines) == 1, lines
    assert not (tmp_path / "out").exists()


def test_workers_of_another_version_do_no_record(cluster: Cluster, home: Path, tmp_path: Path) -> None:
    before = "import mecg\nmecg.__version__ = '0.0.1'\n"
    code, lines = after(before, *words(home, tmp_path / "out", "--scheduler", cluster.address))
    assert code == 2
    assert sum(line.endswith("not 0.0.1: install the same") for line in lines) == len(NAMES)
    assert not list((tmp_path / "out").rglob("*.hea"))


def after(lines: str, *command: str) -> tuple[int, list[str]]:
    """Exit code and words of a command in a program that has run these lines."""
    script = f"import sys\n{lines}from mecg.__main__ import main\nsys.exit(main(sys.argv[1:]))"
    run = subprocess.run([sys.executable, "-c", script, *command], cwd=ROOT, capture_output=True, text=True)
    return run.returncode, run.stderr.splitlines()


@pytest.mark.long
def test_a_bad_file_among_a_thousand_is_named_and_all_others_are_done(tmp_path: Path) -> None:
    names = tuple(f"{i % 10}/r{i:03}" for i in range(1000))
    archive(tmp_path / "in", *names)
    known_model(tmp_path)
    (tmp_path / "in" / "7" / "r567.dat").write_bytes(b"cut")
    with local_cluster(tmp_path / "cluster", FIRST_DEATH) as cluster:
        for name in ("r100", "r400", "r900"):
            cluster.at(name, KILLS_ONCE)
        code, lines = on(cluster, tmp_path, tmp_path / "out", "--report", str(tmp_path / "r.csv"))
    assert code == 1
    (line,) = complaints(lines)
    assert "r567" in line
    assert records_in(tmp_path / "out") == set(names) - {"7/r567"}
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({row["record"] for row in rows}) == 1000
    assert main(words(tmp_path, tmp_path / "local")) == 1
    assert bytes_in(tmp_path / "out") == bytes_in(tmp_path / "local")


_SMALL_DISK = """
mount -t tmpfs -o size=800k none "$OUT" || exit 99
$MECG --scheduler "$ADDRESS"; echo "code $?"
cp -r "$OUT" "$OUT-full"
mount -o remount,size=64m "$OUT"
$MECG --scheduler "$ADDRESS" --skip-existing; echo "code $?"
cp -r "$OUT" "$OUT-whole"
"""


@pytest.mark.long
def test_a_real_disk_that_fills(home: Path, tmp_path: Path) -> None:
    """A small file system that only these processes see, workers among them."""
    out = tmp_path / "out"
    out.mkdir()
    inner = tmp_path / "inner.py"
    inner.write_text(
        "import os, subprocess, sys\nfrom pathlib import Path\n"
        "from tests.mecg.archive.local_cluster import local_cluster\n"
        "script, folder = sys.argv[1:]\n"
        "subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=800k', 'none', os.environ['OUT']], check=True)\n"
        "with local_cluster(Path(folder)) as cluster:\n"
        "    env = os.environ | {'ADDRESS': cluster.address}\n"
        "    sys.exit(subprocess.run(['bash', '-c', script], env=env).returncode)\n"
    )
    mecg = " ".join([sys.executable, "-m", "mecg", *words(home, out)])
    script = _SMALL_DISK.partition("exit 99")[2]
    run = subprocess.run(
        ["unshare", "-rm", sys.executable, str(inner), script, str(tmp_path / "cluster")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OUT": str(out), "MECG": mecg},
        capture_output=True,
        text=True,
        check=False,
    )
    if "code" not in run.stdout:
        pytest.skip(f"no file system can be mounted here: {run.stderr.strip()[-200:]}")
    assert run.stdout.split() == ["code", "1", "code", "0"], run.stderr
    assert "no room" in run.stderr and "Traceback" not in run.stderr
    assert whole_so_far(Path(f"{out}-full"), home)
    assert bytes_in(Path(f"{out}-whole")) == bytes_in(home / "local")
