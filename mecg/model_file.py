# SPDX-License-Identifier: GPL-3.0-or-later
"""The model that is meant: a bundled one, or a user's."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mecg.bundled import bundled, latency_of
from streamer.errors import InputError
from streamer.network import Network


def model_name(path: Path | None) -> str:
    """What a model file is called: a bundled one by its name, a user's by its path."""
    return bundled(latency).name if (latency := latency_of(path)) else str(path)


def model_bytes(path: Path | None) -> bytes:
    """The model's file, or the bundled one.

    Raises
    ------
    InputError
        Where it cannot be read.
    """
    try:
        return (path or bundled()).read_bytes()
    except OSError as error:
        if isinstance(error, FileNotFoundError) and (latency := latency_of(path)):
            raise InputError(
                f"this installation has no model for --latency {latency}: choose another, or name a --model"
            ) from error
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
        raise InputError(f"{model_name(path)}: {error}") from error


def fingerprint(model: bytes) -> str:
    """SHA-256 of a model file."""
    return hashlib.sha256(model).hexdigest()
