# SPDX-License-Identifier: GPL-3.0-or-later
"""Plants faults in a copy of the product, one at a time, and asks the tests whether they see it.

    python -m tests.mutants --seed 1 --count 100 --report out/mutants.json

A fault is one place of the code that does the opposite of what it should: a condition is turned, a sum
becomes a difference, a number doubles, a call is left out.  The seed draws the places from all packages,
in proportion to their code.  What fails on a fault must pass without any, or the fault
does not count as seen.
`make mutants` runs it once per release: it takes an hour or more on one core, and is not part of `make test`.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

import numba  # noqa: F401 - here and below: what every fork would load again
import numpy  # noqa: F401
import onnxruntime  # noqa: F401
import pyqtgraph  # noqa: F401
import pytest
import scipy.signal  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("streamer", "devices", "gui", "ward", "mecg")

LIMIT_S = 600.0
"""For the tests of one fault; if none has failed by then, whether they see it is not known, and it counts as
not seen (a test that hangs fails after 90 s)."""

MOST_IMPORTING = 6
"""Test files that import a module, beside those of its own name and folder."""

_TURNED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One place of the code, and what it is there instead."""

    file: str
    line: int
    was: str
    now: str
    source: str
    """The whole file with it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one fault."""

    file: str
    line: int
    was: str
    now: str
    seen: bool
    by: str
    """The test that failed; empty if none did."""
    ended: bool
    """Whether the tests came to an end in time."""
    seconds: float

    @property
    def words(self) -> str:
        """A line of the report."""
        place = f"{self.file}:{self.line}  {self.was}  ->  {self.now}"
        seen = "seen" if self.seen else "NOT SEEN" if self.ended else "OUT OF TIME"
        return f"{seen} {self.seconds:.0f} s  {place}  {self.by}"


def main() -> int:
    """Draw, plant, ask, report; 0 if at least 97 of 100 were seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--only", type=int, nargs="*", help="these of the drawn ones, from 0")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds for the tests of one fault")
    parser.add_argument("--report", type=Path, default=ROOT / "out" / "mutants.json")
    asked = parser.parse_args()
    faults = drawn(ROOT, asked.seed, asked.count)
    numbers = range(len(faults)) if asked.only is None else asked.only
    verdicts, broken = [], list[str]()
    asked.report.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mecg-mutants-") as folder:
        tree = copied(ROOT, Path(folder) / "tree")
        for number in numbers:
            verdict = judged(tree, faults[number], asked.limit, broken)
            while verdict.by and _first_failure(tree, [verdict.by], asked.limit, broken) != "":
                broken.append(verdict.by)  # it fails without the fault too: ask the others
                verdict = judged(tree, faults[number], asked.limit, broken)
            verdicts.append(verdict)
            print(f"{number:3} {verdict.words}", flush=True)
            asked.report.write_text(json.dumps([asdict(each) for each in verdicts], indent=1), "utf-8")
    seen = sum(each.seen for each in verdicts)
    print(f"{seen} of {len(verdicts)} seen")
    return 0 if seen >= 0.97 * len(verdicts) else 1


def drawn(root: Path, seed: int, count: int) -> list[Fault]:
    """Faults drawn from all places of the product, no two in one function's line."""
    chance = random.Random(seed)
    places = [
        (path, number)
        for top in PACKAGES
        for path in sorted((root / top).rglob("*.py"))
        for number in range(_count(path))
    ]
    chance.shuffle(places)
    faults: dict[tuple[str, int], Fault] = {}
    for path, number in places:
        fault = _fault(root, path, number)
        if fault is not None:
            faults.setdefault((fault.file, fault.line), fault)
        if len(faults) == count:
            break
    return list(faults.values())


def _count(path: Path) -> int:
    return sum(1 for _ in _places(ast.parse(path.read_text("utf-8"))))


def _fault(root: Path, path: Path, number: int) -> Fault | None:
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    node = next(node for k, node in enumerate(_places(tree)) if k == number)
    before, spot = ast.unparse(node), (node.lineno, node.col_offset)
    _turn(node)
    after = ast.unparse(node)
    if after == before:
        return None
    source = _replaced(text, node, after)
    return Fault(path.relative_to(root).as_posix(), spot[0], before, after, source)


def _replaced(text: str, node: ast.expr | ast.stmt, after: str) -> str:
    lines = text.splitlines(keepends=True)

    def offset(line: int, column: int) -> int:
        return sum(map(len, lines[: line - 1])) + len(lines[line - 1].encode()[:column].decode())

    begin = offset(node.lineno, node.col_offset)
    end = offset(node.end_lineno or 0, node.end_col_offset or 0)
    return (
        f"{text[:begin]}({after}){text[end:]}"
        if isinstance(node, ast.expr)
        else text[:begin] + after + text[end:]
    )


