# SPDX-License-Identifier: MIT
"""What is said of how a stream stands: "live" of nothing but a live one.

What stands behind a stream is decided by `streamer.core.stream.StreamInfo.kind`; the window, the status
line, pages and JSON have their words from here.
"""

from __future__ import annotations

import math

from streamer.core.events import State
from streamer.core.stream import SourceKind, StreamInfo


def kind_words(stream: StreamInfo, speed: float | None = None) -> str:
    """What stands behind a stream, such as ``live``, ``REPLAY 1x`` or ``SYNTHETIC``.

    Parameters
    ----------
    speed : float, optional
        At which it is played now; None if nothing is.
    """
    kind, word = stream.kind, str(stream.kind.value)
    if stream.live or speed is None or (kind is SourceKind.SYNTHETIC and speed == 1):
        return word
    return f"{word} {speed_words(speed)}"


def page_words(stream: StreamInfo) -> str:
    """What stands behind a page that is made of a file and not of what is played."""
    made = SourceKind.SYNTHETIC if stream.synthetic else SourceKind.RECORDED
    return str(made.value)


def state_words(state: State, stream: StreamInfo, speed: float | None = None) -> str:
    """How a stream stands, such as ``live``, ``stale``, ``REPLAY 2x`` or ``REPLAY, paused``."""
    if state is State.LIVE:
        return kind_words(stream, speed)
    return str(state.value) if stream.kind is SourceKind.LIVE else f"{stream.kind.value}, {state.value}"


def state_name(state: State, stream: StreamInfo) -> str:
    """The same for a script: the state's name, or in place of ``live`` the kind's."""
    return (stream.kind if state is State.LIVE else state).name.lower()


def speed_words(speed: float) -> str:
    """Such as ``2x``, or ``max``."""
    return "max" if math.isinf(speed) else f"{speed:g}x"
