# SPDX-License-Identifier: MIT
"""Loops compiled by numba, and a place for what it has compiled where it finds none by itself.

This is the only file that imports numba.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a loop over arrays at its first call, and keep the result for the next process.

    Numba keeps it beside the source, else in the user's cache.  If it may write to neither (a read-only
    installation run by an account without a home), it goes into a private folder among the temporary
    files.  Nothing changes in the environment.
    """
    try:
        fast: Callable[P, R] = numba.njit(cache=True)(function)
    except RuntimeError:  # numba found no folder that it may write to
        numba.config.CACHE_DIR = _private_folder()
        fast = numba.njit(cache=True)(function)
    _survive_damage(fast)
    return fast


def _survive_damage(fast: Any) -> None:
    """Take what is damaged in the cache (a disk was full) for absent: throw it away, and compile."""
    cache = getattr(fast, "_cache", None)
    load, save = getattr(cache, "load_overload", None), getattr(cache, "save_overload", None)
    if cache is None or load is None or save is None:
        return  # a numba that has them no more: damage is an error there

    def load_or_none(*what: Any) -> Any:
        try:
            return load(*what)
        except Exception:  # noqa: BLE001 - whatever a torn cache file raises
            _throw_away(cache)
            return None

    def save_if_possible(*what: Any) -> None:
        with suppress(OSError):  # a full disk: it is compiled again the next time
            save(*what)

    cache.load_overload, cache.save_overload = load_or_none, save_if_possible


def _throw_away(cache: Any) -> None:
    with suppress(Exception):  # it cannot be written either: then it is not read
        cache.flush()


def _private_folder() -> str:
    """One that no other user can write to: what lies in it is run."""
    if not hasattr(os, "getuid"):
        return tempfile.mkdtemp(prefix="mecg-numba-")
    folder = os.path.join(tempfile.gettempdir(), f"mecg-numba-{os.getuid()}")  # noqa: PTH118 - the core is without pathlib
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
        about = os.lstat(folder)
    except OSError:
        return tempfile.mkdtemp(prefix="mecg-numba-")
    if stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid() and not about.st_mode & 0o077:
        return folder
    return tempfile.mkdtemp(prefix="mecg-numba-")
