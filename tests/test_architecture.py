# SPDX-License-Identifier: GPL-3.0-or-later
"""The house's rules, kept by tools: style, types, who may import whom, licences."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mecg

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def passes(*command: str) -> None:
    # Tools that colour their output where they see a CI would make it unreadable here.
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    passes("ruff", "check", ".")


def test_code_is_formatted() -> None:
    passes("ruff", "format", "--check", ".")


@pytest.mark.timeout(600)
def test_types_hold_strictly() -> None:
    passes("mypy")


def test_packages_import_only_what_they_may() -> None:
    passes("lint-imports")


def test_the_core_is_under_one_contract_of_purity_and_no_contract_has_an_exception() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    assert contracts[0]["source_modules"] == ["streamer.core"]
    assert not any("ignore_imports" in contract for contract in contracts)


@pytest.mark.parametrize("top", ["streamer", "devices", "gui", "mecg"])
def test_every_folder_with_code_is_a_package_and_is_installed_as_typed(top: str) -> None:
    # What setuptools finds by itself is what has an __init__.py.
    folders = {path.parent for path in (ROOT / top).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []
    assert {top, f"{top}.*"} <= set(PROJECT["tool"]["setuptools"]["packages"]["find"]["include"])
    assert (ROOT / top / "py.typed").exists()
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"]["*"]


def test_the_version_is_said_once() -> None:
    assert mecg.__version__ == PROJECT["project"]["version"]


@pytest.mark.parametrize(
    ("folder", "licence"),
    [("streamer", "MIT"), ("devices", "MIT"), ("gui", "GPL-3.0-or-later"), ("mecg", "GPL-3.0-or-later")],
)
def test_files_carry_their_licence(folder: str, licence: str) -> None:
    header = f"# SPDX-License-Identifier: {licence}\n"
    without = [
        str(path) for path in (ROOT / folder).rglob("*.py") if not path.read_text("utf-8").startswith(header)
    ]
    assert without == []


def test_the_licences_are_there_whole() -> None:
    assert "END OF TERMS AND CONDITIONS" in (ROOT / "LICENSE").read_text()
    assert "Permission is hereby granted" in (ROOT / "LICENSES" / "MIT.txt").read_text()
