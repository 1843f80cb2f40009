# SPDX-License-Identifier: GPL-3.0-or-later
"""The model that is meant: the bundled one, or a user's."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

from streamer.errors import InputError
from streamer.network import Network

BUNDLED_MODEL = "mecgnet-low.onnx"


def model_bytes(path: Path | None) -> bytes:
    """The model's file, or the bundled one.

    Raises
    ------
    InputError
        Where it cannot be read.
    """
    if path is None:
        return resources.files("streamer").joinpath("models", BUNDLED_MODEL).read_bytes()
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"the model {path} cannot be read: {error.strerror}") from error


def network_of(path: Path | None) -> Network:
    """The model, loaded and warm.

    Raises
    ------
    InputError
        Where the file cannot be read, or is not a model that fits.
    """
    model = model_bytes(path)
    try:
        return Network(model)
    except InputError as error:
        raise InputError(f"{path or BUNDLED_MODEL}: {error}") from error


def fingerprint(model: bytes) -> str:
    """SHA-256 of a model file."""
    return hashlib.sha256(model).hexdigest()
