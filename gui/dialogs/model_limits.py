# SPDX-License-Identifier: GPL-3.0-or-later
"""What ST and pacing spikes can and cannot show: taken from the model's own card; no Qt."""

from __future__ import annotations

import re

NO_CARD = (
    "This model came without a model card, so nothing is known here of how well it does. ST, pacing spikes "
    "and the amplitudes of the reconstructed leads must not be relied on."
)
_LIMITS = "What it cannot know"
_FIRST = re.compile(r"\*\*(ST|Pacing)|^(ST|Pacing)\b", re.IGNORECASE)


def limits_of(card: str) -> str:
    """What a bedside user must know before believing the picture, as Markdown.

    First what the card says of ST and pacing, then its whole list of limits, then its figures.  Nothing
    here is of our own making: figures change with the model, and so does its card.
    """
    if not card.strip():
        return NO_CARD
    sections = _sections(card)
    limits = next((text for title, text in sections if title.lower() == _LIMITS.lower()), "")
    points = [point.strip() for point in re.split(r"^(?=- )", limits, flags=re.MULTILINE) if point.strip()]
    first = [point for point in points if _FIRST.search(point.removeprefix("- "))]
    measured = [
        part.strip() for _, text in sections for part in re.split(r"\n\s*\n", text) if part.startswith("ST (")
    ]
    rest = [point for point in points if point not in first]
    scores = next((f"## {title}\n{text}" for title, text in sections if title.startswith("How good")), "")
    parts = [
        "## ST and pacing spikes",
        "\n".join(first),
        *measured,
        f"## {_LIMITS}",
        "\n".join(rest) or "The card does not say.",
        scores,
    ]
    return "\n\n".join(part for part in parts if part)


def _sections(card: str) -> list[tuple[str, str]]:
    """Title and text of each second-level section."""
    pieces = re.split(r"^## +(.+?) *$", card, flags=re.MULTILINE)
    return [(title.strip(), text.strip()) for title, text in zip(pieces[1::2], pieces[2::2], strict=True)]
