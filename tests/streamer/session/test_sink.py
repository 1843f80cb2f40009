"""What a sink need not do."""

import ast
from pathlib import Path

from streamer.session.sink import Sink

ROOT = Path(__file__).parents[3]


class Nothing(Sink):
    name = "nothing"


def test_a_sink_overrides_only_what_it_needs() -> None:
    sink = Nothing()
    for method in ("chunk", "frame", "event"):
        assert getattr(sink, method)(None) is None
    assert sink.close() is None


def test_no_sink_says_again_that_it_does_nothing() -> None:
    idle = [
        f"{path.name}: {kind.name}.{method.name}"
        for top in ("streamer", "devices", "mecg")
        for path in (ROOT / top).rglob("*.py")
        for kind in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(kind, ast.ClassDef) and "Sink" in [ast.unparse(base) for base in kind.bases]
        for method in kind.body
        if isinstance(method, ast.FunctionDef) and len(method.body) == 1 and ast.get_docstring(method)
    ]
    assert idle == []
