# SPDX-License-Identifier: GPL-3.0-or-later
"""What each command says of itself, and what is made of it: help, completion, manual pages."""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.metadata
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mecg.__main__ import main
from mecg.cli import help_text
from mecg.cli.completion import script
from mecg.cli.parser import COMMANDS, filled_parser, parser_of_all

ROOT = Path(__file__).parents[3]
PRINTS_FIGURES = (
    "stream",
    "report",
    "calibrate",
    "evaluate",
    "profile",
    "sessions",
    "repair",
    "devices",
    "info",
)

each_command = pytest.mark.parametrize("command", COMMANDS)


@each_command
def test_help_has_a_description_examples_and_exit_codes(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = importlib.import_module(f"mecg.cli.{command}").HELP
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert said.about.split()[0] in shown and all(line in shown for line in said.examples)
    assert said.about.endswith(".") and said.examples
    assert all(f"  {code} " in shown for code in said.exit_codes)
    assert {0, 2, 130} <= said.exit_codes.keys()


@each_command
def test_the_examples_are_understood(command: str) -> None:
    for line in importlib.import_module(f"mecg.cli.{command}").HELP.examples:
        word, *rest = shlex.split(line.partition(" > ")[0])
        assert word == "mecg" and rest[0] == command
        parser, _ = parser_of_all()
        parser.parse_args(rest)  # SystemExit if it does not


@each_command
def test_every_option_has_help(command: str) -> None:
    _, commands = filled_parser()
    assert [action.dest for action in commands[command]._actions if not action.help] == []


@each_command
def test_a_command_that_can_end_with_1_says_when(command: str) -> None:
    """Of those that return it themselves, or that record."""
    module = importlib.import_module(f"mecg.cli.{command}")
    exits = [
        node
        for node in ast.parse(Path(str(module.__file__)).read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and isinstance(node.returns, ast.Name)
        and node.returns.id == "int"
    ]
    returned = {
        node.value
        for function in exits
        for each in ast.walk(function)
        if isinstance(each, ast.Return) and each.value is not None
        for node in ast.walk(each.value)
        if isinstance(node, ast.Constant) and type(node.value) is int
    }
    options = {text for action in _actions(command) for text in action.option_strings}
    assert (1 in module.HELP.exit_codes) == (1 in returned or "--record" in options)


@pytest.mark.parametrize("command", PRINTS_FIGURES)
def test_what_prints_figures_prints_them_as_json_too(command: str) -> None:
    assert any("--json" in action.option_strings for action in _actions(command))


def _actions(command: str) -> list[argparse.Action]:
    _, commands = filled_parser()
    return commands[command]._actions


def test_plug_ins_are_listed_and_not_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offers = {
        "mecg.sources": importlib.metadata.EntryPoint("udp", "mecg_udp:UdpSensor", "mecg.sources"),
        "mecg.formats": importlib.metadata.EntryPoint("scp", "mecg_scp:FORMAT", "mecg.formats"),
    }
    monkeypatch.setattr(help_text, "entry_points", lambda group: [offers[group]])
    for command, both in (("stream", True), ("report", False), ("--help", True)):
        main([command] if command == "--help" else [command, "--help"])
        shown = capsys.readouterr().out
        assert "scp" in shown and ("udp:" in shown) is both
    assert "mecg_udp" not in sys.modules


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_completion_script_is_what_the_shell_understands(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    printed = capsys.readouterr().out
    assert printed == f"{script(shell).rstrip()}\n" and all(command in printed for command in COMMANDS)
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n"], input=printed, text=True, check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["mecg", "recons"], ["reconstruct"]),
        (["mecg", "stream", "--lat"], ["--latency"]),
        (["mecg", "export", "--format", "d"], ["dicom"]),
    ],
)
def test_bash_completes_commands_options_and_choices(words: list[str], offered: list[str]) -> None:
    asked = f"{script('bash')}\nCOMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; _shtab_mecg\n"
    asked += 'echo "${COMPREPLY[@]}"\n'
    done = subprocess.run(["bash"], input=asked, capture_output=True, text=True, check=True)
    assert done.stdout.split() == offered
