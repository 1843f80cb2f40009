# SPDX-License-Identifier: MIT
"""What must not leave with a recording or a stream: the names of folders, which may be persons'."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path, PurePosixPath, PureWindowsPath

from streamer.session.description import SessionDescription

_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+:)?((?:/|[A-Za-z]:[\\/]|\\\\).*)", re.DOTALL)
"""A path from a disk's root, alone or behind a scheme."""


def without_home(text: str) -> str:
    """The text with ``~`` for the home folder."""
    home = os.path.expanduser("~")  # noqa: PTH111 - never raises
    return text.replace(home, "~") if len(Path(home).parts) > 1 else text


def without_folders(text: str) -> str:
    """A path, or a SOURCE that holds one, with ``~`` for the home folder and ``...`` for any other.

    Text that is no absolute path only has its home folder replaced.
    """
    text = without_home(text)
    found = _ABSOLUTE.fullmatch(text)
    folder = None if found is None else _folder(found[2])
    return text if folder is None else text.replace(folder, "...", 1)


def _folder(path: str) -> str | None:
    """The folder of an absolute path, as it stands there; None if it has none below the root."""
    windows = "\\" in path or path[1:2] == ":"
    whole = PureWindowsPath(path) if windows else PurePosixPath(path)
    end = len(path.rstrip("/\\")) - len(whole.name)
    folder = path[:end].rstrip("/\\")
    return folder if len(whole.parts) > 2 and folder else None


def description_without_home(description: SessionDescription) -> SessionDescription:
    """The description without the folders of its source, in its source and notes."""
    stream = description.stream
    found = _ABSOLUTE.fullmatch(without_home(stream.source))
    folder = None if found is None else _folder(found[2])

    def clean(text: str) -> str:
        text = without_home(text)
        return text if folder is None else text.replace(folder, "...")

    notes = tuple(clean(note) for note in stream.notes)
    stream = dataclasses.replace(stream, source=clean(stream.source), notes=notes)
    return dataclasses.replace(description, stream=stream)
