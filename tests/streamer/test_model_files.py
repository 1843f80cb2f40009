# SPDX-License-Identifier: GPL-3.0-or-later
"""A load has a bound in size and in time, takes regular files only, and ends on Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.core.errors import InputError
from streamer.formats.bounded_read import read_bounded
from streamer.formats.calibration_file import read_calibration
from streamer.model_files import load_model

LOOP = Path(__file__).parents[1] / "hostile" / "loop.onnx"


@pytest.mark.skipif(os.name == "nt", reason="pipes and devices of POSIX")
@pytest.mark.parametrize("read", [load_model, read_calibration])
def test_only_regular_files_of_some_size_are_read(tmp_path: Path, read: Callable[[Path], object]) -> None:
    pipe, sparse = tmp_path / "pipe", tmp_path / "sparse"
    os.mkfifo(pipe)
    with sparse.open("wb") as file:
        file.truncate(1 << 41)
    for path in (
        pipe,
        sparse,
        Path("/dev/zero"),
        tmp_path,
        tmp_path / ("x" * 300),
        Path("a\ud800"),
        Path("a\0"),
    ):
        began_s = time.monotonic()
        with pytest.raises((InputError, ValueError)):
            read(path)
        assert time.monotonic() - began_s < 1.0


def test_a_file_of_just_the_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1234")
    assert read_bounded(tmp_path / "file", 4) == b"1234"
    with pytest.raises(InputError):
        read_bounded(tmp_path / "file", 3)


def test_a_model_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.model_files.LOAD_S", 1.0)
    began_s = time.process_time()  # of the processor: a busy machine takes its time
    with pytest.raises(InputError):
        load_model(LOOP)
    assert time.process_time() - began_s < 3.0


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_a_model_that_never_ends_within_two_seconds() -> None:
    command = [sys.executable, "-m", "mecg", "info", "--model", str(LOOP)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as run:
        time.sleep(4.0)
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=2.0)
    assert run.returncode == 130 and "Traceback" not in err
