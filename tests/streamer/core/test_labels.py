# SPDX-License-Identifier: MIT
"""Lead names are read in the languages that a watch writes them in."""

from __future__ import annotations

import pytest

from streamer.core.leads import LEADS, canonical_lead


@pytest.mark.parametrize(
    "form",
    (
        *("Ableitung {}", "Dérivation {}", "Derivación {}", "Derivação {}", "Derivazione {}", "Afleiding {}"),
        *("Avledning {}", "Afledning {}", "Kytkentä {}", "Odprowadzenie {}", "Svod {}", "{}. elvezetés"),
        *("第{}誘導", "{} 誘導", "导联 {}", "{} 導聯", "유도 {}", "Отведение {}", "Lead {} (Einthoven)"),
        "Απαγωγή {}",
    ),
)
@pytest.mark.parametrize("lead", LEADS)
def test_a_lead_is_found_in_every_language(form: str, lead: str) -> None:
    assert canonical_lead(form.format(lead)) == lead
    assert canonical_lead(form.format(lead).lower()) == lead


@pytest.mark.parametrize("label", ["Ableitung", "誘導", "第誘導", "lead lead", "I, as measured", "svod 4"])
def test_a_word_for_a_lead_alone_names_none(label: str) -> None:
    assert canonical_lead(label) is None
