# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands do with good input."""

import csv
import json
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pandas' deprecations are not ours
    import wfdb

from devices.replay.pacing import Replay
from mecg.__main__ import main
from mecg.app.models import network_of
from mecg.app.options import SourceOptions
from mecg.app.session_builder import BUNDLED_RECORDING, source_of
from mecg.cli import demo
from streamer.core.leads import LEADS
from streamer.core.pipeline import Pipeline
from streamer.export.wfdb_sink import WfdbSink
from streamer.session.description import SessionDescription
from streamer.session.session import Session
from tests.streamer.known_network import GAINS

RECORDINGS = BUNDLED_RECORDING.parent.parent


@pytest.fixture
def model(model_file: Path) -> list[str]:
    return ["--model", str(model_file)]


def test_version_is_said_without_importing_anything_heavy() -> None:
    probe = (
        "import sys; from mecg.__main__ import main; code = main(['--version']);"
        "print(code, sorted({'numpy', 'numba', 'onnxruntime', 'PyQt6'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"mecg \d+\.\d+\.\d+\n0 \[\]\n", done.stdout)


def test_info_needs_neither_scipy_nor_matplotlib_nor_qt(model: list[str]) -> None:
    # Numba imports the bare package `scipy` itself, which is small.
    heavy = "{'scipy.linalg', 'scipy.signal', 'matplotlib', 'PyQt6', 'pylsl', 'bleak', 'wfdb', 'torch'}"
    probe = (
        f"import sys; from mecg.__main__ import main; code = main(['info', *{model!r}]);"
        f"print(code, sorted({heavy} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n0 []\n")
    assert "scaled identity" in done.stdout


def test_info_states_the_budget_that_adds_up(model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json", *model]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["filters"]["input_band"] == "0.5-40 Hz"
    assert facts["model"]["name"] == "scaled identity"
    for rate in ("1000", "500", "250", "130", "100"):
        budget = facts["algorithmic_ms"][rate]
        parts = sum(budget[key] for key in ("look_ahead", "overlap", "hop", "rate_conversion"))
        assert budget["total"] == pytest.approx(parts, abs=1e-3)
    assert facts["algorithmic_ms"]["500"]["rate_conversion"] < 10


def test_info_states_the_size_in_kb_of_1000_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--json"]) == 0
    count = json.loads(capsys.readouterr().out)["model"]["bytes"]
    assert main(["info"]) == 0
    said = re.search(r", (\d+) kB,", capsys.readouterr().out)
    assert said is not None
    assert abs(1000 * int(said[1]) - count) <= 500


def test_stream_without_a_source_plays_the_bundled_recording_and_says_so(
    model: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stream", "--seconds", "4.5", "--speed", "max", *model]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "bundled recording" in err.splitlines()[0]
    assert "ptb/s0010_re" in err.splitlines()[0]
    assert re.match(
        r"REPLAY, ended \| 1000 Hz \| 4\.5 s \| HR 81 \| quality .* \| lost 0 \| latency ",
        err.splitlines()[-1],
    )


def test_stream_json_is_exactly_the_seconds_asked_for(
    model: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    record = str(RECORDINGS / "ptb-xl" / "00010_hr")
    assert main(["stream", record, "--seconds", "2.503", "--speed", "max", "--json", *model]) == 0
    first, *rest = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (first["type"], first["source_rate_hz"], first["rate_hz"]) == ("stream", 500.0, 250)
    frames = [line for line in rest if line["type"] == "frame"]
    # 1252 samples at 500 Hz are 626 at 250 Hz.
    assert sum(len(frame["measured_mv"]) for frame in frames) == 626
    one = np.concatenate([frame["leads_mv"]["I"] for frame in frames])
    six = np.concatenate([frame["leads_mv"]["V6"] for frame in frames])
    assert np.abs(six - GAINS[7] * one).max() < 2e-4


def test_stream_takes_any_lead_turned_and_says_that_it_is_not_lead_i(
    model: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    record = str(RECORDINGS / "mitdb" / "100.dat")
    common = ["--seconds", "1", "--speed", "max", "--json", *model]
    assert main(["stream", record, "--lead", "mlii", "--invert", "--placement", "chest", *common]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["input_is_lead_i"], first["inverted"], first["placement"]) == (False, True, "chest")
    assert "input is not Lead I but MLII" in first["warnings"]


def test_a_reader_that_has_enough_of_the_json_ends_the_stream_quietly(model: list[str]) -> None:
    command = [sys.executable, "-m", "mecg", "stream", "synthetic:", "--json", *model]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as stream:
        assert stream.stdout is not None
        assert stream.stderr is not None
        assert json.loads(stream.stdout.readline())["type"] == "stream"
        stream.stdout.close()
        assert stream.wait(20) == 0
        assert "Traceback" not in stream.stderr.read()


def reconstructed(path: Path) -> wfdb.Record:
    return wfdb.rdrecord(str(path))


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_reconstruct_writes_the_good_ones_and_tells_of_the_bad_one(
    model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], jobs: str
) -> None:
    good = [RECORDINGS / "ptb-xl" / "00010_hr", RECORDINGS / "ptb" / "s0010_re.hea"]
    bad = RECORDINGS / "mitdb" / "100"
    records = [str(good[0]), str(bad), str(good[1])]
    assert main(["reconstruct", *records, "--out", str(tmp_path), "--jobs", jobs, *model]) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if " s left, " not in line]  # progress
    assert len(errors) == 2
    assert "'100' has no lead 'I', only MLII, V5" in errors[0]
    assert errors[1] == f"2 records written to {tmp_path}"
    assert {path.stem for path in tmp_path.iterdir()} == {"00010_hr", "s0010_re"}
    for path in good:
        source, result = reconstructed(path.with_suffix("")), reconstructed(tmp_path / path.stem)
        assert (result.fs, result.sig_len) == (source.fs, source.sig_len)


def test_reconstruct_gives_what_the_live_path_gives(
    model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = str(RECORDINGS / "ptb-xl" / "00414_hr")
    assert main(["reconstruct", record, "--out", str(tmp_path), *model]) == 0
    assert main(["stream", record, "--speed", "max", "--json", *model]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    frames = [line for line in lines if line["type"] == "frame"]
    file_mv = reconstructed(tmp_path / "00414_hr").p_signal.T
    for row, lead in enumerate(LEADS):
        live_mv = np.concatenate([frame["leads_mv"][lead] for frame in frames])
        # At 500 Hz every other sample of the file is one of the model's grid, but for the converter.
        assert np.sqrt(np.mean((file_mv[row, ::2] - live_mv) ** 2)) < 0.002


def test_reconstruct_and_the_live_path_write_the_same_record(tmp_path: Path) -> None:
    path = RECORDINGS / "ptb-xl" / "00498_hr"
    network = network_of(None)
    source = source_of(SourceOptions(str(path)), Replay(speed=np.inf))
    info = source.open()
    pipeline = Pipeline(info, network)
    session = Session(source, pipeline, SessionDescription.of(info, network.spec, pipeline.latency))
    session.attach(WfdbSink(tmp_path / "live", path.name))
    assert session.run().failures == {}
    assert main(["reconstruct", str(path), "--out", str(tmp_path / "file")]) == 0
    live = wfdb.rdrecord(str(tmp_path / "live" / path.name), physical=False)
    file = wfdb.rdrecord(str(tmp_path / "file" / path.name), physical=False)
    assert np.abs(live.d_signal.astype(int) - file.d_signal.astype(int)).max() <= 1
    assert live.comments == file.comments


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_reconstruct_writes_the_band_as_a_record_beside_the_leads(
    model: list[str], banded_model_file: Path, tmp_path: Path, jobs: str
) -> None:
    records = [str(RECORDINGS / "ptb-xl" / name) for name in ("00010_hr", "00155_hr")]
    command = ["reconstruct", *records, "--jobs", jobs, "--out"]
    assert main([*command, str(tmp_path / "with"), "--model", str(banded_model_file)]) == 0
    assert main([*command, str(tmp_path / "without"), *model]) == 0
    for name in ("00010_hr", "00155_hr"):
        leads, band = (
            reconstructed(tmp_path / "with" / name),
            reconstructed(tmp_path / "with" / f"{name}_band"),
        )
        assert (band.fs, band.sig_len, band.n_sig) == (leads.fs, leads.sig_len, 12)
        assert np.array_equal(np.isnan(band.p_signal), np.isnan(leads.p_signal))
        data = (tmp_path / "with" / f"{name}.dat").read_bytes()
        assert data == (tmp_path / "without" / f"{name}.dat").read_bytes()
    assert len(list((tmp_path / "with").iterdir())) == 8 and len(list((tmp_path / "without").iterdir())) == 4


def test_reconstruct_overwrites_only_when_forced(
    model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["reconstruct", str(RECORDINGS / "ptb-xl" / "00010_hr"), "--out", str(tmp_path), *model]
    assert main(command) == 0
    before = (tmp_path / "00010_hr.hea").stat().st_ino
    assert main(command) == 2
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "00010_hr.hea").stat().st_ino == before
    assert main([*command, "--force"]) == 0


def test_evaluate_scores_a_small_dataset(
    model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["00010_hr", "00155_hr", "00414_hr"]
    for name in names:
        for suffix in (".hea", ".dat"):
            shutil.copy(RECORDINGS / "ptb-xl" / f"{name}{suffix}", tmp_path)
    with (tmp_path / "ptbxl_database.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["ecg_id", "patient_id", "scp_codes", "strat_fold", "filename_lr", "filename_hr"])
        table.writerows([i, i, "{'NORM': 100.0}", 9, "", name] for i, name in enumerate(names))
    report = tmp_path / "scores.json"
    command = ["evaluate", str(tmp_path), "--rate", "500", "--report", str(report), *model]
    assert main(command) == 0
    out = capsys.readouterr().out
    scores = json.loads(report.read_text())
    assert scores["records"] == 3
    assert f"{scores['seven']['rmse_mv']:.4f}" in out
    assert 0 <= scores["st"]["over_0_1_mv"] <= 1
    assert set(scores["amplitude"]) == {"V1", "V2", "V3", "V4", "V5", "V6"}
    assert scores["latency"] is None  # the model is the user's own
    assert scores["to_end"]["seven"]["rmse_mv"] != scores["seven"]["rmse_mv"]
    assert 0 <= scores["i_prime"]["farther_than_input"] <= 1
    assert f"{scores['i_prime']['rmse_mv']:.4f}" in out
    assert main(command) == 2
    assert "exists" in capsys.readouterr().err
    assert main([*command, "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == scores


def test_the_headless_demo_leaves_a_record_a_page_and_a_latency_summary(
    model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("streamer.model_files.bundled_model", lambda latency="low": model_file)
    assert demo.headless(tmp_path / "demo", seconds=12, speed=10) == 0
    said = capsys.readouterr().out
    for name in ("s0010_re.hea", "page.png", "latency.json"):
        assert str(tmp_path / "demo" / name) in said
    assert (tmp_path / "demo" / "page.png").read_bytes().startswith(b"\x89PNG")
    assert reconstructed(tmp_path / "demo" / "s0010_re").sig_len == 12_000
    summary = json.loads((tmp_path / "demo" / "latency.json").read_text())
    assert summary["samples"] == {"in": 12_000, "out": 3_000, "lost": 0}
    assert summary["end_to_end_ms"]["count"] > 0


def test_a_bad_link_can_be_rehearsed(model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    record = str(RECORDINGS / "ptb-xl" / "00010_hr")
    how = ["--start", "2", "--loop", "--drop", "20%:1s", "--seconds", "30", "--speed", "max", "--json"]
    assert main(["stream", record, *how, *model]) == 0
    out, err = capsys.readouterr()
    frames = [line for line in map(json.loads, out.splitlines()) if line["type"] == "frame"]
    valid = [mv is not None for frame in frames for mv in frame["measured_mv"]]
    assert len(valid) == 30 * 250
    assert valid.count(False) / len(valid) == pytest.approx(0.2, abs=0.01)
    assert "20 % of the packets, in stretches of 1 s" in err
    assert err.count("left out on purpose") == 6


@pytest.mark.parametrize("how", [["--drop", "5"], ["--start", "-1"], ["--start", "99"]])
def test_a_replay_that_makes_no_sense_is_refused(
    how: list[str], model: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("stream", "monitor"):
        assert main([command, str(RECORDINGS / "ptb-xl" / "00010_hr"), *how, *model]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
