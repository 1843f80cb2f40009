# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents as a site: every page is reached, code blocks work, and `make docs` needs no network."""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import streamer
from mecg.cli.parser import COMMANDS, filled_parser, parser_of_all

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
COMMAND_PAGES = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "training" / "README.md"]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of one language; "" for those that name none."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def commands_in(page: Path) -> Iterator[str]:
    """Lines that begin with mecg, in code blocks, without their comments."""
    for block in blocks(page, "") + blocks(page, "console"):
        for line in block.splitlines():
            if re.match("mecg [a-z-]", line):
                yield line.partition(" #")[0].partition(" > ")[0].strip()


def test_every_page_is_in_the_navigation() -> None:
    trees = re.findall(
        r"^```\{toctree\}\n(.*?)^```$", (DOCS / "index.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    entries = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    assert len(entries) == len(set(entries))
    assert {page.stem for page in PAGES} - {"index"} <= set(entries)
    for entry in entries:
        assert any((DOCS / f"{entry}{end}").exists() for end in (".md", ".ipynb")), entry


def test_the_reference_has_every_public_name_once() -> None:
    named = re.findall(r"^\.\. auto(?:class|function|data):: (\w+)$", (DOCS / "api.md").read_text(), re.M)
    assert sorted(named) == sorted(streamer.__all__)


@pytest.mark.parametrize("page", COMMAND_PAGES, ids=lambda path: path.name)
def test_every_command_line_names_a_command_and_options_that_there_are(page: Path) -> None:
    _, commands = filled_parser()
    for line in commands_in(page):
        word = line.split()[1]
        if word.startswith("-") or word == "COMMAND":
            continue
        assert word in COMMANDS, line
        known = {text for action in commands[word]._actions for text in action.option_strings}
        assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", line)) <= known, line


@each_page
def test_command_lines_that_are_no_patterns_are_understood(page: Path) -> None:
    for line in commands_in(page):
        if not re.search(r"\[|\.\.\.|\|", line):
            parser, _ = parser_of_all()
            parser.parse_args(shlex.split(line)[1:])  # SystemExit if it is not


@each_page
def test_python_blocks_run(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    space: dict[str, object] = {"__name__": "page"}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), space)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_and_says_what_it_was_saved_with(
    notebook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    monkeypatch.chdir(ROOT)
    space: dict[str, object] = {"__name__": "__main__"}
    drawn = 0
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("".join(cell["source"]), notebook.name, "exec"), space)
        saved = [output for output in cell["outputs"] if output["output_type"] == "stream"]
        assert printed.getvalue() == "".join(line for output in saved for line in output["text"])
        drawn += len(pyplot.get_fignums())
        pyplot.close("all")
    assert drawn > 0


def _literals() -> str:
    """All text of the program, a string a line; what is filled in stands as a gap."""
    found = []
    for top in ("streamer", "devices", "gui", "ward", "mecg"):
        for path in (ROOT / top).rglob("*.py"):
            tree = ast.parse(path.read_text("utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
                elif isinstance(node, ast.JoinedStr):
                    parts = (part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
                    found.append("".join(map(str, parts)))
    return "\n".join(found)


def test_every_message_that_is_explained_can_be_said() -> None:
    said = _literals()
    explained = re.findall(r"^\| (`.*?`) \|", (DOCS / "messages.md").read_text("utf-8"), re.MULTILINE)
    assert len(explained) >= 50
    pieces = [
        piece.strip()
        for cell in explained
        for span in re.findall(r"`(.*?)`", cell)
        for piece in span.split("...")
    ]
    assert [piece for piece in pieces if piece not in said] == []


def test_manual_pages_have_every_command_and_every_option(tmp_path: Path) -> None:
    pytest.importorskip("argparse_manpage")
    subprocess.run(
        [sys.executable, str(DOCS / "site" / "command_line.py"), str(tmp_path)],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    pages = {path.stem: path.read_text("utf-8").replace("\\-", "-") for path in tmp_path.glob("*.1")}
    assert pages.keys() == {"mecg", *(f"mecg-{name}" for name in COMMANDS)}
    _, commands = filled_parser()
    for name, command in commands.items():
        for action in command._actions:
            if not isinstance(action, argparse._HelpAction):
                assert all(f"\\fB{option}\\fR" in pages[f"mecg-{name}"] for option in action.option_strings)
    if shutil.which("groff"):
        for path in tmp_path.glob("*.1"):
            done = subprocess.run(
                ["groff", "-ww", "-z", "-man", "-Tutf8", str(path)], capture_output=True, text=True
            )
            assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.timeout(300)
def test_the_site_is_built_without_a_warning_and_asks_nobody_for_anything(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    done = subprocess.run(
        shlex.split(
            f"{sys.executable} -m sphinx -q -W --keep-going -b html -c docs/site -d {tmp_path}/trees . "
            f"{tmp_path}/site"
        ),
        cwd=ROOT,
        env=os.environ | {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    foreign = []
    for path in (tmp_path / "site").rglob("*.html"):
        text = path.read_text("utf-8")
        foreign += re.findall(r'<(?:script|img|iframe|link)[^>]*?(?:src|href)="(?:https?:)?//[^"]*"', text)
    for path in (tmp_path / "site" / "_static").rglob("*.css"):
        foreign += re.findall(r"url\(['\"]?(?:https?:)?//[^)]*\)|@import[^;]*", path.read_text("utf-8"))
    assert foreign == []
    assert (tmp_path / "site" / "index.html").exists()
    page = (tmp_path / "site" / "docs" / "api.html").read_text("utf-8")
    assert all(f'id="streamer.{name}"' in page for name in streamer.__all__)


def test_the_oldest_versions_are_those_that_the_project_states() -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)$", (ROOT / "constraints-oldest.txt").read_text(), re.M))
    extras = stated["optional-dependencies"]
    for needed in [*stated["dependencies"], *extras["gui"], *extras["test"]]:
        name, bound = re.match(r"([\w-]+)(?:\[.*\])?[>=]=([\w.]+)", needed).groups()
        assert _numbers(pinned[name.lower()]) >= _numbers(bound), needed


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
