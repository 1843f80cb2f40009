# SPDX-License-Identifier: GPL-3.0-or-later
"""A library error names a field; the command line puts the option to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mecg.__main__ import main
from mecg.cli.exit_codes import error_line
from streamer.core.errors import Field, InputError

MLII = "recordings/mitdb/100"


@pytest.mark.parametrize("leave_out", [False, True])
@pytest.mark.parametrize("field", Field)
def test_every_field_has_an_option_on_the_command_line(field: Field, leave_out: bool) -> None:
    if leave_out and field not in (Field.LEAD, Field.BANDS, Field.CALIBRATION, Field.REPLAY, Field.LEADS):
        return
    line = error_line(InputError("it cannot\nbe so", field, leave_out=leave_out))
    answer = r"\?reading=" if field is Field.READING else "--[a-z]"
    assert re.fullmatch(f"it cannot be so: .*{answer}.*", line)


def test_choices_are_listed_unless_the_message_did_so() -> None:
    said = InputError("no voltage", Field.LEAD, choices=("II", "V1"))
    assert error_line(said) == "no voltage: choose one with --lead NAME (II, V1)"
    said = InputError("no lead I, only II, V1", Field.LEAD, choices=("II", "V1"))
    assert error_line(said) == "no lead I, only II, V1: choose one with --lead NAME"
    assert error_line(InputError("what it is")) == "what it is"


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["stream", MLII], "--lead NAME"),
        (["stream", "synthetic:", "--lead", "V1"], "leave out --lead"),
        (["stream", "lsl:x", "--speed", "2"], "leave out --speed"),
        (["stream", MLII, "--lead", "MLII", "--start", "1e6"], "--start"),
        (["reconstruct", MLII, "--out", "out"], "--lead NAME"),
    ],
)
def test_a_command_says_which_option_helps(
    command: list[str], option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert option in line


def test_a_rate_that_a_file_does_not_state_is_given_by_rate(tmp_path: Path) -> None:
    file = "tests/streamer/formats/files/apple_no_rate.csv"
    commands = [["stream", file, "--speed", "max"], ["reconstruct", file, "--out", str(tmp_path)]]
    for command in commands:
        assert main(command) == 2
        assert main([*command, "--rate", "512"]) == 0
    assert main(["stream", "synthetic:", "--rate", "512"]) == 2
