# SPDX-License-Identifier: GPL-3.0-or-later
"""A Dask LocalCluster of two processes in a process of its own, and what befalls its workers at a record."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[3]

_CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    how = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    cluster = LocalCluster(local_directory=sys.argv[1], **how)
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
    cluster.close()
"""

_AT_A_RECORD = """
import os, sys, time
from pathlib import Path
late = Path(os.environ["HAPPENS"]) / "late"
if late.exists():
    time.sleep(float(late.read_text()))
if any("spawn_main" in word for word in sys.orig_argv):
    from mecg.archive import record
    real = record.FileReplay
    def replay(path, **rest):
        happens = Path(os.environ["HAPPENS"]) / path.name
        if happens.exists():
            exec(happens.read_text())
        return real(path, **rest)
    record.FileReplay = replay
"""

ALWAYS_KILLS = "os.kill(os.getpid(), 9)"
KILLS_ONCE = "happens.unlink(); os.kill(os.getpid(), 9)"
KILLS_AFTER_IT = (
    "happens.unlink()\nfrom mecg.archive import cluster\ncluster.get_worker = lambda: os.kill(os.getpid(), 9)"
)
"""The record is written, and the scheduler has not heard of it."""
KILLS_FIRST_TWO = """
with (happens.parent / "deaths").open("ab") as deaths:
    deaths.write(b"x")
    deaths.flush()
    if deaths.tell() <= 2:
        os.kill(os.getpid(), 9)
"""
STOPS_ONCE = "happens.unlink(); os.kill(os.getpid(), 19)"
FULL = "raise OSError(28, 'No space left on device')"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running one."""

    address: str
    process: int
    """The scheduler's."""
    happens: Path

    def workers(self) -> list[psutil.Process]:
        """Its workers' processes."""
        children = psutil.Process(self.process).children()
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]

    def at(self, record: str, what: str) -> None:
        """Let this happen where a worker begins a record of this name."""
        (self.happens / record).write_text(what)

    @contextmanager
    def workers_killed(self, back_after_s: float) -> Iterator[None]:
        """Kill all; each that is started again within this block comes so late."""
        late = self.happens / "late"
        late.write_text(str(back_after_s))
        for worker in self.workers():
            worker.kill()
        try:
            yield
        finally:
            late.unlink()

    def asked(self, code: str) -> object:
        """What a client finds out: ``code`` sets ``found`` by means of ``client``."""
        script = (
            "import json, sys\nfrom distributed import Client\n"
            f"client = Client(sys.argv[1])\n{code}\nprint(json.dumps(found))\n"
        )
        command = [sys.executable, "-c", script, self.address]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)


@contextmanager
def local_cluster(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """Start one; ``settings`` are environment variables, by which Dask is configured."""
    happens, site = folder / "happens", folder / "site"
    happens.mkdir(parents=True)
    site.mkdir()
    (site / "sitecustomize.py").write_text(_AT_A_RECORD)
    (folder / "cluster.py").write_text(_CLUSTER)
    path = os.pathsep.join((str(site), str(ROOT)))
    slow = {"DASK_DISTRIBUTED__DEPLOY__LOST_WORKER_TIMEOUT": "300s"}  # a worker on a busy machine comes back
    environment = os.environ | slow | {"PYTHONPATH": path, "HAPPENS": str(happens)} | dict(settings or {})
    command = [sys.executable, str(folder / "cluster.py"), str(folder / "scratch")]
    with (folder / "cluster.log").open("w") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, (folder / "cluster.log").read_text()
        yield Cluster(address, process.pid, happens)
    finally:
        with process:
            os.killpg(process.pid, signal.SIGKILL)
