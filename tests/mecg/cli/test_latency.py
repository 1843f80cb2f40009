# SPDX-License-Identifier: GPL-3.0-or-later
"""`--latency`: which bundled model runs."""

import json
from pathlib import Path

import pytest

from mecg.__main__ import main
from mecg.app.models import latency_of
from streamer.model_files import LATENCIES, bundled_model


@pytest.fixture
def one_model(model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation that has the balanced model only."""
    monkeypatch.setattr("streamer.model_files.FOLDER", tmp_path)
    path = tmp_path / "mecgnet-balanced.onnx"
    path.write_bytes(model_file.read_bytes())
    return path


def test_every_setting_has_a_file_of_its_own_and_is_known_by_it() -> None:
    assert {latency_of(bundled_model(name)) for name in LATENCIES} == set(LATENCIES)
    assert latency_of(None) == "low"
    assert latency_of(Path("mecgnet-low.onnx")) is None


@pytest.mark.usefixtures("one_model")
def test_a_setting_picks_its_model_and_info_tells_which_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["info", "--latency", "balanced", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["model"]["file"] == "mecgnet-balanced.onnx"
    assert facts["latency_settings"]["balanced"]["model"] == "mecgnet-balanced.onnx"
    assert facts["latency_settings"]["balanced"]["algorithmic_ms_500_hz"] > 0
    assert facts["latency_settings"]["full"] is None


@pytest.mark.usefixtures("one_model")
@pytest.mark.parametrize("command", [["info"], ["stream", "synthetic:", "--seconds", "1"]])
def test_a_setting_whose_model_is_not_there_is_one_line(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--latency", "full"]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "full" in said[0]


@pytest.mark.parametrize("wrong", [["--latency", "fast"], ["--latency", "low", "--model", "x.onnx"]])
def test_a_setting_that_makes_no_sense_is_wrong_usage(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", *wrong]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
