# SPDX-License-Identifier: GPL-3.0-or-later
"""The words beside each trace: the lead's name, how it came to be, and what else is known of it."""

from __future__ import annotations

from gui.paper.agreement_text import compared
from gui.paper.geometry import RHYTHM, LeadArea
from gui.paper.grid import Words
from gui.paper.look import RHYTHMS, Look
from gui.paper.part_text import uncertainties
from gui.signal.history import History
from streamer.core.leads import LEADS
from streamer.core.stream import StreamInfo


def lead_words(area: LeadArea, look: Look, info: StreamInfo, band: str, said: str) -> list[Words]:
    """Words for one area of the paper.

    Parameters
    ----------
    band : str
        The input band, such as ``0.5-40 Hz``.
    said : str
        What is to stand beside the lead's name, such as its agreement with a measured lead.
    """
    theme = look.theme
    lead = look.rhythm if area.lead == RHYTHM else area.lead
    if lead not in LEADS:
        name, _, of_rhythm = RHYTHMS[lead].partition(", ")
        of_rhythm = f"{of_rhythm} {band}".strip() if lead == "measured" else of_rhythm
        if not info.is_lead_i:
            name = info.lead
        return [Words(name, theme.measured, name=True), Words(of_rhythm, theme.measured)]
    if lead == "I":
        measured = "measured" if info.is_lead_i else f"measured: {info.shown_lead}, not Lead I"
        words = [Words("I", theme.measured, name=True), Words(measured, theme.measured)]
    else:
        words = [Words(lead, theme.ink, name=True), Words("reconstructed", theme.reconstructed)]
        if not info.is_lead_i:
            words.append(Words("input is not Lead I", theme.warning))
    if area.lead != RHYTHM and said:
        words.append(Words(said, theme.truth))
    return words


def beside_names(look: Look, history: History, edge_s: float) -> dict[str, str]:
    """What is to stand beside each lead's name: how it agrees with what was measured, if that is drawn too,
    or how far it lies from the truth by fewer bands, if these are drawn.
    """
    if look.truth:
        return compared(history, edge_s)
    return uncertainties(history, edge_s) if look.parts else {}
