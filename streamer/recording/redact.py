# SPDX-License-Identifier: MIT
"""What must not leave with a recording or a stream: the home folder's name is a person's."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from streamer.session.description import SessionDescription


def without_home(text: str) -> str:
    """The text with ``~`` for the home folder."""
    home = os.path.expanduser("~")  # noqa: PTH111 - never raises
    return text.replace(home, "~") if len(Path(home).parts) > 1 else text


def description_without_home(description: SessionDescription) -> SessionDescription:
    """The description with ``~`` for the home folder in its source and notes."""
    stream = description.stream
    notes = tuple(without_home(note) for note in stream.notes)
    stream = dataclasses.replace(stream, source=without_home(stream.source), notes=notes)
    return dataclasses.replace(description, stream=stream)
