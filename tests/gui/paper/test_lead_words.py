# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside each lead stands whether it was measured or reconstructed, and of what."""

from __future__ import annotations

import pytest
from PyQt6.QtGui import QColor, QFont
from PyQt6.QtWidgets import QApplication

from gui.paper.geometry import RHYTHM, LeadArea, Scale
from gui.paper.grid import Words, label
from gui.paper.lead_words import lead_words
from gui.paper.look import RHYTHMS, Look
from gui.theme import LIGHT
from streamer.core.leads import LEADS
from streamer.core.stream import Placement, StreamInfo

LEAD_I = StreamInfo("test:", 250.0)
LEAD_II = StreamInfo("test:", 250.0, lead="II", is_lead_i=False)


def of(lead: str, info: StreamInfo, rhythm: str = "II", said: str = "") -> list[Words]:
    area = LeadArea(lead, 0, 0, 0.0, 100.0, 0.0, 50.0, 25.0)
    return lead_words(area, Look(Scale(4.0), LIGHT, rhythm=rhythm), info, "0.5-40 Hz", said)


@pytest.mark.parametrize("info", [LEAD_I, LEAD_II], ids=["Lead I", "another lead"])
@pytest.mark.parametrize("lead", [*LEADS, *(f"{RHYTHM} {each}" for each in (*LEADS, *RHYTHMS))])
def test_the_name_comes_first_and_alone_is_large(lead: str, info: StreamInfo) -> None:
    area, _, rhythm = lead.partition(" ")
    words = of(area, info, rhythm or "II")
    assert [one.name for one in words] == [True] + [False] * (len(words) - 1)
    assert words[0].text == (info.lead if rhythm in RHYTHMS else rhythm or lead)


@pytest.mark.parametrize("lead", LEADS)
def test_measured_and_reconstructed_are_told_apart_by_word_and_colour(lead: str) -> None:
    name, kind = of(lead, LEAD_I)
    assert kind == (
        Words("measured", LIGHT.measured) if lead == "I" else Words("reconstructed", LIGHT.reconstructed)
    )
    assert name.color == (LIGHT.measured if lead == "I" else LIGHT.ink)


@pytest.mark.parametrize("lead", LEADS)
def test_what_is_not_lead_i_is_said_at_every_lead(lead: str) -> None:
    chest = StreamInfo("test:", 250.0, lead="i", is_lead_i=False, placement=Placement.CHEST)
    if lead == "I":
        assert of(lead, chest)[1].text == "measured: I on the chest, not Lead I"
    words = of(lead, LEAD_II)
    if lead == "I":
        assert "II" in words[1].text and "not Lead I" in words[1].text
    else:
        assert words[-1] == Words("input is not Lead I", LIGHT.warning)


@pytest.mark.parametrize("area", [*LEADS, RHYTHM])
def test_agreement_with_a_measured_lead_stands_last_and_not_at_the_rhythm_strip(area: str) -> None:
    words = of(area, LEAD_I, said="0.9")
    assert (words[-1] == Words("0.9", LIGHT.truth)) == (area != RHYTHM)


@pytest.mark.parametrize("framed", [True, False])
def test_the_label_of_a_chosen_lead_has_a_frame_all_around_and_no_other_has(
    qapp: QApplication, framed: bool
) -> None:
    area = LeadArea("II", 0, 0, 0.0, 300.0, 0.0, 90.0, 50.0)
    seen = label([Words("II", LIGHT.ink, name=True)], area, Scale(4.0), LIGHT, QFont(), framed)
    image = seen.picture.toImage()
    wide, tall = image.width(), image.height()
    edges = [
        *((x, y) for x in range(wide) for y in (0, tall - 1)),
        *((x, y) for y in range(tall) for x in (0, wide - 1)),
    ]
    inked = [image.pixelColor(x, y) == QColor(LIGHT.ink) for x, y in edges]
    assert all(inked) if framed else not any(inked)
