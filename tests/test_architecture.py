# SPDX-License-Identifier: GPL-3.0-or-later
"""The house's rules, kept by tools: style, types, who may import whom, licences."""

import ast
import graphlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import mecg
from devices.registry import SCHEMES

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


@pytest.mark.parametrize("top", ["streamer", "devices", "gui", "ward", "mecg"])
def test_every_folder_with_code_is_a_package_and_is_installed_as_typed(top: str) -> None:
    # What setuptools finds by itself is what has an __init__.py.
    folders = {path.parent for path in (ROOT / top).rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []
    assert {top, f"{top}.*"} <= set(PROJECT["tool"]["setuptools"]["packages"]["find"]["include"])
    assert (ROOT / top / "py.typed").exists()
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"]["*"]


def test_runs_of_a_mask_are_found_in_one_place() -> None:
    finds_edges = re.compile(r"diff\([^()]*(\([^()]*\))?[^()]*prepend=False")
    found = [
        str(path.relative_to(ROOT))
        for top in ("streamer", "devices", "gui", "ward", "mecg", "training")
        for path in (ROOT / top).rglob("*.py")
        if finds_edges.search(path.read_text("utf-8"))
    ]
    assert found == ["streamer/core/signal/runs.py"]


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Imports inside functions count: they would hide a circle, not open it."""
    imports: dict[str, set[str]] = {}
    for path in (
        p for top in ("streamer", "devices", "gui", "ward", "mecg") for p in (ROOT / top).rglob("*.py")
    ):
        if path.name == "__init__.py":  # it offers what lies below it
            continue
        said: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                said |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
            elif isinstance(node, ast.Import):
                said |= {name.name for name in node.names}
        imports[".".join(path.relative_to(ROOT).with_suffix("").parts)] = said
    graph = {module: said & imports.keys() for module, said in imports.items()}
    tuple(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_only_the_wire_form_names_kinds_of_events_in_text() -> None:
    # An event is asked for its class: one that is told apart by a text escapes mypy.
    asked = re.compile(r"\bevent\.(kind|value)\b|\.text\.(startswith|partition|split)\(")
    found = {
        path.relative_to(ROOT).as_posix()
        for top in ("streamer", "devices", "gui", "ward", "mecg")
        for path in (ROOT / top).rglob("*.py")
        if asked.search(path.read_text("utf-8"))
    }
    assert found == {"streamer/session/event_wire.py"}


def test_one_file_compiles_and_no_import_sets_the_environment() -> None:
    """What is compiled is cached where `streamer.compiled` finds a place, not where an import has put it."""
    code = {
        path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
        for top in ("streamer", "devices", "gui", "ward", "mecg")
        for path in (ROOT / top).rglob("*.py")
    }
    assert [name for name, text in code.items() if re.search(r"^\s*(import|from) numba", text, re.M)] == [
        "streamer/compiled.py"
    ]
    assert [name for name, text in code.items() if re.search(r"^os\.environ", text, re.M)] == []


def test_the_version_is_said_once() -> None:
    assert mecg.__version__ == PROJECT["project"]["version"]
    assert f"\nversion: {mecg.__version__}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.parametrize(
    ("folder", "licence"),
    [
        ("streamer", "MIT"),
        ("devices", "MIT"),
        ("examples", "MIT"),
        ("gui", "GPL-3.0-or-later"),
        ("ward", "GPL-3.0-or-later"),
        ("mecg", "GPL-3.0-or-later"),
    ],
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


def literals(*folders: str) -> Iterator[tuple[Path, ast.Constant]]:
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path, node


def test_no_string_of_a_library_or_of_the_window_names_an_option() -> None:
    named = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, node in literals("streamer", "devices", "gui", "ward")
        if re.search(r"--[a-z]", str(node.value))
    ]
    assert named == []


def test_only_the_registry_lists_or_compares_schemes() -> None:
    """Two in one collection are a list of them; a comparison with one decides what it can do."""
    registry = ROOT / "devices" / "registry.py"

    def schemes_in(*nodes: ast.expr | None) -> list[str]:
        values = [node.value for node in nodes if isinstance(node, ast.Constant)]
        return [str(value) for value in values if str(value).rstrip(":") in SCHEMES]

    found = []
    for path in (
        path for top in ("streamer", "devices", "gui", "ward", "mecg") for path in (ROOT / top).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))) if path != registry else ():
            listed = isinstance(node, ast.Tuple | ast.List | ast.Set) and len(schemes_in(*node.elts)) > 1
            listed |= isinstance(node, ast.Dict) and len(schemes_in(*node.keys)) > 1
            compared = isinstance(node, ast.Compare) and schemes_in(node.left, *node.comparators)
            asked = (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "startswith"
                and schemes_in(*node.args)
            )
            if listed or compared or asked:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


LONGEST_FUNCTION, LONGEST_CLASS, MOST_METHODS = 60, 300, 25

LARGE_FOR_A_REASON = {
    "streamer/core/vitals/beats.py:_detect": "one loop that numba compiles whole",
    "streamer/recording/reader.py:Recording": "what a session file can be asked; each answer is a few lines",
}


def _lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    """Lines of code: without docstrings, its own and those within."""
    documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    said = sum(
        each.body[0].end_lineno - each.body[0].lineno + 1
        for each in ast.walk(node)
        if isinstance(each, documented) and ast.get_docstring(each) is not None
    )
    return node.end_lineno - node.lineno + 1 - said


def test_functions_fit_a_screen_and_classes_have_one_job() -> None:
    large = {}
    for top in ("streamer", "devices", "gui", "ward", "mecg", "training", "benchmarks"):
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                name = f"{path.relative_to(ROOT).as_posix()}:{getattr(node, 'name', '')}"
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    if _lines_of(node) > LONGEST_FUNCTION:
                        large[name] = _lines_of(node)
                elif isinstance(node, ast.ClassDef):
                    methods = sum(
                        isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) for each in node.body
                    )
                    whole = node.end_lineno - node.lineno + 1
                    if whole > LONGEST_CLASS or methods > MOST_METHODS:
                        large[name] = (whole, methods)
    assert set(large) == set(LARGE_FOR_A_REASON), large
