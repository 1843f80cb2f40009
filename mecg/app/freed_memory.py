# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives what a session leaves behind back to the system."""

from __future__ import annotations

import ctypes
import gc


def give_back() -> None:
    """Let go of memory that nothing uses any more.

    A session's threads each take theirs from a pool of their own, and glibc keeps the pools: after 120
    changes of source a window held 566 MB, of which 330 MB were in use.  Elsewhere there is nothing to do.
    """
    gc.collect()  # a session and its sinks know each other
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return
    trim(0)
