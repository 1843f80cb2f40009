# SPDX-License-Identifier: MIT
"""Keeps numba from loading what nobody uses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


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
