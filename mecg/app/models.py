# SPDX-License-Identifier: GPL-3.0-or-later
"""The model that a command means: the user's file, or the bundled one if none was named."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from streamer import model_files
from streamer.core.network.parts import ALL_BANDS

if TYPE_CHECKING:
    from streamer.core.network.network import Network


def latency_of(model: Path | None) -> str | None:
    """The setting that a model file is for; None if it is a user's own."""
    return model_files.latency_of(_path(model))


def card_of(model: Path | None) -> str:
    """The model card, Markdown: of a bundled model, or of a user's if one lies beside it; else empty."""
    own = _path(model).with_suffix(".md")
    cards = (own, model_files.FOLDER / "MODEL_CARD.md") if latency_of(model) else (own,)
    for card in cards:
        try:
            return card.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue  # a model needs none
    return ""


def model_name(model: Path | None) -> str:
    """What a model file is called: a bundled one by its name, a user's by its path."""
    return model_files.model_name(_path(model))


def model_bytes(model: Path | None, bands: str = ALL_BANDS) -> bytes:
    """The model's file, or the bundled one, or the part of it that hears no faster bands than these.

    Raises
    ------
    InputError
        If it cannot be read, or has no such part.
    """
    if bands == ALL_BANDS:
        return model_files.model_bytes(_path(model))
    whole = network_of(model)
    whole.part(bands)
    return whole.parts[bands]


def network_of(model: Path | None, bands: str = ALL_BANDS) -> Network:
    """The model, or as much of it as hears no faster bands than these, loaded and warm.

    Raises
    ------
    InputError
        If the file cannot be read, is not a model that fits, or has no such part.
    """
    return model_files.load_model(_path(model), bands)


def fingerprint(model: bytes) -> str:
    """SHA-256 of a model file."""
    return hashlib.sha256(model).hexdigest()


def _path(model: Path | None) -> Path:
    return model or model_files.bundled_model()
