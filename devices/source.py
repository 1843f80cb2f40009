# SPDX-License-Identifier: MIT
"""The one protocol that every source follows, recorded or live."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from streamer.stream import Chunk, Event, StreamInfo


class Source(Protocol):
    """Delivers one measured lead as chunks, and says what happens to it as events.

    A live session looks exactly like a replay to the rest of the program: `open`, then iterate.
    """

    def open(self) -> StreamInfo:
        """Find the stream and describe it.

        Raises
        ------
        InputError
            Where there is no such stream, or it holds nothing that can be used.
        """
        ...

    def items(self) -> Iterator[Chunk | Event]:
        """Everything in order of arrival; ends with the stream, or within 2 s of `stop`.

        Chunk indices never go back: duplicates and late packets were dropped (and told as a
        ``dropped`` event), lost samples are a jump of the index (and a ``lost`` event).
        """
        ...

    def stop(self) -> None:
        """Ask `items` to end.  May be called from any thread, more than once; returns at once."""
        ...
