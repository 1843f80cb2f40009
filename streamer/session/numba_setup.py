# SPDX-License-Identifier: MIT
"""Numba's surroundings: a place for what it has compiled, and nothing in memory that nobody uses."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent


def find_cache_place() -> None:
    """See to it that numba can keep what it compiled; must come before numba is imported.

    By itself it writes beside the source, else into the user's cache, and where it may do neither (a
    read-only installation run by somebody without a home) it refuses to compile at all.  Then a private
    folder among the temporary files takes its place.
    """
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - no home is no error
    # Windows and macOS have other caches, which are always there.
    if _can_write(_PACKAGE / "__pycache__") or not sys.platform.startswith("linux"):
        return
    if not _can_write(Path(cache) / "numba"):
        os.environ["NUMBA_CACHE_DIR"] = str(_private_folder())


@contextmanager
def without_linear_algebra() -> Iterator[None]:
    """Keep numba from loading all of scipy.linalg with its first function: 15 MB and 0.15 s for nothing.

    It does so for its own version of numpy.linalg, which nothing here calls.
    """
    name = "scipy.linalg"
    absent = name not in sys.modules
    if absent:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's way to say that it cannot be imported
    try:
        yield
    finally:
        if absent:
            del sys.modules[name]


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _private_folder() -> Path:
    """One that nobody else can write to: what lies in it is run."""
    if hasattr(os, "getuid"):
        folder = Path(tempfile.gettempdir()) / f"mecg-numba-{os.getuid()}"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            about = folder.lstat()
        except OSError:
            return Path(tempfile.mkdtemp(prefix="mecg-numba-"))
        if not folder.is_symlink() and about.st_uid == os.getuid() and not about.st_mode & 0o077:
            return folder
    return Path(tempfile.mkdtemp(prefix="mecg-numba-"))
