# SPDX-License-Identifier: MIT
"""Runs of True in a mask: stretches without a gap, gaps, marks that last."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def true_runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where each run of True in ``mask (n,)`` begins, and the index after its last."""
    if mask.all():  # as almost always: nothing is missing
        return [(0, len(mask))] if len(mask) else []
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False)).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))
