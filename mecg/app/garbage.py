# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts garbage collection off while nothing becomes garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collected_later() -> Iterator[None]:
    """For what loads modules and ends soon: each look over what they have made takes longer than the last."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.freeze()  # modules stay: no later look goes over them either
            gc.enable()
