# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input gets one line and exit code 2, and leaves nothing half-written."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from mecg.__main__ import main
from mecg.app.session_builder import BUNDLED_RECORDING
from tests.streamer.known_network import scaled_identity

GOOD = str(BUNDLED_RECORDING)


def record(folder: Path, header: str | bytes, signal_bytes: bytes | None = None) -> str:
    path = folder / "r.hea"
    path.write_bytes(header if isinstance(header, bytes) else header.encode())
    if signal_bytes is not None:
        (folder / "r.dat").write_bytes(signal_bytes)
    return str(folder / "r")


def one_lead(rate: str = "500", samples: int = 1000, file: str = "r.dat") -> str:
    return f"r 1 {rate} {samples}\n{file} 16 1000(0)/mV 16 0 0 0 0 I\n"


NOISE = np.random.default_rng(5).bytes(400)
ZEROS = bytes(2000)

BAD_RECORDS: dict[str, Callable[[Path], str]] = {
    "no such file": lambda d: str(d / "nothing"),
    "a folder": str,
    "an empty name": lambda d: "",
    "an unknown scheme": lambda d: "modem:/dev/ttyUSB0",
    "a web address": lambda d: "https://example.org/r.hea",
    "no lead I": lambda d: record(d, one_lead().replace(" I\n", " V5\n"), ZEROS),
    "nothing but NaN": lambda d: record(d, one_lead(), np.full(1000, -32768, "<i2").tobytes()),
    "a truncated .dat": lambda d: record(d, one_lead(), ZEROS[:501]),
    "an empty .dat": lambda d: record(d, one_lead(), b""),
    "no .dat": lambda d: record(d, one_lead()),
    "a header of noise": lambda d: record(d, NOISE, ZEROS),
    "an empty header": lambda d: record(d, b"", ZEROS),
    "a rate of 5 Hz": lambda d: record(d, one_lead(rate="5"), ZEROS),
    "a rate of nothing": lambda d: record(d, one_lead(rate="nan"), ZEROS),
    "a signal outside the folder": lambda d: record(d, one_lead(file="../r.dat"), ZEROS),
    "a signal with an absolute path": lambda d: record(d, one_lead(file="/etc/passwd"), ZEROS),
    "a signal at a web address": lambda d: record(d, one_lead(file="https://example.org/r.dat"), ZEROS),
}


def says_one_line(err: str) -> None:
    assert len(err.splitlines()) == 1, err
    assert err.startswith("mecg")
    assert "Traceback" not in err
    assert len(err) < 400


