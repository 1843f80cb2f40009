# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 at a random moment: what has its own name is whole, and the same command again ends well."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from streamer.recording.folder import summary
from streamer.recording.reader import Recording

ROOT = Path(__file__).parents[3]
RECORDS = sorted((ROOT / "recordings" / "ptb-xl").glob("*.hea"))
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has another way to end a process")

TURNS = [2, pytest.param(34, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
"""34 of three kinds, and 50 of recordings beside them."""


def mecg(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mecg", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def whole(*arguments: str) -> float:
    """Run it to its end; returns how long it took."""
    began_s = time.monotonic()
    assert mecg(*arguments).wait() == 0
    return time.monotonic() - began_s


def killed(after_s: float, *arguments: str) -> None:
    process = mecg(*arguments)
    time.sleep(after_s)
    process.kill()
    process.wait()


def contents(folder: Path) -> dict[str, str]:
    """What stands under its own name, by its digest."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    own = (name for name in names if not any(part.endswith(".part") for part in name.parts))
    return {str(name): hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in own}


def aged(folder: Path) -> None:
    """What a run began looks a minute old: a younger one may not have its lock yet, and stays."""
    for part in parts(folder):
        os.utime(part, (time.time() - 120,) * 2)


def parts(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith(".part")]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("session")
    source = ["stream", "synthetic:?rate=500&seconds=120", "--speed", "max"]
    assert whole(*source, "--record", str(folder)) > 0
    (path,) = folder.glob("*.xdf")
    return path


@pytest.mark.parametrize("turns", TURNS)
def test_a_killed_reconstruct_leaves_whole_records_and_goes_on(turns: int, tmp_path: Path) -> None:
    records = [str(path.with_suffix("")) for path in RECORDS]
    took_s = whole("reconstruct", *records, "--out", str(tmp_path / "expected"))
    expected = contents(tmp_path / "expected")
    for turn, share in enumerate(np.random.default_rng().uniform(0.3, 1.0, turns)):
        out = tmp_path / str(turn)
        killed(share * took_s, "reconstruct", *records, "--out", str(out))
        left = contents(out) if out.exists() else {}
        # A record is there once its header is: until then its signal files have no name of their own, or no
        # header that names them.
        for name in (name for name in left if name.endswith(".hea")):
            assert left[name] == expected[name]
            assert left[name.replace(".hea", ".dat")] == expected[name.replace(".hea", ".dat")]
        aged(out)
        assert whole("reconstruct", *records, "--out", str(out), "--force") > 0
        assert contents(out) == expected and not parts(out)
        shutil.rmtree(out)


@pytest.mark.parametrize("turns", TURNS)
def test_a_killed_export_leaves_all_files_or_none(turns: int, session: Path, tmp_path: Path) -> None:
    kinds = ("edf", "wfdb", "csv")
    took_s = {}
    for kind in kinds:
        arguments = ["export", str(session), "--format", kind, "--out", str(tmp_path / f"expected-{kind}")]
        took_s[kind] = whole(*arguments)
    expected = {kind: contents(tmp_path / f"expected-{kind}") for kind in kinds}
    for turn, share in enumerate(np.random.default_rng().uniform(0.3, 1.0, turns)):
        kind, out = kinds[turn % len(kinds)], tmp_path / str(turn)
        arguments = ["export", str(session), "--format", kind, "--out", str(out)]
        killed(share * took_s[kind], *arguments)
        left = contents(out) if out.exists() else {}
        assert all(expected[kind][name] == digest for name, digest in left.items())
        aged(out)
        assert whole(*arguments, "--force") > 0
        assert contents(out) == expected[kind] and not parts(out)
        shutil.rmtree(out)


@pytest.mark.parametrize("turns", TURNS)
def test_a_killed_repair_loses_nothing(turns: int, session: Path, tmp_path: Path) -> None:
    content = session.read_bytes()
    broken = content[: int(0.9 * len(content))]

    def damaged(name: str) -> Path:
        path = tmp_path / name / session.name
        path.parent.mkdir()
        path.write_bytes(broken)
        return path

    with Recording.open(damaged("raw")) as recording:
        raw = recording.raw_mv(0, recording.raw_stop)
    took_s = whole("repair", str(damaged("timed")))
    for turn, share in enumerate(np.random.default_rng().uniform(0.3, 1.0, turns)):
        path = damaged(str(turn))
        killed(share * took_s, "repair", str(path))
        assert any(each.read_bytes() == broken for each in path.parent.iterdir()), "what was there is gone"
        assert whole("repair", str(path.parent / path.name)) > 0
        assert summary(path).state == "complete"
        with Recording.open(path) as recording:
            assert recording.raw_mv(0, recording.raw_stop).tobytes() == raw.tobytes()
        shutil.rmtree(path.parent)
