# SPDX-License-Identifier: MIT
"""Durations in a fixed amount of memory, with a bounded relative error."""

from __future__ import annotations

from math import ceil, log, log1p

import numpy as np

SMALLEST_MS = 1e-3
LARGEST_MS = 1e6


class Histogram:
    """Counts durations in log-spaced bins; quantiles are right within ``relative_error``.

    Durations below 1 µs (also negative ones) count as 1 µs, those above 1000 s as 1000 s; count
    and maximum are exact.  Not for use by several threads at once.

    Parameters
    ----------
    relative_error : float
        Greatest error of a quantile, relative to its true value.
    """

    def __init__(self, relative_error: float = 0.01) -> None:
        # A bin spans a factor of (1 + e)^2 and is read at its geometric middle.
        self._log_factor = 2 * log1p(relative_error)
        bins = ceil(log(LARGEST_MS / SMALLEST_MS) / self._log_factor) + 1
        self._counts = np.zeros(bins, np.int64)
        self.count = 0
        """How many durations were added."""
        self.max_ms = 0.0
        """The longest, exactly."""

    def add(self, duration_ms: float) -> None:
        """Count one duration, in ms (finite)."""
        inside = min(max(duration_ms, SMALLEST_MS), LARGEST_MS)
        self._counts[int(log(inside / SMALLEST_MS) / self._log_factor)] += 1
        self.count += 1
        self.max_ms = max(self.max_ms, duration_ms)

    def quantile(self, q: float) -> float:
        """The duration in ms that a share ``q`` of all do not exceed; NaN where there are none."""
        if not self.count:
            return float("nan")
        rank = max(ceil(q * self.count), 1)
        i = int(np.searchsorted(np.cumsum(self._counts), rank))
        middle = float(SMALLEST_MS * np.exp((i + 0.5) * self._log_factor))
        return min(middle, max(self.max_ms, SMALLEST_MS))

    def summary(self) -> dict[str, float | int | None]:
        """``p50, p90, p99, p99_9, max`` in ms (None if nothing was counted) and ``count``."""
        quantiles = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}
        values: dict[str, float | int | None] = {
            name: round(self.quantile(q), 4) if self.count else None for name, q in quantiles.items()
        }
        return values | {"max": round(self.max_ms, 4) if self.count else None, "count": self.count}
