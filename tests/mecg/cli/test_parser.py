# SPDX-License-Identifier: GPL-3.0-or-later
"""From words to options: every option reaches its command, and a recording states them."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from mecg.__main__ import main
from mecg.cli.parser import COMMANDS
from streamer.model_files import bundled_model
from streamer.recording.reader import Recording

ROOT = Path(__file__).parents[3]
CLI = ROOT / "mecg" / "cli"
NOT_COMMANDS = {"__init__", "argument_types", "exit_codes", "help_text", "options", "parser", "progress_bar"}


def names_of(kind: type[Any]) -> set[str]:
    """The fields of a data class and of those within it."""
    names: set[str] = set()
    for name, of in get_type_hints(kind).items():
        names |= names_of(of) if dataclasses.is_dataclass(of) and isinstance(of, type) else {name}
    return names


def test_each_command_is_a_file_and_each_file_a_command() -> None:
    assert {path.stem for path in CLI.glob("*.py")} - NOT_COMMANDS == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_held_by_the_command_s_data_class(command: str) -> None:
    module = importlib.import_module(f"mecg.cli.{command}")
    parser = argparse.ArgumentParser(add_help=False)
    module.add_options(parser)
    assert {action.dest for action in parser._actions} <= names_of(module.Options)


def test_no_namespace_leaves_the_parser() -> None:
    others = [path for path in (ROOT / "mecg").rglob("*.py") if path != CLI / "parser.py"]
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in others
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr == "Namespace")
        or (isinstance(node, ast.Name) and node.id in ("Namespace", "vars"))
    ]
    assert found == []


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_the_first_word_waits_for_no_compiler_and_no_window(option: str) -> None:
    asked = f"""
import sys
from mecg.__main__ import main
assert main([{option!r}]) == 0
print([name for name in ("numpy", "numba", "onnxruntime", "PyQt6", "scipy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_recording_states_the_options_that_it_was_made_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "sessions"
    command = "stream synthetic:?seconds=30 --seconds 2 --speed 2 --start 1.5 --loop --drop 5%:2s --lead I"
    command += f" --invert --placement arms --latency low --json --record {folder}"
    assert main(command.split()) == 0
    (file,) = folder.glob("*.xdf")
    facts = dict(Recording.open(file).facts)
    model = facts.pop("--model")  # its folder may be named after a person
    assert Path(model).name == bundled_model("low").name
    assert str(bundled_model("low").parent) not in model
    assert {name: value for name, value in facts.items() if name.startswith("--")} == {
        "--lead": "I",
        "--invert": "True",
        "--placement": "arms",
        "--seconds": "2.0",
        "--speed": "2.0",
        "--start": "1.5",
        "--loop": "True",
        "--drop": "5%:2s",
        "--json": "True",
    }
