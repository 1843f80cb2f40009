# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from pathlib import Path

import pytest

from gui.dialogs.model_limits import NO_CARD, limits_of

CARDS = sorted((Path(__file__).parents[3] / "streamer" / "models").glob("*.md"))


@pytest.mark.parametrize("card", CARDS, ids=lambda path: path.stem)
def test_every_card_that_ships_says_what_st_and_pacing_can_show(card: Path) -> None:
    text = card.read_text(encoding="utf-8")
    said = limits_of(text)
    first = said.split("## What it cannot know")[0]
    assert "ST" in first and re.search("pacing", first, re.IGNORECASE)
    figures = re.findall(r"\d[\d.]*\s*%", first)
    assert figures and all(figure in text for figure in figures)


def test_there_are_cards() -> None:
    assert CARDS


def test_figures_are_the_card_s_own() -> None:
    card = (
        "# Card\n\n## How good it is\nRMSE 0.123 mV\n\nST (J + 60 ms) is off in 77.7% of beats.\n\n"
        "## What it cannot know\n- **Lead I** is one.\n"
        "- **ST**: in three of four beats wrong,\n  do not read it.\n"
        "- **Pacing spikes** are gone.\n\n## Reproduce\nrun it\n"
    )
    said = limits_of(card)
    assert (
        said.index("three of four") < said.index("Pacing spikes") < said.index("77.7%") < said.index("Lead I")
    )
    assert "0.123" in said and "run it" not in said and said.count("Pacing spikes** are gone") == 1


@pytest.mark.parametrize("card", ["", "  \n"])
def test_a_model_without_a_card_is_not_to_be_believed(card: str) -> None:
    assert limits_of(card) == NO_CARD


def test_a_card_of_another_make_is_no_reason_to_fall_over() -> None:
    assert "does not say" in limits_of("a card without any heading")
