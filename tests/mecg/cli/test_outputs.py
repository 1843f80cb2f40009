# SPDX-License-Identifier: GPL-3.0-or-later
"""An output that cannot be written is refused before anything else is looked at or done."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from mecg.__main__ import main
from mecg.cli.demo import headless
from mecg.cli.exit_codes import guarded
from mecg.cli.parser import filled_parser

NOTHING = "no-such-recording"
"""What is to be read is not there either, and is not what the line is about: it was not looked at."""

WHOLE = {
    "calibrate": ["calibrate", NOTHING, "--out", "person.npz"],
    "evaluate": ["evaluate", NOTHING],
    "export": ["export", NOTHING, "--format", "csv", "--out", "files"],
    "monitor": ["monitor", NOTHING],
    "profile": ["profile", NOTHING, "--out", "files"],
    "reconstruct": ["reconstruct", NOTHING, "--out", "files"],
    "report": ["report", NOTHING],
    "review": ["review", NOTHING],
    "stream": ["stream", NOTHING],
    "ward": ["ward", NOTHING, "--seconds", "1"],
}
FOLDERS = {
    ("export", "--out"),
    ("monitor", "--record"),
    ("profile", "--out"),
    ("reconstruct", "--out"),
    ("report", "--out"),
    ("stream", "--record"),
    ("ward", "--record"),
}
"""Made if they are not there."""

FILES_IN_A_NEW_FOLDER = {
    ("evaluate", "--records"): "x.csv",
    ("evaluate", "--report"): "x.json",
    ("reconstruct", "--report"): "x.csv",
    ("ward", "--history"): "x.sqlite",
}
FILES = {
    ("calibrate", "--out"): "x.npz",
    ("calibrate", "--picture"): "x.png",
    ("monitor", "--screenshot"): "x.png",
    ("review", "--screenshot"): "x.png",
}
"""Their folder must be there."""

READ = {
    "--add",
    "--calibration",
    "--compare",
    "--list",
    "--merge",
    "--model",
    "--tls-certificate",
    "--tls-key",
    "--written",
}


def lines_of(command: str, option: str, value: str) -> list[str]:
    """A command line with one output that cannot be."""
    words = WHOLE[command]
    if option in words:
        at = words.index(option)
        words = words[:at] + words[at + 2 :]
    return [*words, option, value]


def tree(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def refused(
    words: list[str], name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the output, exit code 2, and nothing made."""
    here = Path.cwd()
    monkeypatch.setenv("XDG_DATA_HOME", str(here / "data"))
    before = tree(here)
    try:
        code = main(words)
    except SystemExit as stopped:  # while the words were read
        code = int(str(stopped.code))
    said = capsys.readouterr()
    assert code == 2 and not said.out, said.out
    assert len(said.err.splitlines()) == 1 and name in said.err and NOTHING not in said.err, said.err
    assert tree(here) == before


def test_every_option_that_names_a_file_or_folder_is_known_to_be_read_or_written() -> None:
    written = FOLDERS | set(FILES_IN_A_NEW_FOLDER) | set(FILES)
    _, commands = filled_parser()
    for command, parser in commands.items():
        for action in parser._actions:
            if not names_a_path(action):
                continue
            (option,) = action.option_strings
            assert ((command, option) in written) != (option in READ), f"{command} {option}"


def names_a_path(action: argparse.Action) -> bool:
    kind = getattr(action.type, "__name__", "")
    return bool(action.option_strings) and (action.type is Path or kind == "folder")


@pytest.mark.parametrize(("command", "option"), sorted(FOLDERS))
@pytest.mark.parametrize("name", ["a-file", "a-file/folder", "a-file/folder/deeper", "a-link"])
def test_a_folder_that_cannot_be_made(
    command: str,
    option: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a-file").touch()
    Path("a-link").symlink_to("nowhere")
    refused(lines_of(command, option, name), name[:6], monkeypatch, capsys)


@pytest.mark.parametrize(("command", "option"), sorted(FILES | FILES_IN_A_NEW_FOLDER))
@pytest.mark.parametrize("folder", ["a-file", "a-file/folder", "a-folder", "missing"])
@pytest.mark.parametrize("force", [False, True])
def test_a_file_that_cannot_be_written(
    command: str,
    option: str,
    folder: str,
    force: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if folder == "missing" and (command, option) in FILES_IN_A_NEW_FOLDER:
        pytest.skip("the folder is made")
    if force and command == "ward":
        pytest.skip("a history is gone on with")
    file = Path(folder) / (FILES | FILES_IN_A_NEW_FOLDER)[command, option]
    Path("a-file").touch()
    (Path("a-folder") / file.name).mkdir(parents=True)
    words = lines_of(command, option, str(file)) + ["--force"] * force
    refused(words, folder.partition("/")[0], monkeypatch, capsys)


@pytest.mark.parametrize(("command", "option"), sorted(FOLDERS | set(FILES) | set(FILES_IN_A_NEW_FOLDER)))
def test_a_folder_that_may_not_be_written(
    command: str,
    option: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    locked = Path("locked")
    locked.mkdir(mode=0o500)
    if os.access(locked, os.W_OK):
        pytest.skip("who runs this may write everywhere")
    name: Mapping[tuple[str, str], str] = FILES | FILES_IN_A_NEW_FOLDER
    file = locked / name.get((command, option), "folder")
    refused(lines_of(command, option, str(file)), "locked", monkeypatch, capsys)


@pytest.mark.parametrize("option", ["monitor", "stream", "ward"])
def test_the_users_own_folder_of_recordings_that_cannot_be_made(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").touch()
    refused([*WHOLE[option], "--record"], "data", monkeypatch, capsys)


def test_the_demonstration_begins_nothing_if_its_folder_cannot_be_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.touch()
    assert guarded(lambda: headless(out / "demo", 2.0)) == 2
    said = capsys.readouterr()
    assert not said.out and len(said.err.splitlines()) == 1 and str(out) in said.err
