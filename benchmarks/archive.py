# SPDX-License-Identifier: GPL-3.0-or-later
"""A run over an archive that is killed on the way: nothing lost, nothing twice, no byte changed, memory flat.

``python -m benchmarks.archive PTB-XL`` reconstructs it undisturbed, then with two jobs and with Dask, killing
a worker and the main process twice each at moments of chance, and resuming with ``--skip-existing``.
"""

from __future__ import annotations

import argparse
import csv
import filecmp
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.measure import ROOT

KILLS = 2
"""Of workers and of the main process each, on every way."""
LOOK_S = 1.0
GROWTH_MB = 20.0
"""What a process may grow by between the first and the last third of its samples."""

_CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


@dataclass(slots=True)
class Way:
    """What one way of doing it gave."""

    name: str
    seconds: float = 0.0
    kills: list[str] = field(default_factory=list)
    memory_mb: dict[int, list[float]] = field(default_factory=dict)
    """Of each process, as it was sampled."""
    kinds: dict[int, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def sampled(self, process: psutil.Process, kind: str) -> None:
        """Note what a process holds now."""
        with suppress(psutil.Error):
            self.memory_mb.setdefault(process.pid, []).append(process.memory_info().rss / 1e6)
            self.kinds[process.pid] = kind

    def memory(self) -> str:
        """The most of each kind, and what a process grew by at most once it was warm."""
        said = []
        for kind in sorted(set(self.kinds.values())):
            series = [mb for pid, mb in self.memory_mb.items() if self.kinds[pid] == kind]
            grown = max((_growth(mb) for mb in series), default=0.0)
            if grown > GROWTH_MB:
                self.wrong.append(f"a {kind} grew by {grown:.0f} MB")
            said.append(f"{kind} {max(map(max, series)):.0f} MB, {grown:+.0f} MB on the way")
        return "; ".join(said)


def _growth(mb: Sequence[float]) -> float:
    third = len(mb) // 3
    return max(mb[-third:]) - max(mb[third : 2 * third]) if third > 2 else 0.0


def command(dataset: Path, out: Path, limit: int | None, *more: str) -> list[str]:
    """`mecg reconstruct` over the data set."""
    few = [] if limit is None else ["--limit", str(limit)]
    return [sys.executable, "-m", "mecg", "reconstruct", str(dataset), "--out", str(out), *few, *more]


def headers(out: Path) -> int:
    """Records that are whole: all files but those of bands."""
    found = 0
    for _, _, names in os.walk(out):
        found += sum(name.endswith(".hea") and not name.endswith("_band.hea") for name in names)
    return found


def disturbed(
    way: Way,
    run: Sequence[str],
    out: Path,
    records: int,
    workers: Callable[[psutil.Process], list[psutil.Process]],
) -> None:
    """Run it to its end, again and again, and kill on the way."""
    moments = sorted(random.sample(range(records // 20, records * 9 // 10), 2 * KILLS))
    victims = ["worker", "main"] * KILLS
    began_s = time.monotonic()
    while True:
        main = psutil.Popen([*run], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        while main.poll() is None:
            way.sampled(main, "main")
            for worker in workers(main):
                way.sampled(worker, "worker")
            if moments and (there := headers(out)) >= moments[0]:
                with suppress(psutil.Error, IndexError):  # there may be no worker yet
                    (main if victims[0] == "main" else random.choice(workers(main))).kill()
                    way.kills.append(f"{victims.pop(0)} at {there}")
                    moments.pop(0)
            with suppress(subprocess.TimeoutExpired):
                main.communicate(timeout=LOOK_S)
        if main.returncode == 0:
            way.seconds = time.monotonic() - began_s
            if moments:
                way.wrong.append("it was over before it could be killed as often as meant: take more records")
            return
        if main.returncode > 0:
            way.wrong.append(f"ended with {main.returncode}")
            return


def check(way: Way, out: Path, undisturbed: Path, report: Path, records: int) -> None:
    """Nothing lost, nothing twice, the same bytes, nothing left over."""
    there, expected = _files(out), _files(undisturbed)
    if there != expected:
        way.wrong.append(f"{len(expected - there)} files are missing, {len(there - expected)} too many")
    _, changed, unread = filecmp.cmpfiles(undisturbed, out, sorted(there & expected), shallow=False)
    if changed or unread:
        way.wrong.append(f"{len(changed) + len(unread)} files differ")
    with report.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if len(rows) != records or len({row["record"] for row in rows}) != records:
        way.wrong.append(f"the report has {len(rows)} rows")
    if failed := [row["record"] for row in rows if row["status"] == "failed"]:
        way.wrong.append(f"{len(failed)} failed")


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _spawned(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return [child for child in process.children() if "spawn_main" in " ".join(child.cmdline())]
    return []


@contextmanager
def _cluster(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    script = folder / "cluster.py"
    script.write_text(_CLUSTER)
    settings = {
        "DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "5min",
        "DASK_TEMPORARY_DIRECTORY": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = psutil.Popen([sys.executable, script], env=os.environ | settings, text=True, **pipes)
    try:
        yield process.stdout.readline().strip(), process
    finally:
        for worker in _spawned(process):
            worker.kill()
        process.kill()
        process.communicate()


def main() -> int:
    """Do it both ways and print; 1 if anything was lost, done twice or changed, or memory grew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archive", description=__doc__)
    parser.add_argument("dataset", type=Path, metavar="PTB-XL")
    parser.add_argument("--limit", type=int, metavar="N", help="no more than N records")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where the results go for the time of it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        home = Path(folder)
        began_s = time.monotonic()
        plain = command(options.dataset, home / "undisturbed", options.limit, "--jobs", "2")
        subprocess.run(plain, check=True, stderr=subprocess.DEVNULL)
        records = headers(home / "undisturbed")
        print(f"undisturbed, two jobs: {records} records in {time.monotonic() - began_s:.0f} s", flush=True)
        ways = [Way("two jobs"), Way("Dask, two processes")]
        for number, way in enumerate(ways):
            out, report = home / f"out{number}", home / f"report{number}.csv"
            more = ["--skip-existing", "--report", str(report)]
            if number == 0:
                run = command(options.dataset, out, options.limit, "--jobs", "2", *more)
                disturbed(way, run, out, records, _spawned)
            else:
                with _cluster(home) as (address, cluster):
                    run = command(options.dataset, out, options.limit, "--scheduler", address, *more)
                    disturbed(way, run, out, records, lambda main, cluster=cluster: _spawned(cluster))
            check(way, out, home / "undisturbed", report, records)
            memory = way.memory()
            print(f"{way.name}: {way.seconds:.0f} s; killed: {', '.join(way.kills)}; {memory}")
            print(f"  {'; '.join(way.wrong) or 'nothing lost, nothing twice, the same bytes'}", flush=True)
    return int(any(way.wrong for way in ways))


if __name__ == "__main__":
    sys.exit(main())
