# SPDX-License-Identifier: GPL-3.0-or-later
"""What numba has kept may be torn: it is thrown away and compiled again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = """
import sys
from streamer.compiled import compiled

def doubled(x: float) -> float:
    return 2.0 * x

print(compiled(doubled)(21.0))
"""

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "nearly empty": lambda data: data[:1],
    "nonsense": lambda data: b"\xff" * len(data),
}

IN_SHORT = [("emptied", "nbc"), ("cut", "nbi")]


@pytest.mark.parametrize(
    ("damage", "suffix"),
    [
        pytest.param(damage, suffix, marks=[] if (damage, suffix) in IN_SHORT else pytest.mark.long)
        for damage in DAMAGE
        for suffix in ("nbi", "nbc")
    ],
)
def test_a_torn_cache_is_compiled_again(tmp_path: Path, suffix: str, damage: str) -> None:
    (tmp_path / "module.py").write_text(SCRIPT)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, str(tmp_path / "module.py")]

    def answer() -> str:
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    assert answer() == "42.0\n"
    files = list((tmp_path / "cache").rglob(f"*.{suffix}"))
    assert files
    for path in files:
        path.write_bytes(DAMAGE[damage](path.read_bytes()))
    assert answer() == "42.0\n" == answer()
