# SPDX-License-Identifier: GPL-3.0-or-later
"""The models that come with the program: one for each setting of `--latency`."""

from __future__ import annotations

from pathlib import Path

import streamer

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
