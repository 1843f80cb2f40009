# SPDX-License-Identifier: GPL-3.0-or-later
"""Every message that a link can end with, read from the source code; what varies in it is ``…``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

DEVICES = Path(__file__).resolve().parents[2] / "devices"
FOLDERS = ("bluetooth", "lsl", "live", "brainflow", "serial")
ERRORS = {"InputError", "LinkLostError", "RefusedError"}
TABLES = {"_WHY", "_PASSING", "_REASONS", "_STATUS", "find_advice", "silence_advice"}
"""Names that hold messages, or parts of them."""
TELLERS = {"explain", "_why_not_found", "silence_advice", "watch", "_difference", "_receive"}
"""Functions that return them."""


def messages() -> dict[str, str]:
    """By message, the file that it is in."""
    found: dict[str, str] = {}
    for folder in FOLDERS:
        for path in sorted((DEVICES / folder).glob("*.py")):
            for text in _in(ast.parse(path.read_text("utf-8"))):
                found.setdefault(text, f"devices/{folder}/{path.name}")
    return found


def _in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ERRORS
            and node.args
        ):
            yield from _texts(node.args[0])
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {getattr(target, "id", getattr(target, "attr", "")) for target in targets}
            if names & TABLES:
                yield from _held(node.value)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in TELLERS:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and inner.value is not None:
                    yield from _texts(inner.value)


def _held(node: ast.expr) -> Iterator[str]:
    """The values of a table; of a tuple, what has the form of a sentence."""
    if isinstance(node, ast.Dict):
        for value in node.values:
            yield from _texts(value)
    elif isinstance(node, ast.Tuple):
        for item in node.elts:
            if isinstance(item, ast.Tuple):
                yield from _texts(item.elts[-1])
    else:
        yield from _texts(node)


def _texts(node: ast.expr) -> Iterator[str]:
    text = re.sub(r"(… ?)*…", "…", " ".join(_pattern(node).split())).strip()
    if re.search(r"[a-z]{2,}", text):
        yield text


def _pattern(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_pattern(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _pattern(node.left) + _pattern(node.right)
    if isinstance(node, ast.Call) and node.args and getattr(node.func, "id", "") == "next":
        return _pattern(node.args[1])
    return "…"
