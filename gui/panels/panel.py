# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands beside the paper and wants to hear what the paper hears; no Qt."""

from __future__ import annotations

from typing import Protocol

from gui.theme import Theme
from streamer.core.events import Event
from streamer.core.stream import Frame, StreamInfo
from streamer.session.description import SessionDescription


class Panel(Protocol):
    """A part of the window, such as the column of numbers; called by the GUI's thread only.

    Plug one in with ``window.listen(part)``, and its widget into ``window.banner``, ``window.column``
    or ``window.below``.
    """

    def start_stream(self, info: StreamInfo, description: SessionDescription | None) -> None:
        """A stream begins: the first one, or another one in its place."""
        ...

    def frame(self, at_s: float, frame: Frame) -> None:
        """A frame came, at ``at_s`` (monotonic seconds)."""
        ...

    def event(self, event: Event) -> None:
        """Something happened."""
        ...

    def refresh(self, now_s: float) -> None:
        """Say what there is to say; five times a second, frozen or not (monotonic seconds)."""
        ...

    def apply_theme(self, theme: Theme) -> None:
        """Take on these colours."""
        ...
