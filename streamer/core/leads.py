# SPDX-License-Identifier: MIT
"""The twelve leads: their order, where each comes from, and the limb-lead laws.

Einthoven (1912): I + III = II.  Goldberger (1942): the augmented leads are the mean of two limb
leads.  Two of the six limb leads therefore fix the other four, exactly.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamer.core.units import mv_per_unit

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""The order of the rows of every ``(12, n)`` array in this program."""

PREDICTED = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
"""What a network puts out.  Its "I" is the measured lead, baseline and phase corrected (I')."""

DERIVED = ("III", "aVR", "aVL", "aVF")
"""Follow from I' and II by law."""

SEVEN = ("II", "V1", "V2", "V3", "V4", "V5", "V6")
"""The truly predicted leads: the headline of every score."""

ELEVEN = tuple(lead for lead in LEADS if lead != "I")
"""Everything but Lead I."""

ORIGIN = {
    lead: "measured" if lead == "I" else "derived" if lead in DERIVED else "predicted" for lead in LEADS
}
"""How each lead came to be; travels to every sink."""

_ROWS = [LEADS.index(lead) for lead in PREDICTED]


_UNIT = re.compile(r"\s*(?:\(([^()]*)\)|\[([^\[\]]*)\])$")
_WORDS = tuple(
    unicodedata.normalize("NFKD", word)
    for word in (
        *("誘導", "导联", "導聯", "導程", "유도", "리드", "отведение", "відведення", "απαγωγη", "επαγωγη"),
        *("afledning", "kytkenta", "odprowadzenie", "svod", "zvod", "odvod", "elvezetes", "derivasyon"),
        *("derivatia", "einthoven", "sadapan"),
    )
)
"""Words for a lead that may stand on either side of its name."""
_LABEL = re.compile(
    r"(?:(?:mdc|ecg|ekg) )*"
    r"(?:(?P<word>lead|ableitung|derivation|derivacion|derivacao|derivazione|avledning|afleiding) ?)?"
    r"(?:(?P<short>d|l|ml)(?=[i1-3]))?"
    r"(?P<name>i{1,3}|[123]|av[rlf]|v ?[1-6])"
)


@lru_cache(4096)  # an archive's records all have the same labels
def canonical_lead(name: str) -> str | None:
    """The lead that a label means; None if it means none of the twelve.

    ``I``, ``i``, ``Lead I``, ``Lead 1``, ``L1``, ``DI``, ``MLI``, ``ECG(I)``, ``EKG I``, ``I (mV)``,
    ``Ableitung I``, ``MDC_ECG_LEAD_I`` are all ``I``; ``AVR`` is ``aVR``.  A bare number counts channels and
    names no lead, nor does ``MLII``: that is measured between electrodes on the chest.
    """
    letters = unicodedata.normalize("NFKD", name).casefold()
    text = "".join(c for c in letters if not unicodedata.combining(c)).strip()
    unit = _UNIT.search(text)
    if unit and mv_per_unit(unit[1] or unit[2] or "") is not None:
        text = text[: unit.start()]
    if text.startswith("-"):
        return None  # turned: another lead
    for word in _WORDS:
        text = text.replace(word, " lead ")
    text = re.sub(r"[\s_\-.:,()\[\]第]+", " ", text).strip()
    if text.endswith(" lead"):
        text = f"lead {text.removesuffix(' lead').removeprefix('lead ')}"
    label = _LABEL.fullmatch(text)
    if label is None:
        return None
    lead, short = label["name"].replace(" ", ""), label["short"]
    if lead in "123":
        if not (label["word"] or short):
            return None
        lead = "i" * int(lead)
    if (short == "ml" and lead != "i") or (short and label["word"]):
        return None
    return next((known for known in LEADS if known.casefold() == lead), None)


def twelve_from_eight(eight_mv: NDArray[np.float32]) -> NDArray[np.float32]:
    """The twelve leads from the eight independent ones.

    Parameters
    ----------
    eight_mv : array (8, n)
        In the order of `PREDICTED`, mV.

    Returns
    -------
    array (12, n)
        In the order of `LEADS`, mV; III = II - I, aVR = -(I + II)/2, aVL = I - II/2,
        aVF = II - I/2.
    """
    one, two = eight_mv[0], eight_mv[1]
    twelve = np.empty((12, eight_mv.shape[1]), np.float32)
    twelve[_ROWS] = eight_mv
    twelve[2] = two - one
    twelve[3] = -(one + two) / 2
    twelve[4] = one - two / 2
    twelve[5] = two - one / 2
    return twelve


def scale_of_twelve(eight_mv: NDArray[np.float32]) -> NDArray[np.float32]:
    """The uncertainty of the twelve leads from that of the eight independent ones.

    Parameters and shapes as in `twelve_from_eight`.  The errors of I' and II are taken as
    independent, so a derived lead's scale is the root of the summed squares of its parts.
    """
    one, two = eight_mv[0], eight_mv[1]
    twelve = np.empty((12, eight_mv.shape[1]), np.float32)
    twelve[_ROWS] = eight_mv
    twelve[2] = np.hypot(one, two)
    twelve[3] = np.hypot(one, two) / 2
    twelve[4] = np.hypot(one, two / 2)
    twelve[5] = np.hypot(two, one / 2)
    return twelve
