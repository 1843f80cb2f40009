# SPDX-License-Identifier: GPL-3.0-or-later
"""The frozen picture, and where in the last ten minutes it looks; no Qt."""

from __future__ import annotations

import math

from gui.signal.history import History


class FrozenView:
    """A copy of what was remembered when the picture was frozen, and the instant at its right edge.

    Parameters
    ----------
    history : History
        Copied: more may come while it is looked at.
    edge_s : float
        Where the live picture's edge stood.
    at_s : float
        When it was frozen, monotonic seconds.
    """

    def __init__(self, history: History, edge_s: float, at_s: float) -> None:
        self.history = history.copy()
        self.at_s = at_s
        self.edge_s = self._newest_s = edge_s
        self.returns_at_s = math.inf
        """When the picture goes on by itself, monotonic seconds: it was only glanced at."""
        self.moved = False
        """Whether the picture shows another stretch than the one that was frozen."""

    @property
    def back_s(self) -> float:
        """How far before the frozen instant the picture ends."""
        return self._newest_s - self.edge_s

    def by(self, seconds: float, shown_s: float) -> None:
        """Look so much later (earlier where negative), ``shown_s`` being what fits on the screen."""
        self.to(self.edge_s + seconds, shown_s)

    def to(self, edge_s: float, shown_s: float) -> None:
        """Look up to this instant, within what is kept."""
        oldest_s = min(self.history.start_s + shown_s, self._newest_s)
        self.edge_s = min(max(edge_s, oldest_s), self._newest_s)
        self.moved = True

    def oldest(self, shown_s: float) -> None:
        """Look at the beginning of what is kept."""
        self.to(float("-inf"), shown_s)

    def newest(self) -> None:
        """Look at what was frozen."""
        self.to(self._newest_s, 0.0)