def _places(tree: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """All places where a fault can be planted: not in docstrings, types, messages or defaults of text."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom | ast.Assert):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.AnnAssign):
            if node.value is not None:
                yield from _places(ast.Expression(node.value))
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _places(ast.Module(node.body, []))
            continue
        if _can_turn(node):
            yield node  # type: ignore[misc]
        yield from _places(node)


def _can_turn(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        text = isinstance(node.left, ast.JoinedStr | ast.Constant) and not isinstance(
            getattr(node.left, "value", 0), int | float
        )
        return type(node.op) in _TURNED and not text
    if isinstance(node, ast.Compare):
        return len(node.ops) == 1 and type(node.ops[0]) in _TURNED
    if isinstance(node, ast.Constant):
        return isinstance(node.value, bool) or (isinstance(node.value, int | float) and node.value != 0)
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    return isinstance(node, ast.BoolOp) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub)
    )


def _turn(node: ast.AST) -> None:
    """Make the fault, in place."""
    if isinstance(node, ast.BinOp | ast.BoolOp):
        node.op = _TURNED[type(node.op)]()  # type: ignore[assignment]
    elif isinstance(node, ast.Compare):
        node.ops = [_TURNED[type(node.ops[0])]()]  # type: ignore[list-item]
    elif isinstance(node, ast.Constant):
        node.value = (not node.value) if isinstance(node.value, bool) else 2 * node.value  # type: ignore[operator]
    elif isinstance(node, ast.Expr):
        node.value = ast.Constant(None)  # the call is left out
    elif isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd() if isinstance(node.op, ast.USub) else node.op
        if isinstance(node.op, ast.Not):
            node.operand = ast.UnaryOp(ast.Not(), node.operand)


def copied(root: Path, tree: Path) -> Path:
    """A copy of what git knows, for the faults; and of its compiled loops, which take long to make."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout
    for name in names.decode().rstrip("\0").split("\0"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, tree / name)
    for loop in (root / "streamer").rglob("__pycache__/*.nb[ci]"):
        copy = tree / loop.relative_to(root)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy2(loop, copy)
    return tree


def judged(tree: Path, fault: Fault, limit_s: float, broken: Sequence[str]) -> Verdict:
    """Plant a fault, run the tests that concern its file, and take it out again."""
    file = tree / fault.file
    sound, then = file.read_bytes(), file.stat()
    began = time.monotonic()
    file.write_text(fault.source, "utf-8")
    try:
        by = _first_failure(tree, _tests_of(tree, fault.file), limit_s, broken)
    finally:
        file.write_bytes(sound)
        os.utime(file, ns=(then.st_atime_ns, then.st_mtime_ns))  # what was compiled of it is good again
    took_s = round(time.monotonic() - began, 1)
    return Verdict(fault.file, fault.line, fault.was, fault.now, bool(by), by or "", by is not None, took_s)


def _tests_of(tree: Path, file: str) -> list[str]:
    """The test files for a file: of its own name, then those that import it, then those of its folder."""
    path = Path(file)
    folder = tree / "tests" / path.parent
    module = ".".join(path.with_suffix("").parts)
    package = module.rpartition(".")[0]
    asks = re.compile(rf"{re.escape(module)}\b|from {re.escape(package)} import .*\b{path.stem}\b")
    everything = sorted((tree / "tests").rglob("test_*.py"))
    own = sorted(folder.glob(f"test_{path.stem}*.py"))
    importing = [each for each in everything if asks.search(each.read_text("utf-8"))]
    importing.sort(key=lambda each: -len(os.path.commonpath([each, folder])))
    beside = sorted(folder.glob("test_*.py")) or sorted(folder.parent.rglob("test_*.py"))
    chosen = dict.fromkeys([*own, *importing[:MOST_IMPORTING], *beside, tree / "tests" / "test_promises.py"])
    return [each.relative_to(tree).as_posix() for each in chosen if "training" not in each.parts]


def _first_failure(tree: Path, tests: Sequence[str], limit_s: float, broken: Sequence[str]) -> str | None:
    """The first test that fails; empty if none does, None if they have not ended in time.

    The tests run in a fork of this process, which has loaded what is large and not ours.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(reading)
        _run_tests(tree, tests, [f"--deselect={test}" for test in broken], writing)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as results:
            said = results.read() if select.select([results], [], [], limit_s)[0] else None
    finally:  # Ctrl-C leaves nothing behind
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return None if said is None else said.decode()


def _run_tests(tree: Path, tests: Sequence[str], but: Sequence[str], results: int) -> NoReturn:
    """In the fork: report the first failure, and end."""
    os.chdir(tree)
    sys.path[:] = [str(tree), *(path for path in sys.path if path not in ("", str(ROOT)))]
    os.environ.update(PYTHONPATH=str(tree), QT_QPA_PLATFORM="offscreen")
    for name in [name for name in sys.modules if name.partition(".")[0] in (*PACKAGES, "tests")]:
        del sys.modules[name]
    with Path(os.devnull).open("r+b") as nothing:
        for descriptor in (0, 1, 2):
            os.dup2(nothing.fileno(), descriptor)
    first = First()
    options = ["-x", "-q", "-m", "not long", "-p", "no:cacheprovider", "-o", "timeout=90", "--tb=no"]
    try:
        code = pytest.main([*options, *but, *tests], plugins=[first])
        failed = first.failed or (tests[0] if code not in (0, 5) else "")
    except BaseException:  # noqa: BLE001 - whatever it was, the fault did it
        failed = first.failed or tests[0]
    os.write(results, failed.encode())
    os._exit(0)


class First:
    """Notes the first test, or file of tests, that fails."""

    failed = ""

    def pytest_collection(self) -> None:
        """That an example fails is enough: no smaller one is looked for."""
        import hypothesis  # not before pytest, which rewrites its plug-ins' asserts

        phases = (hypothesis.Phase.explicit, hypothesis.Phase.reuse, hypothesis.Phase.generate)
        hypothesis.settings.register_profile("first failure", hypothesis.settings(), phases=phases)
        hypothesis.settings.load_profile("first failure")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test's step has ended."""
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file was read."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


if __name__ == "__main__":
    sys.exit(main())