@pytest.mark.parametrize("what", BAD_RECORDS)
def test_a_bad_record(
    what: str, model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    source, out = BAD_RECORDS[what](folder), tmp_path / "out"
    model = ["--model", str(model_file)]
    assert main(["stream", source, *model]) == 2
    says_one_line(capsys.readouterr().err)
    assert main(["reconstruct", source, "--out", str(out), *model]) == 2
    says_one_line(capsys.readouterr().err)
    assert not out.exists()


def without_metadata() -> bytes:
    model = onnx.load_from_string(scaled_identity())
    del model.metadata_props[:]
    return bytes(model.SerializeToString())


BAD_MODELS: dict[str, Callable[[], bytes]] = {
    "no ONNX file": lambda: NOISE,
    "an empty file": lambda: b"",
    "no metadata": without_metadata,
    "a rate of 5 Hz": lambda: scaled_identity(rate_hz=5),
    "inputs that don't fit": lambda: scaled_identity(channels=["measured"]),
    "outputs that don't fit": lambda: scaled_identity(leads=["II", "V1", "V2", "V3", "V4", "V5", "V6"]),
    "a scale that it lacks": lambda: scaled_identity(has_scale=True),
    "a window shorter than its hop": lambda: scaled_identity(window=8),
}


@pytest.mark.parametrize("what", BAD_MODELS)
def test_a_bad_model(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(BAD_MODELS[what]())
    out = tmp_path / "out"
    for command in (["stream", GOOD], ["info"], ["reconstruct", GOOD, "--out", str(out)]):
        assert main([*command, "--model", str(path)]) == 2
        error = capsys.readouterr().err
        says_one_line(error)
        assert str(path) in error
    assert not out.exists()


@pytest.mark.parametrize("name", ["nothing.onnx", "."])
def test_a_model_that_is_not_there(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--model", str(tmp_path / name)]) == 2
    says_one_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["nonsense"],
        ["stream", "--nonsense"],
        ["stream", "--seconds", "-1"],
        ["stream", "--seconds", "nan"],
        ["stream", "--speed", "fast"],
        ["stream", "--placement", "ear"],
        ["reconstruct", GOOD],
        ["reconstruct", GOOD, "--out", "o", "--jobs", "0"],
        ["reconstruct", "synthetic:", "--out", "o"],
        ["evaluate", "nowhere"],
        ["evaluate", "nowhere", "--folds", "0"],
        ["evaluate", "nowhere", "--folds", "nine"],
    ],
)
def test_wrong_usage(
    command: list[str], model_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.model_files.bundled_model", lambda latency="low": model_file)
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert out == ""
    says_one_line(err)


def test_records_that_would_overwrite_one_another_or_themselves_are_refused(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Path(GOOD).parent
    model = ["--model", str(model_file)]
    assert main(["reconstruct", GOOD, f"{GOOD}.hea", "--out", str(tmp_path / "out"), *model]) == 2
    says_one_line(capsys.readouterr().err)
    assert main(["reconstruct", "a/x", "a/x_band", "--out", str(tmp_path / "out"), *model]) == 2
    error = capsys.readouterr().err
    says_one_line(error)
    assert "would both become" in error and "x_band" in error
    before = (here / "s0010_re.hea").read_bytes()
    assert main(["reconstruct", GOOD, "--out", str(here), "--force", *model]) == 2
    says_one_line(capsys.readouterr().err)
    assert (here / "s0010_re.hea").read_bytes() == before
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    out = tmp_path / "file" / "out"
    assert main(["reconstruct", GOOD, "--out", str(out), "--model", str(model_file)]) == 2
    says_one_line(capsys.readouterr().err)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_fills_leaves_nothing_half_written(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    out = tmp_path / "out"
    assert main(["reconstruct", GOOD, "--out", str(out), "--model", str(model_file)]) == 2
    error = capsys.readouterr().err
    says_one_line(error)
    assert "No space left" in error
    assert not out.exists()


def test_an_installation_without_recordings_asks_for_a_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mecg.app.session_builder.BUNDLED_RECORDING", tmp_path / "s0010_re")
    assert main(["stream"]) == 2
    error = capsys.readouterr().err
    says_one_line(error)
    assert "name a SOURCE" in error


def test_the_real_program_ends_with_code_2_and_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mecg", "stream", str(tmp_path / "nothing")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    says_one_line(done.stderr)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has another way to interrupt")
def test_ctrl_c_ends_cleanly_with_code_130_within_two_seconds(model_file: Path) -> None:
    command = [sys.executable, "-m", "mecg", "stream", "synthetic:", "--json", "--model", str(model_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as stream:
        assert stream.stdout is not None
        lines = [stream.stdout.readline() for _ in range(20)]
        stream.send_signal(signal.SIGINT)
        began = time.monotonic()
        out, err = stream.communicate(timeout=10)
        assert time.monotonic() - began < 2.5
    assert stream.returncode == 130
    assert "Traceback" not in err
    assert all(json.loads(line) for line in [*lines, *out.splitlines()])  # none cut in the middle


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has another way to interrupt")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_leaves_no_half_written_record(jobs: str, model_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    long = tmp_path / "long.hea"
    long.write_text("long 1 500 60000000\nlong.dat 16 1000(0)/mV 16 0 0 0 0 I\n")
    with (tmp_path / "long.dat").open("wb") as file:
        file.truncate(120_000_000)  # 33 hours of zeros
    records = [str(long), GOOD]
    command = [sys.executable, "-m", "mecg", "reconstruct", *records, "--jobs", jobs, "--out", str(out)]
    with subprocess.Popen(
        [*command, "--model", str(model_file)], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        deadline = time.monotonic() + 30
        while not list(out.glob(".long.*.part")) and time.monotonic() < deadline:
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=20)
    assert run.returncode == 130
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("*.part"))
    assert not (out / "long.hea").exists()
