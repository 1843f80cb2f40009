# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg ward` as a user calls it."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from mecg.__main__ import main

pytest.importorskip("uvicorn")

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "words",
    [
        ["ward"],
        ["ward", "synthetic:", "--list", "beds.toml"],
        ["ward", "--list", "nothing.toml"],
        ["ward", "synthetic:", "--serve", "8912"],
        ["ward", "synthetic:", "--serve", "127.0.0.1:99999"],
        ["ward", "synthetic:", "--serve", "::1:80"],
        ["ward", "synthetic:", "--serve", "127.0.0.1:0", "--tls-key", "key.pem"],
        ["ward", "synthetic:", "--serve", "127.0.0.1:0", "--allow", "everything"],
        ["ward", "synthetic:", "--model", "nothing.onnx"],
        ["stream", "synthetic:", "--allow", "silence"],
        ["stream", "synthetic:", "--tls-key", "key.pem", "--tls-certificate", "key.pem"],
    ],
)
def test_what_cannot_be_meant_is_one_line_and_exit_code_2(
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert main(words) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("name", ["ward", "stream"])
def test_the_page_is_served_where_the_command_says_and_ends_with_it(
    name: str, model_file: Path, tmp_path: Path
) -> None:
    command = [name, "synthetic:", "--serve", "127.0.0.1:0", "--seconds", "8", "--model", str(model_file)]
    if name == "ward":
        command += ["--history", str(tmp_path / "ward.sqlite")]
    with subprocess.Popen(
        [sys.executable, "-m", "mecg", *command], stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as running:
        assert running.stderr is not None
        said = next(line for line in running.stderr if "#token=" in line)
        (address, token) = re.findall(r"(http://127\.0\.0\.1:\d+/)#token=([\w-]+)", said)[0]
        with urllib.request.urlopen(address, timeout=10) as page:
            content = page.read()
        assert b"<title>" in content and token.encode() not in content
        assert running.wait(90) == 0
        assert token not in running.stderr.read()


def test_without_the_extra_one_line_says_what_to_install() -> None:
    probe = (
        "import sys; sys.modules |= {'uvicorn': None}; from mecg.__main__ import main; "
        "sys.exit(main(['ward', 'synthetic:']))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert "pip install 'mecg-streamer[web]'" in done.stderr and "Traceback" not in done.stderr
