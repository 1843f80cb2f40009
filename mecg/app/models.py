# SPDX-License-Identifier: GPL-3.0-or-later
"""The model that is meant: a bundled one, or a user's."""

from __future__ import annotations

import hashlib
from pathlib import Path

import streamer
from streamer.core.errors import InputError
from streamer.core.network.network import Network

LATENCIES = ("low", "balanced", "full")
"""How far a model looks ahead: a little, some, or as far as it pays."""


FOLDER = Path(streamer.__file__).parent / "models"


def bundled(latency: str = "low") -> Path:
    """Where the model of a setting is, or would be."""
    return FOLDER / f"mecgnet-{latency}.onnx"


def latency_of(model: Path | None) -> str | None:
    """The setting that a model file is for; None where it is a user's own."""
    return next((name for name in LATENCIES if (model or bundled()) == bundled(name)), None)


def card_of(model: Path | None) -> str:
    """The model card, Markdown: of a bundled model, or of a user's where one lies beside it; else empty."""
    own = (model or bundled()).with_suffix(".md")
    cards = (own, FOLDER / "MODEL_CARD.md") if latency_of(model) else (own,)
    for card in cards:
        try:
            return card.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue  # a model needs none
    return ""


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
